/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_VFIO_H
#define TEST_VFIO_H

#include <linux/vfio.h>
#include <stddef.h>
#include <stdint.h>

#include "pci.h"

struct vfio {
	int container;
	int group;
	int device;
	uint32_t ioas;		/* of iommufd: its address space */
};

/* All that return int return -errno when they fail. */

/*
 * The device must be bound to a vfio driver, and so must the rest of its group. It
 * is opened through group and container, or, when the machine was booted with
 * "vfio=cdev", through its own file and iommufd, which is "container" then.
 */
int vfio_open(const struct pci_dev *dev, struct vfio *vfio);
/* A virtual function, with the token (a UUID) that the user of its physical function has set. */
int vfio_open_vf(const struct pci_dev *dev, const char *token, struct vfio *vfio);
/* Of a physical function: set it. */
int vfio_set_token(const struct vfio *vfio, const char *token);
void vfio_close(struct vfio *vfio);
/* Another device of the same group, which can be opened only once: its file, close() it. */
int vfio_device(const struct vfio *vfio, const struct pci_dev *dev);

/* Region info with the whole capability chain; free() it. */
int vfio_region(const struct vfio *vfio, uint32_t index, struct vfio_region_info **info);
/* Its fixed part alone: size, flags and where it is in the device's file. */
int vfio_info(const struct vfio *vfio, uint32_t index, struct vfio_region_info *info);
/* The capability of that id in the chain, or NULL. */
const struct vfio_info_cap_header *vfio_cap(const struct vfio_region_info *info, uint16_t id);

/* Map part of a region, shared, for reading and writing; munmap() it. */
int vfio_map(const struct vfio *vfio, uint32_t index, uint64_t offset, size_t len, void **map);

/* A dma-buf of part of a region (6.19 and newer): its file, close() it. */
int vfio_dmabuf(const struct vfio *vfio, uint32_t index, uint64_t offset, uint64_t len);

/* Give it to iommufd, which may map it for a device, and take it back. -ENOENT: the kernel has no iommufd. */
int vfio_dmabuf_use(int dmabuf, uint64_t len);

/* A feature without an argument (VFIO_DEVICE_FEATURE_...). */
int vfio_feature_set(const struct vfio *vfio, uint32_t feature);

/* Signal this eventfd for the one interrupt of an index; VFIO_PCI_REQ_IRQ_INDEX: the kernel wants the device back. */
int vfio_event(const struct vfio *vfio, uint32_t index, int fd);

/* Through read() and write() on the device: the trapped way. */
int vfio_read32(const struct vfio *vfio, uint32_t index, uint64_t offset, uint32_t *value);
int vfio_write32(const struct vfio *vfio, uint32_t index, uint64_t offset, uint32_t value);

int vfio_map_dma(const struct vfio *vfio, uint64_t iova, void *memory, size_t len);

/* Reset all that is behind the device's port; only this user may have it. */
int vfio_hot_reset(const struct vfio *vfio);

/* Can that be mapped? Return: 0 or a negative error, with no mapping left. */
int vfio_try_map(const struct vfio *vfio, int bar, uint64_t offset, uint64_t len);

#endif
