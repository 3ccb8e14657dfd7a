/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_DEVICE_H
#define SUBPAGE_DEVICE_H

#include <linux/vfio_pci_core.h>

#include "msix.h"
#include "options.h"
#include "page_claim.h"
#include "relocate.h"
#include "revoke.h"

/**
 * struct subpage_device - a device bound to this driver
 * @core: its VFIO side; vfio_alloc_device() wants it first
 * @claims: the pages of its sub-page BARs, PCI_STD_NUM_BARS of them; allocated apart, so that
 *	this struct fits into 2K: clearing 4K would be a good part of the cost of a bind
 * @msix: its MSI-X table
 * @relocation: where users see that table
 * @options: what the administrator had chosen when the device was bound
 * @revocation: what becomes of its user when the PCI core moves BARs
 */
struct subpage_device {
	struct vfio_pci_core_device core;
	struct page_claim *claims;
	struct msix_table msix;
	struct msix_relocation relocation;
	struct subpage_options options;
	struct revocation revocation;
};

static inline struct subpage_device *to_subpage_device(struct vfio_device *core_vdev)
{
	return container_of(core_vdev, struct subpage_device, core.vdev);
}

#endif /* SUBPAGE_DEVICE_H */
