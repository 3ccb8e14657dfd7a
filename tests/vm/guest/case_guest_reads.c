// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the nested guest: read one register of each BAR that the guest knows, through a mapping,
 * and print what case_packed.c needs.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "bench.h"
#include "cases.h"
#include "zoo.h"

/* Few: where they trap, each is a line of QEMU's trace. Of the batches the median counts, as the host may be busy. */
#define BATCHES 9
#define READS 35

static double time_reads(volatile uint32_t *reg)
{
	double ns[BATCHES];
	int batch, i;

	for (batch = 0; batch < BATCHES; batch++) {
		double start = bench_now_ns();

		for (i = 0; i < READS; i++)
			(void)*reg;
		ns[batch] = (bench_now_ns() - start) / READS;
	}
	return bench_spread(ns, BATCHES).median;
}

static void read_bar(const struct zoo_bar *at)
{
	uint64_t start = zoo_address(at), page = sysconf(_SC_PAGESIZE), skip = start % page + at->reg;
	unsigned int slot = 0;
	char *map;

	pci_attr_write(&at->dev, "enable", "1");
	/* The file starts at the page's start; it has as many pages as the BAR alone would take. */
	map = pci_map(&at->dev, at->bar, 0);
	if (ok(map != MAP_FAILED, "%s BAR %d is mapped", at->name, at->bar)) {
		volatile uint32_t *reg = (void *)(map + skip);
		double ns = time_reads(reg);

		sscanf(at->dev.bdf, "%*x:%*x:%x", &slot);
		diag("guest-read slot %u bar %d at %#llx size %llu value %#x ns %.0f", slot, at->bar,
		     (unsigned long long)start, (unsigned long long)at->size, *reg, ns);
		munmap(map, page);
	}
}

CASE(guest_reads)
{
	static struct zoo_bar bars[ZOO_MAX];
	int count = zoo_list_all(bars), i;

	ok(count > 0, "devices were passed through: %d BARs", count);
	for (i = 0; i < count; i++)
		read_bar(&bars[i]);
}
