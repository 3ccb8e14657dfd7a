// SPDX-License-Identifier: GPL-2.0-only
#include "pci.h"
#include "platform.h"

#define REG_ID			0x00
#define REG_COMMAND		0x04
#define   COMMAND_MEMORY	0x2u
#define   STATUS_CAPABILITIES	0x00100000u
#define REG_HEADER		0x0c
#define   HEADER_TYPE		0x007f0000u
#define   HEADER_MULTI		0x00800000u
#define REG_BAR			0x10
#define   BAR_IO		0x1u
#define   BAR_TYPE		0x6u
#define   BAR_TYPE_64		0x4u
#define   BAR_FLAGS		0xfu
#define REG_CAPABILITIES	0x34
#define CAP_MSIX		0x11

/*
 * QEMU maps the host page around a sub-page BAR only when the guest puts the
 * BAR at the start of a host page. 64K is the largest page of any host.
 */
#ifndef BAR_ALIGNMENT
#define BAR_ALIGNMENT		0x10000u
#endif

bool pci_endpoint(unsigned int devfn)
{
	/* A single-function device may answer for all eight of its functions. */
	if (devfn & 7 && !(config_read(devfn & ~7u, REG_HEADER) & HEADER_MULTI))
		return false;
	return (config_read(devfn, REG_ID) & 0xffff) != 0xffff &&
	       !(config_read(devfn, REG_HEADER) & HEADER_TYPE);
}

/* The upper half of the register is STATUS, whose bits are cleared by writing ones: write zeros. */
static void command(unsigned int devfn, uint32_t clear, uint32_t set)
{
	uint32_t value = config_read(devfn, REG_COMMAND) & 0xffff;

	config_write(devfn, REG_COMMAND, (value & ~clear) | set);
}

void pci_decode_off(unsigned int devfn)
{
	command(devfn, COMMAND_MEMORY, 0);
}

void pci_decode_on(unsigned int devfn)
{
	command(devfn, 0, COMMAND_MEMORY);
}

static uint32_t allocate(uint64_t size)
{
	static uint64_t next;
	uint64_t align = size > BAR_ALIGNMENT ? size : BAR_ALIGNMENT;
	uint64_t address;

	if (!next)
		next = mmio_window_start;
	address = (next + align - 1) & ~(align - 1);
	if (size > mmio_window_end || address > mmio_window_end - size)
		return 0;
	next = address + size;
	return (uint32_t)address;
}

void pci_place_bars(unsigned int devfn, struct pci_bar *bars)
{
	unsigned int i, high;

	for (i = 0; i < PCI_BARS; i++)
		bars[i] = (struct pci_bar){ 0 };

	for (i = 0; i < PCI_BARS; i += 1 + high) {
		unsigned int reg = REG_BAR + 4 * i;
		uint32_t flags = config_read(devfn, reg);
		uint64_t mask;

		high = !(flags & BAR_IO) && (flags & BAR_TYPE) == BAR_TYPE_64;
		if (flags & BAR_IO)
			continue;

		config_write(devfn, reg, ~0u);
		mask = config_read(devfn, reg) & ~BAR_FLAGS;
		if (high) {
			config_write(devfn, reg + 4, ~0u);
			mask |= (uint64_t)config_read(devfn, reg + 4) << 32;
		} else if (mask) {
			mask |= ~0ull << 32;
		}
		bars[i].size = mask & -mask;
		if (bars[i].size)
			bars[i].address = allocate(bars[i].size);
		/*
		 * One that does not fit keeps the all ones of the sizing: address 0
		 * can be a valid one, the last of all is decoded by nobody.
		 */
		if (!bars[i].address)
			continue;
		config_write(devfn, reg, bars[i].address);
		if (high)
			config_write(devfn, reg + 4, 0);
	}
}

struct msix_table pci_msix_table(unsigned int devfn)
{
	struct msix_table table = { 0 };
	unsigned int cap;

	if (!(config_read(devfn, REG_COMMAND) & STATUS_CAPABILITIES))
		return table;
	cap = config_read(devfn, REG_CAPABILITIES) & 0xfc;
	while (cap) {
		uint32_t header = config_read(devfn, cap);

		if ((header & 0xff) == CAP_MSIX) {
			uint32_t where = config_read(devfn, cap + 4);
			uint32_t entries = (header >> 16 & 0x7ff) + 1;

			table.bar = where & 7;
			table.start = where & ~7u;
			table.end = table.start + 16 * entries;
			return table;
		}
		cap = header >> 8 & 0xfc;
	}
	return table;
}
