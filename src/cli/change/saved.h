/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_SAVED_H
#define CLI_SAVED_H

#include "bus/pci.h"

/*
 * What driverctl(8) has saved for a device, in a file of one line, and does at each boot.
 * The command "driverctl" itself takes a device from its driver even where it is only to
 * save something.
 */

/* The driver, to free(); NULL if nothing is saved. */
char *saved_read(const struct device *device);

/* Replace it, all at once; NULL: forget it. Returns -errno. */
int saved_write(const struct device *device, const char *driver);

#endif
