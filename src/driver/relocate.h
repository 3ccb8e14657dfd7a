/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_RELOCATE_H
#define SUBPAGE_RELOCATE_H

#include <linux/types.h>

struct subpage_device;

/*
 * VMMs lay an MSI-X table of their own over the device's, and KVM maps whole pages, so
 * whatever shares a page with the table is trapped. Here a user is shown another place
 * for the table, where nothing else is: in config space, in region info, and through
 * read() and write() there. The kernel still programs the real table, through the real
 * capability.
 *
 * The guest can then reach the real table through the mapped BAR. So a table is shown
 * elsewhere only where the IOMMU keeps the device to its own MSIs.
 */

/**
 * enum relocate_policy - which tables are shown elsewhere (parameter msix_relocate)
 * @RELOCATE_AUTO: those that share a page with anything else of their BAR
 * @RELOCATE_ALWAYS: those whose BAR holds anything else
 * @RELOCATE_NEVER: none
 */
enum relocate_policy {
	RELOCATE_AUTO,
	RELOCATE_ALWAYS,
	RELOCATE_NEVER,
};

/**
 * struct msix_relocation - where a user sees the MSI-X table and the pending bits
 * @bar: number of the BAR; -1 where the user sees both where they are
 * @doubled: it is the table's own BAR, shown twice as long, and @start is its upper
 *	half; else the device does not have that BAR
 * @reason: why @bar is -1, or what BAR it is: the end of a sentence. Never NULL, as somebody may
 *	read sysfs while it changes
 * @start: first byte of the table in the BAR; the pending bits follow the table
 * @size: length of the BAR as it is shown, bytes, a power of two
 * @flags: the low bits of its register
 * @pba_bar: where the device has its pending bits: number of the BAR
 * @pba_offset: their start in it, bytes
 * @pba_size: their length, bytes
 * @written: what the user has written to the BAR's register, least significant byte first
 *
 * It changes when the device is bound and when it is opened. While the device is open only
 * @written changes, a byte at a time and without a lock: of two writers at once, each byte
 * comes from one or the other, as with the registers that vfio-pci-core emulates.
 */
struct msix_relocation {
	int bar;
	bool doubled;
	const char *reason;
	u64 start;
	u64 size;
	u32 flags;
	int pba_bar;
	u32 pba_offset;
	u32 pba_size;
	u8 written[8];
};

/**
 * subpage_relocate_init() - decide where users will see the table of a device
 * @sdev: the device, awake, with options, claims and MSI-X decision, before it is registered
 *
 * The decision and its reason go to the log, in one line.
 */
void subpage_relocate_init(struct subpage_device *sdev);

/**
 * subpage_relocate_open() - decide again, since the device may have moved its table
 * @sdev: the device, once vfio-pci-core has opened it and its BARs' mappability is known
 *
 * A decision that differs from the last one goes to the log, too.
 */
void subpage_relocate_open(struct subpage_device *sdev);

/* Say in words where users see the table; returns the length, as scnprintf(). */
int subpage_relocate_describe(const struct subpage_device *sdev, char *buf, size_t size);

/* Is this position in the device's file part of a region that exists for users only? */
bool subpage_relocate_covers(const struct subpage_device *sdev, loff_t position);

/**
 * subpage_relocate_read() - read() where subpage_relocate_covers()
 * @sdev: the device
 * @buf: the user's
 * @count: bytes, not 0
 * @ppos: region and offset; moved on
 *
 * The pending bits come from the device, in aligned words of four bytes: PCI defines no other
 * access to them, and what one does depends on the host. All else reads as ones, as
 * vfio-pci-core shows a table.
 *
 * Return: bytes read or a negative error.
 */
ssize_t subpage_relocate_read(struct subpage_device *sdev, char __user *buf, size_t count,
			      loff_t *ppos);

/* Likewise; what is written is discarded. */
ssize_t subpage_relocate_write(struct subpage_device *sdev, size_t count, loff_t *ppos);

/**
 * subpage_relocate_config_read() - show the table's other place to a reader of config space
 * @sdev: the device
 * @buf: the user's, filled by vfio-pci-core
 * @count: bytes in it
 * @offset: where they begin in config space
 *
 * Return: 0 or -EFAULT.
 */
int subpage_relocate_config_read(const struct subpage_device *sdev, char __user *buf,
				 size_t count, u64 offset);

/* Is this offset in a register that exists for users only? Those are aligned, of four bytes. */
bool subpage_relocate_register(const struct subpage_device *sdev, u64 offset);

/**
 * subpage_relocate_config_write() - write() to such a register, which reaches nothing else
 * @sdev: the device
 * @buf: the user's; read once
 * @count: bytes, not beyond the register's end
 * @offset: of config space
 *
 * Return: 0 or -EFAULT.
 */
int subpage_relocate_config_write(struct subpage_device *sdev, const char __user *buf,
				  size_t count, u64 offset);

#endif /* SUBPAGE_RELOCATE_H */
