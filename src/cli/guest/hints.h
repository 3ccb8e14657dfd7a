/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_HINTS_H
#define CLI_HINTS_H

#include "bus/pci.h"

/* What a VMM has to be told so that its guest reaches the device's registers; both to free(). */
char *hint_qemu(const struct device *device);
char *hint_libvirt(const struct device *device);

#endif
