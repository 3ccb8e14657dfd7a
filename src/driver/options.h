/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_OPTIONS_H
#define SUBPAGE_OPTIONS_H

#include "msix.h"
#include "page_claim.h"

/*
 * The module's parameters.
 *
 * msix_mmap, realign and bar_size are a default and exceptions for devices, with
 * commas:
 *
 *	msix_mmap=isolated,never@0000:03:00.0,always@pci:8086:10d3
 *
 * A device is [DOMAIN:]BUS:DEVICE.FUNCTION or pci:VENDOR:DEVICE, in hexadecimal, as in
 * the kernel's own pci=resource_alignment. The last one that fits counts. An option
 * without a default leaves the driver's own. Bad input is refused with the place of
 * the error, and changes nothing.
 *
 * The parameters are read when a device is bound; kernel_param_lock() is held for that.
 */

/* What the administrator chose for a device. */
enum msix_policy subpage_option_msix_mmap(struct pci_dev *pdev);
enum realign_policy subpage_option_realign(struct pci_dev *pdev);
bool subpage_option_exact_size(struct pci_dev *pdev);

/* Is the driver named in align_for? */
bool subpage_option_align_for(const char *driver);

/* Stock vfio-pci's, with its names and meanings. */
extern bool subpage_option_enable_sriov;
extern bool subpage_option_nointxmask;
extern bool subpage_option_disable_vga;
extern bool subpage_option_disable_idle_d3;
extern bool subpage_option_disable_denylist;

#endif /* SUBPAGE_OPTIONS_H */
