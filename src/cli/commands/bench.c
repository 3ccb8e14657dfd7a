// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>

#include <linux/pci_regs.h>

#include "bus/file.h"
#include "bus/vfio.h"
#include "commands/options.h"
#include "print/output.h"

enum {
	COL_ADDRESS, COL_DRIVER, COL_BAR, COL_OFFSET, COL_VALUE, COL_TRAPPED_NS, COL_MAPPED_NS, COL_RATIO,
	COL_KERNEL, COL_MACHINE, COL_PROCESSOR, COL_PAGE_SIZE, COL_VENDOR, COL_DEVICE, COL_NAME,
};

static const struct column columns[] = {
	[COL_ADDRESS] = ADDRESS_COLUMN(SHOWN),
	[COL_DRIVER] = DRIVER_COLUMN(SHOWN),
	[COL_BAR] = BAR_COLUMN(SHOWN),
	[COL_OFFSET] = { "OFFSET", COLUMN_HEX, SHOWN, "of the register in the BAR" },
	[COL_VALUE] = { "VALUE", COLUMN_HEX, SHOWN, "what was read" },
	[COL_TRAPPED_NS] = { "TRAPPED_NS", COLUMN_NUMBER, SHOWN, "ns a read, through read()" },
	[COL_MAPPED_NS] = { "MAPPED_NS", COLUMN_NUMBER, SHOWN, "ns a read, by a load; empty: it cannot be mapped" },
	[COL_RATIO] = { "RATIO", COLUMN_NUMBER, SHOWN, "how many times faster the load is" },
	[COL_KERNEL] = { "KERNEL", COLUMN_TEXT, HIDDEN, "its release" },
	[COL_MACHINE] = { "MACHINE", COLUMN_TEXT, HIDDEN, "its architecture" },
	[COL_PROCESSOR] = { "PROCESSOR", COLUMN_TEXT, HIDDEN, "its model, or implementer and part" },
	[COL_PAGE_SIZE] = { "PAGE_SIZE", COLUMN_NUMBER, HIDDEN, "of this machine, bytes" },
	[COL_VENDOR] = { "VENDOR", COLUMN_HEX, HIDDEN, "vendor id" },
	[COL_DEVICE] = { "DEVICE", COLUMN_HEX, HIDDEN, "device id" },
	[COL_NAME] = { "NAME", COLUMN_TEXT, HIDDEN, "vendor and device" },
	{ 0 }
};

#define BATCHES 15
#define BATCH_NS 20e6

struct register_at {
	int device;
	off_t position;			/* for pread(), or: */
	const volatile uint32_t *mapped;
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static uint32_t read_register(const struct register_at *at)
{
	uint32_t value;

	if (at->mapped)
		return le32toh(*at->mapped);
	if (pread(at->device, &value, sizeof(value), at->position) != sizeof(value))
		fail(CODE_FAILED, "choose another --offset", "the register cannot be read: %s", strerror(errno));
	return le32toh(value);
}

static double time_reads(const struct register_at *at, unsigned int reads)
{
	double start = now_ns();
	unsigned int i;

	for (i = 0; i < reads; i++)
		read_register(at);
	return (now_ns() - start) / reads;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median of batches of equal time, so that it takes as long for a slow register. */
static double median_ns(const struct register_at *at)
{
	unsigned int reads = 1;
	double ns[BATCHES];
	int i;

	while (reads < 1u << 24 && time_reads(at, reads) * reads < BATCH_NS)
		reads *= 2;
	for (i = 0; i < BATCHES; i++)
		ns[i] = time_reads(at, reads);
	qsort(ns, BATCHES, sizeof(ns[0]), by_value);
	return ns[BATCHES / 2];
}

/* First a BAR smaller than a page, which this project is about; then the first that can be mapped. */
static int choose_bar(const struct vfio *vfio, const struct device *device)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	int bar, first = -1, mapped = -1;

	for (bar = 0; bar < BARS; bar++) {
		const struct resource *res = &device->resource[bar];
		struct vfio_region_info *info;
		bool mappable;

		if (!res->size || !(res->flags & RESOURCE_MEMORY))
			continue;
		if (first < 0)
			first = bar;
		info = vfio_region(vfio, bar);
		mappable = info && vfio_may_map(info, 0, sizeof(uint32_t));
		free(info);
		if (mappable && res->size < page)
			return bar;
		if (mappable && mapped < 0)
			mapped = bar;
	}
	if (first < 0)
		fail(CODE_FAILED, NULL, "%s has no memory BAR", device->address);
	return mapped < 0 ? first : mapped;
}

/* Of two tables a read tells nothing: VFIO answers all ones, or the device is confused. */
static void refuse_msix(const struct device *device, int bar, uint64_t offset)
{
	if (device->msix == MSIX_PRESENT && bar == device->msix_bar && offset >= device->msix_offset &&
	    offset < device->msix_offset + (uint64_t)device->msix_size)
		fail(CODE_USAGE, "choose an --offset outside of it",
		     "the MSI-X table is at that offset, 0x%x to 0x%x", device->msix_offset,
		     device->msix_offset + device->msix_size - 1);
}

static void refuse_unsafe(const struct vfio *vfio, const struct device *device,
			  const struct vfio_region_info *info, uint64_t offset)
{
	struct vfio_region_info *config = vfio_region(vfio, VFIO_PCI_CONFIG_REGION_INDEX);
	uint16_t command = 0;
	uint64_t size;

	if (!info || !info->size)
		fail(CODE_USAGE, "\"subpage-vfio info\" shows those it has", "there is no such BAR");
	if (!(device->resource[info->index].flags & RESOURCE_MEMORY))
		fail(CODE_USAGE, "choose a memory BAR", "BAR %u is in I/O space", info->index);
	size = device->resource[info->index].size;
	if (offset % sizeof(uint32_t) || offset > size || size - offset < sizeof(uint32_t))
		fail(CODE_USAGE, "choose a multiple of 4 inside the BAR",
		     "offset 0x%llx is not one of BAR %u, which has %llu bytes",
		     (unsigned long long)offset, info->index, (unsigned long long)size);
	refuse_msix(device, info->index, offset);
	if (!config || pread(vfio->device, &command, 2, config->offset + PCI_COMMAND) != 2 ||
	    !(le16toh(command) & PCI_COMMAND_MEMORY))
		fail(CODE_FAILED, "unbind it and bind it again; \"dmesg | tail\" may say more",
		     "the device does not answer: memory decode is off");
	free(config);
}

static void *map_page(const struct vfio *vfio, const struct vfio_region_info *info, uint64_t offset)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, page, PROT_READ, MAP_SHARED, vfio->device, info->offset + (offset & ~(page - 1)));

	if (map == MAP_FAILED)
		fail(CODE_FAILED, "\"dmesg | tail\" may say more",
		     "BAR %u cannot be mapped, though VFIO says so: %s", info->index,
		     strerror(errno));
	return map;
}

/* The first processor's name, to free(); arm64 has numbers in place of one. */
static char *processor(void)
{
	static const char * const key[] = { "model name\t: ", "cpu\t\t: ", "CPU implementer\t: ", "CPU part\t: " };
	char value[128], *name = NULL;
	size_t i;

	for (i = 0; i < COUNT(key) && !(name && i == 2); i++)
		if (file_value(value, sizeof(value), key[i], "/proc/cpuinfo"))
			add_text(&name, " ", "%s", value);
	return name ? name : format("unknown");
}

/* What a reader of the figures wants to know, and nothing that identifies this machine. */
static void add_conditions(struct table *table, const struct device *device)
{
	char *name = processor();
	struct utsname kernel;

	uname(&kernel);
	table_text(table, COL_KERNEL, kernel.release);
	table_text(table, COL_MACHINE, kernel.machine);
	table_text(table, COL_PROCESSOR, name);
	table_number(table, COL_PAGE_SIZE, sysconf(_SC_PAGESIZE));
	table_hex(table, COL_VENDOR, device->vendor);
	table_hex(table, COL_DEVICE, device->device);
	table_text(table, COL_NAME, device->name);
	free(name);
}

/* Returns the median of a mapped read, 0 if there is none. */
static double measure_mapped(const struct vfio *vfio, const struct vfio_region_info *info, uint64_t offset,
			     uint32_t value)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct register_at at;
	double ns;
	char *map;

	if (!vfio_may_map(info, offset, sizeof(uint32_t)))
		return 0;
	progress("reading mapped");
	map = map_page(vfio, info, offset);
	at = (struct register_at) { .mapped = (void *)(map + (offset & (page - 1))) };
	ns = median_ns(&at);
	if (read_register(&at) != value)
		complain(NULL, "the register's value changes while it is read");
	munmap(map, page);
	return ns;
}

static void print(const struct options *options, const struct device *device, int bar, uint32_t value,
		  double trapped_ns, double mapped_ns)
{
	struct table *table = table_new("bench", columns, &options->format);

	table_row(table, device->address, device->driver, device->group);
	table_number(table, COL_BAR, bar);
	table_hex(table, COL_OFFSET, options->offset);
	table_hex(table, COL_VALUE, value);
	table_real(table, COL_TRAPPED_NS, trapped_ns);
	if (mapped_ns) {
		table_real(table, COL_MAPPED_NS, mapped_ns);
		table_real(table, COL_RATIO, trapped_ns / mapped_ns);
		table_colour(table, COL_RATIO, GOOD);
	}
	add_conditions(table, device);
	table_end(table, "");
	if (!mapped_ns && table_is_for_people(&options->format))
		printf("It cannot be mapped; \"subpage-vfio list %s\" says why.\n", device->address);
}

static int bench_run(const struct options *options)
{
	struct register_at trapped;
	struct vfio_region_info *info;
	double trapped_ns, mapped_ns;
	const struct device *device;
	struct vfio vfio;
	uint32_t value;
	struct bus bus;
	int bar;

	bus_scan(&bus, NULL, NULL);
	device = bus_find(&bus, options->device[0]);
	vfio_open(&bus, device, &vfio);
	bar = options->bar < 0 ? choose_bar(&vfio, device) : options->bar;
	info = vfio_region(&vfio, bar);
	refuse_unsafe(&vfio, device, info, options->offset);

	trapped = (struct register_at) {
		.device = vfio.device, .position = info->offset + options->offset,
	};
	value = read_register(&trapped);
	if (value == UINT32_MAX)
		fail(CODE_FAILED, "choose another --offset, of a register that holds something",
		     "BAR %d offset 0x%llx reads as all ones, as when nothing answers", bar,
		     (unsigned long long)options->offset);
	progress("reading trapped");
	trapped_ns = median_ns(&trapped);
	mapped_ns = measure_mapped(&vfio, info, options->offset, value);
	progress(NULL);
	print(options, device, bar, value, trapped_ns, mapped_ns);
	free(info);
	vfio_close(&vfio);
	bus_free(&bus);
	return CODE_OK;
}

const struct command bench_command = {
	.name = "bench", .run = bench_run,
	.summary = "time a register, trapped and mapped",
	.arguments = "DEVICE", .min_arguments = 1, .max_arguments = 1,
	.description =
		"Read one 32-bit register over and over, trapped (as a guest's read is when the\n"
		"BAR is not mapped, less the exit from the guest) and mapped, and compare.\n"
		"Opening a device through VFIO resets it, if it can be reset. Nothing is written,\n"
		"but a read can have an effect in some registers: choose one that has none. The\n"
		"device must be bound to a VFIO driver, and not be in use.\n",
	.option = {
		['b'] = "the BAR; otherwise one below a page, or one that maps",
		['x'] = "the register's offset in it, by 4; otherwise 0",
	},
	.columns = columns,
	.examples = "  subpage-vfio bench --bar 1 --offset 0x40 01:00.0\n"
		"  subpage-vfio bench --json -o +KERNEL,PROCESSOR,PAGE_SIZE,NAME 01:00.0\n",
};
