// SPDX-License-Identifier: GPL-2.0-only
#include <sys/ioctl.h>

#include <linux/subpage_vfio_pci.h>

#include "bus/vfio.h"
#include "commands/options.h"
#include "print/output.h"

enum {
	COL_ADDRESS, COL_DRIVER, COL_GROUP, COL_OPENED, COL_RESET, COL_NAME, COL_INDEX, COL_SIZE, COL_OFFSET,
	COL_READ, COL_WRITE, COL_MMAP, COL_AREAS, COL_MSIX_MAPPABLE, COL_BAR_STATE, COL_BAR_SIZE, COL_MSIX_STATE,
	COL_RELOCATION, COL_MSIX_OFFSET, COL_MSIX_SIZE, COL_PAGE_SIZE, COL_COUNT, COL_MORE,
};

static const struct column columns[] = {
	[COL_ADDRESS] = ADDRESS_COLUMN(HIDDEN),
	[COL_DRIVER] = DRIVER_COLUMN(HIDDEN),
	[COL_GROUP] = GROUP_COLUMN(HIDDEN),
	[COL_OPENED] = { "OPENED_THROUGH", COLUMN_TEXT, HIDDEN, "group, or cdev: the device's own file" },
	[COL_RESET] = { "CAN_RESET", COLUMN_BOOL, HIDDEN, "has the device a reset of its own?" },
	[COL_NAME] = { "NAME", COLUMN_TEXT, SHOWN, "of the region (BAR 0, ROM, config) or kind of interrupt (MSI-X)" },
	[COL_INDEX] = { "INDEX", COLUMN_NUMBER, HIDDEN, "VFIO's number of it" },
	[COL_SIZE] = { "SIZE", COLUMN_BYTES, SHOWN, "of the region" },
	[COL_OFFSET] = { "OFFSET", COLUMN_HEX, HIDDEN, "of the region in the device's file" },
	[COL_READ] = { "READ", COLUMN_BOOL, SHOWN, "may it be read?" },
	[COL_WRITE] = { "WRITE", COLUMN_BOOL, SHOWN, "may it be written?" },
	[COL_MMAP] = { "MMAP", COLUMN_BOOL, SHOWN, "may it be mapped?" },
	[COL_AREAS] = { "AREAS", COLUMN_TEXT, HIDDEN, "the parts that alone may be mapped; empty: all of it" },
	[COL_MSIX_MAPPABLE] = { "MSIX_MAPPABLE", COLUMN_BOOL, HIDDEN,
		"does VFIO say that the MSI-X table may be mapped, too?" },
	[COL_BAR_STATE] = { "BAR_STATE", COLUMN_TEXT, HIDDEN, "what the driver did for it: in_place, moved, busy ..." },
	[COL_BAR_SIZE] = { "BAR_SIZE", COLUMN_NUMBER, HIDDEN,
		"bytes of the BAR that are the device's; the region may be longer, to the end of the page" },
	[COL_MSIX_STATE] = { "MSIX_STATE", COLUMN_TEXT, HIDDEN, "none, hidden, eeh, isolated or always" },
	[COL_RELOCATION] = { "MSIX_RELOCATION", COLUMN_TEXT, HIDDEN,
		"where the driver shows the table: none, barN, or barN-upper; empty: it does not have the device" },
	[COL_MSIX_OFFSET] = { "MSIX_OFFSET", COLUMN_HEX, HIDDEN, "of the MSI-X table in the BAR" },
	[COL_MSIX_SIZE] = { "MSIX_SIZE", COLUMN_NUMBER, HIDDEN, "of the MSI-X table, bytes" },
	[COL_PAGE_SIZE] = { "PAGE_SIZE", COLUMN_NUMBER, HIDDEN, "of the host, bytes" },
	[COL_COUNT] = { "COUNT", COLUMN_NUMBER, SHOWN, "how many interrupts of that kind" },
	[COL_MORE] = { "MORE", COLUMN_TEXT, SHOWN, "its capabilities, in words" },
	{ 0 }
};

static const char * const bar_state[] = {
#define SUBPAGE_BAR_STATE(name, word, sentence) \
	[SUBPAGE_BAR_ ## name] = word,
#include "subpage_states.h"
};

static const char * const msix_state[] = {
#define SUBPAGE_MSIX_STATE(name, word) \
	[SUBPAGE_MSIX_ ## name] = word,
#include "subpage_states.h"
};

/* A newer driver may know states that this program does not. */
#define NAME(names, i) ((i) < COUNT(names) ? (names)[i] : "unknown")

static const char * const regions[] = {
	"BAR 0", "BAR 1", "BAR 2", "BAR 3", "BAR 4", "BAR 5", "ROM", "config", "VGA",
};

static const char * const irqs[] = { "INTx", "MSI", "MSI-X", "error", "request" };

static void add_name(struct table *table, const char *const *names, size_t count, const char *kind, unsigned int i)
{
	char *name = i < count ? format("%s", names[i]) : format("%s %u", kind, i);

	table_text(table, COL_NAME, name);
	table_number(table, COL_INDEX, i);
	free(name);
}

/* What the driver itself says of a BAR: where there is nothing to explain VFIO tells nothing. */
static void add_driver(struct table *table, const struct device *device, const struct vfio_region_info *info,
		       char **more)
{
	uint64_t size = device->resource[info->index].size;
	char state[32], where[200];

	table_number(table, COL_BAR_SIZE, size);
	if ((int)info->index == device->msix_bar &&
	    device_read(device, OURS "/msix_relocation", where, sizeof(where)) > 0) {
		table_text(table, COL_RELOCATION, where);
		device_read(device, OURS "/msix_relocation_reason", where, sizeof(where));
		add_text(more, "; ", "MSI-X table shown %s", where);
	}
	if (device_read_bar(device, info->index, "state", state, sizeof(state)) > 0) {
		table_text(table, COL_BAR_STATE, state);
		add_text(more, "; ", "sub-page: BAR %s", state);
	} else if (device->resource[info->index].held) {
		add_text(more, "; ", "its page is held for %s", device->driver);
	} else {
		return;
	}
	if (size < info->size)
		add_text(more, "; ", "%llu bytes are the device's", (unsigned long long)size);
}

static void add_cap(struct table *table, const struct vfio_info_cap_header *cap, char **more)
{
	unsigned int i;

	if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
		const struct vfio_region_info_cap_sparse_mmap *sparse = (const void *)cap;
		char *areas = format("%s", "");

		for (i = 0; i < sparse->nr_areas; i++)
			add_text(&areas, ",", "0x%llx-0x%llx", sparse->areas[i].offset,
				 sparse->areas[i].offset + sparse->areas[i].size - 1);
		table_text(table, COL_AREAS, areas);
		add_text(more, "; ", "only %s", *areas ? areas : "nothing");
		free(areas);
	} else if (cap->id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE) {
		table_bool(table, COL_MSIX_MAPPABLE, true);
		add_text(more, "; ", "the MSI-X table, too");
	} else if (cap->id == VFIO_REGION_INFO_CAP_SUBPAGE) {
		const struct vfio_region_info_cap_subpage *subpage = (const void *)cap;

		table_text(table, COL_MSIX_STATE, NAME(msix_state, subpage->msix_state));
		table_number(table, COL_PAGE_SIZE, subpage->page_size);
		add_text(more, "; ", "capability of the driver: BAR %s", NAME(bar_state, subpage->bar_state));
		if (subpage->msix_state == SUBPAGE_MSIX_NONE)
			return;
		table_hex(table, COL_MSIX_OFFSET, subpage->msix_offset);
		table_number(table, COL_MSIX_SIZE, subpage->msix_size);
		add_text(more, "; ", "MSI-X table %s, at 0x%x, %u bytes",
			 NAME(msix_state, subpage->msix_state), subpage->msix_offset, subpage->msix_size);
	} else {
		add_text(more, "; ", "capability %u version %u", cap->id, cap->version);
	}
}

static void add_device(struct table *table, const struct device *device, const struct vfio *vfio,
		       const struct vfio_device_info *info)
{
	table_row(table, device->address, device->driver, device->group);
	table_text(table, COL_OPENED, vfio->container < 0 ? "cdev" : "group");
	table_bool(table, COL_RESET, info->flags & VFIO_DEVICE_FLAGS_RESET);
}

static void add_region(struct table *table, const struct device *device, const struct vfio_region_info *info)
{
	bool mmap = info->flags & VFIO_REGION_INFO_FLAG_MMAP;
	const struct vfio_info_cap_header *cap = NULL;
	char *more = NULL;

	add_name(table, regions, COUNT(regions), "region", info->index);
	table_number(table, COL_SIZE, info->size);
	table_hex(table, COL_OFFSET, info->offset);
	table_bool(table, COL_READ, info->flags & VFIO_REGION_INFO_FLAG_READ);
	table_bool(table, COL_WRITE, info->flags & VFIO_REGION_INFO_FLAG_WRITE);
	table_bool(table, COL_MMAP, mmap);
	table_colour(table, COL_MMAP, mmap ? GOOD : PLAIN);
	if (info->index < BARS)
		add_driver(table, device, info, &more);
	while ((cap = vfio_next_cap(info, cap)))
		add_cap(table, cap, &more);
	table_text(table, COL_MORE, more);
	free(more);
}

static int info_run(const struct options *options)
{
	struct table *table = table_new("info", columns, &options->format);
	struct vfio_device_info info = { .argsz = sizeof(info) };
	const struct device *device;
	struct vfio vfio;
	struct bus bus;
	unsigned int i;

	bus_scan(&bus, NULL, NULL);
	device = bus_find(&bus, options->device[0]);
	vfio_open(&bus, device, &vfio);
	if (ioctl(vfio.device, VFIO_DEVICE_GET_INFO, &info))
		fail(CODE_FAILED, NULL, "VFIO_DEVICE_GET_INFO: %s", strerror(errno));
	if (table_is_for_people(&options->format))
		printf("%s%s%s  driver %s, opened through its %s, %s be reset\n", colour_on(STRONG),
		       device->address, colour_off(), device->driver,
		       vfio.container < 0 ? "cdev" : "group",
		       info.flags & VFIO_DEVICE_FLAGS_RESET ? "can" : "cannot");

	for (i = 0; i < info.num_regions; i++) {
		struct vfio_region_info *found = vfio_region(&vfio, i);

		if (found && found->size) {
			add_device(table, device, &vfio, &info);
			add_region(table, device, found);
		}
		free(found);
	}
	for (i = 0; i < info.num_irqs; i++) {
		struct vfio_irq_info irq = { .argsz = sizeof(irq), .index = i };

		if (ioctl(vfio.device, VFIO_DEVICE_GET_IRQ_INFO, &irq) || !irq.count)
			continue;
		add_device(table, device, &vfio, &info);
		add_name(table, irqs, COUNT(irqs), "irq", i);
		table_number(table, COL_COUNT, irq.count);
	}
	vfio_close(&vfio);
	table_end(table, "  ");
	bus_free(&bus);
	return CODE_OK;
}

const struct command info_command = {
	.name = "info", .run = info_run,
	.summary = "show what user space is told of a device",
	.arguments = "DEVICE", .min_arguments = 1, .max_arguments = 1,
	.description =
		"Open a device through VFIO, as a VMM does, and show what it is told of it: the\n"
		"regions, which of them can be mapped, their capabilities, the interrupts. The\n"
		"device must be bound to a VFIO driver and not be in use; opening it resets it,\n"
		"if it can be reset.\n",
	.columns = columns,
	.examples = "  subpage-vfio info 0000:01:00.0\n"
		"  subpage-vfio info -o NAME,MMAP,BAR_STATE 01:00.0\n",
};
