/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_SYSFS_H
#define SUBPAGE_SYSFS_H

#include <linux/sysfs.h>

/*
 * The directory subpage_vfio_pci of a bound device; see doc/ABI-sysfs.
 *
 * For the driver's dev_groups: the driver core makes the files after probe and
 * removes them before remove, so that each runs while the device is bound.
 *
 * For each memory BAR that is smaller than a page:
 *
 * barN_state:    how it stands; an enum subpage_bar_state, in lower case
 * barN_reason:   the same as a sentence
 * barN_size:     what the device decodes, bytes; its resource may be a page long
 * barN_original: address at bind, of a BAR that was moved then
 *
 * For a device with MSI-X:
 *
 * msix_bar:      number of the BAR that holds the table
 * msix_state:    "hidden", or what allows to map it: "eeh", "isolated", "always"
 * msix_reason:   the same as a sentence
 *
 * All are read-only for everybody. Addresses are CPU addresses in hexadecimal, as
 * in the device's file "resource", which has the address that the BAR has now.
 */
extern const struct attribute_group *subpage_sysfs_groups[];

/* Before the driver is registered. */
void subpage_sysfs_init(void);

#endif /* SUBPAGE_SYSFS_H */
