/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>

/*
 * All that a bind must not leave changed when it fails: config space and sysfs
 * "resource" of every PCI function, and /proc/iomem, as text; free() it.
 */
char *snapshot(void);

/* Is everything still as it was then? Says which lines differ. */
bool snapshot_unchanged(const char *before);

#endif
