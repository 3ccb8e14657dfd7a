// SPDX-License-Identifier: GPL-2.0-only
#include "change/always.h"
#include "commands/run.h"

bool take(struct change *change)
{
	int log = log_open();
	bool good;

	progress("binding %s", change->device->address);
	good = transaction_move(change, OURS, OURS);
	log_close(log, good ? NULL : change->device->address);
	if (!good && lacks_iommu(change->device))
		complain("switch the IOMMU on in the firmware's set-up and boot with intel_iommu=on (Intel)",
			 "%s has no IOMMU group", change->device->address);
	return good;
}

static int bind_one(struct run *run, struct change *change)
{
	struct device *device = change->device;
	bool late = run->options->group && group_is_late(run, device);

	if (!is_ours(device) && !take(change))
		return lacks_iommu(device) ? CODE_HOST : CODE_FAILED;
	if (!late)
		return CODE_OK;
	bus_refresh(&run->bus);
	group_add(run, device, true);
	return run_is_idle(run) ? group_take_late(run, device) : CODE_IN_USE;
}

static int save(struct run *run, struct change *change)
{
	(void)run;
	if (!is_ours(change->device) || saved_is_ours(change))
		return CODE_OK;
	if (!transaction_save(change, OURS))
		return CODE_FAILED;
	if (change->saved)
		complain(NULL, "driverctl had %s saved for %s before", change->saved, change->device->address);
	return CODE_OK;
}

/* The driver has given the BARs pages, and they keep them. */
static int hand_over(struct run *run, struct change *change)
{
	struct device *device = change->device;
	char state[32], reason[200];
	int bar;

	for (bar = 0; bar < BARS; bar++) {
		if (device_read_bar(device, bar, "state", state, sizeof(state)) < 0 ||
		    !strcmp(state, "in_place") || !strcmp(state, "moved"))
			continue;
		device_read_bar(device, bar, "reason", reason, sizeof(reason));
		complain(NULL, "BAR %d of %s has no page of its own: %s", bar, device->address, reason);
	}
	progress("handing %s to %s", device->address, run->hand_over);
	return align_move(change, run->hand_over) ? CODE_OK : CODE_FAILED;
}

/* One step for all that are in the transaction; --group may add some as it goes. */
static int each(struct run *run, int (*step)(struct run *run, struct change *change), bool wanted)
{
	int i, code = CODE_OK;

	for (i = 0; i < run->transaction.count && code == CODE_OK; i++) {
		if (wanted && !run->transaction.change[i].wanted)
			continue;
		if (transaction_interrupted(&run->transaction))
			return CODE_FAILED;
		code = step(run, &run->transaction.change[i]);
	}
	return code;
}

static int bind_all(struct run *run)
{
	int code = each(run, bind_one, true);

	if (code == CODE_OK && run->hand_over)
		code = each(run, hand_over, false);
	if (code == CODE_OK && run->options->persist)
		code = each(run, save, false);
	return code;
}

int run_bind(const struct options *options, const char *driver)
{
	struct run run = { .options = options, .hand_over = driver };
	bool usable;
	int code;

	bus_scan(&run.bus, NULL, NULL);
	need_root(bus_find(&run.bus, options->device[0]));
	if (options->persist)
		need_driverctl();
	run_begin(&run, options, true);
	need_no_bridges(&run.transaction);
	need_iommu(&run.transaction);
	need_groups(&run);
	need_driver();
	if (driver)
		need_other_driver(driver);
	/* Last of all, so that a user who comes while a module loads is seen. */
	machine_look(&run.machine, true);
	code = run_is_idle(&run) ? bind_all(&run) : CODE_IN_USE;
	usable = code != CODE_OK || group_is_usable(&run);
	code = run_finish(&run, code);
	run_free(&run);
	return code == CODE_OK && !usable ? CODE_CHANGED : code;
}

static int bind_run(const struct options *options)
{
	return run_bind(options, NULL);
}

const struct command bind_command = {
	.name = "bind", .run = bind_run,
	.summary = "give devices to " OURS,
	.arguments = "DEVICE...", .min_arguments = 1, .max_arguments = ANY_NUMBER,
	.description = "Give devices to " OURS ": all of them or, if one fails, none.\n",
	.option = {
		['g'] = "also all others of their IOMMU groups, but bridges",
		['f'] = "even if something uses one; says what that was",
		['p'] = "at each boot from now on (with driverctl)",
		['Q'] = "print QEMU's option for each device",
		['L'] = "print libvirt's XML for each device",
	},
	.columns = run_columns,
	.first_reason = REASON_DISK_MOUNTED, .last_reason = REASON_UNKNOWN,
	.examples = "  subpage-vfio bind 0000:01:00.0\n"
		"  subpage-vfio bind --group --persist 01:00.0\n",
};
