// SPDX-License-Identifier: GPL-2.0-only
#include "bus/file.h"
#include "change/module.h"
#include "commands/run.h"

/* The driver that a module brings may still not want this device: that is no failure. */
static bool offer(struct device *device, char *modules)
{
	char *module, *rest;
	bool failed = false;

	for (module = strtok_r(modules, " ", &rest); module; module = strtok_r(NULL, " ", &rest)) {
		struct matches drivers = { 0 };
		const char *path;

		while (!*device->driver && (path = next_match(&drivers, "/sys/module/%s/drivers/pci:*", module))) {
			const char *driver = strrchr(path, ':') + 1;
			int err = file_write(device->address, "/sys/bus/pci/drivers/%s/bind", driver);

			device_refresh(device);
			if (!err || err == -ENODEV || err == -ENXIO)
				continue;
			complain("\"dmesg | tail\" may say why", "%s could not be bound to its native driver %s: %s",
				 device->address, driver, strerror(-err));
			failed = true;
		}
		matches_end(&drivers);
	}
	return *device->driver || !failed;
}

static bool native_comes(struct device *device)
{
	char modalias[256], *modules = NULL;
	bool good = true;
	int count;

	file_write(device->address, "/sys/bus/pci/drivers_probe");
	device_refresh(device);
	if (*device->driver || device_read(device, "modalias", modalias, sizeof(modalias)) <= 0)
		return true;
	/* The system loads drivers for a device when it finds it: it may have been ours already. */
	count = module_load_for(modalias, &modules);
	device_refresh(device);
	if (count < 0 && !*device->driver) {
		complain("\"dmesg | tail\" may say why", "%s, the native driver of %s, cannot be loaded: %s",
			 modules, device->address, strerror(-count));
		good = false;
	} else if (count > 0 && !*device->driver) {
		good = offer(device, modules);
	}
	free(modules);
	return good;
}

static bool give_back(struct change *change, const struct options *options)
{
	struct device *device = change->device;
	int log = log_open();
	bool good, native;

	progress("unbinding %s", device->address);
	/* A driver that is not ours keeps it; a leftover override goes. */
	good = transaction_move(change, is_given(device) ? "" : device->driver, "");
	native = !good || *device->driver || native_comes(device);
	log_close(log, native ? NULL : device->address);
	if (!native && options->force)
		complain(NULL, "--force leaves %s without a driver", device->address);
	if (good && is_ours(device)) {
		complain(NULL, "%s is still bound to " OURS, device->address);
		return false;
	}
	return good && (native || options->force);
}

static int unbind_all(struct run *run)
{
	struct transaction *transaction = &run->transaction;
	const struct options *options = run->options;
	struct change *change;

	for_each(change, transaction->change, transaction->count) {
		if (transaction_interrupted(transaction))
			return CODE_FAILED;
		/* What has no driver may be what an instance that was killed has left. */
		if ((is_given(change->device) || !strcmp(change->override, OURS) || !*change->driver) &&
		    !give_back(change, options))
			return CODE_FAILED;
	}
	for_each(change, transaction->change, transaction->count) {
		if (!change->saved)
			continue;
		if (options->persist && !saved_is_ours(change))
			complain(NULL, "driverctl has %s saved for %s, which stays", change->saved,
				 change->device->address);
		else if (options->persist && !transaction_save(change, NULL))
			return CODE_FAILED;
		else if (saved_is_ours(change) && !options->persist)
			complain("\"subpage-vfio unbind --persist\" forgets that",
				 "%s returns to " OURS " at the next boot", change->device->address);
	}
	return CODE_OK;
}

static int unbind_run(const struct options *options)
{
	struct run run = { .options = options };
	int code;

	bus_scan(&run.bus, NULL, NULL);
	need_root(bus_find(&run.bus, options->device[0]));
	run_begin(&run, options, false);
	machine_look(&run.machine, true);
	code = run_is_idle(&run) ? unbind_all(&run) : CODE_IN_USE;
	code = run_finish(&run, code);
	run_free(&run);
	return code;
}

const struct command unbind_command = {
	.name = "unbind", .run = unbind_run,
	.summary = "give devices back to their native drivers",
	.arguments = "DEVICE...", .min_arguments = 1, .max_arguments = ANY_NUMBER,
	.description = "Give devices back to their native drivers.\n",
	.option = {
		['g'] = "also those of their IOMMU groups that our driver has",
		['f'] = "even if one is in use, or no native driver comes",
		['p'] = "also forget what \"bind --persist\" has set",
	},
	.columns = run_columns,
	.first_reason = REASON_DISK_MOUNTED, .last_reason = REASON_UNKNOWN,
	.examples = "  subpage-vfio unbind 0000:01:00.0\n",
};
