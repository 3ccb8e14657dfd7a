/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_MAPPING_H
#define SUBPAGE_MAPPING_H

#include <linux/mm_types.h>

struct subpage_device;

/*
 * A user's mappings of BARs. vfio-pci-core makes them, and fills them at page faults. Here such
 * a fault succeeds only while the BARs are where they were when the device was opened. While
 * the PCI core moves a BAR, its resource briefly has no address, and vfio-pci-core would map
 * the start of physical memory (6.10 and newer).
 */

/**
 * subpage_mapping_watch() - watch a mapping that vfio-pci-core has just made
 * @sdev: the device
 * @vma: the mapping, of a BAR
 */
void subpage_mapping_watch(struct subpage_device *sdev, struct vm_area_struct *vma);

#endif /* SUBPAGE_MAPPING_H */
