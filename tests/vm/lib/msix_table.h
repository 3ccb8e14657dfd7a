/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MSIX_TABLE_H
#define MSIX_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

/* Where a device's MSI-X table is, as its config space tells. */
struct msix_table {
	int bar;
	uint64_t offset, size;
	uint64_t hole_start, hole_end;	/* in whole pages of this machine */
};

/* False when the device has none. */
bool msix_table_find(const struct pci_dev *dev, struct msix_table *table);

#endif
