/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_REGION_H
#define SUBPAGE_REGION_H

#include <linux/vfio_pci_core.h>

#include "msix.h"
#include "page_claim.h"

/**
 * struct subpage_device - a device bound to this driver
 * @core: its VFIO side; first, vfio_alloc_device() insists
 * @claim: the pages of its sub-page BARs
 * @msix: its MSI-X table
 */
struct subpage_device {
	struct vfio_pci_core_device core;
	struct page_claim claim[PCI_STD_NUM_BARS];
	struct msix_table msix;
};

static inline struct subpage_device *to_subpage_device(struct vfio_device *core_vdev)
{
	return container_of(core_vdev, struct subpage_device, core.vdev);
}

/*
 * A user reaches the registers of a BAR through three doors: a mapping whose
 * limits region info tells, mmap, and (6.19 and newer) a dma-buf. One rule holds
 * for all: what lies on a claimed page may pass, a hidden MSI-X table may not.
 * All of it runs between open_device and close_device, while the claims and the
 * MSI-X decision do not change; no lock is needed.
 */

/**
 * region_open() - tell vfio-pci-core which BARs can be mapped
 * @sdev: the device, after vfio_pci_core_finish_enable(), which decides it anew
 *	at each open
 */
void region_open(struct subpage_device *sdev);

/**
 * region_info() - VFIO_DEVICE_GET_REGION_INFO
 * @core_vdev: the device
 * @info: .index says which region; the rest is filled in
 * @caps: capabilities are added here; freed by the caller, on failure too
 *
 * Answers for the BARs, with their true size; vfio-pci-core answers for all
 * other regions.
 *
 * Return: 0, -ENOMEM, or what vfio-pci-core returns for an index it does not have.
 */
int region_info(struct vfio_device *core_vdev, struct vfio_region_info *info,
		struct vfio_info_cap *caps);

/**
 * region_mmap() - mmap() of the device's file
 * @core_vdev: the device
 * @vma: the mapping
 *
 * Return: 0, or a negative error: -EINVAL, as from vfio-pci-core for whatever
 * must not be mapped, when the mapping would show a hidden MSI-X table.
 */
int region_mmap(struct vfio_device *core_vdev, struct vm_area_struct *vma);

/* The third door, under region_mmap()'s rule. */
#ifdef HAVE_VFIO_PCI_DMABUF
extern const struct vfio_pci_device_ops region_dmabuf_ops;
#define REGION_DMABUF_OPS (&region_dmabuf_ops)
#else
#define REGION_DMABUF_OPS NULL
#endif

#endif /* SUBPAGE_REGION_H */
