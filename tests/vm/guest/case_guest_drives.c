// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the nested guest: use the drives that were passed through to it as any
 * Linux would. What earlier boots have written tells which boot this is. With
 * reboot_after=N on the kernel command line, boot N ends with a reboot.
 */
#include <sys/reboot.h>

#include "cases.h"
#include "drive.h"
#include "interrupts.h"

/* Returns which boot this is, or -1. */
static int use(const struct drive *drive)
{
	int fd = drive_open(drive), writer, good = 0, before, after, boot;
	char chip[32] = "";
	unsigned int area;

	about("%s", drive->path);
	if (!ok(fd >= 0, "%s is there", drive->path))
		return -1;
	before = interrupts_count(drive->interrupts, chip, sizeof(chip));
	if (!ok(strstr(chip, "PCI-MSI"), "its interrupts are messages"))
		diag("they come from \"%s\"", chip);

	for (area = 0; area < DRIVE_FIRST_WRITTEN; area++)
		good += drive_read_area(fd, area) == DRIVE_RUNNER;
	is_u64(good, DRIVE_FIRST_WRITTEN, "what the host put on it is read");

	for (boot = 0; (writer = drive_read_area(fd, area)) == DRIVE_BOOT + boot; boot++)
		area++;
	is_errno(writer, DRIVE_RUNNER, "this is boot %d: so many wrote what is still there", boot);
	is_errno(drive_write_area(fd, area, boot), 0, "it writes too");
	is_errno(drive_read_area(fd, area), DRIVE_BOOT + boot, "and reads that back");

	after = interrupts_count(drive->interrupts, chip, sizeof(chip));
	/* Each area read is one command at least, and so are writing one and reading it. */
	ok(after - before >= (int)area + 3, "%d interrupts came for it", after - before);
	close(fd);
	return boot;
}

CASE(guest_drives)
{
	const char *last = getenv("reboot_after");
	int boot = -1, i;

	for (i = 0; i < DRIVES; i++)
		boot = use(&drives[i]);
	if (last && boot == atoi(last)) {
		tap_plan();
		sync();
		reboot(RB_AUTOBOOT);
	}
}
