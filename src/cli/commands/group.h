/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_GROUP_H
#define CLI_GROUP_H

#include "commands/run.h"

/* The other devices of IOMMU groups; on some machines a group shows once a driver has looked at its device. */

/* --group: those that have to be together with the device join the transaction. */
void group_add(struct run *run, const struct device *device, bool to_bind);
/* May others turn out to be of its group once it is bound? */
bool group_is_late(const struct run *run, const struct device *device);
/* Give them to our driver, too. Returns a code. */
int group_take_late(struct run *run, const struct device *device);
/* Can the devices be given to user space now? Says why not. */
bool group_is_usable(struct run *run);

/* Give one device to our driver. Says why if it fails. */
bool take(struct change *change);

#endif
