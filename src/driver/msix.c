// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "kcompat.h"
#include "eeh.h"
#include "msix.h"

static const char * const policy_name[] = {
	[MSIX_MMAP_EEH] = "eeh",
	[MSIX_MMAP_ISOLATED] = "isolated",
	[MSIX_MMAP_ALWAYS] = "always",
	[MSIX_MMAP_NEVER] = "never",
};

static int policy_set(const char *val, const struct kernel_param *kp)
{
	enum msix_policy *policy = kp->arg;
	int i = sysfs_match_string(policy_name, val);

	if (i < 0) {
		pr_err("%s: msix_mmap: expected eeh, isolated, always or never\n",
		       KBUILD_MODNAME);
		return i;
	}

	*policy = i;
	return 0;
}

static int policy_get(char *buffer, const struct kernel_param *kp)
{
	const enum msix_policy *policy = kp->arg;

	return sysfs_emit(buffer, "%s\n", policy_name[*policy]);
}

const struct kernel_param_ops msix_policy_param_ops = {
	.set = policy_set,
	.get = policy_get,
};

static void expose(struct msix_table *table, enum subpage_msix_state state, const char *reason)
{
	table->state = state;
	table->reason = reason;
}

static void decide(struct msix_table *table, struct pci_dev *pdev, enum msix_policy policy)
{
	bool isolated = compat_has_isolated_msi(&pdev->dev);

	if (policy == MSIX_MMAP_NEVER)
		expose(table, SUBPAGE_MSIX_HIDDEN, "hidden from mmap, msix_mmap=never");
	else if (eeh_covers(pdev))
		expose(table, SUBPAGE_MSIX_EEH, "mappable, EEH isolates its MSIs");
	else if (policy == MSIX_MMAP_EEH && isolated)
		expose(table, SUBPAGE_MSIX_HIDDEN,
		       "hidden from mmap, no EEH, but the IOMMU isolates MSIs (msix_mmap=isolated maps it)");
	else if (policy != MSIX_MMAP_EEH && isolated)
		expose(table, SUBPAGE_MSIX_ISOLATED, "mappable, the IOMMU isolates its MSIs");
	else if (policy == MSIX_MMAP_ALWAYS)
		expose(table, SUBPAGE_MSIX_ALWAYS,
		       "mappable, msix_mmap=always, though nothing isolates its MSIs");
	else
		expose(table, SUBPAGE_MSIX_HIDDEN,
		       "hidden from mmap, neither EEH nor the IOMMU isolates MSIs (msix_mmap=always maps it)");
}

const char *msix_state_name(const struct msix_table *table)
{
	static const char * const name[] = {
		[SUBPAGE_MSIX_NONE] = "none",
		[SUBPAGE_MSIX_HIDDEN] = "hidden",
		[SUBPAGE_MSIX_EEH] = "eeh",
		[SUBPAGE_MSIX_ISOLATED] = "isolated",
		[SUBPAGE_MSIX_ALWAYS] = "always",
	};

	return name[table->state];
}

void msix_table_init(struct msix_table *table, struct pci_dev *pdev, enum msix_policy policy)
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
