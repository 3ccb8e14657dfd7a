// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "bus/iommu.h"
#include "commands/run.h"

/* The other devices that have to be together with it; on some machines they show once it is bound. */
void group_add(struct run *run, const struct device *device, bool to_bind)
{
	int i;

	for (i = 0; i < run->bus.count && run->options->group && device->group >= 0; i++) {
		struct device *other = &run->bus.device[i];

		if (other != device && other->group == device->group && !other->bridge &&
		    other->class >> 8 != 6 && (to_bind || is_given(other)))
			transaction_add(&run->transaction, other, to_bind ? !is_ours(other) : true);
	}
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
	bool late = device->group < 0;
	int i;

	for (i = 0; i < run->bus.count && !late; i++)
		late = may_be_of_group(device, &run->bus.device[i]);
	return late;
}

int group_take_late(struct run *run, const struct device *device)
{
	struct transaction *transaction = &run->transaction;
	int i;

	for (i = 0; i < run->bus.count; i++) {
		struct device *other = &run->bus.device[i];
		struct change *change;

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

/* The others of its group, whose drivers keep the device from user space. */
bool group_is_usable(struct run *run)
{
	const struct device *other;
	bool usable = true;
	int i;

	for (i = 0; i < run->bus.count; i++)
		device_refresh(&run->bus.device[i]);
	for (i = 0; i < run->transaction.count; i++) {
		const struct device *device = run->transaction.change[i].device;

		for (other = NULL; (other = group_blocker(&run->bus, device, other)); usable = false)
			complain(other->bridge ? "unbind the bridge from that driver" :
				 "bind it too (--group takes all), or unbind it",
				 "%s cannot be used yet: %s, of the same IOMMU group %d, has the driver %s",
				 device->address, other->address, other->group, other->driver);
	}
	return usable;
}
