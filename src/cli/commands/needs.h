/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_NEEDS_H
#define CLI_NEEDS_H

#include "commands/run.h"

/* What a change of drivers needs. Each ends the program, with nothing changed, where it is missing. */

void need_root(const struct device *device);
void need_driver(void);
void need_other_driver(const char *driver);
void need_driverctl(void);
void need_no_bridges(const struct transaction *transaction);
void need_iommu(const struct transaction *transaction);
/* That no other driver keeps one of their groups, where that can be known before. */
void need_groups(const struct run *run);

/* VFIO's mode without an IOMMU may be an option in modprobe.d that waits for the module. */
bool lacks_iommu(const struct device *device);

#endif
