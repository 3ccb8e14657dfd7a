/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_ALIGN_H
#define SUBPAGE_ALIGN_H

#include <linux/sysfs.h>

/*
 * Pages for the BARs of devices that another driver has: those that align_for= names.
 *
 * The bus notifier is the last place before that driver's probe. There each sub-page
 * BAR gets its page, and is a page long until that driver lets the device go, or does not
 * take it: VFIO sizes, maps and exports what the PCI core says the BAR is. Until then
 * this module stays loaded.
 *
 * That is all. Should the PCI core move such a BAR under a user, nobody revokes the
 * user's mappings: that is up to the driver that has the device.
 */

/**
 * subpage_align_register() - begin to look out for the drivers of align_for=
 *
 * The last step of loading this module, for what is held cannot be given back if a later
 * one fails.
 *
 * Return: 0 or a negative error.
 */
int subpage_align_register(void);

/* Nothing is held any more, or this module would not be unloaded. */
void subpage_align_unregister(void);

/* The driver's file "held": see doc/ABI-sysfs. */
extern const struct attribute_group *subpage_align_groups[];

#endif /* SUBPAGE_ALIGN_H */
