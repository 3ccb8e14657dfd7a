// SPDX-License-Identifier: GPL-2.0-only
#include <linux/vfio_pci_core.h>

#include "device.h"
#include "dmabuf.h"
#include "fault.h"
#include "kcompat.h"
#include "region.h"

static int get_dmabuf_phys(struct vfio_pci_core_device *core, struct p2pdma_provider **provider,
			   unsigned int index, struct kcompat_phys_vec *phys,
			   struct vfio_region_dma_range *ranges, size_t nr_ranges)
{
	struct subpage_device *sdev = to_subpage_device(&core->vdev);
	size_t i;
	int ret;

	for (i = 0; i < nr_ranges; i++)
		if (!subpage_region_may_leave(core, index, ranges[i].offset, ranges[i].length))
			return -EINVAL;

	subpage_fault_late();
	ret = vfio_pci_core_get_dmabuf_phys(core, provider, index, phys, ranges, nr_ranges);
	/* The PCI core may have had the BAR elsewhere at that moment. */
	for (i = 0; !ret && i < nr_ranges; i++)
		if (phys[i].paddr != sdev->revocation.placed[index].start + ranges[i].offset)
			ret = -EIO;
	return ret;
}

static const struct vfio_pci_device_ops subpage_pci_ops = {
	.get_dmabuf_phys = get_dmabuf_phys,
};

void subpage_dmabuf_init(struct vfio_pci_core_device *core)
{
	core->pci_ops = &subpage_pci_ops;
}
