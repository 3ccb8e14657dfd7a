// SPDX-License-Identifier: GPL-2.0-only
#include "platform.h"
#include "print.h"

void print(const char *text)
{
	while (*text)
		console_putc(*text++);
}

void print_hex(uint64_t value, unsigned int digits)
{
	unsigned int shift = 64;

	while (shift > 4 && shift > digits * 4 && !(value >> (shift - 4)))
		shift -= 4;
	while (shift) {
		shift -= 4;
		console_putc("0123456789abcdef"[(value >> shift) & 0xf]);
	}
}

uint64_t divide(uint64_t value, uint32_t by)
{
	uint64_t quotient = 0, rest = 0;
	int bit;

	for (bit = 63; bit >= 0; bit--) {
		rest = rest << 1 | (value >> bit & 1);
		if (rest >= by) {
			rest -= by;
			quotient |= 1ull << bit;
		}
	}
	return quotient;
}

void print_decimal(uint64_t value)
{
	uint64_t tens = divide(value, 10);

	if (tens)
		print_decimal(tens);
	console_putc('0' + (char)(value - tens * 10));
}
