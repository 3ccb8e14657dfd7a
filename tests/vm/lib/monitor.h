/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MONITOR_H
#define MONITOR_H

#include <stddef.h>

#include "tap.h"

/*
 * Give QEMU's human monitor one command and take its reply, without the echo and
 * the prompt. The scenario must want "monitor". Returns -errno when it fails;
 * what QEMU thinks of the command is in the reply ("" if all is well).
 */
int monitor_cmd(char *reply, size_t size, const char *fmt, ...) PRINTF(3, 4);

/*
 * How long the kernel may take to follow when a device is plugged: SHPC waits 5 s after
 * its button, in case it is pressed again.
 */
#define BUTTON_MS 60000

#endif
