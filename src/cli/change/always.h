/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_ALWAYS_H
#define CLI_ALWAYS_H

#include "change/transaction.h"

/*
 * Have the BARs of devices aligned whenever that driver takes one, now and after each boot (the module's option
 * align_for); or stop that. Both say which file they wrote, or why they could not, and return a code of output.h.
 */
int always_align(const char *driver, FILE *to);
int never_align(FILE *to);

/* Can the name of a driver be one of those? */
bool align_takes(const char *driver);

/* Hand one device to that driver, which has its pages as long as it has the device. Says why if it fails. */
bool align_move(struct change *change, const char *driver);

#endif
