/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_EEH_H
#define SUBPAGE_EEH_H

#include <linux/types.h>

struct pci_dev;

#ifdef CONFIG_EEH
/**
 * subpage_eeh_covers() - is the device under EEH's protection
 * @pdev: the device
 *
 * EEH (Enhanced Error Handling, POWER) puts a device into a Partitionable
 * Endpoint (PE), and the host bridge accepts from a PE only the MSIs that were
 * set up for it. So the device cannot disturb anything else, whatever is written to its MSI-X
 * table.
 *
 * Return: true when EEH is switched on and the device has a PE.
 */
bool subpage_eeh_covers(struct pci_dev *pdev);

/**
 * subpage_eeh_save_bar() - let EEH restore a BAR to where it is now
 * @pdev: the device
 * @bar: number of the BAR, 0 to 5
 *
 * After a PE reset EEH writes back the BARs that eeh_save_bars() read when the
 * device was found; a BAR moved since then would return to its old address,
 * while the resource, every mapping and the guest use the new one. The kernel exports no
 * function that reads them again, so the words of this BAR are replaced in
 * the device's eeh_dev, a public structure.
 *
 * Context: process context, before the device is registered with VFIO, so no
 * user can reset the PE meanwhile.
 */
void subpage_eeh_save_bar(struct pci_dev *pdev, int bar);
#else
static inline bool subpage_eeh_covers(struct pci_dev *pdev)
{
	return false;
}

static inline void subpage_eeh_save_bar(struct pci_dev *pdev, int bar) { }
#endif

#endif /* SUBPAGE_EEH_H */
