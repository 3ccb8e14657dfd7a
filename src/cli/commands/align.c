// SPDX-License-Identifier: GPL-2.0-only
#include "change/always.h"
#include "commands/run.h"

static int align_run(const struct options *options)
{
	const char *driver = options->driver ? options->driver : "vfio-pci";
	/* What programs read is one table. */
	FILE *to = table_is_for_people(&options->format) ? stdout : stderr;
	int code = CODE_OK, written = CODE_OK;

	if (!align_takes(driver))
		fail(CODE_USAGE, "name one of /sys/bus/pci/drivers, such as vfio-pci",
		     "\"%s\" is no driver to hand a device to", driver);
	if (options->always && options->never)
		fail(CODE_USAGE, "leave one of them out", "--always and --never exclude each other");
	if (!options->devices && !options->always && !options->never)
		fail(CODE_USAGE, "name one, such as 0000:01:00.0; \"subpage-vfio list\" shows them",
		     "align needs a device, --always or --never");
	if (options->devices)
		code = run_bind(options, driver);
	/* Devices that cannot be used yet have been aligned all the same. */
	if (code != CODE_OK && code != CODE_CHANGED)
		return code;
	if (options->always)
		written = always_align(driver, to);
	else if (options->never)
		written = never_align(to);
	if (written == CODE_OK)
		return code;
	return options->devices ? CODE_CHANGED : written;
}

const struct command align_command = {
	.name = "align", .run = align_run,
	.summary = "give BARs pages of their own, and hand their devices to vfio-pci",
	.arguments = "[DEVICE...]", .min_arguments = 0, .max_arguments = ANY_NUMBER,
	.description =
		"Give each BAR of the devices that is smaller than a page a page of its own, and\n"
		"hand the devices to vfio-pci, for software that takes no other name.\n",
	.option = {
		['D'] = "the driver that gets them; otherwise vfio-pci",
		['g'] = "also all others of their IOMMU groups, but bridges",
		['f'] = "even if something uses one; says what that was",
		['A'] = "from now on, whenever that driver takes a device",
		['N'] = "take --always back",
	},
	.columns = run_columns,
	.first_reason = REASON_DISK_MOUNTED, .last_reason = REASON_UNKNOWN,
	.examples = "  subpage-vfio align 0000:01:00.0\n"
		"  subpage-vfio align --always\n"
		"  subpage-vfio align --never\n",
};
