// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many reads a second does a Linux guest get from an NVMe that was passed on to
 * it, with whom, and what do they cost the host? Of one disk a BAR of 16K holds
 * registers, doorbells and MSI-X table, the case of the field; the other has the
 * table in a BAR of its own, and 8K are left. "disk=all" on the kernel command line
 * measures each way and takes its time; without it a few runs show what there is to
 * gain.
 */
#include "cases.h"
#include "guest_load.h"
#include "image.h"
#include "zoo.h"

#define RELOCATED ",x-msix-relocation=bar2"
#define SMALL_PAGES "arm64-4k-6.12"

static void record(const char *what, unsigned int depth, const char *on, const char *with,
		   struct bench_spread spread)
{
	char text[64];

	snprintf(text, sizeof(text), "%s, depth %u", what, depth);
	bench_record(text, on, with, spread);
}

static void record_load(const struct counters *from, const struct counters *to, unsigned int depth,
			const char *on, const char *with, double reads)
{
	double cpu = (to->ns - from->ns - (to->idle_ns - from->idle_ns)) / 1e3 / reads;
	double exits = (to->exits - from->exits) / reads, to_qemu = (to->to_qemu - from->to_qemu) / reads;

	record("host CPU per read, us", depth, on, with, (struct bench_spread){ cpu, cpu, cpu, 1 });
	record("exits per read", depth, on, with, (struct bench_spread){ exits, exits, exits, 1 });
	record("of them to QEMU", depth, on, with, (struct bench_spread){ to_qemu, to_qemu, to_qemu, 1 });
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

static struct disk {
	const char *name;
	uint64_t bar_size;
	bool relocate;		/* the registers' BAR has the table, too */
	struct nested_device device;
	double to_qemu[ROWS];	/* exits per read, of a guest with the host's page size; the fewest of the depths */
	double to_qemu_4k[ROWS];	/* the same of a guest with 4K pages */
} disks[] = {
	{ .name = "table in its 16K BAR", .bar_size = 0x4000, .relocate = true },
	{ .name = "8K BAR, table in another", .bar_size = 0x2000 },
};

#define DISKS ((int)(sizeof(disks) / sizeof(disks[0])))

static bool find(struct disk *disk)
{
	struct pci_bar bar;
	int i;

	for (i = 0; !pci_find(NVME, i, &disk->device.dev); i++)
		if (!pci_bar(&disk->device.dev, 0, &bar) && bar.size == disk->bar_size)
			return true;
	return false;
}

static void place_aligned(const struct disk *disk)
{
	const struct pci_dev *dev = &disk->device.dev;
	char text[64];
	int order = 0;

	while (1L << order < sysconf(_SC_PAGESIZE))
		order++;
	about("%s", disk->name);
	snprintf(text, sizeof(text), "%d@%s", order, dev->bdf);
	is_errno(file_write("/sys/bus/pci/resource_alignment", text), 0, "resource_alignment=%s", text);
	/* It makes the BAR a page long, too. */
	pci_bind(dev, "");
	pci_remove(dev);
	pci_rescan();
	ok(pci_present(dev), "removed and found again");
	ok(zoo_stock_maps_bar(dev, 0), "its BAR is alone on its page");
}

/* Returns how many exits to QEMU a read costs; -1: none was seen. */
static double guest_reads(struct disk *disk, const struct row *row, const char *kernel, const char *guest,
			  unsigned int ms)
{
	struct random_read results[GUEST_DISK_DEPTHS];
	char on[96];
	int i;

	about("%s, %s, %s", disk->name, guest, row->name);
	disk->device.options = row->options;
	if (!is_errno(pci_bind(&disk->device.dev, row->driver), 0, "the driver takes the disk") ||
	    !guest_load_run(&disk->device, kernel, ms, results))
		return -1;
	snprintf(on, sizeof(on), "%s: %s", guest, disk->name);
	for (i = 0; i < GUEST_DISK_DEPTHS; i++) {
		const struct guest_load *load = &guest_loads[i];
		unsigned int depth = guest_disk_depths[i];
		double reads = guest_load_reads(i, results);

		record("reads a second", depth, on, row->name, results[i].rate);
		if (ok(reads > 0, "the host was watched, depth %u", depth))
			record_load(&load->from, &load->to, depth, on, row->name, reads);
	}
	return guest_load_to_qemu(results);
}

/* Without disk=all: what people have without an option, with stock vfio-pci and with this driver. */
static bool wanted(const struct disk *disk, const struct row *row, bool all)
{
	if (*row->options && !disk->relocate)
		return false;
	return all || (!row->aligned && !*row->options);
}

static void measure(struct disk *disk, bool all, unsigned int ms)
{
	bool shared = !zoo_stock_maps_bar(&disk->device.dev, 0), aligned = false;
	char guest[64];
	int i;

	snprintf(guest, sizeof(guest), "guest with %ldK pages", sysconf(_SC_PAGESIZE) / 1024);
	is_u64(shared, sysconf(_SC_PAGESIZE) > (long)disk->bar_size,
	       "%s: it shares its page where that is longer", disk->name);
	for (i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		if (!wanted(disk, row, all) || (row->aligned && !shared))
			continue;
		if (row->aligned && !aligned) {
			place_aligned(disk);
			aligned = true;
		}
		disk->to_qemu[i] = guest_reads(disk, row, NULL, guest, ms);
		if (all || !strcmp(row->driver, OURS))
			disk->to_qemu_4k[i] = guest_reads(disk, row, SMALL_PAGES, "guest with 4K pages", ms);
	}
	/* Not the reads a second, which may be those of a busy machine. */
	ok(disk->to_qemu[0] > 1, "%s: with stock vfio-pci QEMU rings the doorbells, %.2f times a read", disk->name,
	   disk->to_qemu[0]);
	ok(disk->to_qemu[PLAIN] >= 0 && disk->to_qemu[PLAIN] < 0.5,
	   "%s: with this driver the guest does, %.2f by QEMU", disk->name, disk->to_qemu[PLAIN]);
	ok(disk->to_qemu_4k[PLAIN] >= 0 && disk->to_qemu_4k[PLAIN] < 0.5,
	   "%s: so does a guest with 4K pages, %.2f by QEMU", disk->name, disk->to_qemu_4k[PLAIN]);
	pci_bind(&disk->device.dev, STOCK);
}

/* As far as a guest can get. */
static void host_reads(const struct pci_dev *dev, unsigned int ms)
{
	struct random_read result;
	int i, fd;

	pci_bind(dev, "");
	fd = drive_open(&drives[0]);
	if (!ok(fd >= 0, "the host's own driver has a disk"))
		return;
	for (i = 0; i < GUEST_DISK_DEPTHS; i++) {
		unsigned int depth = guest_disk_depths[i];
		struct counters from = counters_now(), to;

		about("depth %u", depth);
		is_errno(random_read(&drives[0], fd, depth, ms, &result), 0, "the host reads");
		to = counters_now();
		is_u64(result.wrong, 0, "what is on the disk");
		record("reads a second", depth, "host", "nvme, no guest", result.rate);
		record_load(&from, &to, depth, "host", "nvme, no guest", result.reads);
	}
	close(fd);
}

MODULE_CASE(disk, "msix_mmap=isolated")
{
	const char *mode = getenv("disk");
	bool all = mode && !strcmp(mode, "all");
	unsigned int ms = all ? 4500 : 1500;
	int i;

	if (!is_errno(image_mount(), 0, "the image is mounted"))
		return;
	for (i = 0; i < DISKS; i++)
		if (ok(find(&disks[i]), "there is a disk, %s", disks[i].name))
			measure(&disks[i], all, ms);
	/* Given back to the kernel's own driver; the other one is vfio-pci's. */
	host_reads(&disks[0].device.dev, ms);
}
