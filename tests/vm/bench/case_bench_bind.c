// SPDX-License-Identifier: GPL-2.0-only
/*
 * What bind and unbind take, a function, of 1, 8, 64 and all that the machine has:
 * with stock vfio-pci, with this driver where a BAR stays in place and where it
 * moves, and the other way to get a page: resource_alignment, remove and rescan.
 *
 * In instructions: the machine's clock counts them (QEMU's -icount), one a nanosecond.
 * Emulated time says more of the emulator, and differs from run to run by a half.
 */
#include <sys/klog.h>

#include "bench.h"
#include "cases.h"
#include "pci.h"
#include "zoo.h"

#define BIND "bind, 1000 instructions"
#define UNBIND "unbind, 1000 instructions"
#define FUNCTIONS_MAX 256
/* In place, against stock vfio-pci: the goal. */
#define RATIO_MAX 1.2
/* Bound one at a time, each is one sample. */
#define SINGLES 15
/* Eight at once, that often. */
#define EIGHTS 3

static struct pci_dev functions[FUNCTIONS_MAX];
static int count;

static void list(void)
{
	for (count = 0; count < FUNCTIONS_MAX && !pci_find(SDHCI, count, &functions[count]); count++)
		;
}

static void remove_and_rescan(int first, int n)
{
	int i;

	for (i = first; i < first + n; i++)
		pci_remove(&functions[i]);
	pci_rescan();
	for (i = first; i < first + n; i++)
		pci_attr_write(&functions[i], "driver_override", "\n");
}

/* Thousands of instructions that writing a file took. */
static double time_write(const char *path, const char *text)
{
	double begin = bench_now_ns();

	return file_write(path, text) ? -1 : (bench_now_ns() - begin) / 1e3;
}

struct samples {
	double cost[FUNCTIONS_MAX];
	int n;
};

/* Returns the lower quartile: what it takes with no interrupt in between, nor a page for new objects. */
static double record(const char *what, int together, const char *with, struct samples *samples)
{
	struct bench_spread spread = bench_spread(samples->cost, samples->n);
	char on[32];

	snprintf(on, sizeof(on), "%d function%s", together, together == 1 ? "" : "s");
	bench_record(what, on, with, spread);
	samples->n = 0;
	return spread.low;
}

static bool in_state(const struct pci_dev *dev, const char *state)
{
	char text[32] = "";

	pci_attr_read(dev, "subpage_vfio_pci/bar0_state", text, sizeof(text));
	return !strcmp(text, state);
}

/* state: what this driver must say of each BAR; NULL with stock vfio-pci. Returns how many are right. */
static int bind(int first, int n, const char *driver, const char *state, struct samples *samples)
{
	char path[64];
	int good = 0, i;

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);
	for (i = first; i < first + n; i++) {
		pci_attr_write(&functions[i], "driver_override", driver);
		samples->cost[samples->n++] = time_write(path, functions[i].bdf);
		good += !strcmp(pci_driver(&functions[i]), driver) && (!state || in_state(&functions[i], state));
	}
	return good;
}

static void unbind(int first, int n, struct samples *samples)
{
	char path[96];
	int i;

	for (i = first; i < first + n; i++) {
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind", functions[i].bdf);
		samples->cost[samples->n++] = time_write(path, functions[i].bdf);
	}
}

static const struct way {
	const char *driver, *state, *name;
} ways[] = {
	/* The first time something is set up that stays: not measured. */
	{ STOCK, NULL, NULL },
	{ STOCK, NULL, STOCK },
	{ OURS, "moved", OURS ", moving" },
	/* They are where they were put, each on a page. */
	{ OURS, "in_place", OURS ", in place" },
};

/* n of them at once, and that often; their BARs share pages. */
static void measure(int first, int n, int times)
{
	struct samples in, out;
	const struct way *way;
	double cost, stock = 0;
	int good, i;

	for (way = ways; way < ways + sizeof(ways) / sizeof(ways[0]); way++) {
		in.n = 0;
		out.n = 0;
		good = 0;
		for (i = 0; i < times; i++) {
			good += bind(first + i * n, n, way->driver, way->state, &in);
			unbind(first + i * n, n, &out);
		}
		if (!way->name)
			continue;
		is_u64(good, n * times, "%s: %d functions, %d at once", way->name, n * times, n);
		cost = record(BIND, n, way->name, &in);
		record(UNBIND, n, way->name, &out);
		if (!way->state)
			stock = cost;
		else if (!strcmp(way->state, "in_place"))
			ok(cost <= RATIO_MAX * stock,
			   "in place, to bind %d costs at most %.1f times what stock does (%.3f)",
			   n, RATIO_MAX, cost / stock);
	}
}

static void measure_aligned(int n, int times)
{
	struct samples in = {}, out = {};
	int good = 0, i, j;
	double begin, cost;

	for (i = 0; i < times; i++) {
		begin = bench_now_ns();
		remove_and_rescan(i * n, n);
		cost = (bench_now_ns() - begin) / 1e3 / n;
		j = in.n;
		good += bind(i * n, n, STOCK, NULL, &in);
		for (; j < in.n; j++)
			in.cost[j] += cost;
		unbind(i * n, n, &out);
	}
	is_u64(good, n * times, STOCK ", removed and rescanned: %d functions, %d at once", n * times, n);
	record(BIND, n, STOCK ", resource_alignment", &in);
}

MODULE_CASE(bench_bind, "")
{
	char text[32];
	int order = 0;

	/* What is logged goes to the log; how fast a serial console is, nobody wants to know. */
	klogctl(8, NULL, 6);
	list();
	if (!ok(count >= SINGLES + 8 * EIGHTS + 64, "the machine has %d functions", count))
		return;
	remove_and_rescan(0, count);
	measure(0, 1, SINGLES);
	measure(SINGLES, 8, EIGHTS);
	measure(SINGLES + 8 * EIGHTS, 64, 1);
	/* Some have a page now: they must share again. */
	remove_and_rescan(0, count);
	measure(0, count, 1);

	while (1L << order < sysconf(_SC_PAGESIZE))
		order++;
	snprintf(text, sizeof(text), "%d@pci:1b36:0007", order);
	is_errno(file_write("/sys/bus/pci/resource_alignment", text), 0, "resource_alignment=%s", text);
	measure_aligned(1, SINGLES);
	measure_aligned(8, 1);
	measure_aligned(64, 1);
	measure_aligned(count, 1);
}
