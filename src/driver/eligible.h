/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_ELIGIBLE_H
#define SUBPAGE_ELIGIBLE_H

struct pci_dev;

/**
 * subpage_check_eligible() - may this device be given to a user at all
 * @pdev: the device, about to be bound
 *
 * Called before any BAR is moved; vfio-pci-core would refuse bridges and devices with virtual
 * functions only afterwards. The list of errata is stock vfio-pci's; the core has none.
 *
 * Return: 0; -EINVAL for a bridge, or a device with errata unless disable_denylist=1;
 * -EBUSY for one with virtual functions. The log says which, and what to do.
 */
int subpage_check_eligible(struct pci_dev *pdev);

#endif /* SUBPAGE_ELIGIBLE_H */
