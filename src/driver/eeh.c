// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>
#include <asm/eeh.h>

#include "eeh.h"

bool subpage_eeh_covers(struct pci_dev *pdev)
{
	struct eeh_dev *edev = pci_dev_to_eeh_dev(pdev);

	return eeh_enabled() && edev && edev->pe;
}

void subpage_eeh_save_bar(struct pci_dev *pdev, int bar)
{
	struct eeh_dev *edev = pci_dev_to_eeh_dev(pdev);
	int words = pci_resource_flags(pdev, bar) & IORESOURCE_MEM_64 ? 2 : 1;
	int first = PCI_BASE_ADDRESS_0 / 4 + bar;
	int i;

	if (!edev)
		return;

	for (i = first; i < first + words; i++)
		pci_read_config_dword(pdev, i * 4, &edev->config_space[i]);
}
