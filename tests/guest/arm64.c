// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's virt machine, entered at EL1 with the MMU off: every address is a
 * physical one and every access is a device access, in order and uncached.
 */
#include "platform.h"
#include "print.h"

const uint32_t mmio_window_start = 0x10000000u, mmio_window_end = 0x3eff0000u;

#define UART		0x09000000ul
#define UART_FLAGS	(UART + 0x18)
#define   UART_TX_FULL	0x20
#define UART_CONTROL	(UART + 0x30)
#define   UART_ENABLE	0x301		/* the port itself, transmit, receive */
#define ECAM		0x4010000000ul
#define PSCI_SYSTEM_OFF	0x84000008ul

static volatile uint32_t *word(uint64_t address)
{
	return (volatile uint32_t *)address;
}

void console_init(void)
{
	*word(UART_CONTROL) = UART_ENABLE;
}

void console_putc(char c)
{
	while (*word(UART_FLAGS) & UART_TX_FULL)
		;
	*word(UART) = (uint8_t)c;
}

uint32_t config_read(unsigned int devfn, unsigned int reg)
{
	return *word(ECAM + (devfn << 12) + reg);
}

void config_write(unsigned int devfn, unsigned int reg, uint32_t value)
{
	*word(ECAM + (devfn << 12) + reg) = value;
}

uint64_t clock_ticks(void)
{
	uint64_t ticks;

	/* Without the barrier the counter may be read before the accesses in front of it end. */
	asm volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return ticks;
}

static uint32_t counter_khz;

void clock_init(void)
{
	uint64_t hz;

	asm("mrs %0, cntfrq_el0" : "=r"(hz));
	counter_khz = (uint32_t)(hz / 1000);
}

uint32_t clock_khz(void)
{
	return counter_khz;
}

void power_off(void)
{
	register uint64_t function asm("x0") = PSCI_SYSTEM_OFF;

	for (;;)
		asm volatile("hvc #0" : "+r"(function) : : "x1", "x2", "x3", "memory");
}

/* Every exception comes here: without a word the outer test would only see its timeout. */
void fault(uint64_t syndrome, uint64_t where, uint64_t address);
void fault(uint64_t syndrome, uint64_t where, uint64_t address)
{
	print("guest fault, syndrome 0x");
	print_hex(syndrome, 8);
	print(" at 0x");
	print_hex(where, 8);
	print(" address 0x");
	print_hex(address, 8);
	print("\n");
	power_off();
}
