/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_SHARED_H
#define CLI_SHARED_H

#include "bus/pci.h"
#include "commands/options.h"

/* Print the pages on which BARs of different IOMMU groups lie together, if a chosen device is among them. */
void shared_print(const struct bus *bus, const bool *chosen, const struct options *options);

#endif
