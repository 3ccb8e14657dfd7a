// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>

#include "eeh.h"
#include "kcompat.h"
#include "msix.h"

static void set_state(struct msix_table *table, enum subpage_msix_state state,
		      const char *reason)
{
	table->state = state;
	table->reason = reason;
}

static void decide(struct msix_table *table, struct pci_dev *pdev, enum msix_policy policy)
{
	bool isolated = kcompat_has_isolated_msi(&pdev->dev);

	if (policy == MSIX_MMAP_NEVER)
		set_state(table, SUBPAGE_MSIX_HIDDEN, "hidden from mmap, msix_mmap=never");
	else if (subpage_eeh_covers(pdev))
		set_state(table, SUBPAGE_MSIX_EEH, "mappable, EEH isolates its MSIs");
	else if (policy == MSIX_MMAP_EEH && isolated)
		set_state(table, SUBPAGE_MSIX_HIDDEN,
			  "hidden from mmap, the IOMMU isolates its MSIs, but EEH does not (msix_mmap=isolated maps it)");
	else if (policy != MSIX_MMAP_EEH && isolated)
		set_state(table, SUBPAGE_MSIX_ISOLATED, "mappable, the IOMMU isolates its MSIs");
	else if (policy == MSIX_MMAP_ALWAYS)
		set_state(table, SUBPAGE_MSIX_ALWAYS,
			  "mappable, msix_mmap=always, though nothing isolates its MSIs");
	else
		set_state(table, SUBPAGE_MSIX_HIDDEN,
			  "hidden from mmap, neither EEH nor the IOMMU isolates its MSIs (msix_mmap=always maps it)");
}

#define SUBPAGE_MSIX_STATE(_name, _word) \
	[SUBPAGE_MSIX_ ## _name] = _word,

const char *subpage_msix_state_name(const struct msix_table *table)
{
	static const char * const name[] = {
#include "subpage_states.h"
	};

	static_assert(ARRAY_SIZE(name) == SUBPAGE_MSIX_ALWAYS + 1);
	return name[table->state];
}

void subpage_msix_init(struct msix_table *table, struct pci_dev *pdev, enum msix_policy policy)
{
	u32 location;
	u16 control;

	*table = (struct msix_table) { .bar = -1 };
	if (!pdev->msix_cap)
		return;

	pci_read_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, &control);
	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &location);

	table->bar = location & PCI_MSIX_TABLE_BIR;
	table->offset = location & PCI_MSIX_TABLE_OFFSET;
	table->size = ((control & PCI_MSIX_FLAGS_QSIZE) + 1) * PCI_MSIX_ENTRY_SIZE;
	decide(table, pdev, policy);
	pci_info(pdev, "MSI-X table in BAR %d [%#x-%#x]: %s\n", table->bar, table->offset,
		 table->offset + table->size - 1, table->reason);
}
