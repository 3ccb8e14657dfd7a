/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_ALIGN_H
#define SUBPAGE_ALIGN_H

#include <linux/sysfs.h>

/*
 * Pages for the BARs of devices that are bound to another driver, one of those that align_for=
 * names.
 *
 * Each sub-page BAR gets its page in the bus notifier, right before that driver's probe, and is
 * a page long until that driver releases or refuses the device: VFIO sizes, maps and exports a
 * BAR by its resource. This module stays loaded as long.
 *
 * Nothing else is done. If the PCI core moves such a BAR under a user, it is up to the other
 * driver to revoke the user's mappings.
 */

/**
 * subpage_align_register() - start to watch for the drivers in align_for=
 *
 * The last step of loading this module: pages held for another driver could not be given back
 * if a later step failed.
 *
 * Return: 0 or a negative error.
 */
int subpage_align_register(void);

/* No page is held any more: each held device has a reference to this module. */
void subpage_align_unregister(void);

/* The driver's file "held": see doc/ABI-sysfs. */
extern const struct attribute_group *subpage_align_groups[];

#endif /* SUBPAGE_ALIGN_H */
