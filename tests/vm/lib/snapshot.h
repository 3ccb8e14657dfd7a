/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>

#include "pci.h"

/*
 * All that a bind must not leave changed when it fails: config space and sysfs
 * "resource" of every PCI function, and /proc/iomem, as text; free() it. Of the
 * functions named to snapshot_copy(), config space as the PCI core restores it.
 */
char *snapshot(void);

/*
 * Have the PCI core save a function's config space now, and restore it from that copy
 * before each snapshot. For the module's test build; the device must be awake.
 */
void snapshot_copy(const struct pci_dev *dev);

/* Is everything still as in that snapshot? Says which lines differ. */
bool snapshot_unchanged(const char *before);

#endif
