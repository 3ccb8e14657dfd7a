/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_VFIO_H
#define CLI_VFIO_H

#include <linux/vfio.h>

#include "bus/pci.h"

struct vfio {
	int container;		/* or -1, and then: */
	int iommufd;
	int group;
	int device;
};

/* Ends the program, and says what to do, if the device cannot be opened. */
void vfio_open(const struct bus *bus, const struct device *device, struct vfio *vfio);
void vfio_close(struct vfio *vfio);

/* Region info with its whole capability chain; free() it. NULL if there is no such region. */
struct vfio_region_info *vfio_region(const struct vfio *vfio, unsigned int index);

/* The first capability of the chain, or the one after "cap"; NULL: there is none. */
const struct vfio_info_cap_header *vfio_next_cap(const struct vfio_region_info *info,
						 const struct vfio_info_cap_header *cap);

/* May these bytes of the region be mapped, as its flags and capabilities say? */
bool vfio_may_map(const struct vfio_region_info *info, uint64_t offset, uint64_t size);

#endif
