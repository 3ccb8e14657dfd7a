/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DRIVE_H
#define DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The runner's drive, as one of NVMe or SATA, through the kernel's own driver, past
 * its cache: each read and write is a DMA transfer of the device. The scenario must
 * want "drive" and the modules. All return -errno when they fail.
 *
 * The drive is in areas of 64K. The runner fills them with lines of 16 bytes; the
 * first half of them stays so. Boot N (from 0) of a nested guest writes its own
 * lines over area N of the second half.
 */
#define DRIVE_AREAS 16
#define DRIVE_AREA_SIZE 65536
#define DRIVE_FIRST_WRITTEN 8

struct drive {
	const char *modules[2];		/* to load, the controller's last */
	const char *path;
	const char *interrupts;		/* for interrupts_count() */
	uint16_t vendor, device;	/* of the controller */
	int bar;			/* with its registers */
};

#define DRIVES 2
extern const struct drive drives[DRIVES];

/* Load the driver, wait for the drive, open it; close() it. */
int drive_open(const struct drive *drive);

/* The writer of the area: DRIVE_RUNNER, DRIVE_BOOT + N, or -EILSEQ when it is nobody's. */
#define DRIVE_RUNNER 0
#define DRIVE_BOOT 1
int drive_read_area(int fd, unsigned int area);

/* What the runner wrote, from the drive's start. */
void drive_expect(char *text, size_t size);
/* Is that file all of it? */
bool drive_is_copy(const char *path);

int drive_write_area(int fd, unsigned int area, unsigned int boot);

#endif
