// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fs.h>
#include <linux/mm.h>

#include "device.h"
#include "fault.h"
#include "kcompat.h"
#include "mapping.h"
#include "revoke.h"

/* The operations of vfio-pci-core, the same for all devices. */
static const struct vm_operations_struct *core_ops;

static struct subpage_device *device_of(const struct vm_area_struct *vma)
{
	struct vfio_pci_core_device *core = vma->vm_private_data;

	return to_subpage_device(&core->vdev);
}

static void open(struct vm_area_struct *vma)
{
	if (core_ops->open)
		core_ops->open(vma);
}

static void close(struct vm_area_struct *vma)
{
	if (core_ops->close)
		core_ops->close(vma);
}

/*
 * If the BAR was away during the fault, the wrong page may be mapped: unmap it again. The next
 * fault waits until the BAR is back, or fails. (A BAR that leaves and returns between the two
 * checks of one fault is not noticed. No user can choose that moment.)
 */
static vm_fault_t look_again(struct vm_area_struct *vma, vm_fault_t ret)
{
	/* The page is mapped before the state is read; zap() in revoke.c has the other half. */
	smp_mb();
	if (subpage_revoke_may_fault(device_of(vma)))
		return ret;

	unmap_mapping_range(vma->vm_file->f_mapping, (loff_t)vma->vm_pgoff << PAGE_SHIFT,
			    vma->vm_end - vma->vm_start, 1);
	return VM_FAULT_NOPAGE;
}

/*
 * If a BAR is being moved for longer than subpage_revoke_intact() waits, its user must not die
 * of it: the access is retried until the PCI core has placed the BAR or given up. The user can
 * be killed meanwhile.
 */
static vm_fault_t not_now(const struct vm_area_struct *vma)
{
	return subpage_revoke_is_open(device_of(vma)) ? VM_FAULT_NOPAGE : VM_FAULT_SIGBUS;
}

static vm_fault_t fault(struct vm_fault *vmf)
{
	if (!subpage_revoke_intact(device_of(vmf->vma)))
		return not_now(vmf->vma);

	subpage_fault_late();
	return look_again(vmf->vma, core_ops->fault(vmf));
}

#ifdef CONFIG_ARCH_SUPPORTS_HUGE_PFNMAP
static vm_fault_t huge_fault(struct vm_fault *vmf, unsigned int order)
{
	if (!subpage_revoke_intact(device_of(vmf->vma)))
		return not_now(vmf->vma);

	subpage_fault_late();
	return look_again(vmf->vma, core_ops->huge_fault(vmf, order));
}
#endif

static const struct vm_operations_struct mapping_ops = {
	.open = open,
	.close = close,
	.fault = fault,
#ifdef CONFIG_ARCH_SUPPORTS_HUGE_PFNMAP
	.huge_fault = huge_fault,
#endif
};

void subpage_mapping_watch(struct subpage_device *sdev, struct vm_area_struct *vma)
{
	WRITE_ONCE(sdev->revocation.mapping, vma->vm_file->f_mapping);
	WRITE_ONCE(core_ops, vma->vm_ops);
	vma->vm_ops = &mapping_ops;
}
