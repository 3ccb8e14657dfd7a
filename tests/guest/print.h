/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_PRINT_H
#define GUEST_PRINT_H

#include <stdint.h>

void print(const char *text);
/* At least @digits hexadecimal digits, without a prefix. */
void print_hex(uint64_t value, unsigned int digits);
void print_decimal(uint64_t value);

/* The 32-bit compiler would call libgcc to divide 64-bit numbers; there is none here. */
uint64_t divide(uint64_t value, uint32_t by);

#endif
