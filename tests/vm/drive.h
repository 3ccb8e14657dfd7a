/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DRIVE_H
#define DRIVE_H

#include <stddef.h>

/*
 * The runner's NVMe drive, through the kernel's own driver, past its cache: each
 * read and write is a DMA transfer of the device. The scenario must want "drive"
 * and "module:nvme". All return -errno when they fail, if not told otherwise.
 *
 * The drive is in areas of 64K. The runner fills them with lines of 16 bytes; the
 * first half of them stays so. Boot N (from 0) of a nested guest writes its own
 * lines over area N of the second half.
 */
#define DRIVE_AREAS 16
#define DRIVE_AREA_SIZE 65536
#define DRIVE_FIRST_WRITTEN 8

/* Load the driver, wait for the drive, open it; close() it. */
int drive_open(void);

/* Who wrote the area? DRIVE_RUNNER, DRIVE_BOOT + N, or -EILSEQ when it is nobody's. */
#define DRIVE_RUNNER 0
#define DRIVE_BOOT 1
int drive_read_area(int fd, unsigned int area);

int drive_write_area(int fd, unsigned int area, unsigned int boot);

/* How often the drive's I/O queues have interrupted, and by what; -ENOENT. */
int drive_interrupts(char *chip, size_t size);

#endif
