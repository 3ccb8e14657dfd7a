/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PEEK_H
#define PEEK_H

#include <stdbool.h>
#include <stdint.h>

/* Read a register through a mapping. Returns false, and no value, if that raises SIGBUS. */
bool peek(const volatile uint32_t *reg, uint32_t *value);

#endif
