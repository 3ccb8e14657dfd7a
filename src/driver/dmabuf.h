/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_DMABUF_H
#define SUBPAGE_DMABUF_H

struct vfio_pci_core_device;

#ifdef HAVE_VFIO_PCI_DMABUF
/**
 * subpage_dmabuf_init() - check each dma-buf that a user wants of a device
 * @core: the device, not registered yet
 *
 * 6.19 and newer can export a BAR as a dma-buf; region.c decides which parts.
 */
void subpage_dmabuf_init(struct vfio_pci_core_device *core);
#else
static inline void subpage_dmabuf_init(struct vfio_pci_core_device *core) { }
#endif

#endif /* SUBPAGE_DMABUF_H */
