/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_REGION_H
#define SUBPAGE_REGION_H

#include "device.h"

/*
 * A user reaches the registers of a BAR through mmap, within the limits that region info
 * reports, through read and write, and (6.19 and newer) through a dma-buf. The same rules hold
 * for all: what lies on a claimed page may pass, a hidden MSI-X table may not, and nothing may
 * once the PCI core has moved a BAR of the open device.
 *
 * All of it runs between open_device and close_device, while the claims and the MSI-X
 * decision do not change; no lock is needed.
 */

/**
 * subpage_region_open() - tell vfio-pci-core which BARs cannot be mapped
 * @sdev: the device, after vfio_pci_core_finish_enable(), which decides it anew
 *	at each open
 */
void subpage_region_open(struct subpage_device *sdev);

/**
 * subpage_region_info() - VFIO_DEVICE_GET_REGION_INFO
 * @core_vdev: the device
 * @info: .index says which region; the rest is filled in
 * @caps: capabilities are added here; freed by the caller, on failure too
 *
 * Answers for the BARs; vfio-pci-core answers for all other regions.
 *
 * Return: 0, -ENOMEM, or what vfio-pci-core returns for an index it does not have.
 */
int subpage_region_info(struct vfio_device *core_vdev, struct vfio_region_info *info,
			struct vfio_info_cap *caps);

/**
 * subpage_region_mmap() - mmap() of the device's file
 * @core_vdev: the device
 * @vma: the mapping
 *
 * Return: 0, or a negative error: -EINVAL, as from vfio-pci-core for whatever
 * must not be mapped, when the mapping would show a hidden MSI-X table; -EIO when the
 * BARs have moved.
 */
int subpage_region_mmap(struct vfio_device *core_vdev, struct vm_area_struct *vma);

/**
 * subpage_region_may_leave() - may a part of a BAR leave as a dma-buf
 * @core: the device
 * @bar: number of the BAR
 * @offset: first byte of the part
 * @length: number of bytes
 *
 * What is hidden from mmap must not leave through a dma-buf, nor a BAR that has lost
 * its page and may begin on another device's.
 */
bool subpage_region_may_leave(struct vfio_pci_core_device *core, int bar, u64 offset, u64 length);

/**
 * subpage_region_read() - read() of the device's file
 * @core_vdev: the device
 * @buf: the user's
 * @count: bytes
 * @ppos: region and offset; moved on
 *
 * The device does not decode what follows a claimed BAR on its page, and what such an access
 * does depends on the host (EEH freezes the PE). So a read there returns all ones, without an
 * access to the bus.
 *
 * Return: bytes read, fewer than @count where the registers end, or a negative error:
 * -EIO when the BARs have moved, else as vfio-pci-core.
 */
ssize_t subpage_region_read(struct vfio_device *core_vdev, char __user *buf, size_t count,
			    loff_t *ppos);

/* Likewise; what is written behind the registers is discarded. */
ssize_t subpage_region_write(struct vfio_device *core_vdev, const char __user *buf,
			     size_t count, loff_t *ppos);

#endif /* SUBPAGE_REGION_H */
