// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the nested guest: read one register of each BAR that the guest knows, through a mapping,
 * and print what case_packed.c needs.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include "cases.h"
#include "zoo.h"

/* Few: where they trap, each is a line of QEMU's trace. Of the batches the median counts, as the host may be busy. */
#define BATCHES 9
#define READS 35

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double time_reads(volatile uint32_t *reg)
{
	double ns[BATCHES];
	int batch, i;

	for (batch = 0; batch < BATCHES; batch++) {
		struct timespec start, end;

		clock_gettime(CLOCK_MONOTONIC, &start);
		for (i = 0; i < READS; i++)
			(void)*reg;
		clock_gettime(CLOCK_MONOTONIC, &end);
		ns[batch] = ((end.tv_sec - start.tv_sec) * 1e9 + end.tv_nsec - start.tv_nsec) / READS;
	}
	qsort(ns, BATCHES, sizeof(ns[0]), by_value);
	return ns[BATCHES / 2];
}

static void read_bar(const struct zoo_bar *at)
{
	uint64_t start = zoo_address(at), page = sysconf(_SC_PAGESIZE), skip = start % page + at->reg;
	unsigned int slot = 0;
	char path[4096];
	char *map;
	int fd;

	pci_attr_write(&at->dev, "enable", "1");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d", at->dev.bdf, at->bar);
	fd = open(path, O_RDWR | O_SYNC);
	/* The file starts at the page's start; it has as many pages as the BAR alone would take. */
	map = fd < 0 ? MAP_FAILED : mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	if (ok(map != MAP_FAILED, "%s BAR %d is mapped", at->name, at->bar)) {
		volatile uint32_t *reg = (void *)(map + skip);
		double ns = time_reads(reg);

		sscanf(at->dev.bdf, "%*x:%*x:%x", &slot);
		diag("guest-read slot %u bar %d at %#llx size %llu value %#x ns %.0f", slot, at->bar,
		     (unsigned long long)start, (unsigned long long)at->size, *reg, ns);
		munmap(map, page);
	}
	if (fd >= 0)
		close(fd);
}

CASE(guest_reads)
{
	static struct zoo_bar bars[ZOO_MAX];
	int count = zoo_list_all(bars), i;

	ok(count > 0, "devices were passed through: %d BARs", count);
	for (i = 0; i < count; i++)
		read_bar(&bars[i]);
}
