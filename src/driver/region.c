// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "kcompat.h"
#include "region.h"
#include "trace.h"

static bool has_claim(const struct subpage_device *sdev, int bar)
{
	return page_claim_stands(&sdev->claim[bar]);
}

/* Is all of the BAR, in pages, inside the hole? */
static bool is_all_hole(struct subpage_device *sdev, int bar)
{
	const struct msix_table *msix = &sdev->msix;

	return msix->state == SUBPAGE_MSIX_HIDDEN && bar == msix->bar &&
	       msix_hole_start(msix) == 0 &&
	       msix_hole_end(msix) >= pci_resource_len(sdev->core.pdev, bar);
}

void region_open(struct subpage_device *sdev)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		if (has_claim(sdev, bar))
			sdev->core.bar_mmap_supported[bar] = true;
		if (is_all_hole(sdev, bar))
			sdev->core.bar_mmap_supported[bar] = false;
	}
}

static int add_msix_mappable(struct vfio_info_cap *caps)
{
	struct vfio_info_cap_header cap = {
		.id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
		.version = 1,
	};

	return vfio_info_add_capability(caps, &cap, sizeof(cap));
}

/*
 * Name what is left of the BAR around the hole. Hole and BAR end on pages, and
 * so do the areas: VMMs map them as they are.
 */
static int add_sparse_mmap(struct vfio_info_cap *caps, const struct msix_table *msix, u64 size)
{
	struct vfio_region_info_cap_sparse_mmap *cap;
	size_t cap_size = struct_size(cap, areas, 2);
	u32 n = 0;
	int ret;

	cap = kzalloc(cap_size, GFP_KERNEL);
	if (!cap)
		return -ENOMEM;

	if (msix_hole_start(msix) > 0)
		cap->areas[n++].size = msix_hole_start(msix);
	if (msix_hole_end(msix) < size) {
		cap->areas[n].offset = msix_hole_end(msix);
		cap->areas[n++].size = size - msix_hole_end(msix);
	}

	cap->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	cap->header.version = 1;
	cap->nr_areas = n;
	ret = vfio_info_add_capability(caps, &cap->header, struct_size(cap, areas, n));
	kfree(cap);
	return ret;
}

static int add_subpage(struct vfio_info_cap *caps, const struct subpage_device *sdev, int bar)
{
	struct vfio_region_info_cap_subpage cap = {
		.header.id = VFIO_REGION_INFO_CAP_SUBPAGE,
		.header.version = VFIO_REGION_INFO_CAP_SUBPAGE_VERSION,
		.bar_state = sdev->claim[bar].state,
		.page_size = PAGE_SIZE,
	};

	if (bar == sdev->msix.bar) {
		cap.msix_state = sdev->msix.state;
		cap.msix_offset = sdev->msix.offset;
		cap.msix_size = sdev->msix.size;
	}

	return vfio_info_add_capability(caps, &cap.header, sizeof(cap));
}

static int bar_info(struct subpage_device *sdev, struct vfio_region_info *info,
		    struct vfio_info_cap *caps)
{
	struct pci_dev *pdev = sdev->core.pdev;
	int bar = info->index;
	int ret = 0;

	info->offset = VFIO_PCI_INDEX_TO_OFFSET(bar);
	info->size = pci_resource_len(pdev, bar);
	info->flags = 0;
	if (!info->size)
		return 0;

	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (sdev->core.bar_mmap_supported[bar]) {
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
		if (bar == sdev->msix.bar && sdev->msix.state == SUBPAGE_MSIX_HIDDEN)
			ret = add_sparse_mmap(caps, &sdev->msix, info->size);
		else if (bar == sdev->msix.bar)
			ret = add_msix_mappable(caps);
		if (ret)
			return ret;
	}

	if (page_claim_is_candidate(pdev, bar) || bar == sdev->msix.bar)
		ret = add_subpage(caps, sdev, bar);

	return ret;
}

int region_info(struct vfio_device *core_vdev, struct vfio_region_info *info,
		struct vfio_info_cap *caps)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	int ret;

	if (info->index >= PCI_STD_NUM_BARS)
		return vfio_pci_ioctl_get_region_info(core_vdev, info, caps);

	ret = bar_info(sdev, info, caps);
	if (!ret)
		trace_subpage_region_info(sdev->core.pdev, info->index, 0, info->size,
					  info->flags);
	return ret;
}

int region_mmap(struct vfio_device *core_vdev, struct vm_area_struct *vma)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	u64 position = (u64)vma->vm_pgoff << PAGE_SHIFT;
	int bar = VFIO_PCI_OFFSET_TO_INDEX(position);
	u64 offset = position & VFIO_PCI_OFFSET_MASK;
	u64 length = vma->vm_end - vma->vm_start;

	if (msix_hole_covers(&sdev->msix, bar, offset, length)) {
		trace_subpage_mmap_refused(sdev->core.pdev, bar, offset, length, 0);
		return -EINVAL;
	}

	return vfio_pci_core_mmap(core_vdev, vma);
}

#ifdef HAVE_VFIO_PCI_DMABUF
static int get_dmabuf_phys(struct vfio_pci_core_device *core, struct p2pdma_provider **provider,
			   unsigned int index, struct phys_vec *phys,
			   struct vfio_region_dma_range *ranges, size_t nr_ranges)
{
	struct subpage_device *sdev = to_subpage_device(&core->vdev);
	size_t i;

	for (i = 0; i < nr_ranges; i++)
		if (msix_hole_covers(&sdev->msix, index, ranges[i].offset, ranges[i].length))
			return -EINVAL;

	return vfio_pci_core_get_dmabuf_phys(core, provider, index, phys, ranges, nr_ranges);
}

const struct vfio_pci_device_ops region_dmabuf_ops = {
	.get_dmabuf_phys = get_dmabuf_phys,
};
#endif
