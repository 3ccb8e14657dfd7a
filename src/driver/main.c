// SPDX-License-Identifier: GPL-2.0-only
/*
 * subpage_vfio_pci: vfio-pci for devices whose BARs are smaller than a page.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "align.h"
#include "device.h"
#include "dmabuf.h"
#include "eligible.h"
#include "fault.h"
#include "kcompat.h"
#include "options.h"
#include "region.h"
#include "revoke.h"
#include "sysfs.h"

static int subpage_init_dev(struct vfio_device *core_vdev)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	struct pci_dev *pdev = to_pci_dev(core_vdev->dev);
	int ret;

	sdev->claims = kcalloc(PCI_STD_NUM_BARS, sizeof(*sdev->claims), GFP_KERNEL);
	if (!sdev->claims)
		return -ENOMEM;

	subpage_options_for(pdev, &sdev->options);
	subpage_msix_init(&sdev->msix, pdev, sdev->options.msix_mmap);
	/* Before vfio-pci-core notes the bus addresses of the BARs, for dma-bufs (6.19). */
	subpage_claims_make(sdev->claims, pdev, sdev->options.realign);

	ret = vfio_pci_core_init_dev(core_vdev);
	if (ret) {
		subpage_claims_undo(sdev->claims, pdev);
		kfree(sdev->claims);
		return ret;
	}

	kcompat_set_intx_vga(&sdev->core, sdev->options.nointxmask, sdev->options.disable_vga);
	return 0;
}

static void subpage_release_dev(struct vfio_device *core_vdev)
{
	kfree(to_subpage_device(core_vdev)->claims);
	vfio_pci_core_release_dev(core_vdev);
}

static int subpage_open_device(struct vfio_device *core_vdev)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	struct vfio_pci_core_device *core = &sdev->core;
	int ret;

	ret = subpage_revoke_opening(sdev);
	if (ret)
		return ret;
	ret = vfio_pci_core_enable(core);
	if (ret)
		return ret;
	if (!subpage_revoke_opened(sdev)) {
		subpage_revoke_closing(sdev);
		vfio_pci_core_disable(core);
		subpage_revoke_closed(sdev);
		return -EIO;
	}

	/* Where vfio-pci-core lacks these options for each device, this is what they mean. */
	if (sdev->options.nointxmask)
		core->pci_2_3 = false;
	if (sdev->options.disable_vga)
		core->has_vga = false;
	vfio_pci_core_finish_enable(core);
	subpage_region_open(sdev);
	return 0;
}

static void subpage_close_device(struct vfio_device *core_vdev)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);

	subpage_revoke_closing(sdev);
	vfio_pci_core_close_device(core_vdev);
	subpage_revoke_closed(sdev);
}

static long call_set_irqs(struct subpage_device *sdev, const void *call)
{
	const unsigned long *arg = call;

	return vfio_pci_core_ioctl(&sdev->core.vdev, VFIO_DEVICE_SET_IRQS, *arg);
}

/* SET_IRQS switches memory decode on, and writes to the MSI-X table at its old address. */
static long set_irqs(struct subpage_device *sdev, unsigned long arg)
{
	const struct vfio_irq_set __user *set = (const void __user *)arg;
	u32 size;

	if (get_user(size, &set->argsz))
		return -EFAULT;
	/* vfio-pci-core reads at most four bytes for each of 2048 interrupts. */
	return subpage_revoke_call(sdev, call_set_irqs, &arg, set,
				   min_t(size_t, size, sizeof(*set) + 2048 * sizeof(s32)));
}

static long subpage_ioctl(struct vfio_device *core_vdev, unsigned int cmd, unsigned long arg)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	bool reaches_device = cmd == VFIO_DEVICE_RESET || cmd == VFIO_DEVICE_PCI_HOT_RESET ||
			      cmd == VFIO_DEVICE_IOEVENTFD;

	if (reaches_device && !subpage_revoke_intact(sdev))
		return -EIO;
	if (cmd == VFIO_DEVICE_SET_IRQS)
		return set_irqs(sdev, arg);
	if (reaches_device)
		subpage_fault_late();

	return kcompat_ioctl(core_vdev, cmd, arg, subpage_region_info);
}

static int subpage_ioctl_feature(struct vfio_device *core_vdev, u32 flags, void __user *arg,
				 size_t argsz)
{
	if (!subpage_revoke_intact(to_subpage_device(core_vdev)))
		return -EIO;

	return vfio_pci_core_ioctl_feature(core_vdev, flags, arg, argsz);
}

static const struct vfio_device_ops subpage_ops = {
	/* vfio-pci-core writes this name to the driver_override of a PF's VFs. */
	.name		= KBUILD_MODNAME,
	.init		= subpage_init_dev,
	.release	= subpage_release_dev,
	.open_device	= subpage_open_device,
	.close_device	= subpage_close_device,
	.ioctl		= subpage_ioctl,
	KCOMPAT_REGION_INFO_OP(subpage_region_info)
	.device_feature	= subpage_ioctl_feature,
	.read		= subpage_region_read,
	.write		= subpage_region_write,
	.mmap		= subpage_region_mmap,
	.request	= vfio_pci_core_request,
	.match		= vfio_pci_core_match,
	KCOMPAT_TOKEN_OPS
	KCOMPAT_IOMMUFD_OPS
};

static int subpage_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct subpage_device *sdev;
	bool undone;
	int ret;

	ret = subpage_check_eligible(pdev);
	if (ret)
		return ret;

	sdev = vfio_alloc_device(subpage_device, core.vdev, &pdev->dev, &subpage_ops);
	if (IS_ERR(sdev))
		return PTR_ERR(sdev);

	subpage_dmabuf_init(&sdev->core);
	subpage_relocate_init(sdev);

	subpage_revoke_bound(sdev);
	kcompat_set_idle_d3(&sdev->core, sdev->options.disable_idle_d3);
	dev_set_drvdata(&pdev->dev, &sdev->core);
	ret = subpage_fault(FAULT_REGISTER) ?: vfio_pci_core_register_device(&sdev->core);
	if (ret)
		goto err_claims;

	subpage_claims_settle(sdev->claims);
	return 0;

err_claims:
	/* The device is awake: vfio-pci-core has ended with pm_runtime_forbid(). */
	kcompat_may_idle_d3(&sdev->core, sdev->options.disable_idle_d3);
	subpage_revoke_unbound(sdev);
	undone = subpage_claims_undo(sdev->claims, pdev);
	vfio_put_device(&sdev->core.vdev);
	pci_err(pdev, "VFIO registration failed (%pe)%s%s\n", ERR_PTR(ret),
		undone ? "; BARs are where they were" : "",
		pdev->dev.iommu_group ? "" : "; no IOMMU group: switch on the IOMMU");
	return ret;
}

static void subpage_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);
	struct subpage_device *sdev = to_subpage_device(&core->vdev);

	/* Waits until no user has the device open. */
	vfio_pci_core_unregister_device(core);
	kcompat_may_idle_d3(core, sdev->options.disable_idle_d3);
	subpage_revoke_unbound(sdev);
	subpage_claims_drop(sdev->claims, pdev);
	vfio_put_device(&core->vdev);
}

static int subpage_sriov_configure(struct pci_dev *pdev, int nr_virtfn)
{
	if (!subpage_option_enable_sriov)
		return -ENOENT;

	return vfio_pci_core_sriov_configure(dev_get_drvdata(&pdev->dev), nr_virtfn);
}

/*
 * Matches every device, but only where driver_override names this driver. There is no
 * MODULE_DEVICE_TABLE: the alias would tie with vfio-pci's own, and a tool that picks a VFIO
 * driver by alias could then pick this one unasked. Administrators who want that build with
 * aliases.c.
 */
static const struct pci_device_id subpage_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID) },
	{}
};

static struct pci_driver subpage_driver = {
	.name			= KBUILD_MODNAME,
	.id_table		= subpage_ids,
	.probe			= subpage_probe,
	.remove			= subpage_remove,
	.sriov_configure	= subpage_sriov_configure,
	.err_handler		= &vfio_pci_core_err_handlers,
	.driver_managed_dma	= true,
	.groups			= subpage_align_groups,
	.dev_groups		= subpage_sysfs_groups,
};

static int __init subpage_init(void)
{
	int ret;

	subpage_sysfs_init();
	ret = subpage_revoke_register();
	if (ret)
		return ret;
	ret = pci_register_driver(&subpage_driver);
	if (ret)
		goto err_revoke;
	ret = subpage_align_register();
	if (ret)
		goto err_driver;
	return 0;

err_driver:
	pci_unregister_driver(&subpage_driver);
err_revoke:
	subpage_revoke_unregister();
	return ret;
}
module_init(subpage_init);

static void __exit subpage_exit(void)
{
	subpage_align_unregister();
	pci_unregister_driver(&subpage_driver);
	subpage_revoke_unregister();
}
module_exit(subpage_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The subpage-vfio-pci project");
MODULE_DESCRIPTION("VFIO PCI driver that gives each BAR smaller than a page a page of its own");
MODULE_VERSION(SUBPAGE_VERSION);
