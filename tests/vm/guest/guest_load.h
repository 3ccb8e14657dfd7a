/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_LOAD_H
#define GUEST_LOAD_H

#include "guest_disk.h"

/* Of the host, since it was booted. */
struct counters {
	double ns, idle_ns, exits, to_qemu;
	double disk;	/* interrupts of devices that are passed on, which came to the host */
};

struct counters counters_now(void);

/* What the host did while a guest was reading: from one look to the last one, for each depth. */
struct guest_load {
	struct counters from, to;
	int looks;
	bool ended;
};

extern struct guest_load guest_loads[GUEST_DISK_DEPTHS];

/* guest_disk_run(), watched. */
bool guest_load_run(const struct nested_device *disk, const char *kernel, unsigned int ms,
		    struct random_read results[GUEST_DISK_DEPTHS]);

/* How many reads there were between the looks. */
double guest_load_reads(int depth, const struct random_read results[GUEST_DISK_DEPTHS]);

/*
 * How many exits to QEMU a read cost, at the depth at which they are fewest: what else the guest
 * has of them, such as its console, weighs on a busy host, where it reads little. -1: none was seen.
 */
double guest_load_to_qemu(const struct random_read results[GUEST_DISK_DEPTHS]);

#endif
