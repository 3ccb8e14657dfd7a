// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>

#include "eligible.h"
#include "options.h"

/* As stock vfio-pci: known errata that a user could exploit. */
static const struct pci_device_id denied[] = {
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C3XXX) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C3XXX_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C62X) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_C62X_VF) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_DH895XCC) },
	{ PCI_VDEVICE(INTEL, PCI_DEVICE_ID_INTEL_QAT_DH895XCC_VF) },
	{ PCI_VDEVICE(INTEL, 0x0b25) },		/* DSA of Sapphire Rapids */
	{ PCI_VDEVICE(INTEL, 0x0cfe) },		/* IAA of Sapphire Rapids */
	{}
};

int subpage_check_eligible(struct pci_dev *pdev)
{
	if (pdev->hdr_type != PCI_HEADER_TYPE_NORMAL) {
		pci_err(pdev, "refusing device: it is a bridge, and VFIO supports endpoints only\n");
		return -EINVAL;
	}
	if (pci_num_vf(pdev)) {
		pci_err(pdev, "refusing device: it has virtual functions; write 0 to sriov_numvfs, then bind again\n");
		return -EBUSY;
	}
	if (pci_match_id(denied, pdev)) {
		if (!subpage_option_disable_denylist) {
			pci_err(pdev, "refusing device: known errata exploitable from user space (disable_denylist=1 overrides)\n");
			return -EINVAL;
		}
		pci_warn(pdev, "known errata exploitable from user space; accepted because of disable_denylist=1\n");
	}

	return 0;
}
