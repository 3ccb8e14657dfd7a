// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/subpage_vfio_pci.h>

#include "info.h"
#include "output.h"
#include "vfio.h"

const char info_help[] =
	"Usage: subpage-vfio info [--json] DEVICE\n"
	"\n"
	"Open a device through VFIO, as a VMM does, and show what it is told of it: the\n"
	"regions, which of them can be mapped, their capabilities, the interrupts. The\n"
	"device must be bound to a VFIO driver and not be in use.\n"
	"\n"
	"  subpage-vfio info 0000:01:00.0\n"
	"  subpage-vfio info --json 01:00.0 | jq '.regions[].flags'\n";

static const char * const bar_state[] = {
	[SUBPAGE_BAR_NONE] = "none",
	[SUBPAGE_BAR_IN_PLACE] = "in_place",
	[SUBPAGE_BAR_MOVED] = "moved",
	[SUBPAGE_BAR_UNASSIGNED] = "unassigned",
	[SUBPAGE_BAR_VIRTFN] = "virtfn",
	[SUBPAGE_BAR_FIXED] = "fixed",
	[SUBPAGE_BAR_BUSY] = "busy",
	[SUBPAGE_BAR_REALIGN_OFF] = "realign_off",
	[SUBPAGE_BAR_NO_SPACE] = "no_space",
	[SUBPAGE_BAR_FAILED] = "failed",
	[SUBPAGE_BAR_LOST] = "lost",
};

static const char * const msix_state[] = {
	[SUBPAGE_MSIX_NONE] = "none",
	[SUBPAGE_MSIX_HIDDEN] = "hidden",
	[SUBPAGE_MSIX_EEH] = "eeh",
	[SUBPAGE_MSIX_ISOLATED] = "isolated",
	[SUBPAGE_MSIX_ALWAYS] = "always",
};

/* A newer driver may know states that this program does not. */
#define NAME(names, i) ((i) < sizeof(names) / sizeof((names)[0]) ? (names)[i] : "unknown")

static const char *region_name(unsigned int index, char *text, size_t size)
{
	if (index < VFIO_PCI_ROM_REGION_INDEX)
		snprintf(text, size, "BAR %u", index);
	else if (index < VFIO_PCI_NUM_REGIONS)
		snprintf(text, size, "%s", index == VFIO_PCI_ROM_REGION_INDEX ? "ROM" :
			 index == VFIO_PCI_CONFIG_REGION_INDEX ? "config" : "VGA");
	else
		snprintf(text, size, "region %u", index);
	return text;
}

static const char *irq_name(unsigned int index, char *text, size_t size)
{
	static const char * const name[] = { "INTx", "MSI", "MSI-X", "error", "request" };

	if (index < sizeof(name) / sizeof(name[0]))
		return name[index];
	snprintf(text, size, "irq %u", index);
	return text;
}

/* A capability as JSON; print_cap() makes the text for people of the same values. */
static struct json_object *cap_json(const struct vfio_info_cap_header *cap)
{
	struct json_object *object = json_object_new_object(), *areas;
	unsigned int i;

	json_object_object_add(object, "id", json_object_new_int(cap->id));
	json_object_object_add(object, "version", json_object_new_int(cap->version));
	if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
		const struct vfio_region_info_cap_sparse_mmap *sparse = (const void *)cap;

		json_add_string(object, "name", "sparse_mmap");
		areas = json_object_new_array();
		for (i = 0; i < sparse->nr_areas; i++) {
			struct json_object *area = json_object_new_object();

			json_add_hex(area, "offset", sparse->areas[i].offset);
			json_add_hex(area, "size", sparse->areas[i].size);
			json_object_array_add(areas, area);
		}
		json_object_object_add(object, "areas", areas);
	} else if (cap->id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE) {
		json_add_string(object, "name", "msix_mappable");
	} else if (cap->id == VFIO_REGION_INFO_CAP_SUBPAGE) {
		const struct vfio_region_info_cap_subpage *subpage = (const void *)cap;

		json_add_string(object, "name", "subpage");
		json_add_string(object, "bar_state", NAME(bar_state, subpage->bar_state));
		json_add_string(object, "msix_state", NAME(msix_state, subpage->msix_state));
		json_object_object_add(object, "page_size",
				       json_object_new_int64(subpage->page_size));
		json_add_hex(object, "msix_offset", subpage->msix_offset);
		json_add_hex(object, "msix_size", subpage->msix_size);
	} else {
		json_add_string(object, "name", "unknown");
	}
	return object;
}

static void print_cap(const struct vfio_info_cap_header *cap)
{
	unsigned int i;

	if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
		const struct vfio_region_info_cap_sparse_mmap *sparse = (const void *)cap;

		printf("      sparse mmap: only");
		for (i = 0; i < sparse->nr_areas; i++)
			printf("%s 0x%llx-0x%llx", i ? "," : "", sparse->areas[i].offset,
			       sparse->areas[i].offset + sparse->areas[i].size - 1);
		putchar('\n');
	} else if (cap->id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE) {
		printf("      MSI-X mappable: the MSI-X table can be mapped, too\n");
	} else if (cap->id == VFIO_REGION_INFO_CAP_SUBPAGE) {
		const struct vfio_region_info_cap_subpage *subpage = (const void *)cap;

		printf("      sub-page: BAR %s", NAME(bar_state, subpage->bar_state));
		if (subpage->msix_state != SUBPAGE_MSIX_NONE)
			printf(", MSI-X table %s, at 0x%x, %u bytes",
			       NAME(msix_state, subpage->msix_state), subpage->msix_offset,
			       subpage->msix_size);
		printf(", pages of %u\n", subpage->page_size);
	} else {
		printf("      capability %u version %u\n", cap->id, cap->version);
	}
}

static struct json_object *region(const struct vfio_region_info *info)
{
	const struct vfio_info_cap_header *cap;
	struct json_object *object = json_object_new_object();
	struct json_object *flags = json_object_new_array(), *caps = json_object_new_array();
	char name[32];

	json_add_string(object, "name", region_name(info->index, name, sizeof(name)));
	json_object_object_add(object, "index", json_object_new_int(info->index));
	json_object_object_add(object, "size", json_object_new_int64(info->size));
	json_add_hex(object, "offset", info->offset);
	if (info->flags & VFIO_REGION_INFO_FLAG_READ)
		json_object_array_add(flags, json_object_new_string("read"));
	if (info->flags & VFIO_REGION_INFO_FLAG_WRITE)
		json_object_array_add(flags, json_object_new_string("write"));
	if (info->flags & VFIO_REGION_INFO_FLAG_MMAP)
		json_object_array_add(flags, json_object_new_string("mmap"));
	json_object_object_add(object, "flags", flags);
	for (cap = vfio_first_cap(info); cap; cap = vfio_next_cap(info, cap))
		json_object_array_add(caps, cap_json(cap));
	json_object_object_add(object, "capabilities", caps);
	return object;
}

static void print_region(const struct vfio_region_info *info)
{
	const struct vfio_info_cap_header *cap;
	char name[32];

	printf("  %-8s %8llu bytes  %s%s%s%s%s\n", region_name(info->index, name, sizeof(name)),
	       info->size, info->flags & VFIO_REGION_INFO_FLAG_READ ? "read " : "",
	       info->flags & VFIO_REGION_INFO_FLAG_WRITE ? "write " : "",
	       colour_on(info->flags & VFIO_REGION_INFO_FLAG_MMAP ? GOOD : PLAIN),
	       info->flags & VFIO_REGION_INFO_FLAG_MMAP ? "mmap" : "", colour_off());
	for (cap = vfio_first_cap(info); cap; cap = vfio_next_cap(info, cap))
		print_cap(cap);
}

int info_run(const struct options *options)
{
	struct json_object *root = json_object_new_object();
	struct json_object *regions = json_object_new_array(), *irqs = json_object_new_array();
	struct vfio_device_info info;
	const struct device *device;
	struct vfio vfio;
	struct bus bus;
	unsigned int i;
	char name[32];

	bus_scan(&bus);
	device = bus_find(&bus, options->device[0]);
	vfio_open(&bus, device, &vfio);
	vfio_device_info(&vfio, &info);

	json_add_string(root, "address", device->address);
	json_add_string(root, "driver", device->driver);
	json_object_object_add(root, "iommu_group", device->group < 0 ? NULL :
			       json_object_new_int(device->group));
	json_add_string(root, "opened_through", vfio.container < 0 ? "cdev" : "group");
	json_object_object_add(root, "can_reset", json_object_new_boolean(
			       info.flags & VFIO_DEVICE_FLAGS_RESET));
	json_object_object_add(root, "regions", regions);
	json_object_object_add(root, "irqs", irqs);
	if (!options->json)
		printf("%s%s%s  driver %s, opened through its %s, %s be reset\n", colour_on(STRONG),
		       device->address, colour_off(), device->driver,
		       vfio.container < 0 ? "cdev" : "group",
		       info.flags & VFIO_DEVICE_FLAGS_RESET ? "can" : "cannot");

	for (i = 0; i < info.num_regions; i++) {
		struct vfio_region_info *found = vfio_region(&vfio, i);

		if (found && found->size) {
			json_object_array_add(regions, region(found));
			if (!options->json)
				print_region(found);
		}
		free(found);
	}
	for (i = 0; i < info.num_irqs; i++) {
		struct vfio_irq_info irq = { .argsz = sizeof(irq), .index = i };
		struct json_object *entry;

		if (ioctl(vfio.device, VFIO_DEVICE_GET_IRQ_INFO, &irq) || !irq.count)
			continue;
		entry = json_object_new_object();
		json_add_string(entry, "name", irq_name(i, name, sizeof(name)));
		json_object_object_add(entry, "count", json_object_new_int(irq.count));
		json_object_array_add(irqs, entry);
		if (!options->json)
			printf("  %-8s %8u\n", irq_name(i, name, sizeof(name)), irq.count);
	}

	vfio_close(&vfio);
	if (options->json)
		json_print(root);
	else
		json_object_put(root);
	bus_free(&bus);
	return CODE_OK;
}
