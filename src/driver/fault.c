// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>

#include "bar.h"
#include "fault.h"
#include "msix.h"

static uint fault_points;
module_param(fault_points, uint, 0644);
MODULE_PARM_DESC(fault_points, "Test builds only: mask of the steps that fail (default: none)");

int subpage_fault(enum fault_point point)
{
	return fault_points & BIT(point) ? -EIO : 0;
}

void subpage_fault_readback(struct pci_dev *pdev, int bar)
{
	int word = pci_resource_flags(pdev, bar) & IORESOURCE_MEM_64 ? 4 : 0;

	if (subpage_fault(FAULT_READBACK))
		pci_write_config_dword(pdev, subpage_bar_register(bar) + word, 0);
}

void subpage_fault_table(struct msix_table *table, struct pci_dev *pdev)
{
	if (subpage_fault(FAULT_TABLE))
		table->offset = 2 * pci_resource_len(pdev, table->bar);
}

void subpage_fault_late(void)
{
	while (subpage_fault(FAULT_LATE) && !fatal_signal_pending(current))
		msleep(20);
}

/* What a native driver does after an error: only so does the copy of config space show. */
static int copy_set(const char *val, const struct kernel_param *kp)
{
	unsigned int domain, bus, slot, function;
	struct pci_dev *pdev;
	char what[8];

	if (sscanf(val, "%7s %x:%x:%x.%x", what, &domain, &bus, &slot, &function) != 5)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, function));
	if (!pdev)
		return -ENODEV;

	if (!strcmp(what, "save")) {
		pci_save_state(pdev);
	} else {
		pdev->state_saved = true;
		pci_restore_state(pdev);
	}
	pci_dev_put(pdev);
	return 0;
}

static const struct kernel_param_ops copy_ops = { .set = copy_set };
module_param_cb(config_copy, &copy_ops, NULL, 0200);
MODULE_PARM_DESC(config_copy, "Test builds only: \"save BDF\" or \"restore BDF\"");
