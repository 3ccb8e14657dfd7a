/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_DISK_H
#define GUEST_DISK_H

#include "nested.h"
#include "random_read.h"

/* Reads at random places of an NVMe by a Linux guest, with that many under way. */
#define GUEST_DISK_DEPTHS 2
extern const unsigned int guest_disk_depths[GUEST_DISK_DEPTHS];

/*
 * Run one with the disk, bound to a VFIO driver. kernel: NULL, or a name of
 * guest_table. What the guest tests becomes tests of ours. Returns whether all went
 * well; the results are of ms each.
 */
bool guest_disk_run(const struct nested_device *disk, const char *kernel, unsigned int ms,
		    void (*watch)(const char *output), struct random_read results[GUEST_DISK_DEPTHS]);

/* For a watch: has the guest begun to read with that many under way, has it ended? */
bool guest_disk_begun(const char *output, unsigned int depth);
bool guest_disk_ended(const char *output, unsigned int depth);

#endif
