// SPDX-License-Identifier: GPL-2.0-only
/*
 * subpage_vfio_pci: vfio-pci for devices whose BARs are smaller than a page.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>

#include "kcompat.h"
#include "fault.h"
#include "region.h"
#include "sysfs.h"

static enum msix_policy msix_mmap = MSIX_MMAP_EEH;
module_param_cb(msix_mmap, &msix_policy_param_ops, &msix_mmap, 0644);
MODULE_PARM_DESC(msix_mmap,
		 "Where the MSI-X table can be mapped: eeh (where EEH covers the device; default), isolated (also where the IOMMU isolates MSIs), always, never. Read at bind.");

static bool realign = true;
module_param(realign, bool, 0644);
MODULE_PARM_DESC(realign,
		 "Move sub-page BARs that share a page (default: yes). With 0 only BARs that are alone on their page are claimed. Read at bind.");

static bool enable_sriov;
module_param(enable_sriov, bool, 0644);
MODULE_PARM_DESC(enable_sriov,
		 "Let sriov_numvfs create virtual functions of a bound physical function (default: no). They need a user-space driver of the physical function.");

static int subpage_open_device(struct vfio_device *core_vdev)
{
	struct subpage_device *sdev = to_subpage_device(core_vdev);
	int bar, ret;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		page_claim_check(&sdev->claim[bar], sdev->core.pdev, bar);

	ret = vfio_pci_core_enable(&sdev->core);
	if (ret)
		return ret;

	vfio_pci_core_finish_enable(&sdev->core);
	region_open(sdev);
	return 0;
}

static long subpage_ioctl(struct vfio_device *core_vdev, unsigned int cmd, unsigned long arg)
{
	return compat_ioctl(core_vdev, cmd, arg, region_info);
}

static const struct vfio_device_ops subpage_ops = {
	/* vfio-pci-core gives it to a PF's VFs as their driver_override. */
	.name		= KBUILD_MODNAME,
	.init		= vfio_pci_core_init_dev,
	.release	= vfio_pci_core_release_dev,
	.open_device	= subpage_open_device,
	.close_device	= vfio_pci_core_close_device,
	.ioctl		= subpage_ioctl,
	COMPAT_REGION_INFO_OP(region_info)
	.device_feature	= vfio_pci_core_ioctl_feature,
	.read		= vfio_pci_core_read,
	.write		= vfio_pci_core_write,
	.mmap		= region_mmap,
	.request	= vfio_pci_core_request,
	.match		= vfio_pci_core_match,
	COMPAT_TOKEN_OPS
	COMPAT_IOMMUFD_OPS
};

static void make_claims(struct subpage_device *sdev)
{
	struct pci_dev *pdev = sdev->core.pdev;
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if (page_claim_is_candidate(pdev, bar))
			page_claim_make(&sdev->claim[bar], pdev, bar, realign);
}

static int subpage_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct subpage_device *sdev;
	int bar, ret;

	/* vfio-pci-core refuses these too, but only after the BARs have moved. */
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		pci_err(pdev, "is a bridge; VFIO takes endpoints only\n");
		return -EINVAL;
	}
	if (pci_num_vf(pdev)) {
		pci_err(pdev, "has virtual functions; write 0 to sriov_numvfs, then bind again\n");
		return -EBUSY;
	}

	sdev = vfio_alloc_device(subpage_device, core.vdev, &pdev->dev, &subpage_ops);
	if (IS_ERR(sdev))
		return PTR_ERR(sdev);

	compat_set_pci_ops(&sdev->core, REGION_DMABUF_OPS);
	msix_table_init(&sdev->msix, pdev, msix_mmap);
	make_claims(sdev);

	dev_set_drvdata(&pdev->dev, &sdev->core);
	ret = fault(FAULT_REGISTER) ?: vfio_pci_core_register_device(&sdev->core);
	if (ret)
		goto err_claims;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		page_claim_settle(&sdev->claim[bar]);
	return 0;

err_claims:
	pci_err(pdev, "VFIO does not take the device (%pe)%s; its BARs are where they were\n",
		ERR_PTR(ret), pdev->dev.iommu_group ? "" :
		": it has no IOMMU group, is the IOMMU switched on?");
	/* It may have gone to sleep on the way; waking up restores the BARs that it slept with. */
	pm_runtime_resume(&pdev->dev);
	for (bar = PCI_STD_NUM_BARS - 1; bar >= 0; bar--)
		page_claim_undo(&sdev->claim[bar], pdev, bar);
	vfio_put_device(&sdev->core.vdev);
	return ret;
}

static void subpage_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);
	struct subpage_device *sdev = to_subpage_device(&core->vdev);
	int bar;

	/* Waits until no user has the device open. */
	vfio_pci_core_unregister_device(core);
	for (bar = PCI_STD_NUM_BARS - 1; bar >= 0; bar--)
		page_claim_drop(&sdev->claim[bar], pdev, bar);
	vfio_put_device(&core->vdev);
}

static int subpage_sriov_configure(struct pci_dev *pdev, int nr_virtfn)
{
	if (!enable_sriov)
		return -ENOENT;

	return vfio_pci_core_sriov_configure(dev_get_drvdata(&pdev->dev), nr_virtfn);
}

/*
 * Every device, but only where driver_override asks for this driver. There is
 * no MODULE_DEVICE_TABLE: the alias would tie with vfio-pci's own, and a tool
 * that picks a VFIO driver by alias could then pick this one unasked.
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
	.dev_groups		= sysfs_groups,
};
module_pci_driver(subpage_driver);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The subpage-vfio-pci project");
MODULE_DESCRIPTION("VFIO PCI driver that gives each BAR smaller than a page a page of its own");
