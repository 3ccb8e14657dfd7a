/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_MSIX_H
#define SUBPAGE_MSIX_H

#include <linux/mm.h>
#include <linux/subpage_vfio_pci.h>

struct pci_dev;

/**
 * enum msix_policy - where a user may map the MSI-X table (parameter msix_mmap)
 * @MSIX_MMAP_EEH: where EEH covers the device
 * @MSIX_MMAP_ISOLATED: also where the IOMMU isolates MSIs
 * @MSIX_MMAP_ALWAYS: everywhere, as stock vfio-pci does since 4.16
 * @MSIX_MMAP_NEVER: nowhere
 *
 * Whoever can write the table chooses the address and data of the device's MSIs.
 * Nothing but EEH, or interrupt remapping in the IOMMU, then keeps the device
 * from raising any interrupt of the host.
 */
enum msix_policy {
	MSIX_MMAP_EEH,
	MSIX_MMAP_ISOLATED,
	MSIX_MMAP_ALWAYS,
	MSIX_MMAP_NEVER,
};

/**
 * struct msix_table - where a device's MSI-X table is and whether it is exposed
 * @state: SUBPAGE_MSIX_NONE for a device without MSI-X
 * @bar: number of the BAR that holds it, 0 to 5; -1 without MSI-X
 * @offset: start in the BAR, bytes
 * @size: length, bytes
 * @reason: why @state, as a sentence
 *
 * The state is decided once, by subpage_msix_init(), before the device is
 * registered. The device itself says where the table is, and a reset can change that: the place
 * is taken from vfio-pci-core at each open, see subpage_region_open().
 */
struct msix_table {
	enum subpage_msix_state state;
	int bar;
	u32 offset;
	u32 size;
	const char *reason;
};

/**
 * subpage_msix_init() - find the table and decide about its exposure
 * @table: filled in
 * @pdev: the device
 * @policy: the administrator's choice
 *
 * The decision and its reason go to the log, in one line.
 *
 * Context: process context; takes the IOMMU group's mutex.
 */
void subpage_msix_init(struct msix_table *table, struct pci_dev *pdev, enum msix_policy policy);

/* The table's state in lower case, as in sysfs. */
const char *subpage_msix_state_name(const struct msix_table *table);

/* First byte of the hole: the pages of the BAR that must not be mapped. */
static inline u64 msix_hole_start(const struct msix_table *table)
{
	return round_down((u64)table->offset, PAGE_SIZE);
}

/* First byte after the hole. */
static inline u64 msix_hole_end(const struct msix_table *table)
{
	return round_up((u64)table->offset + table->size, PAGE_SIZE);
}

/**
 * msix_hole_covers() - does a part of a BAR touch the hole
 * @table: the device's table
 * @bar: number of the BAR
 * @offset: first byte of the part
 * @length: number of bytes; @offset + @length may overflow
 *
 * Return: true when the table is hidden and mapping the part would show it.
 */
static inline bool msix_hole_covers(const struct msix_table *table, int bar,
				    u64 offset, u64 length)
{
	if (table->state != SUBPAGE_MSIX_HIDDEN || bar != table->bar ||
	    offset >= msix_hole_end(table))
		return false;

	return offset >= msix_hole_start(table) || length > msix_hole_start(table) - offset;
}

#endif /* SUBPAGE_MSIX_H */
