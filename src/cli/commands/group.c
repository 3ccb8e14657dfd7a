// SPDX-License-Identifier: GPL-2.0-only
#include "bus/iommu.h"
#include "commands/run.h"

void group_add(struct run *run, const struct device *device, bool to_bind)
{
	struct device *other;

	for_each(other, run->bus.device, run->bus.count)
		if (run->options->group && device->group >= 0 && other != device && other->group == device->group &&
		    !other->bridge && other->class >> 8 != 6 && (to_bind || is_given(other)))
			transaction_add(&run->transaction, other, to_bind ? !is_ours(other) : true);
}

/* Where groups show late, functions of its slot that no driver has had may be in its group. */
static bool may_be_of_group(const struct device *device, const struct device *other)
{
	size_t slot = strcspn(device->address, ".");

	return other != device && other->group < 0 && !*other->driver &&
	       !device_is_bridge(other) && !strncmp(device->address, other->address, slot + 1);
}

bool group_is_late(const struct run *run, const struct device *device)
{
	const struct device *other;
	bool late = device->group < 0;

	for_each(other, run->bus.device, run->bus.count)
		late |= may_be_of_group(device, other);
	return late;
}

int group_take_late(struct run *run, const struct device *device)
{
	struct transaction *transaction = &run->transaction;
	struct change *change;
	struct device *other;

	for_each(other, run->bus.device, run->bus.count) {
		if (!may_be_of_group(device, other) || !transaction_add(transaction, other, true))
			continue;
		change = &transaction->change[transaction->count - 1];
		if (!run_is_idle(run))
			return CODE_IN_USE;
		if (!take(change))
			return CODE_FAILED;
		if (other->group == device->group)
			continue;
		/* Not of the group: it is as it was, and left out. */
		if (!transaction_move(change, change->driver, change->override))
			return CODE_FAILED;
		change->begun = false;
	}
	return CODE_OK;
}

bool group_is_usable(struct run *run)
{
	const struct change *change;
	const struct device *other;
	bool usable = true;

	bus_refresh(&run->bus);
	for_each(change, run->transaction.change, run->transaction.count)
		for (other = NULL; (other = group_blocker(&run->bus, change->device, other)); usable = false)
			complain(other->bridge ? "unbind the bridge from that driver" :
				 "bind it too (--group takes all), or unbind it",
				 "%s cannot be used yet: %s, of the same IOMMU group %d, has the driver %s",
				 change->device->address, other->address, other->group, other->driver);
	return usable;
}
