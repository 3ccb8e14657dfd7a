// SPDX-License-Identifier: GPL-2.0-only
/* QEMU's pc and q35 machines, entered by its multiboot loader: 32 bits, no paging. */
#include "platform.h"
#include "print.h"

/* Above all RAM of a guest of up to 2G and above q35's memory-mapped config space. */
const uint32_t mmio_window_start = 0xc0000000u, mmio_window_end = 0xfe000000u;

#define UART			0x3f8
#define UART_LINE_STATUS	(UART + 5)
#define   UART_TX_EMPTY		0x20
#define PCI_ADDRESS		0xcf8
#define PCI_DATA		0xcfc
#define PIT_CHANNEL2		0x42
#define PIT_COMMAND		0x43
#define PIT_GATE		0x61
#define PIT_HZ			1193182u
#define PM1_CONTROL		0x604	/* where SeaBIOS puts it on both machines */
#define   PM1_SLEEP_ENABLE	0x2000	/* with sleep type 0: soft off */

static void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void outw(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static void outl(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static uint32_t inl(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* SeaBIOS leaves the port set up or untouched; QEMU sends bytes whatever the line settings are. */
void console_init(void)
{
}

void console_putc(char c)
{
	while (!(inb(UART_LINE_STATUS) & UART_TX_EMPTY))
		;
	outb(UART, (uint8_t)c);
}

uint32_t config_read(unsigned int devfn, unsigned int reg)
{
	outl(PCI_ADDRESS, 0x80000000u | devfn << 8 | reg);
	return inl(PCI_DATA);
}

void config_write(unsigned int devfn, unsigned int reg, uint32_t value)
{
	outl(PCI_ADDRESS, 0x80000000u | devfn << 8 | reg);
	outl(PCI_DATA, value);
}

uint64_t clock_ticks(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static uint16_t pit_count(void)
{
	uint8_t low;

	outb(PIT_COMMAND, 0x80);	/* latch channel 2 */
	low = inb(PIT_CHANNEL2);
	return (uint16_t)(inb(PIT_CHANNEL2) << 8 | low);
}

static uint32_t tsc_khz;

/*
 * Under emulation the TSC is the host's own and CPUID does not tell its rate.
 * The PIT counts the guest's virtual time in both accelerators, is at the same
 * ports on both machines, and at 838 ns a tick is too coarse only for the reads
 * themselves.
 */
void clock_init(void)
{
	uint16_t start, count;
	uint64_t tsc;
	uint32_t elapsed;

	outb(PIT_GATE, (inb(PIT_GATE) & ~2) | 1);
	outb(PIT_COMMAND, 0xb0);	/* channel 2, low then high byte, count down once */
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);

	start = pit_count();
	tsc = clock_ticks();
	do {
		count = pit_count();
	} while ((uint16_t)(start - count) < PIT_HZ / 40);
	tsc = clock_ticks() - tsc;
	elapsed = (uint16_t)(start - count);

	tsc_khz = (uint32_t)divide(tsc * PIT_HZ, elapsed * 1000);
}

uint32_t clock_khz(void)
{
	return tsc_khz;
}

void power_off(void)
{
	outw(PM1_CONTROL, PM1_SLEEP_ENABLE);
	for (;;)
		asm volatile("cli; hlt");
}
