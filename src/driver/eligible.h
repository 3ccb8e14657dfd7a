/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_ELIGIBLE_H
#define SUBPAGE_ELIGIBLE_H

struct pci_dev;

/**
 * subpage_check_eligible() - may a user have this device at all
 * @pdev: the device, about to be bound
 *
 * Asked before any BAR moves: vfio-pci-core refuses the first two only afterwards. The
 * list of errata is stock vfio-pci's, which is not in the core.
 *
 * Return: 0; -EINVAL for a bridge, or a device with errata unless disable_denylist=1;
 * -EBUSY for one with virtual functions. The log says which, and what to do.
 */
int subpage_check_eligible(struct pci_dev *pdev);

#endif /* SUBPAGE_ELIGIBLE_H */
