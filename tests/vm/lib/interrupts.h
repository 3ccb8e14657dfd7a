/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#include <stddef.h>

/*
 * How often the interrupts with this in their line of /proc/interrupts have come to this kernel,
 * all of them on all processors; -ENOENT. chip: by what the last one comes, or NULL.
 */
int interrupts_count(const char *name, char *chip, size_t size);

#endif
