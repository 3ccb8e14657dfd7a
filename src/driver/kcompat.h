/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels this driver is built for, 6.1 and newer.
 * Kbuild looks for each feature in the headers at hand and defines HAVE_*; no
 * kernel version is compared.
 */
#ifndef SUBPAGE_KCOMPAT_H
#define SUBPAGE_KCOMPAT_H

#include <linux/iommu.h>
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>
#include <linux/vfio_pci_core.h>

/* 6.3 asks the group; before, interrupt remapping was a capability of the IOMMU. */
#ifdef HAVE_ISOLATED_MSI
static inline bool kcompat_has_isolated_msi(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);
	bool isolated;

	if (!group)
		return false;

	isolated = iommu_group_has_isolated_msi(group);
	iommu_group_put(group);
	return isolated;
}
#else
static inline bool kcompat_has_isolated_msi(struct device *dev)
{
	return device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
}
#endif

/*
 * 6.19 gave region info an operation of its own, and answers nothing for a
 * driver without it. Before, it was one more ioctl, and vfio-pci-core had no
 * function for it: here -ENOTTY stands for "ask vfio_pci_core_ioctl()".
 */
typedef int (*kcompat_region_info)(struct vfio_device *core_vdev, struct vfio_region_info *info,
				  struct vfio_info_cap *caps);

#ifdef HAVE_GET_REGION_INFO_CAPS
#define KCOMPAT_REGION_INFO_OP(op) \
	.get_region_info_caps = (op),

static inline long kcompat_ioctl(struct vfio_device *core_vdev, unsigned int cmd,
				 unsigned long arg, kcompat_region_info region_info)
{
	return vfio_pci_core_ioctl(core_vdev, cmd, arg);
}
#else
#define KCOMPAT_REGION_INFO_OP(op)

static inline int vfio_pci_ioctl_get_region_info(struct vfio_device *core_vdev,
						 struct vfio_region_info *info,
						 struct vfio_info_cap *caps)
{
	return -ENOTTY;
}

static inline long kcompat_ioctl(struct vfio_device *core_vdev, unsigned int cmd,
				 unsigned long arg, kcompat_region_info region_info)
{
	struct vfio_region_info __user *uinfo = (void __user *)arg;
	const size_t min = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info = {};
	struct vfio_info_cap caps = {};
	long ret;

	if (cmd != VFIO_DEVICE_GET_REGION_INFO)
		return vfio_pci_core_ioctl(core_vdev, cmd, arg);

	if (copy_from_user(&info, uinfo, min))
		return -EFAULT;
	if (info.argsz < min)
		return -EINVAL;

	info.cap_offset = 0;
	ret = region_info(core_vdev, &info, &caps);
	if (ret == -ENOTTY)
		return vfio_pci_core_ioctl(core_vdev, cmd, arg);
	if (ret)
		goto out;

	if (caps.size)
		info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
	if (caps.size && info.argsz < sizeof(info) + caps.size) {
		info.argsz = sizeof(info) + caps.size;
	} else if (caps.size) {
		info.cap_offset = sizeof(info);
		vfio_info_cap_shift(&caps, sizeof(info));
		if (copy_to_user(uinfo + 1, caps.buf, caps.size))
			ret = -EFAULT;
	}
	if (!ret && copy_to_user(uinfo, &info, min))
		ret = -EFAULT;
out:
	kfree(caps.buf);
	return ret;
}
#endif

/* 6.17: the VF token also comes through iommufd's bind. */
#ifdef HAVE_MATCH_TOKEN_UUID
#define KCOMPAT_TOKEN_OPS \
	.match_token_uuid = vfio_pci_core_match_token_uuid,
#else
#define KCOMPAT_TOKEN_OPS
#endif

/* 6.2: iommufd; 6.6: detach; 6.15: PASIDs. */
#ifdef HAVE_IOMMUFD
#define KCOMPAT_IOMMUFD_OPS \
	.bind_iommufd = vfio_iommufd_physical_bind, \
	.unbind_iommufd = vfio_iommufd_physical_unbind, \
	.attach_ioas = vfio_iommufd_physical_attach_ioas, \
	KCOMPAT_IOMMUFD_DETACH_OPS \
	KCOMPAT_IOMMUFD_PASID_OPS
#else
#define KCOMPAT_IOMMUFD_OPS
#endif

#ifdef HAVE_IOMMUFD_DETACH
#define KCOMPAT_IOMMUFD_DETACH_OPS \
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
#else
#define KCOMPAT_IOMMUFD_DETACH_OPS
#endif

#ifdef HAVE_IOMMUFD_PASID
#define KCOMPAT_IOMMUFD_PASID_OPS \
	.pasid_attach_ioas = vfio_iommufd_physical_pasid_attach_ioas, \
	.pasid_detach_ioas = vfio_iommufd_physical_pasid_detach_ioas,
#else
#define KCOMPAT_IOMMUFD_PASID_OPS
#endif

/* 6.19: BARs as dma-bufs; 7.0 renamed the type of their ranges. */
#ifdef HAVE_DMA_BUF_PHYS_VEC
#define kcompat_phys_vec dma_buf_phys_vec
#else
#define kcompat_phys_vec phys_vec
#endif

/*
 * Since 7.1 a device has three options of stock vfio-pci for itself. Before, two of them hold
 * for all drivers of vfio-pci-core, as the last driver set them, so subpage_open_device() does
 * what they mean for a device, without telling the VGA arbiter. The third is in 6.1.y and
 * 6.12.y, too; on a kernel without it the device is kept awake from probe to remove, even if
 * its user lets it sleep.
 */
#ifdef HAVE_CORE_OPTIONS
static inline void kcompat_set_intx_vga(struct vfio_pci_core_device *core, bool nointxmask,
					bool disable_vga)
{
	core->nointxmask = nointxmask;
	core->disable_vga = disable_vga;
}
#else
static inline void kcompat_set_intx_vga(struct vfio_pci_core_device *core, bool nointxmask,
					bool disable_vga) { }
#endif

#ifdef HAVE_DISABLE_IDLE_D3
static inline void kcompat_set_idle_d3(struct vfio_pci_core_device *core, bool disable)
{
	core->disable_idle_d3 |= disable;
}

static inline void kcompat_may_idle_d3(struct vfio_pci_core_device *core, bool disabled) { }
#else
static inline void kcompat_set_idle_d3(struct vfio_pci_core_device *core, bool disable)
{
	if (disable)
		pm_runtime_get_noresume(&core->pdev->dev);
}

static inline void kcompat_may_idle_d3(struct vfio_pci_core_device *core, bool disabled)
{
	if (disabled)
		pm_runtime_put_noidle(&core->pdev->dev);
}
#endif

/* 6.16: the read function of a binary attribute takes the attribute as const. */
#ifdef HAVE_CONST_BIN_ATTRIBUTE
#define kcompat_bin_attribute const struct bin_attribute
#else
#define kcompat_bin_attribute struct bin_attribute
#endif

/*
 * Where a BAR is mapped in the address space of its file. Since 6.10 each device has a file of
 * its own, a BAR is where mmap() put it, and a fault maps what the resource says by then.
 * Before, all of VFIO shared one file, a BAR is at its physical address, and mmap() settles
 * what a fault maps.
 */
#ifdef HAVE_VMA_LIST
#define KCOMPAT_FAULTS_ANEW false

static inline loff_t kcompat_mapped_at(int bar, resource_size_t start)
{
	return start;
}
#else
#define KCOMPAT_FAULTS_ANEW true

static inline loff_t kcompat_mapped_at(int bar, resource_size_t start)
{
	return VFIO_PCI_INDEX_TO_OFFSET(bar);
}
#endif

/*
 * 6.19: a BAR can be exported as a dma-buf. Entering low power is the only exported function of
 * vfio-pci-core that revokes dma-bufs, whether or not the user is in low power already.
 */
#ifdef HAVE_VFIO_PCI_DMABUF
static inline void kcompat_revoke_dmabufs(struct vfio_device *core_vdev)
{
	vfio_pci_core_ioctl_feature(core_vdev, VFIO_DEVICE_FEATURE_SET |
				    VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, NULL, 0);
}
#else
static inline void kcompat_revoke_dmabufs(struct vfio_device *core_vdev) { }
#endif

#endif /* SUBPAGE_KCOMPAT_H */
