// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many reads a second does a Linux guest get from an NVMe that was passed on to
 * it, with whom, and what do they cost the host? Of one disk a BAR of 16K holds
 * registers, doorbells and MSI-X table, the case of the field; the other has the
 * table in a BAR of its own, and 8K are left. Without "disk=" on the kernel command
 * line a run of each shows what there is to gain; "disk=all" measures each way, in
 * turn, several times; "disk=injected" does so with the usual disk on a machine that
 * injects its interrupts into the guest, beside what the host has without a guest.
 */
#include "cases.h"
#include "guest_load.h"
#include "image.h"
#include "zoo.h"

#define RELOCATED ",x-msix-relocation=bar2"
#define SMALL_PAGES "arm64-4k-6.12"

/* What several runs of one kind have shown. */
#define RUNS_MAX 3
enum figure { RATE, CPU, EXITS, TO_QEMU, INTERRUPTS, HOST_INTERRUPTS, FIGURES };

static const char *const figures[FIGURES] = {
	[RATE] = "reads a second",
	[CPU] = "host CPU per read, us",
	[EXITS] = "exits per read",
	[TO_QEMU] = "of them to QEMU",
	[INTERRUPTS] = "interrupts per read",
	[HOST_INTERRUPTS] = "the disk's interrupts of the host per read",
};

struct runs {
	double of[FIGURES][RUNS_MAX];
	int count;
};

static void add(struct runs *runs, const struct counters *from, const struct counters *to, double reads,
		const struct random_read *result)
{
	double cpu = to->ns - from->ns - (to->idle_ns - from->idle_ns);
	int n = runs->count++;

	runs->of[RATE][n] = result->rate.median;
	runs->of[INTERRUPTS][n] = 1.0 * result->interrupts / result->reads;
	runs->of[CPU][n] = cpu / 1e3 / reads;
	runs->of[EXITS][n] = (to->exits - from->exits) / reads;
	runs->of[TO_QEMU][n] = (to->to_qemu - from->to_qemu) / reads;
	runs->of[HOST_INTERRUPTS][n] = (to->disk - from->disk) / reads;
}

/* The values are sorted by that. */
static struct bench_spread spread(struct runs *runs, enum figure figure)
{
	return bench_spread(runs->of[figure], runs->count);
}

static void record(struct runs *runs, const char *on, const char *with)
{
	char text[64];
	int i, figure;

	for (i = 0; i < GUEST_DISK_DEPTHS; i++)
		for (figure = 0; figure < FIGURES && runs[i].count; figure++) {
			snprintf(text, sizeof(text), "%s, depth %u", figures[figure], guest_disk_depths[i]);
			bench_record(text, on, with, spread(&runs[i], figure));
		}
}

/* The fewest: what else a guest has of them, such as its console, weighs where it reads little. -1: none was seen. */
static double fewest(struct runs *runs, enum figure figure)
{
	double best = -1, low;
	int i;

	for (i = 0; i < GUEST_DISK_DEPTHS; i++) {
		if (!runs[i].count)
			continue;
		spread(&runs[i], figure);
		low = runs[i].of[figure][0];
		if (best < 0 || low < best)
			best = low;
	}
	return best;
}

static const struct row {
	const char *driver, *options;
	bool aligned;		/* by the kernel's own option, pci=resource_alignment */
	const char *name;
} rows[] = {
	{ STOCK, "", false, STOCK },
	{ STOCK, RELOCATED, false, STOCK ", table relocated" },
	{ OURS, "", false, OURS },
	{ OURS, RELOCATED, false, OURS ", table relocated" },
	{ STOCK, "", true, STOCK ", resource_alignment" },
	{ STOCK, RELOCATED, true, STOCK ", resource_alignment, table relocated" },
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))
/* This driver, and no option. */
#define PLAIN 2

static const struct mode {
	const char *name;
	int runs;
	unsigned int ms;	/* that a run reads at each depth */
	double to_qemu;		/* exits a read, at most; in real time a busy machine has some more */
	bool by_hand;		/* with what helps stock vfio-pci, too */
	bool injected;
} modes[] = {
	{ .name = "", .runs = 1, .ms = 300, .to_qemu = 0.1 },
	{ .name = "all", .runs = 3, .ms = 1500, .to_qemu = 0.5, .by_hand = true },
	{ .name = "injected", .runs = RUNS_MAX, .ms = 600, .to_qemu = 0.1, .by_hand = true, .injected = true },
};

static const struct mode *mode = &modes[0];

static struct disk {
	const char *name;
	uint64_t bar_size;
	bool relocate;		/* the registers' BAR has the table, too */
	bool shared, aligned;	/* with others on its page; as it is placed now */
	struct nested_device device;
	/* Of guests with the host's pages, and with 4K. */
	struct runs host_pages[ROWS][GUEST_DISK_DEPTHS], small_pages[ROWS][GUEST_DISK_DEPTHS];
} disks[] = {
	{ .name = "table in its 16K BAR", .bar_size = 0x4000, .relocate = true },
	{ .name = "8K BAR, table in another", .bar_size = 0x2000 },
};

#define DISKS ((int)(sizeof(disks) / sizeof(disks[0])))

/* What the host gets from the usual disk by itself: as far as a guest can get. */
static struct runs host[GUEST_DISK_DEPTHS];

static bool find(struct disk *disk)
{
	struct pci_bar bar;
	int i;

	for (i = 0; !pci_find(NVME, i, &disk->device.dev); i++)
		if (!pci_bar(&disk->device.dev, 0, &bar) && bar.size == disk->bar_size)
			return true;
	return false;
}

static void place(struct disk *disk, bool aligned)
{
	const struct pci_dev *dev = &disk->device.dev;
	char text[64] = "\n";
	int order = 0;

	if (disk->aligned == aligned)
		return;
	while (1L << order < sysconf(_SC_PAGESIZE))
		order++;
	if (aligned)
		snprintf(text, sizeof(text), "%d@%s", order, dev->bdf);
	is_errno(file_write("/sys/bus/pci/resource_alignment", text), 0,
		 aligned ? "it is to be aligned" : "and no more");
	/* It makes the BAR a page long, too. */
	pci_bind(dev, "");
	pci_remove(dev);
	pci_rescan();
	ok(pci_present(dev), "%s, removed and found again", aligned ? "aligned" : "not aligned");
	ok(zoo_stock_maps_bar(dev, 0) == aligned, "its BAR %s", aligned ? "is alone on its page" : "shares its page");
	disk->aligned = aligned;
}

static void guest_reads(struct disk *disk, const struct row *row, const char *kernel, struct runs *runs)
{
	struct random_read results[GUEST_DISK_DEPTHS];
	int i;

	about(kernel ? "guest with 4K pages" : "guest with the host's pages");
	disk->device.options = row->options;
	if (!is_errno(pci_bind(&disk->device.dev, row->driver), 0, "the driver takes the disk") ||
	    !guest_load_run(&disk->device, kernel, mode->ms, results))
		return;
	for (i = 0; i < GUEST_DISK_DEPTHS; i++) {
		const struct guest_load *load = &guest_loads[i];
		double reads = guest_load_reads(i, results);

		if (ok(reads > 0, "the host was watched, depth %u", guest_disk_depths[i]))
			add(&runs[i], &load->from, &load->to, reads, &results[i]);
	}
}

/* Without an option, or with all that can be done by hand. */
static bool wanted(const struct disk *disk, const struct row *row)
{
	if (*row->options && !disk->relocate)
		return false;
	if (row->aligned && !disk->shared)
		return false;
	if (mode->injected && *row->options)
		return row->driver == rows[0].driver && row->aligned == disk->shared;
	if (mode->injected)
		return !row->aligned;
	return mode->by_hand || (!row->aligned && !*row->options);
}

static void measure(struct disk *disk)
{
	int i;

	for (i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		if (!wanted(disk, row))
			continue;
		about("%s", row->name);
		place(disk, row->aligned);
		guest_reads(disk, row, NULL, disk->host_pages[i]);
		if (!mode->injected && (mode->by_hand || !strcmp(row->driver, OURS)))
			guest_reads(disk, row, SMALL_PAGES, disk->small_pages[i]);
	}
	place(disk, false);
	pci_bind(&disk->device.dev, STOCK);
}

static void host_reads(const struct pci_dev *dev)
{
	struct random_read result;
	int i, fd;

	about("host");
	pci_bind(dev, "nvme");
	fd = drive_open(&drives[0]);
	if (!ok(fd >= 0, "its own driver has a disk"))
		return;
	for (i = 0; i < GUEST_DISK_DEPTHS; i++) {
		unsigned int depth = guest_disk_depths[i];
		struct counters from = counters_now(), to;

		is_errno(random_read(&drives[0], fd, depth, mode->ms, &result), 0, "it reads, depth %u", depth);
		to = counters_now();
		is_u64(result.wrong, 0, "what is on the disk, depth %u", depth);
		add(&host[i], &from, &to, result.reads, &result);
	}
	close(fd);
	pci_bind(dev, STOCK);
}

static void record_all(void)
{
	const char *where = mode->injected ? ", GICv4" : "";
	char on[96];
	int i, j;

	for (i = 0; i < DISKS; i++)
		for (j = 0; j < ROWS; j++) {
			snprintf(on, sizeof(on), "guest with %ldK pages%s: %s", sysconf(_SC_PAGESIZE) / 1024, where,
				 disks[i].name);
			record(disks[i].host_pages[j], on, rows[j].name);
			snprintf(on, sizeof(on), "guest with 4K pages%s: %s", where, disks[i].name);
			record(disks[i].small_pages[j], on, rows[j].name);
		}
	snprintf(on, sizeof(on), "host%s", where);
	record(host, on, "nvme, no guest");
}

static void check_exits(struct disk *disk)
{
	double stock = spread(&disk->host_pages[0][1], TO_QEMU).median, ours = fewest(disk->host_pages[PLAIN], TO_QEMU);
	double small = fewest(disk->small_pages[PLAIN], TO_QEMU);

	ok(stock > 1, "%s: with stock vfio-pci QEMU rings the doorbells, %.2f times a read", disk->name, stock);
	ok(ours >= 0 && ours <= mode->to_qemu, "%s: with this driver the guest does, %.2f by QEMU", disk->name, ours);
	if (!mode->injected)
		ok(small >= 0 && small <= mode->to_qemu, "%s: so does a guest with 4K pages, %.2f by QEMU", disk->name,
		   small);
}

/* As fast, 32 at a time. On a busy machine the quartiles are far apart, and refute little. */
static void check_as_fast(struct runs *runs, const char *than, struct runs *others, double limit)
{
	struct bench_spread ours = spread(&runs[1], RATE), theirs = spread(&others[1], RATE);

	if (!ours.n || !theirs.n)
		return;
	say("  reads a second, of those of %s: %.2f", than, ours.median / theirs.median);
	ok(ours.high >= limit * theirs.low,
	   "as fast as %s, %.2f times at least: %.2f, quartiles %.0f to %.0f of %.0f to %.0f", than, limit,
	   ours.median / theirs.median, ours.low, ours.high, theirs.low, theirs.high);
}

static void check_injected(void)
{
	struct runs *deep = &disks[0].host_pages[PLAIN][1];
	double exits = spread(deep, EXITS).median, to_host = spread(deep, HOST_INTERRUPTS).median;

	ok(deep->count && to_host < 0.01, "the disk's interrupts come to the guest alone: %.3f a read to the host",
	   to_host);
	ok(exits <= 0.1, "exits of any kind a read: %.3f", exits);
	check_as_fast(disks[0].host_pages[PLAIN], "the host without a guest", host, 0.9);
}

MODULE_CASE(disk, "msix_mmap=isolated")
{
	const char *name = getenv("disk");
	int i, run, count;

	for (i = 0; name && i < (int)(sizeof(modes) / sizeof(modes[0])); i++)
		if (!strcmp(name, modes[i].name))
			mode = &modes[i];
	count = mode->injected ? 1 : DISKS;
	if (!is_errno(image_mount(), 0, "the image is mounted"))
		return;
	/* The host's own driver shall have one of them at most, which is its first then. */
	kmod_insert("nvme", "");
	for (i = 0; i < count; i++) {
		struct disk *disk = &disks[i];

		if (!ok(find(disk), "there is a disk, %s", disk->name))
			return;
		pci_bind(&disk->device.dev, STOCK);
		disk->shared = !zoo_stock_maps_bar(&disk->device.dev, 0);
		is_u64(disk->shared, sysconf(_SC_PAGESIZE) > (long)disk->bar_size,
		       "%s: it shares its page where that is longer", disk->name);
	}
	for (run = 1; run <= mode->runs; run++) {
		for (i = 0; i < count; i++) {
			about("run %d, %s", run, disks[i].name);
			measure(&disks[i]);
		}
		about("run %d", run);
		host_reads(&disks[0].device.dev);
	}
	record_all();
	for (i = 0; i < count; i++)
		check_exits(&disks[i]);
	if (mode->by_hand)
		check_as_fast(disks[0].host_pages[PLAIN], "vfio-pci with all that can be done by hand",
			      disks[0].host_pages[disks[0].shared ? ROWS - 1 : 1], 0.95);
	if (mode->injected)
		check_injected();
	for (i = 0; i < count; i++)
		pci_bind(&disks[i].device.dev, "");
}
