/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each machine of the nested guest provides: one .c file per machine, and
 * one start file that sets a stack and calls guest_main().
 */
#ifndef GUEST_PLATFORM_H
#define GUEST_PLATFORM_H

#include <stdint.h>

/* Physical addresses where the machine decodes 32-bit PCI memory and has nothing else. */
extern const uint32_t mmio_window_start, mmio_window_end;

void console_init(void);
void console_putc(char c);

/* devfn is on bus 0; reg is a multiple of four. */
uint32_t config_read(unsigned int devfn, unsigned int reg);
void config_write(unsigned int devfn, unsigned int reg, uint32_t value);

/* A counter that runs at the speed of the user's clock; clock_init() finds its rate. */
void clock_init(void);
uint64_t clock_ticks(void);
uint32_t clock_khz(void);

_Noreturn void power_off(void);

#endif
