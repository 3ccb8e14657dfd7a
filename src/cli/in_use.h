/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_IN_USE_H
#define CLI_IN_USE_H

#include "pci.h"

/*
 * What would break if the device lost its driver now, as a sentence to free(), or
 * NULL: a disk in use, an interface that is up, the boot display, a process that
 * has it open through VFIO.
 */
char *in_use(const struct device *device);

#endif
