/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_MAPPING_H
#define SUBPAGE_MAPPING_H

#include <linux/mm_types.h>

struct subpage_device;

/*
 * A user's mappings of BARs. vfio-pci-core makes them and fills them when they are touched;
 * here it is seen to that it does so only while the BARs are where they were when the device
 * was opened. In the moment in which the PCI core has taken a BAR away and not placed it again,
 * vfio-pci-core would map the start of physical memory (6.10 and newer).
 */

/**
 * subpage_mapping_watch() - watch a mapping that vfio-pci-core has just made
 * @sdev: the device
 * @vma: the mapping, of a BAR
 */
void subpage_mapping_watch(struct subpage_device *sdev, struct vm_area_struct *vma);

/**
 * subpage_mapping_zap() - take all mappings of a device's BARs away
 * @sdev: the device, revoked: a fault is the user's end (SIGBUS)
 *
 * Context: process context; takes no lock that a user could hold.
 */
void subpage_mapping_zap(struct subpage_device *sdev);

#endif /* SUBPAGE_MAPPING_H */
