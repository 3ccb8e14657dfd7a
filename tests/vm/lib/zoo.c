// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <linux/pci_regs.h>
#include <sys/stat.h>

#include "bench.h"
#include "file.h"
#include "iomem.h"
#include "kmod.h"
#include "models.h"
#include "tap.h"
#include "zoo.h"

#define IORESOURCE_MEM 0x200

/*
 * Registers that read the same each time on a device that nobody drives. Of a BAR
 * not listed here, offset 0 is read, and its value not compared.
 */
static const struct {
	uint16_t vendor, device;
	const char *name;
	int bar;
	uint32_t reg;
	bool writable;
} models[] = {
	{ IVSHMEM, "ivshmem", 0, 0x00, true },		/* interrupt mask */
	{ RTL8139, "rtl8139", 1, 0x00, false },		/* MAC address */
	{ SDHCI, "sdhci", 0, 0x40, false },		/* capabilities */
	{ 0x106b, 0x003f, "pci-ohci", 0, 0x00, false },		/* revision */
	{ 0x1033, 0x0194, "nec-usb-xhci", 0, 0x00, false },	/* capability length, version */
	{ XHCI, "qemu-xhci", 0, 0x00, false },
	{ 0x8086, 0x24cd, "usb-ehci", 0, 0x00, false },
	{ HDA, "intel-hda", 0, 0x00, false },	/* global capabilities */
	{ AHCI, "ahci", 5, 0x00, false },		/* host capabilities */
	{ NVME, "nvme", 0, 0x08, false },		/* version */
	{ TESTDEV, "pci-testdev", 0, 0x00, false },
	{ 0x1022, 0x2000, "pcnet", 1, 0x10, false },
	{ 0x15ad, 0x07b0, "vmxnet3", 1, 0x00, false },		/* version */
	{ 0x1000, 0x0012, "lsi53c895a", 1, 0x00, false },
	{ 0x1000, 0x0054, "mptsas1068", 1, 0x00, false },
	/* These BARs hold the MSI-X table, which read() does not show: between it and the PBA. */
	{ E1000E, "e1000e", 3, 0x1000, false },
	{ IGB, "igb", 3, 0x2000, false },
	{ 0x15ad, 0x07b0, "vmxnet3", 2, 0x800, false },
	{ NVME, "nvme", 4, 0x800, false },		/* the PBA; in QEMU 10, msix-exclusive-bar */
	{ IVSHMEM, "ivshmem", 1, 0x400, false },
	{ 0x1af4, 0x1041, "virtio-net", 1, 0x400, false },
	{ 0x1af4, 0x1000, "virtio-net", 1, 0x400, false },
	{ 0x1af4, 0x1042, "virtio-blk", 1, 0x400, false },
	{ VIRTIO_BLK, "virtio-blk", 1, 0x400, false },
};

static uint64_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static bool on_same_page(uint64_t start, uint64_t size, uint64_t page)
{
	return start < page + page_size() && start + size > page;
}

static bool is_ours_to_use(const struct pci_dev *dev)
{
	/* Bridges stay, and so does a disk that the machine itself uses. */
	return (pci_config_read(dev, 0x0e, 1) & 0x7f) == 0 &&
	       (!*pci_driver(dev) || pci_config_read(dev, 0x0b, 1) != 0x01);
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = zoo_address(a), y = zoo_address(b);

	return x < y ? -1 : x > y;
}

/* Memory BARs of the devices known here that are smaller than that. */
static int list(struct zoo_bar *bars, uint64_t limit)
{
	struct dirent **entries;
	int n = scandir("/sys/bus/pci/devices", &entries, NULL, alphasort), count = 0, i, bar;
	const char *true_size;
	size_t m;

	for (i = 0; i < n; i++) {
		struct pci_dev dev;

		if (entries[i]->d_name[0] == '.' || pci_at(entries[i]->d_name, &dev) ||
		    !is_ours_to_use(&dev))
			continue;
		for (bar = 0; bar < 6 && count < ZOO_MAX; bar++) {
			struct zoo_bar *at = &bars[count];
			struct pci_bar res;

			if (pci_bar(&dev, bar, &res) || !(res.flags & IORESOURCE_MEM))
				continue;
			*at = (struct zoo_bar) { .dev = dev, .name = NULL, .bar = bar };
			/* While it is claimed, or held for another driver, its resource is a page long. */
			true_size = *zoo_sysfs(at, "size") ? zoo_sysfs(at, "size") : zoo_held(at);
			at->size = *true_size ? strtoull(true_size, NULL, 10) : res.size;
			if (!at->size || at->size >= limit)
				continue;
			for (m = 0; m < sizeof(models) / sizeof(models[0]); m++) {
				if (models[m].vendor != dev.vendor || models[m].device != dev.device)
					continue;
				at->name = models[m].name;
				if (models[m].bar != bar)
					continue;
				at->reg = models[m].reg;
				at->writable = models[m].writable;
				break;
			}
			if (at->name)
				count++;
		}
	}
	for (i = 0; i < n; i++)
		free(entries[i]);
	if (n >= 0)
		free(entries);
	qsort(bars, count, sizeof(*bars), by_address);
	return count;
}

int zoo_list(struct zoo_bar *bars)
{
	return list(bars, page_size());
}

int zoo_list_all(struct zoo_bar *bars)
{
	return list(bars, UINT64_MAX);
}

void zoo_repack(const struct zoo_bar *bars, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (pci_present(&bars[i].dev))
			pci_remove(&bars[i].dev);
	pci_rescan();
}

int zoo_list_packed(struct zoo_bar *bars)
{
	int count = zoo_list(bars);

#ifdef __x86_64__
	zoo_repack(bars, count);
	count = zoo_list(bars);
#endif
	return count;
}

const struct zoo_bar *zoo_named(const struct zoo_bar *bars, int count, const char *name)
{
	int i;

	for (i = 0; i < count; i++)
		if (!strcmp(bars[i].name, name))
			return &bars[i];
	return NULL;
}

bool zoo_first_of_device(const struct zoo_bar *bars, int nth)
{
	int other;

	for (other = 0; other < nth; other++)
		if (!strcmp(bars[other].dev.bdf, bars[nth].dev.bdf))
			return false;
	return true;
}

uint64_t zoo_address(const struct zoo_bar *at)
{
	struct pci_bar res;

	return pci_bar(&at->dev, at->bar, &res) ? 0 : res.start;
}

uint64_t zoo_register(const struct zoo_bar *at)
{
	int offset = PCI_BASE_ADDRESS_0 + 4 * at->bar;
	uint32_t low = pci_config_read(&at->dev, offset, 4);
	uint64_t high = low & PCI_BASE_ADDRESS_MEM_TYPE_64 ? pci_config_read(&at->dev, offset + 4, 4) : 0;

	return high << 32 | (low & ~0xfu);
}

/* How many other BARs lie on the page where this one starts: of any device, or of other devices. */
static int neighbours(const struct zoo_bar *at, bool own_too)
{
	uint64_t page = zoo_address(at) & ~(page_size() - 1);
	struct dirent **entries;
	int n = scandir("/sys/bus/pci/devices", &entries, NULL, alphasort), found = 0, i, bar;

	for (i = 0; i < n; i++) {
		struct pci_dev dev;

		for (bar = 0; bar < 7 && entries[i]->d_name[0] != '.'; bar++) {
			struct pci_bar res;

			if (pci_at(entries[i]->d_name, &dev) ||
			    (!strcmp(dev.bdf, at->dev.bdf) && (bar == at->bar || !own_too)) ||
			    pci_bar(&dev, bar, &res) || !(res.flags & IORESOURCE_MEM) || !res.start)
				continue;
			found += on_same_page(res.start, res.size, page);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return found;
}

bool zoo_alone(const struct zoo_bar *at)
{
	return !neighbours(at, true);
}

bool zoo_other_device(const struct zoo_bar *at)
{
	return neighbours(at, false);
}

bool zoo_stock_maps(const struct zoo_bar *at)
{
	return zoo_address(at) % page_size() == 0 && zoo_alone(at);
}

bool zoo_stock_maps_bar(const struct pci_dev *dev, int bar)
{
	return zoo_stock_maps(&(struct zoo_bar){ .dev = *dev, .bar = bar });
}

const char *zoo_sysfs(const struct zoo_bar *at, const char *name)
{
	static char text[256];
	char path[64];

	snprintf(path, sizeof(path), "subpage_vfio_pci/bar%d_%s", at->bar, name);
	return pci_attr_read(&at->dev, path, text, sizeof(text)) < 0 ? "" : text;
}

/* The file, "" without one; free() it. */
static char *held(void)
{
	size_t len;
	char *text = file_slurp("/sys/bus/pci/drivers/" OURS "/held", &len);

	return text ?: strdup("");
}

const char *zoo_held(const struct zoo_bar *at)
{
	static char rest[280];
	char *text = held(), *line, *next = text, start[32];

	snprintf(start, sizeof(start), "%.15s %d ", at->dev.bdf, at->bar);
	*rest = '\0';
	while ((line = strsep(&next, "\n")))
		if (!strncmp(line, start, strlen(start)))
			snprintf(rest, sizeof(rest), "%s", line + strlen(start));
	free(text);
	return rest;
}

int zoo_held_count(void)
{
	char *text = held(), *at;
	int lines = 0;

	for (at = text; *at; at++)
		lines += *at == '\n';
	free(text);
	return lines;
}

bool zoo_claimed(const struct zoo_bar *at)
{
	uint64_t start = zoo_address(at), end = start + page_size() - 1;
	const struct iomem_entry *bar, *other;
	struct iomem map;
	bool good = false;
	int i;

	iomem_read(&map);
	/* While it is open, VFIO has a region of the same range below it. */
	for (i = 0; (bar = iomem_named(&map, at->dev.bdf, i)); i++)
		if (bar->start == start && bar->end == end)
			break;
	if (start % page_size() || !bar || strcmp(bar->name, at->dev.bdf)) {
		diag("BAR %d of %s at %#llx: /proc/iomem does not show it as one page", at->bar, at->dev.bdf,
		     (unsigned long long)start);
		goto out;
	}
	good = true;
	for (i = 0; i < map.count; i++) {
		other = &map.entries[i];
		if (other == bar || other->depth != bar->depth || other->start > end || other->end < start)
			continue;
		diag("%s is on that page, too", other->name);
		good = false;
	}
out:
	iomem_free(&map);
	return good;
}

/* The file of a BAR is as long as the BAR was when the kernel found the device. */
bool zoo_any_claim(void)
{
	struct dirent **entries;
	int n = scandir("/sys/bus/pci/devices", &entries, NULL, alphasort), i, bar;
	bool any = false;

	for (i = 0; i < n; i++) {
		for (bar = 0; bar < 6 && entries[i]->d_name[0] != '.'; bar++) {
			struct pci_dev dev;
			struct pci_bar res;
			struct stat file;
			char path[320];

			snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d", entries[i]->d_name,
				 bar);
			if (pci_at(entries[i]->d_name, &dev) || pci_bar(&dev, bar, &res) || stat(path, &file))
				continue;
			/* What it finds no room for the kernel forgets. */
			if ((uint64_t)file.st_size == res.size || !res.size)
				continue;
			diag("BAR %d of %s: %llu bytes, was %llu", bar, dev.bdf, (unsigned long long)res.size,
			     (unsigned long long)file.st_size);
			any = true;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return any;
}

bool zoo_has_page(const struct zoo_bar *at)
{
	const char *state = zoo_sysfs(at, "state");

	return !strcmp(state, "in_place") || !strcmp(state, "moved");
}

/* Its upper half then holds the MSI-X table that users see. */
static bool is_shown_twice_as_long(const struct zoo_bar *at)
{
	char text[32] = "", upper[16];

	snprintf(upper, sizeof(upper), "bar%d-upper", at->bar);
	pci_attr_read(&at->dev, "subpage_vfio_pci/msix_relocation", text, sizeof(text));
	return !strcmp(text, upper);
}

bool zoo_reported_mmap(const struct zoo_bar *at, const struct vfio *vfio)
{
	uint64_t page = page_size() * (is_shown_twice_as_long(at) ? 2 : 1);
	struct vfio_region_info info;

	if (!ok(!vfio_info(vfio, at->bar, &info), "%s: region info", at->name))
		return false;
	is_u64(info.size, zoo_has_page(at) || *zoo_held(at) ? page : at->size,
	       "%s: BAR %d is reported as long as its page, or with its true size where it has none", at->name,
	       at->bar);
	return info.flags & VFIO_REGION_INFO_FLAG_MMAP;
}

#define BATCHES 9

double zoo_time_trapped(const struct zoo_bar *at, const struct vfio *vfio)
{
	struct vfio_region_info info;
	double ns[BATCHES];
	uint32_t value;
	int i, n;

	if (vfio_info(vfio, at->bar, &info))
		return 0;
	for (i = 0; i < BATCHES; i++) {
		double start = bench_now_ns();

		for (n = 0; n < 200; n++)
			if (pread(vfio->device, &value, sizeof(value), info.offset + at->reg) != sizeof(value))
				return 0;
		ns[i] = (bench_now_ns() - start) / 200;
	}
	return bench_spread(ns, BATCHES).median;
}

double zoo_time_mapped(const volatile uint32_t *reg)
{
	double ns[BATCHES];
	int i, n;

	for (i = 0; i < BATCHES; i++) {
		double start = bench_now_ns();

		for (n = 0; n < 2000; n++)
			(void)*reg;
		ns[i] = (bench_now_ns() - start) / 2000;
	}
	return bench_spread(ns, BATCHES).median;
}
