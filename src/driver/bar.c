// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>

#include "bar.h"

/* What the register of a BAR holds at the address of @res; returns the number of words. */
static int bar_words(struct pci_dev *pdev, struct resource *res, u32 words[2])
{
	struct pci_bus_region region;

	pcibios_resource_to_bus(pdev->bus, &region, res);
	words[0] = lower_32_bits(region.start) |
		   (res->flags & ~(u32)PCI_BASE_ADDRESS_MEM_MASK & 0xf);
	words[1] = upper_32_bits(region.start);

	return res->flags & IORESOURCE_MEM_64 ? 2 : 1;
}

void subpage_bar_save(struct pci_dev *pdev, int bar)
{
	u32 words[2];
	int i, n = bar_words(pdev, &pdev->resource[bar], words);

	for (i = 0; i < n; i++)
		pdev->saved_config_space[subpage_bar_register(bar) / 4 + i] = words[i];
}

/* Returns the command register as it was. */
static u16 switch_decode_off(struct pci_dev *pdev)
{
	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	pci_write_config_word(pdev, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);

	return command;
}

void subpage_bar_decode_off(struct pci_dev *pdev)
{
	switch_decode_off(pdev);
	pdev->saved_config_space[PCI_COMMAND / 4] &= ~PCI_COMMAND_MEMORY;
}

/* Decode is off while only one of the two words of a 64-bit BAR is new. */
void subpage_bar_write(struct pci_dev *pdev, int bar, struct resource *res)
{
	u32 words[2];
	int i, n = bar_words(pdev, res, words);
	u16 command = n > 1 ? switch_decode_off(pdev) : 0;

	for (i = 0; i < n; i++)
		pci_write_config_dword(pdev, subpage_bar_register(bar) + 4 * i, words[i]);
	if (n > 1)
		pci_write_config_word(pdev, PCI_COMMAND, command);
}

bool subpage_bar_is_written(struct pci_dev *pdev, int bar)
{
	u32 words[2], value;
	int i, n = bar_words(pdev, &pdev->resource[bar], words);

	for (i = 0; i < n; i++) {
		pci_read_config_dword(pdev, subpage_bar_register(bar) + 4 * i, &value);
		if (value != words[i])
			return false;
	}

	return true;
}

u64 subpage_bar_read(struct pci_dev *pdev, int bar)
{
	u32 low, high = 0;

	pci_read_config_dword(pdev, subpage_bar_register(bar), &low);
	if ((low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64)
		pci_read_config_dword(pdev, subpage_bar_register(bar) + 4, &high);

	return (u64)high << 32 | (low & (u32)PCI_BASE_ADDRESS_MEM_MASK);
}

void subpage_bar_renew(struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];

	/* Neither has a register that can be written: virtual functions have none for BARs. */
	if (pdev->is_virtfn || (res->flags & IORESOURCE_PCI_FIXED))
		return;
	if (!subpage_bar_is_written(pdev, bar))
		subpage_bar_write(pdev, bar, res);
	subpage_bar_save(pdev, bar);
}
