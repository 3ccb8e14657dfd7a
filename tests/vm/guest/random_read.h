/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RANDOM_READ_H
#define RANDOM_READ_H

#include <stdbool.h>

#include "bench.h"
#include "drive.h"

/*
 * What a disk gives: reads of 4K at random places of the runner's drive, past the
 * kernel's cache, some of them under way at any time, for a while.
 */
struct random_read {
	unsigned int depth;		/* how many are under way */
	unsigned int reads;
	unsigned int wrong;		/* did not bring what the runner wrote */
	unsigned int interrupts;	/* of the drive's first queue, while it went on */
	struct bench_spread rate;	/* a second, over slices of that time */
};

/* fd: of drive_open(). -errno. */
int random_read(const struct drive *drive, int fd, unsigned int depth, unsigned int ms, struct random_read *result);

/* As a line of text, and back; false: it is no such line. */
void random_read_print(const struct random_read *result, char *text, size_t size);
bool random_read_parse(const char *text, struct random_read *result);

#endif
