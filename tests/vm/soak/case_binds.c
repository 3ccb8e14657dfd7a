// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that has to be moved is bound as often as the time allows: binds get no slower, BARs do not wander,
 * memory does not grow. binds=10000 on the kernel command line asks for so many.
 */
#include "bench.h"
#include "cases.h"
#include "meminfo.h"
#include "soak.h"

#define BINDS 10000

/* Seconds; and as parts of what the remove and rescan after it took: the host may be busy meanwhile. */
static double times[BINDS], lengths[BINDS];
static uint64_t places[64];
static int place_count;

static void saw(uint64_t place)
{
	int i;

	for (i = 0; i < place_count; i++)
		if (places[i] == place)
			return;
	if (place_count < 64)
		places[place_count++] = place;
}

static double median(const double *first, int n)
{
	double sorted[BINDS];

	memcpy(sorted, first, n * sizeof(*first));
	return bench_spread(sorted, n).median;
}

MODULE_CASE(binds, "")
{
	static struct zoo_bar bars[ZOO_MAX];
	const char *asked = getenv("binds");
	int least = asked ? atoi(asked) : 60;
	struct wrong wrong = {};
	const struct zoo_bar *at;
	struct pci_dev neighbour;
	double end, start, limit;
	long before, after;
	int n, part, i, count, moved = 0;
	char *begin;

	begin = soak_begin();
	count = zoo_list(bars);
	/* One with a neighbour that begins its page: what is left there when it has moved. */
	for (i = 0; i < count; i++)
		if (zoo_other_device(&bars[i]) && zoo_address(&bars[i]) % 4096)
			break;
	if (!ok(i < count, "there is a BAR that shares its page"))
		return;
	at = &bars[i];
	neighbour = bars[0].dev;
	for (i = 0; i < count; i++)
		if (strcmp(bars[i].dev.bdf, at->dev.bdf) &&
		    zoo_address(&bars[i]) / 4096 == zoo_address(at) / 4096)
			neighbour = bars[i].dev;
	diag("%s %s BAR %d, beside %s", at->dev.bdf, at->name, at->bar, neighbour.bdf);

	before = meminfo_kb("Slab:");
	end = soak_now() + soak_share(25);
	for (n = 0; n < BINDS && (soak_now() < end || n < least); n++) {
		start = soak_now();
		i = pci_bind(&at->dev, OURS);
		times[n] = soak_now() - start;
		if (i)
			wrong_add(&wrong, "bind %d: %s", n + 1, strerror(-i));
		if (strcmp(zoo_sysfs(at, "state"), "moved"))
			wrong_add(&wrong, "bind %d: %s", n + 1, zoo_sysfs(at, "state"));
		else
			moved++;
		saw(zoo_address(at));
		pci_bind(&at->dev, "");
		/* Back to where it shares a page; it is the first free place. */
		start = soak_now();
		pci_remove(&at->dev);
		pci_rescan();
		lengths[n] = times[n] / (soak_now() - start);
		if (wrong.count > 20)
			break;
		if (n == 20)
			before = meminfo_kb("Slab:");
	}
	after = meminfo_kb("Slab:");
	none_wrong(&wrong, "each of the binds moves the BAR");
	part = n / 10;
	diag("%d binds, %.2f ms; first %d: %.2f, last: %.2f, %.3f and %.3f of a rescan; %d places; slabs %ld, %ld kB",
	     n, median(times, n) * 1e3, part, median(times, part) * 1e3,
	     median(times + n - part, part) * 1e3, median(lengths, part),
	     median(lengths + n - part, part), place_count, before, after);
	ok(n >= least, "it was bound %d times", least);
	is_u64(moved, n, "it was moved at each bind");
	/* Medians of a few tell less. */
	limit = part < 100 ? 3 : 1.5;
	ok(median(lengths + n - part, part) < median(lengths, part) * limit,
	   "the last tenth takes less than %.1f times what the first took", limit);
	ok(place_count <= 2, "it does not wander");
	/* What kmemleak cannot see, as somebody still points to it: 200 bytes a bind, and what KASAN holds back. */
	ok(after - before < 2048 + n / 5, "the kernel's memory does not grow");
	soak_end(begin);
}
