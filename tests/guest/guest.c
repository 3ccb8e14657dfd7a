// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nested guest: reads one register of every memory BAR on bus 0, writes one
 * where that is known to do nothing, and times both. An access that QEMU must
 * emulate or pass on costs thousands of times as much as one that goes to the
 * device by itself; the lines printed here show which.
 */
#include <stddef.h>

#include "pci.h"
#include "platform.h"
#include "print.h"

/* 1: do not switch off, go on reading. */
#ifndef STAY
#define STAY		0
#endif

#define BATCHES		15
#define BATCH_MAX	4096
#define BATCH_US	5000	/* BATCHES of these must stay far below a second */

struct test_register {
	uint32_t id;		/* device << 16 | vendor, as in config space */
	unsigned int bar;
	uint32_t offset;
	uint32_t pattern;	/* written first when not 0 */
	uint32_t written;	/* a register that may be written what it holds */
};

/* Registers that hold a known value from reset on; offset 0 of any BAR that is not listed. */
static const struct test_register test_registers[] = {
	{ 0x11101af4, 0, 0x00, 0x5ab9a6e5, 0x00 },	/* ivshmem: interrupt mask, keeps what is written */
	{ 0x00071b36, 0, 0x40, 0, 0x00 },		/* sdhci: capabilities; DMA address */
	{ 0x813910ec, 1, 0x00, 0, 0x30 },		/* rtl8139: MAC address; receive buffer */
	{ 0x003f106b, 0, 0x00, 0, 0x10 },		/* ohci: revision; interrupts to enable */
	{ 0x00101b36, 0, 0x08, 0, 0x1000 },		/* nvme: version; doorbell of queue 0, which is off */
	{ 0x10d38086, 0, 0x08, 0, 0x28 },		/* e1000e: status; flow control address */
};

/* Where the registers are that were read. */
#define SEEN_MAX	64
static uint32_t seen[SEEN_MAX];
static unsigned int seen_count;

static uint32_t read_register(uint32_t address)
{
	return *(volatile uint32_t *)(uintptr_t)address;
}

static void write_register(uint32_t address, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)address = value;
}

static const struct test_register *find_test_register(uint32_t id, unsigned int bar)
{
	size_t i;

	for (i = 0; i < sizeof(test_registers) / sizeof(test_registers[0]); i++) {
		if (test_registers[i].id == id && test_registers[i].bar == bar)
			return &test_registers[i];
	}
	return NULL;
}

static uint64_t time_accesses(uint32_t address, unsigned int accesses, bool write)
{
	uint32_t value = write ? read_register(address) : 0;
	uint64_t start = clock_ticks();
	unsigned int i;

	for (i = 0; i < accesses; i++) {
		if (write)
			write_register(address, value);
		else
			read_register(address);
	}
	return clock_ticks() - start;
}

/* The first ones pay for page faults and translation: take the fastest of some. */
static unsigned int batch_size(uint32_t address, bool write)
{
	uint64_t budget = divide((uint64_t)BATCH_US * clock_khz(), 1000);
	uint64_t best = ~0ull, ticks, accesses;
	int i;

	for (i = 0; i < 5; i++) {
		ticks = time_accesses(address, 1, write);
		if (ticks < best)
			best = ticks;
	}
	accesses = divide(budget, best ? (uint32_t)best : 1);
	if (!accesses)
		return 1;
	return accesses > BATCH_MAX ? BATCH_MAX : (unsigned int)accesses;
}

static uint32_t per_access(uint64_t ticks, unsigned int batch)
{
	return (uint32_t)divide(divide(ticks * 1000000, clock_khz()) + batch / 2, batch);
}

/*
 * The median, for the host's own work disturbs some of the batches, never most; how
 * many accesses there were, the quartiles, and of how many batches.
 */
static void report_time(uint32_t address, bool write, const char *what)
{
	unsigned int batch = batch_size(address, write);
	uint64_t ticks[BATCHES], t;
	int i, j;

	for (i = 0; i < BATCHES; i++) {
		t = time_accesses(address, batch, write);
		for (j = i; j > 0 && ticks[j - 1] > t; j--)
			ticks[j] = ticks[j - 1];
		ticks[j] = t;
	}
	print(" ns ");
	print_decimal(per_access(ticks[BATCHES / 2], batch));
	print(what);
	print_decimal((uint64_t)batch * BATCHES);
	print(" from ");
	print_decimal(per_access(ticks[BATCHES / 4], batch));
	print(" to ");
	print_decimal(per_access(ticks[BATCHES - 1 - BATCHES / 4], batch));
	print(" of ");
	print_decimal(BATCHES);
}

static void report_bar(unsigned int devfn, unsigned int index, const struct pci_bar *bar,
		       const struct msix_table *msix)
{
	uint32_t id = config_read(devfn, 0);
	const struct test_register *test = find_test_register(id, index);
	uint32_t offset = test ? test->offset : 0;
	bool beside_table;

	print("guest 00:");
	print_hex(devfn >> 3, 2);
	print(".");
	print_hex(devfn & 7, 1);
	print(" ");
	print_hex(id & 0xffff, 4);
	print(":");
	print_hex(id >> 16, 4);
	print(" bar");
	print_decimal(index);
	print(" size 0x");
	print_hex(bar->size, 1);

	if (!bar->address) {
		print(" does not fit\n");
		return;
	}
	print(" addr 0x");
	print_hex(bar->address, 1);

	/* QEMU emulates the table whatever the kernel maps: that says nothing about the BAR. */
	beside_table = index == msix->bar && offset >= msix->start && offset < msix->end;
	if (beside_table)
		offset = msix->end;
	if (offset >= bar->size) {
		print(" only msix\n");
		return;
	}

	if (!beside_table && seen_count < SEEN_MAX)
		seen[seen_count++] = bar->address + offset;
	if (test && test->pattern)
		write_register(bar->address + offset, test->pattern);
	print(" reg 0x");
	print_hex(offset, 1);
	print(" value 0x");
	print_hex(read_register(bar->address + offset), 8);

	report_time(bar->address + offset, false, " reads ");
	if (test)
		report_time(bar->address + test->written, true, " writes ");
	print("\n");
}

void guest_main(void)
{
	struct pci_bar bars[PCI_BARS];
	struct msix_table msix;
	unsigned int devfn, i;

	console_init();
	clock_init();

	/* Firmware may have placed BARs where ours go: all off before any is moved. */
	for (devfn = 0; devfn < PCI_DEVFNS; devfn++) {
		if (pci_endpoint(devfn))
			pci_decode_off(devfn);
	}
	for (devfn = 0; devfn < PCI_DEVFNS; devfn++) {
		if (!pci_endpoint(devfn))
			continue;
		pci_place_bars(devfn, bars);
		pci_decode_on(devfn);
		msix = pci_msix_table(devfn);
		for (i = 0; i < PCI_BARS; i++) {
			if (bars[i].size)
				report_bar(devfn, i, &bars[i], &msix);
		}
	}
	print("guest done\n");
	if (STAY) {
		print("guest stays\n");
		for (i = 0;; i = (i + 1) % (seen_count ? seen_count : 1))
			read_register(seen[i]);
	}
	power_off();
}
