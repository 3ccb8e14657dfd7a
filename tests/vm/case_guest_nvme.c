// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the nested guest: use the NVMe drive that was passed through to it as any
 * Linux would. What earlier boots have written tells which boot this is. With
 * reboot_after=N on the kernel command line, boot N ends with a reboot.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "cases.h"
#include "drive.h"
#include "tap.h"

void case_guest_nvme(void)
{
	int fd = drive_open(), writer, good = 0, before, after, boot;
	const char *last = getenv("reboot_after");
	char chip[32] = "";
	unsigned int area;

	if (!ok(fd >= 0, "the drive is there"))
		return;
	before = drive_interrupts(chip, sizeof(chip));
	if (!ok(strstr(chip, "MSIX"), "its queue has an MSI-X vector"))
		diag("it has \"%s\"", chip);

	for (area = 0; area < DRIVE_FIRST_WRITTEN; area++)
		good += drive_read_area(fd, area) == DRIVE_RUNNER;
	is_u64(good, DRIVE_FIRST_WRITTEN, "what the host put on it is read");

	for (boot = 0; (writer = drive_read_area(fd, area)) == DRIVE_BOOT + boot; boot++)
		area++;
	is_errno(writer, DRIVE_RUNNER, "this is boot %d: so many wrote what is still there", boot);
	is_errno(drive_write_area(fd, area, boot), 0, "it writes too");
	is_errno(drive_read_area(fd, area), DRIVE_BOOT + boot, "and reads that back");

	after = drive_interrupts(chip, sizeof(chip));
	/* Each area read is one command at least, and so are writing one and reading it. */
	ok(after - before >= (int)area + 3, "%d interrupts came for it", after - before);
	close(fd);

	if (last && boot == atoi(last)) {
		tap_plan();
		sync();
		reboot(RB_AUTOBOOT);
	}
}
