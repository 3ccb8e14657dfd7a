/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_IOMMU_H
#define CLI_IOMMU_H

#include "bus/pci.h"

/* Is there an IOMMU in use at all? */
bool iommu_is_on(void);

/* VFIO's mode for machines without one. */
bool iommu_is_not_needed(void);

/*
 * Will the device have a group once it is bound, as VFIO requires? On most machines it has one now; where a
 * device tree or ACPI describes the IOMMU, the group is made when a driver first probes the device.
 */
bool iommu_may_group(const struct device *device);

/* Another device of its group, whose driver keeps both from being used; or the next one after "from". */
const struct device *group_blocker(const struct bus *bus, const struct device *device, const struct device *from);

#endif
