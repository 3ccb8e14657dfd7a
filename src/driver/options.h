/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_OPTIONS_H
#define SUBPAGE_OPTIONS_H

#include "msix.h"
#include "page_claim.h"
#include "relocate.h"

/*
 * The module's parameters.
 *
 * msix_mmap, msix_relocate, realign and bar_size are a default and exceptions for
 * devices, with commas:
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

/**
 * struct subpage_options - what the administrator chose for a device
 * @msix_mmap: where a user may map its MSI-X table
 * @msix_relocate: whether users are shown the table elsewhere
 * @realign: what may be done for its sub-page BARs
 * @exact_size: region info shows a BAR's true size (bar_size=exact)
 * @nointxmask: as in stock vfio-pci, like the next two
 * @disable_vga: no access to VGA's legacy ranges
 * @disable_idle_d3: stay awake while nobody has it open
 */
struct subpage_options {
	enum msix_policy msix_mmap;
	enum relocate_policy msix_relocate;
	enum realign_policy realign;
	bool exact_size;
	bool nointxmask;
	bool disable_vga;
	bool disable_idle_d3;
};

/**
 * subpage_options_for() - the options as they are now
 * @pdev: the device
 * @options: filled in
 */
void subpage_options_for(struct pci_dev *pdev, struct subpage_options *options);

/* Is the driver named in align_for? */
bool subpage_option_align_for(const char *driver);

/* Stock vfio-pci's, with its names and meanings; not by device. */
extern bool subpage_option_enable_sriov;
extern bool subpage_option_disable_denylist;

#endif /* SUBPAGE_OPTIONS_H */
