// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "compat.h"
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
		pr_err("%s: msix_mmap=%s: expected eeh, isolated, always or never\n",
		       KBUILD_MODNAME, val);
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

static enum subpage_msix_state decide(struct pci_dev *pdev, enum msix_policy policy)
{
	if (policy == MSIX_MMAP_NEVER)
		return SUBPAGE_MSIX_HIDDEN;
	if (eeh_covers(pdev))
		return SUBPAGE_MSIX_EEH;
	if (policy == MSIX_MMAP_EEH)
		return SUBPAGE_MSIX_HIDDEN;
	if (compat_has_isolated_msi(&pdev->dev))
		return SUBPAGE_MSIX_ISOLATED;
	if (policy == MSIX_MMAP_ALWAYS)
		return SUBPAGE_MSIX_ALWAYS;

	return SUBPAGE_MSIX_HIDDEN;
}

static const char *hidden_because(struct pci_dev *pdev, enum msix_policy policy)
{
	if (policy == MSIX_MMAP_NEVER)
		return "msix_mmap=never";
	if (policy == MSIX_MMAP_ISOLATED)
		return "neither EEH nor the IOMMU isolates MSIs (msix_mmap=always maps it)";
	if (compat_has_isolated_msi(&pdev->dev))
		return "no EEH, but the IOMMU isolates MSIs (msix_mmap=isolated maps it)";

	return "neither EEH nor the IOMMU isolates MSIs (msix_mmap=always maps it)";
}

static void log_table(const struct msix_table *table, struct pci_dev *pdev,
		      enum msix_policy policy)
{
	static const char * const mappable_because[] = {
		[SUBPAGE_MSIX_EEH] = "EEH isolates its MSIs",
		[SUBPAGE_MSIX_ISOLATED] = "the IOMMU isolates its MSIs",
		[SUBPAGE_MSIX_ALWAYS] = "msix_mmap=always, though nothing isolates its MSIs",
	};
	bool hidden = table->state == SUBPAGE_MSIX_HIDDEN;

	pci_info(pdev, "MSI-X table in BAR %d [%#x-%#x]: %s, %s\n",
		 table->bar, table->offset, table->offset + table->size - 1,
		 hidden ? "hidden from mmap" : "mappable",
		 hidden ? hidden_because(pdev, policy) : mappable_because[table->state]);
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
	table->state = decide(pdev, policy);
	log_table(table, pdev, policy);
}
