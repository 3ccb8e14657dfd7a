// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one access to a register takes, read and written: in user space of the host,
 * and in a guest under KVM. BAR by BAR, in one boot: stock vfio-pci with the BARs as
 * the kernel packs them, this driver, and stock vfio-pci after the kernel was told
 * to place them on pages (resource_alignment, remove, rescan). The floor is a bare
 * mapping of the BAR through sysfs, with no driver in between; as both are mapped at
 * once, batches of the two take turns.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "bench.h"
#include "cases.h"
#include "image.h"
#include "nested.h"
#include "vfio.h"
#include "zoo.h"

#define ALIGNED "vfio-pci, resource_alignment"
#define FLOOR "bare mmap of resourceN"
#define BATCHES 31

/* Registers that may be written what they hold. */
static const struct {
	const char *name;
	uint32_t reg;
} written[] = {
	{ "ivshmem", 0x00 },	/* interrupt mask */
	{ "sdhci", 0x00 },	/* DMA address */
	{ "rtl8139", 0x30 },	/* receive buffer */
	{ "pci-ohci", 0x10 },	/* interrupts to enable */
	{ "nvme", 0x1000 },	/* doorbell of queue 0, which is off */
};

static struct zoo_bar bars[ZOO_MAX];
static uint32_t write_reg[ZOO_MAX];
static struct nested_device devices[ZOO_MAX];
static int count;

/* One of each model; the disk's BAR, too, where it has a page of its own. */
static void list(void)
{
	struct zoo_bar all[ZOO_MAX], *at;
	struct pci_dev nvme;
	int found = zoo_list_packed(all), i;
	size_t w;

	if (!pci_find(NVME, 0, &nvme) && !zoo_named(all, found, "nvme"))
		all[found++] = (struct zoo_bar) { .dev = nvme, .name = "nvme", .size = 0x4000, .reg = 0x08 };
	for (i = 0; i < found; i++) {
		if (zoo_named(bars, count, all[i].name))
			continue;
		for (w = 0; w < sizeof(written) / sizeof(written[0]); w++) {
			if (strcmp(all[i].name, written[w].name))
				continue;
			at = &bars[count];
			*at = all[i];
			write_reg[count] = written[w].reg;
			/* QEMU's own table must not lie over the disk's registers. */
			devices[count++] = (struct nested_device) {
				.dev = at->dev,
				.options = strcmp(at->name, "nvme") ? "" : ",x-msix-relocation=bar2",
			};
		}
	}
}

/* when: "packed" or "aligned". */
static void bind_all(const char *driver, const char *when)
{
	int i;

	for (i = 0; i < count; i++)
		is_errno(pci_bind(&bars[i].dev, driver), 0, "%s, %s: bound to %s", bars[i].name, when, driver);
}

static void unbind_all(void)
{
	int i;

	for (i = 0; i < count; i++)
		pci_bind(&bars[i].dev, "");
}

struct access {
	int fd;			/* for pread() and pwrite(), or: */
	uint64_t position;
	volatile uint32_t *mapped;
	bool write;
};

/* ns each; 0 if one failed. */
static double time_batch(const struct access *access, int n)
{
	uint32_t value = access->mapped ? *access->mapped : 0;
	double begin;
	int i;

	if (!access->mapped && pread(access->fd, &value, sizeof(value), access->position) != sizeof(value))
		return 0;
	begin = bench_now_ns();
	if (access->mapped && access->write)
		for (i = 0; i < n; i++)
			*access->mapped = value;
	else if (access->mapped)
		for (i = 0; i < n; i++)
			(void)*access->mapped;
	else if (access->write)
		for (i = 0; i < n; i++)
			if (pwrite(access->fd, &value, sizeof(value), access->position) != sizeof(value))
				return 0;
	if (!access->mapped && !access->write)
		for (i = 0; i < n; i++)
			if (pread(access->fd, &value, sizeof(value), access->position) != sizeof(value))
				return 0;
	return (bench_now_ns() - begin) / n;
}

static const char *what(bool write, const char *unit)
{
	static char text[64];

	snprintf(text, sizeof(text), "host user space, %s, %s", write ? "write" : "read", unit);
	return text;
}

static const char *name(int i)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s BAR %d, %llu bytes", bars[i].name, bars[i].bar,
		 (unsigned long long)bars[i].size);
	return text;
}

static void measure_trapped(int i, const struct vfio *vfio, bool write)
{
	struct vfio_region_info info;
	struct access access = { .fd = vfio->device, .write = write };
	double ns[BATCHES];
	int n;

	if (vfio_info(vfio, bars[i].bar, &info))
		return;
	access.position = info.offset + (write ? write_reg[i] : bars[i].reg);
	for (n = 0; n < BATCHES; n++)
		ns[n] = time_batch(&access, 200);
	if (ok(ns[0] > 0, "%s: trapped %ss", name(i), write ? "write" : "read"))
		bench_record(what(write, "ns"), name(i), STOCK, bench_spread(ns, BATCHES));
}

static void measure_mapped(int i, const struct vfio *vfio, bool write, const char *with)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint32_t reg = write ? write_reg[i] : bars[i].reg;
	struct access ours = { .write = write }, bare = { .write = write };
	double ns[BATCHES], floor[BATCHES], ratio[BATCHES];
	char *bare_map;
	void *map;
	int n;

	about("%s, %s", name(i), write ? "write" : "read");
	if (!is_errno(vfio_map(vfio, bars[i].bar, reg & ~(page - 1), page, &map), 0, "VFIO maps it"))
		return;
	bare_map = pci_map(&bars[i].dev, bars[i].bar, reg & ~(page - 1));
	if (ok(bare_map != MAP_FAILED, "and so does sysfs")) {
		ours.mapped = (void *)((char *)map + reg % page);
		/* Of what a page holds sysfs maps all: the BAR may begin inside it. */
		bare.mapped = (void *)(bare_map + (zoo_address(&bars[i]) + reg) % page);
		for (n = 0; n < BATCHES; n++) {
			floor[n] = time_batch(&bare, 2000);
			ns[n] = time_batch(&ours, 2000);
			ratio[n] = ns[n] / floor[n];
		}
		is_u64(*ours.mapped, *bare.mapped, "both show the same register");
		bench_record(what(write, "ns"), name(i), with, bench_spread(ns, BATCHES));
		/* Once: what it is compared with. */
		if (!strcmp(with, OURS))
			bench_record(what(write, "ns"), name(i), FLOOR, bench_spread(floor, BATCHES));
		bench_record(what(write, "times the bare mmap"), name(i), with, bench_spread(ratio, BATCHES));
		munmap(bare_map, page);
	}
	munmap(map, page);
}

static void measure_host(const char *with)
{
	struct vfio vfio;
	int i;

	about("%s", with);
	for (i = 0; i < count; i++) {
		bool trapped = !strcmp(with, STOCK) && !zoo_stock_maps(&bars[i]);

		if (!is_errno(vfio_open(&bars[i].dev, &vfio), 0, "%s: opened", name(i)))
			continue;
		if (trapped) {
			measure_trapped(i, &vfio, false);
			measure_trapped(i, &vfio, true);
		} else {
			measure_mapped(i, &vfio, false, with);
			measure_mapped(i, &vfio, true, with);
		}
		vfio_close(&vfio);
	}
}

/* Only arm64 has KVM in here: an emulated guest would tell nothing. */
static void measure_guest(const char *with)
{
#ifdef __aarch64__
	struct nested guest;
	int i;

	about("%s", with);
	if (is_errno(nested_run(devices, count, false, &guest), 0, "the guest runs")) {
		for (i = 0; i < count; i++) {
			const struct nested_bar *bar = nested_bar(&guest, i, bars[i].bar);

			if (!ok(bar && bar->write.median, "%s: the guest has read and written it", name(i)))
				continue;
			bench_record("KVM guest, read, ns", name(i), with, bar->read);
			bench_record("KVM guest, write, ns", name(i), with, bar->write);
		}
	}
	nested_free(&guest);
#else
	(void)with;
#endif
}

/* What a person can do without this driver: ORDER@BDF;ORDER@BDF... */
static void place_aligned(void)
{
	char text[ZOO_MAX * 24] = "";
	int order = 0, len = 0, i;

	while (1L << order < sysconf(_SC_PAGESIZE))
		order++;
	for (i = 0; i < count; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%d@%s", i ? ";" : "", order,
				bars[i].dev.bdf);
	is_errno(file_write("/sys/bus/pci/resource_alignment", text), 0, "resource_alignment");
	unbind_all();
	zoo_repack(bars, count);
	for (i = 0; i < count; i++)
		ok(zoo_stock_maps(&bars[i]), "%s: on a page of its own", name(i));
}

MODULE_CASE(bench_access, "msix_mmap=isolated")
{
	int shared = 0, i;

#ifdef __aarch64__
	if (!is_errno(image_mount(), 0, "there is a QEMU in the machine"))
		return;
#endif
	list();
	for (i = 0; i < count; i++)
		shared += !zoo_stock_maps(&bars[i]);
	if (!ok(shared >= 3, "%d of %d BARs share their page", shared, count))
		return;
	bind_all(STOCK, "packed");
	measure_host(STOCK);
	measure_guest(STOCK);
	bind_all(OURS, "packed");
	measure_host(OURS);
	measure_guest(OURS);
	place_aligned();
	bind_all(STOCK, "aligned");
	measure_host(ALIGNED);
	measure_guest(ALIGNED);
	unbind_all();
}
