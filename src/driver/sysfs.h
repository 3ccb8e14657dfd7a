/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_SYSFS_H
#define SUBPAGE_SYSFS_H

#include <linux/sysfs.h>

/*
 * The directory subpage_vfio_pci of a bound device; doc/ABI-sysfs describes its files.
 *
 * For the driver's dev_groups: the driver core makes the files after probe and
 * removes them before remove, so a file is read only while the device is bound.
 *
 * All are read-only for everybody. Addresses are CPU addresses in hexadecimal, as
 * in the device's file "resource", which has the address that the BAR has now.
 */
extern const struct attribute_group *subpage_sysfs_groups[];

/* Before the driver is registered. */
void subpage_sysfs_init(void);

#endif /* SUBPAGE_SYSFS_H */
