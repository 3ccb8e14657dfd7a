/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_USES_H
#define CLI_USES_H

#include "pci.h"

/*
 * What an operator knows the device by, to free(): "interface eth0 (up), disk nvme0n1
 * (in use), 4 virtual functions"; "" if there is nothing of that kind.
 */
char *uses_text(const struct device *device);

#endif
