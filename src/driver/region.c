// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "config.h"
#include "fault.h"
#include "kcompat.h"
#include "mapping.h"
#include "region.h"
#include "revoke.h"
#include "trace.h"

static bool is_trapped(const struct subpage_device *sdev, int bar)
{
	return subpage_claim_state(&sdev->claims[bar]) == SUBPAGE_BAR_TRAP;
}

static bool is_hidden(const struct subpage_device *sdev, int bar)
{
	return sdev->msix.state == SUBPAGE_MSIX_HIDDEN && bar == sdev->msix.bar;
}

/*
 * vfio-pci-core maps any BAR of a page or more, aligned or not, and a smaller one that is alone
 * on its page, whatever the administrator has chosen.
 */
static bool must_trap(const struct subpage_device *sdev, int bar)
{
	if (is_trapped(sdev, bar) ||
	    subpage_claim_state(&sdev->claims[bar]) == SUBPAGE_BAR_LOST)
		return true;

	/* Each of its pages holds a part of the table. */
	return is_hidden(sdev, bar) && msix_hole_start(&sdev->msix) == 0 &&
	       msix_hole_end(&sdev->msix) >= pci_resource_len(sdev->core.pdev, bar);
}

void subpage_region_open(struct subpage_device *sdev)
{
	struct vfio_pci_core_device *core = &sdev->core;
	int bar;

	if (sdev->msix.state != SUBPAGE_MSIX_NONE) {
		sdev->msix.bar = core->msix_bar;
		sdev->msix.offset = core->msix_offset;
		sdev->msix.size = core->msix_size;
		subpage_fault_table(&sdev->msix, core->pdev);
	}

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (must_trap(sdev, bar))
			core->bar_mmap_supported[bar] = false;
	subpage_relocate_open(sdev);
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
 * List the parts of the BAR around a hole. Hole and BAR are whole pages, and so are the parts:
 * VMMs map them as they are. The hole may lie behind the BAR, since a device may say that its
 * table does.
 */
static int add_sparse_mmap(struct vfio_info_cap *caps, u64 hole_start, u64 hole_end, u64 size)
{
	struct vfio_region_info_cap_sparse_mmap *cap;
	size_t cap_size = struct_size(cap, areas, 2);
	u32 n = 0;
	int ret;

	cap = kzalloc(cap_size, GFP_KERNEL);
	if (!cap)
		return -ENOMEM;

	if (hole_start > 0)
		cap->areas[n++].size = min(hole_start, size);
	if (hole_end < size) {
		cap->areas[n].offset = hole_end;
		cap->areas[n++].size = size - hole_end;
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
	const struct page_claim *claim = &sdev->claims[bar];
	struct vfio_region_info_cap_subpage cap = {
		.header.id = VFIO_REGION_INFO_CAP_SUBPAGE,
		.header.version = VFIO_REGION_INFO_CAP_SUBPAGE_VERSION,
		.bar_state = subpage_claim_state(claim),
		.bar_size = claim->res ? subpage_claim_true_size(claim) :
					 pci_resource_len(sdev->core.pdev, bar),
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
	int bar = info->index;
	const struct page_claim *claim = &sdev->claims[bar];
	const struct msix_relocation *to = &sdev->relocation;
	bool mappable = sdev->core.bar_mmap_supported[bar] && subpage_revoke_intact(sdev);
	bool holds_table = bar == sdev->msix.bar && to->bar < 0;
	int ret = 0;

	info->offset = VFIO_PCI_INDEX_TO_OFFSET(bar);
	info->size = bar == to->bar ? to->size : pci_resource_len(sdev->core.pdev, bar);
	info->flags = 0;
	if (!info->size)
		return 0;

	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (mappable) {
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
		if (is_hidden(sdev, bar))
			ret = add_sparse_mmap(caps, msix_hole_start(&sdev->msix),
					      msix_hole_end(&sdev->msix), info->size);
		else if (bar == to->bar)
			ret = add_sparse_mmap(caps, to->start, to->size, to->size) ?:
			      add_msix_mappable(caps);
		else if (holds_table)
			ret = add_msix_mappable(caps);
		if (ret)
			return ret;
	}

	if (claim->res && (sdev->options.exact_size || is_trapped(sdev, bar)))
		info->size = subpage_claim_true_size(claim);
	/* Some VMMs map no region with a capability that they do not know. */
	if ((claim->res && !mappable) || holds_table)
		ret = add_subpage(caps, sdev, bar);

	return ret;
}

int subpage_region_info(struct vfio_device *core_vdev, struct vfio_region_info *info,
			struct vfio_info_cap *caps)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	int ret;

	/* vfio-pci-core switches memory decode on to look for a ROM. */
	if (info->index == VFIO_PCI_ROM_REGION_INDEX && !subpage_revoke_intact(sdev)) {
		info->offset = VFIO_PCI_INDEX_TO_OFFSET(info->index);
		info->size = 0;
		info->flags = 0;
		return 0;
	}
	if (info->index >= PCI_STD_NUM_BARS)
		return vfio_pci_ioctl_get_region_info(core_vdev, info, caps);

	ret = bar_info(sdev, info, caps);
	if (!ret)
		trace_subpage_region_info(sdev->core.pdev, info->index, 0, info->size,
					  info->flags);
	return ret;
}

int subpage_region_mmap(struct vfio_device *core_vdev, struct vm_area_struct *vma)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	u64 position = (u64)vma->vm_pgoff << PAGE_SHIFT;
	int bar = VFIO_PCI_OFFSET_TO_INDEX(position);
	u64 offset = position & VFIO_PCI_OFFSET_MASK;
	u64 length = vma->vm_end - vma->vm_start;
	int ret;

	if (msix_hole_covers(&sdev->msix, bar, offset, length)) {
		trace_subpage_mmap_refused(sdev->core.pdev, bar, offset, length, 0);
		return -EINVAL;
	}
	if (!subpage_revoke_intact(sdev))
		return -EIO;

	ret = vfio_pci_core_mmap(core_vdev, vma);
	if (ret || bar >= PCI_STD_NUM_BARS)
		return ret;
	/*
	 * On 6.1 a fault maps what mmap() found, so check that the BAR has not moved before
	 * that.
	 */
	if (!KCOMPAT_FAULTS_ANEW && (u64)vma->vm_pgoff << PAGE_SHIFT !=
	    sdev->revocation.placed[bar].start + offset)
		return -EIO;

	subpage_mapping_watch(sdev, vma);
	return 0;
}

bool subpage_region_may_leave(struct vfio_pci_core_device *core, int bar, u64 offset, u64 length)
{
	struct subpage_device *sdev = to_subpage_device(&core->vdev);

	return core->bar_mmap_supported[bar] && subpage_revoke_intact(sdev) &&
	       !msix_hole_covers(&sdev->msix, bar, offset, length);
}

/* How much of an access is before the end of the page that holds the registers. */
static size_t on_page(size_t count, loff_t position)
{
	return min_t(size_t, count, PAGE_SIZE - offset_in_page(position));
}

/* How much of an access the device gets: what is before the end of its registers. */
static size_t on_device(const struct subpage_device *sdev, size_t count, loff_t position)
{
	unsigned int bar = VFIO_PCI_OFFSET_TO_INDEX(position);
	u64 offset = position & VFIO_PCI_OFFSET_MASK, size;

	if (bar >= PCI_STD_NUM_BARS || !sdev->claims[bar].res || offset >= PAGE_SIZE ||
	    !pci_resource_start(sdev->core.pdev, bar))
		return count;

	size = subpage_claim_true_size(&sdev->claims[bar]);
	return offset < size ? min_t(u64, count, size - offset) : 0;
}

ssize_t subpage_region_read(struct vfio_device *core_vdev, char __user *buf, size_t count,
			    loff_t *ppos)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	size_t there = on_device(sdev, count, *ppos);
	u64 ones = ~0ull;

	if (VFIO_PCI_OFFSET_TO_INDEX(*ppos) == VFIO_PCI_CONFIG_REGION_INDEX)
		return subpage_config_read(sdev, buf, count, ppos);
	if (!subpage_revoke_intact(sdev))
		return -EIO;
	if (count && subpage_relocate_covers(sdev, *ppos))
		return subpage_relocate_read(sdev, buf, count, ppos);
	if (there || !count)
		return vfio_pci_core_read(core_vdev, buf, there, ppos);
	if (is_trapped(sdev, VFIO_PCI_OFFSET_TO_INDEX(*ppos)))
		return -EINVAL;

	count = min(on_page(count, *ppos), sizeof(ones));
	if (copy_to_user(buf, &ones, count))
		return -EFAULT;
	*ppos += count;
	return count;
}

ssize_t subpage_region_write(struct vfio_device *core_vdev, const char __user *buf,
			     size_t count, loff_t *ppos)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	size_t there = on_device(sdev, count, *ppos);

	if (!subpage_revoke_intact(sdev))
		return -EIO;
	if (VFIO_PCI_OFFSET_TO_INDEX(*ppos) == VFIO_PCI_CONFIG_REGION_INDEX)
		return subpage_config_write(sdev, buf, count, ppos);
	if (count && subpage_relocate_covers(sdev, *ppos))
		return subpage_relocate_write(sdev, count, ppos);
	if (!there && count) {
		if (is_trapped(sdev, VFIO_PCI_OFFSET_TO_INDEX(*ppos)))
			return -EINVAL;
		count = on_page(count, *ppos);
		*ppos += count;
		return count;
	}

	return vfio_pci_core_write(core_vdev, buf, there, ppos);
}
