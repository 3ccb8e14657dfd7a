/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>

/*
 * All that a bind must not leave changed when it fails: config space and sysfs
 * "resource" of every PCI function, and /proc/iomem, as text; free() it.
 */
char *snapshot(void);

/* Are two snapshots equal? Says which lines differ. */
bool snapshot_same(const char *before, const char *after);

#endif
