/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_SYSFS_H
#define SUBPAGE_SYSFS_H

#include <linux/sysfs.h>

/*
 * The directory subpage_vfio_pci of a bound device.
 *
 * For the driver's dev_groups: the driver core makes the files after probe and
 * removes them before remove, so that each runs while the device is bound.
 *
 * For each memory BAR that is smaller than a page:
 *
 * barN_state:    how it stands; an enum subpage_bar_state, in lower case
 * barN_reason:   the same as a sentence
 * barN_original: address at bind
 * barN_address:  address now
 * barN_page:     address of the claimed page, or "none"
 *
 * For a device with MSI-X:
 *
 * msix_bar:      number of the BAR that holds the table
 * msix_state:    "hidden", or what allows to map it: "eeh", "isolated", "always"
 * msix_reason:   the same as a sentence
 *
 * All are read-only for everybody. Addresses are CPU addresses in hexadecimal, as
 * in the device's file "resource".
 */
extern const struct attribute_group *sysfs_groups[];

#endif /* SUBPAGE_SYSFS_H */
