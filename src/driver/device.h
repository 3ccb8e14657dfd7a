/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_DEVICE_H
#define SUBPAGE_DEVICE_H

#include <linux/vfio_pci_core.h>
#include <linux/workqueue.h>

#include "msix.h"
#include "page_claim.h"

/**
 * struct subpage_device - a device bound to this driver
 * @core: its VFIO side; first, vfio_alloc_device() insists
 * @claims: the pages of its sub-page BARs
 * @msix: its MSI-X table
 * @exact_size: region info shows a BAR's true size (bar_size=exact)
 * @nointxmask: as the option, when the device was bound
 * @disable_vga: likewise
 * @open: in the list of open devices; watch.c, under its lock
 * @placed: where its memory BARs were when it was opened; parent NULL for others
 * @revoked: the PCI core has moved one of them since; set once, for as long as
 *	the device is open
 * @revoke: takes a user's mappings away
 */
struct subpage_device {
	struct vfio_pci_core_device core;
	struct page_claim claims[PCI_STD_NUM_BARS];
	struct msix_table msix;
	bool exact_size;
	bool nointxmask;
	bool disable_vga;

	struct list_head open;
	struct {
		resource_size_t start;
		struct resource *parent;
	} placed[PCI_STD_NUM_BARS];
	atomic_t revoked;
	struct work_struct revoke;
};

static inline struct subpage_device *to_subpage_device(struct vfio_device *core_vdev)
{
	return container_of(core_vdev, struct subpage_device, core.vdev);
}

#endif /* SUBPAGE_DEVICE_H */
