// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bar.h"
#include "list.h"
#include "output.h"
#include "pci.h"

const char list_help[] =
	"Usage: subpage-vfio list [--json] [DEVICE...]\n"
	"\n"
	"Show each memory BAR of all devices, or of those given: where it is, who else\n"
	"lives on its page, and whether a guest can map it. Needs no privilege, but shows\n"
	"where an MSI-X table lies, and neighbours that are no PCI devices, to root only.\n"
	"\n"
	"  subpage-vfio list\n"
	"  subpage-vfio list 01:00.0\n"
	"  subpage-vfio list --json | jq '.devices[].bars[] | select(.mappable != \"now\")'\n";

static const char * const mappable_text[] = {
	[MAPPABLE_NO] = "no",
	[MAPPABLE_WITH_OURS] = "with " OURS,
	[MAPPABLE_NOW] = "now",
};

static const char * const mappable_key[] = {
	[MAPPABLE_NO] = "no",
	[MAPPABLE_WITH_OURS] = "with_" OURS,
	[MAPPABLE_NOW] = "now",
};

static const enum colour mappable_colour[] = {
	[MAPPABLE_NO] = BAD,
	[MAPPABLE_WITH_OURS] = BETTER,
	[MAPPABLE_NOW] = GOOD,
};

struct summary {
	int bars, now, with_ours;
	char *candidates;	/* devices to bind, each with a space before it */
};

static char *size_text(uint64_t size)
{
	static const char unit[] = " KMGT";
	int i = 0;

	while (size >= 1024 && size % 1024 == 0 && unit[i + 1]) {
		size /= 1024;
		i++;
	}
	return i ? format("%llu%c", (unsigned long long)size, unit[i]) :
		   format("%llu", (unsigned long long)size);
}

/* A page of 64K can hold 256 neighbours; three and a number tell a person enough. */
static char *neighbours_text(const struct neighbours *neighbours)
{
	char *text = format("%s", "");
	int i;

	for (i = 0; i < neighbours->count; i++) {
		char *longer = i < 3 ? format("%s%s%s", text, i ? ", " : "", neighbours->name[i]) :
				       format("%s and %d more", text, neighbours->count - i);

		free(text);
		text = longer;
		if (i == 3)
			break;
	}
	return text;
}

static char *msix_text(const struct device *device)
{
	char reason[200];

	if (device->msix == MSIX_UNKNOWN)
		return format("unknown (needs root)");
	if (device->msix == MSIX_NONE)
		return format("none");
	if (device_read(device, OURS "/msix_reason", reason, sizeof(reason)) < 0)
		reason[0] = '\0';
	if (!device->msix_size)
		return format("BAR %d, offset unknown (needs root)%s%s", device->msix_bar,
			      *reason ? "; " : "", reason);
	return format("BAR %d at 0x%x, %u bytes%s%s", device->msix_bar, device->msix_offset,
		      device->msix_size, *reason ? "; " : "", reason);
}

static void add_bar(struct table *table, const struct device *device, int bar,
		    const struct verdict *verdict)
{
	const struct resource *res = &device->resource[bar];
	bool placed = res->start && !(res->flags & RESOURCE_UNSET);
	char *number = format("%d", bar);
	char *size = size_text(res->size);
	char *address = placed ? format("0x%llx", (unsigned long long)res->start) : format("none");
	char *beside = neighbours_text(&verdict->neighbours);
	char *why = *beside ? format("%s; beside it: %s", verdict->why, beside) :
			      format("%s", verdict->why);

	table_row(table, mappable_colour[verdict->mappable], 6, number, size, address,
		  !placed ? "-" : res->start % sysconf(_SC_PAGESIZE) ? "no" : "yes",
		  mappable_text[verdict->mappable], why);
	free(number);
	free(size);
	free(address);
	free(beside);
	free(why);
}

static void print_device(const struct bus *bus, const struct device *device,
			 struct summary *summary)
{
	struct table table = { 0 };
	bool candidate = false;
	char *msix;
	int bar;

	table_row(&table, PLAIN, 6, "BAR", "SIZE", "ADDRESS", "ALIGNED", "MAPPABLE", "WHY");
	for (bar = 0; bar < BARS; bar++) {
		struct verdict verdict;

		if (!bar_exists(device, bar))
			continue;
		bar_judge(bus, device, bar, &verdict);
		add_bar(&table, device, bar, &verdict);
		summary->bars++;
		summary->now += verdict.mappable == MAPPABLE_NOW;
		summary->with_ours += verdict.mappable == MAPPABLE_WITH_OURS;
		candidate |= verdict.mappable == MAPPABLE_WITH_OURS;
		bar_verdict_free(&verdict);
	}

	msix = msix_text(device);
	printf("%s%s%s  %s: %s [%04x:%04x]\n", colour_on(STRONG), device->address, colour_off(),
	       device->class_name, device->name, device->vendor, device->device);
	printf("  driver: %s   IOMMU group: ", *device->driver ? device->driver : "none");
	printf(device->group < 0 ? "none" : "%d", device->group);
	printf("   MSI-X table: %s\n", msix);
	table_print(&table, 4);
	putchar('\n');
	free(msix);
	table_free(&table);

	if (candidate) {
		char *longer = format("%s %s", summary->candidates ? summary->candidates : "",
				      device->address);

		free(summary->candidates);
		summary->candidates = longer;
	}
}

static struct json_object *json_device(const struct bus *bus, const struct device *device)
{
	static const char * const msix_key[] = {
		[MSIX_NONE] = "none", [MSIX_PRESENT] = "present", [MSIX_UNKNOWN] = "unknown",
	};
	struct json_object *object = json_object_new_object();
	struct json_object *bars = json_object_new_array();
	struct json_object *msix = json_object_new_object();
	int bar, i;

	json_add_string(object, "address", device->address);
	json_add_string(object, "name", device->name);
	json_add_hex(object, "vendor", device->vendor);
	json_add_hex(object, "device", device->device);
	json_add_hex(object, "class", device->class);
	json_add_string(object, "driver", device->driver);
	json_object_object_add(object, "iommu_group", device->group < 0 ? NULL :
			       json_object_new_int(device->group));
	json_object_object_add(object, "virtual_function",
			       json_object_new_boolean(device->virtfn));

	json_add_string(msix, "table", msix_key[device->msix]);
	if (device->msix_bar >= 0)
		json_object_object_add(msix, "bar", json_object_new_int(device->msix_bar));
	if (device->msix_size) {
		json_add_hex(msix, "offset", device->msix_offset);
		json_object_object_add(msix, "size", json_object_new_int(device->msix_size));
	}
	json_object_object_add(object, "msix", msix);

	for (bar = 0; bar < BARS; bar++) {
		const struct resource *res = &device->resource[bar];
		struct json_object *entry, *beside;
		struct verdict verdict;

		if (!bar_exists(device, bar))
			continue;
		bar_judge(bus, device, bar, &verdict);
		entry = json_object_new_object();
		json_object_object_add(entry, "bar", json_object_new_int(bar));
		json_object_object_add(entry, "size", json_object_new_int64(res->size));
		json_add_hex(entry, "start", res->start);
		json_object_object_add(entry, "page_aligned", json_object_new_boolean(
				       res->start % sysconf(_SC_PAGESIZE) == 0));
		beside = json_object_new_array();
		for (i = 0; i < verdict.neighbours.count; i++)
			json_object_array_add(beside,
					      json_object_new_string(verdict.neighbours.name[i]));
		json_object_object_add(entry, "shares_page_with", beside);
		json_add_string(entry, "mappable", mappable_key[verdict.mappable]);
		json_add_string(entry, "reason", verdict.why);
		json_object_array_add(bars, entry);
		bar_verdict_free(&verdict);
	}
	json_object_object_add(object, "bars", bars);
	return object;
}

static bool has_bars(const struct device *device)
{
	int bar;

	for (bar = 0; bar < BARS; bar++)
		if (bar_exists(device, bar))
			return true;
	return false;
}

static bool is_wanted(const struct options *options, const struct device *device, const bool *chosen,
		      int i)
{
	return options->devices ? chosen[i] : has_bars(device);
}

static void print_summary(const struct summary *summary)
{
	printf("%d memory BARs, pages of %ldK: %d mappable now, %d with " OURS ", %d not\n",
	       summary->bars, sysconf(_SC_PAGESIZE) / 1024, summary->now, summary->with_ours,
	       summary->bars - summary->now - summary->with_ours);
	if (summary->candidates)
		printf("To have them mapped: subpage-vfio bind%s\n", summary->candidates);
}

int list_run(const struct options *options)
{
	struct json_object *root = NULL, *list = NULL;
	struct summary summary = { 0 };
	struct bus bus;
	bool *chosen;
	int i;

	bus_scan(&bus);
	chosen = allocate(NULL, bus.count + 1);
	memset(chosen, 0, bus.count + 1);
	for (i = 0; i < options->devices; i++)
		chosen[bus_find(&bus, options->device[i]) - bus.device] = true;

	if (options->json) {
		root = json_object_new_object();
		list = json_object_new_array();
		json_object_object_add(root, "page_size",
				       json_object_new_int(sysconf(_SC_PAGESIZE)));
		json_object_object_add(root, "devices", list);
	}
	for (i = 0; i < bus.count; i++) {
		if (!is_wanted(options, &bus.device[i], chosen, i))
			continue;
		if (options->json)
			json_object_array_add(list, json_device(&bus, &bus.device[i]));
		else
			print_device(&bus, &bus.device[i], &summary);
	}
	if (options->json)
		json_print(root);
	else
		print_summary(&summary);
	free(summary.candidates);
	free(chosen);
	bus_free(&bus);
	return CODE_OK;
}
