// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "bus/bar.h"
#include "bus/pci.h"
#include "commands/list.h"
#include "commands/shared.h"
#include "print/output.h"
#include "print/table.h"
#include "use/uses.h"

enum {
	COL_ADDRESS, COL_NAME, COL_CLASS_NAME, COL_VENDOR, COL_DEVICE, COL_CLASS, COL_DRIVER, COL_GROUP,
	COL_VIRTFN, COL_USES, COL_IN_USE, COL_MSIX_BAR, COL_MSIX_OFFSET, COL_MSIX_SIZE, COL_BAR_SIZE, COL_START,
	COL_PAGE_SIZE, COL_COMPLETE, COL_BESIDE, COL_OTHER_GROUP, COL_CODE, COL_HELP,
	/* From here on what people see; the last one is a sentence. */
	COL_BAR, COL_OFFSET, COL_SIZE, COL_PAGE, COL_ALIGNED, COL_MAPPABLE, COL_REASON,
};

static const struct column columns[] = {
	[COL_ADDRESS] = ADDRESS_COLUMN(SHOWN_IF_FLAT),
	[COL_NAME] = { "NAME", COLUMN_TEXT, HIDDEN, "vendor and device" },
	[COL_CLASS_NAME] = { "CLASS_NAME", COLUMN_TEXT, HIDDEN, "what kind of device it is" },
	[COL_VENDOR] = { "VENDOR", COLUMN_HEX, HIDDEN, "vendor id" },
	[COL_DEVICE] = { "DEVICE", COLUMN_HEX, HIDDEN, "device id" },
	[COL_CLASS] = { "CLASS", COLUMN_HEX, HIDDEN, "base class and subclass" },
	[COL_DRIVER] = DRIVER_COLUMN(HIDDEN),
	[COL_GROUP] = GROUP_COLUMN(HIDDEN),
	[COL_VIRTFN] = { "VIRTUAL_FUNCTION", COLUMN_BOOL, HIDDEN, "is it an SR-IOV virtual function?" },
	[COL_USES] = { "USES", COLUMN_TEXT, HIDDEN, "its interfaces, disks and virtual functions" },
	[COL_IN_USE] = { "IN_USE", COLUMN_TEXT, HIDDEN,
		"who or what uses it, so that bind refuses it, with \"; \" between; empty: nobody in sight" },
	[COL_MSIX_BAR] = { "MSIX_BAR", COLUMN_NUMBER, HIDDEN, "the BAR with the MSI-X table" },
	[COL_MSIX_OFFSET] = { "MSIX_OFFSET", COLUMN_HEX, HIDDEN, "where the table starts in that BAR" },
	[COL_MSIX_SIZE] = { "MSIX_SIZE", COLUMN_NUMBER, HIDDEN, "bytes of the table" },
	[COL_BAR_SIZE] = { "BAR_SIZE", COLUMN_BYTES, HIDDEN, "of the whole BAR" },
	[COL_START] = { "START", COLUMN_HEX, HIDDEN, "address of the BAR; empty: it has none" },
	[COL_PAGE_SIZE] = { "PAGE_SIZE", COLUMN_NUMBER, HIDDEN, "of this machine, bytes" },
	[COL_COMPLETE] = { "COMPLETE", COLUMN_BOOL, HIDDEN, "is all known that the answer rests on? Not without root" },
	[COL_BESIDE] = { "BESIDE", COLUMN_TEXT, HIDDEN, "who else is on the page where the BAR starts" },
	[COL_OTHER_GROUP] = { "OTHER_GROUP", COLUMN_BOOL, HIDDEN, "is one of those in another IOMMU group?" },
	[COL_CODE] = CODE_COLUMN(HIDDEN),
	[COL_HELP] = HELP_COLUMN(HIDDEN),
	[COL_BAR] = BAR_COLUMN(SHOWN),
	[COL_OFFSET] = PART_OFFSET_COLUMN(SHOWN),
	[COL_SIZE] = PART_SIZE_COLUMN(SHOWN),
	[COL_PAGE] = { "AT", COLUMN_HEX, SHOWN, "address of that part" },
	[COL_ALIGNED] = { "ALIGNED", COLUMN_BOOL, SHOWN, "does the BAR start on a page?" },
	[COL_MAPPABLE] = { "MAPPABLE", COLUMN_TEXT, SHOWN,
		"now, not_needed, with_option, with_subpage_vfio_pci or no" },
	[COL_REASON] = REASON_COLUMN(SHOWN),
	{ 0 }
};

static const char * const mappable_key[] = {
	[MAPPABLE_NO] = "no",
	[MAPPABLE_WITH_OURS] = ("with_" OURS),
	[MAPPABLE_WITH_OPTION] = "with_option",
	[MAPPABLE_NOT_NEEDED] = "not_needed",
	[MAPPABLE_NOW] = "now",
};

static const enum colour mappable_colour[] = {
	[MAPPABLE_NO] = BAD,
	[MAPPABLE_WITH_OURS] = BETTER,
	[MAPPABLE_WITH_OPTION] = BETTER,
	[MAPPABLE_NOT_NEEDED] = PLAIN,
	[MAPPABLE_NOW] = GOOD,
};

struct summary {
	int bars, now, with_ours, with_option;
	char *candidates;	/* devices to bind, each with a space before it */
};

/* A page of 64K can hold 256 neighbours; three and a number tell a person enough. */
static char *neighbours_text(const struct neighbours *neighbours, int most)
{
	char *text = format("%s", "");
	int i;

	for (i = 0; i < neighbours->count; i++) {
		char *longer = i < most ? format("%s%s%s", text, i ? ", " : "", neighbours->name[i]) :
					  format("%s and %d more", text, neighbours->count - i);

		free(text);
		text = longer;
		if (i == most)
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

static bool is_complete(const struct device *device)
{
	return !geteuid() && device->msix != MSIX_UNKNOWN;
}

/* A device, and what it is in use for. */
struct subject {
	const struct device *device;
	char *uses, *in_use;
};

static void add_device(struct table *table, const struct subject *subject)
{
	const struct device *device = subject->device;

	table_row(table, device);
	table_text(table, COL_NAME, device->name);
	table_text(table, COL_CLASS_NAME, device->class_name);
	table_hex(table, COL_VENDOR, device->vendor);
	table_hex(table, COL_DEVICE, device->device);
	table_hex(table, COL_CLASS, device->class);
	table_bool(table, COL_VIRTFN, device->virtfn);
	table_text(table, COL_USES, subject->uses);
	table_text(table, COL_IN_USE, subject->in_use);
	if (device->msix_bar >= 0)
		table_number(table, COL_MSIX_BAR, device->msix_bar);
	if (device->msix_size) {
		table_hex(table, COL_MSIX_OFFSET, device->msix_offset);
		table_number(table, COL_MSIX_SIZE, device->msix_size);
	}
	table_number(table, COL_PAGE_SIZE, sysconf(_SC_PAGESIZE));
	table_bool(table, COL_COMPLETE, is_complete(device));
}

static void add_part(struct table *table, const struct subject *subject, int bar,
		     const struct verdict *verdict, const struct part *part, bool for_people)
{
	const struct device *device = subject->device;
	const struct resource *res = &device->resource[bar];
	char *beside = neighbours_text(&verdict->neighbours, for_people ? 3 : verdict->neighbours.count);
	char *why;

	why = format("%s%s%s%s", part->why, for_people && *beside ? "; beside it: " : "",
		     for_people ? beside : "",
		     is_complete(device) ? "" : "; not all is known without root");
	add_device(table, subject);
	table_number(table, COL_BAR, bar);
	table_number(table, COL_BAR_SIZE, res->size);
	table_hex(table, COL_OFFSET, part->offset);
	table_number(table, COL_SIZE, part->size);
	if (bar_has_address(device, bar)) {
		table_hex(table, COL_START, res->start);
		table_hex(table, COL_PAGE, res->start + part->offset);
		table_bool(table, COL_ALIGNED, res->start % sysconf(_SC_PAGESIZE) == 0);
	}
	table_text(table, COL_BESIDE, beside);
	table_bool(table, COL_OTHER_GROUP, verdict->neighbours.other_group);
	table_text(table, COL_MAPPABLE, mappable_key[part->mappable]);
	table_colour(table, COL_MAPPABLE, mappable_colour[part->mappable]);
	table_text(table, COL_CODE, reason_code(part->reason));
	table_text(table, COL_REASON, why);
	table_text(table, COL_HELP, part->help);
	free(beside);
	free(why);
}

/* May the summary tell to take it from its driver? Only if the operator has named it, or a VFIO driver has it. */
static bool may_propose(const struct options *options, const struct device *device)
{
	return options->devices || device_is_vfio(device);
}

static void count(const struct options *options, const struct device *device,
		  const struct verdict *verdict, struct summary *summary, bool *candidate)
{
	enum mappable worst = MAPPABLE_NOW;
	int i;

	for (i = 0; i < verdict->parts; i++)
		if (verdict->part[i].mappable < worst)
			worst = verdict->part[i].mappable;
	summary->bars++;
	summary->now += worst >= MAPPABLE_NOT_NEEDED;
	summary->with_ours += worst == MAPPABLE_WITH_OURS;
	summary->with_option += worst == MAPPABLE_WITH_OPTION;
	*candidate |= worst == MAPPABLE_WITH_OURS && may_propose(options, device);
}

static bool is_candidate(const struct part *part)
{
	return part->mappable == MAPPABLE_WITH_OURS || part->mappable == MAPPABLE_WITH_OPTION;
}

static void print_heading(const struct subject *subject)
{
	const struct device *device = subject->device;
	char *msix = msix_text(device);

	printf("%s%s%s  %s: %s [%04x:%04x]\n", colour_on(STRONG), device->address, colour_off(),
	       device->class_name, device->name, device->vendor, device->device);
	printf("  driver: %s   IOMMU group: ", driver_text(device->driver));
	printf(device->group < 0 ? "none" : "%d", device->group);
	printf("   MSI-X table: %s\n", msix);
	if (*subject->uses)
		printf("  has: %s\n", subject->uses);
	if (*subject->in_use)
		printf("  in use: %s\n", subject->in_use);
	free(msix);
}

/* Each help once: all parts of a BAR tend to need the same. */
static void print_help(const struct verdict *verdicts, int bars)
{
	int i, n, m;

	for (i = 0; i < bars; i++)
		for (n = 0; n < verdicts[i].parts; n++) {
			const char *help = verdicts[i].part[n].help;
			bool said = !help;

			for (m = 0; m < i && !said; m++)
				said = verdicts[m].parts && verdicts[m].part[0].help &&
				       !strcmp(verdicts[m].part[0].help, help);
			for (m = 0; m < n && !said; m++)
				said = verdicts[i].part[m].help && !strcmp(verdicts[i].part[m].help, help);
			if (!said)
				printf("  helps: %s\n", help);
		}
}

/* The rows of one device; for people at once, under its heading. */
static void show_device(const struct bus *bus, const struct machine *machine, const struct device *device,
			const struct options *options, struct table *all, struct summary *summary)
{
	struct subject subject = {
		.device = device, .uses = uses_text(machine, device), .in_use = uses_now_text(machine, device),
	};
	struct table *table = all ? all : table_new("bars", columns, options);
	struct verdict verdicts[BARS] = { 0 };
	int bar, part, rows = table_rows(table);
	bool candidate = false;

	for (bar = 0; bar < BARS; bar++) {
		if (!bar_exists(device, bar))
			continue;
		bar_judge(bus, device, bar, &verdicts[bar]);
		for (part = 0; part < verdicts[bar].parts; part++)
			if (!options->candidates || is_candidate(&verdicts[bar].part[part]))
				add_part(table, &subject, bar, &verdicts[bar], &verdicts[bar].part[part], !all);
		count(options, device, &verdicts[bar], summary, &candidate);
	}
	if (table_rows(table) == rows && !options->candidates && options->devices)
		add_device(table, &subject);
	if (!all && table_rows(table)) {
		print_heading(&subject);
		table_end(table, "  ");
		print_help(verdicts, BARS);
		putchar('\n');
	} else if (!all) {
		table_free(table);
	}
	if (candidate) {
		char *longer = format("%s %s", summary->candidates ? summary->candidates : "",
				      device->address);

		free(summary->candidates);
		summary->candidates = longer;
	}
	for (bar = 0; bar < BARS; bar++)
		bar_verdict_free(&verdicts[bar]);
	free(subject.uses);
	free(subject.in_use);
}

/* "01", "0108", or part of its name. */
static bool is_of_class(const struct device *device, const char *class)
{
	char *end;
	unsigned long number = strtoul(class, &end, 16);

	if (!*end && (end - class == 2 || end - class == 4))
		return end - class == 2 ? device->class >> 8 == number : device->class == number;
	return strcasestr(device->class_name, class);
}

static bool is_wanted(const struct options *options, const struct device *device, const bool *chosen,
		      int i)
{
	int bar;

	if (!device->selected || (options->class && !is_of_class(device, options->class)) ||
	    (options->iommu_group >= 0 && device->group != options->iommu_group) ||
	    (options->driver && strcmp(driver_text(device->driver), options->driver)))
		return false;
	if (options->devices)
		return chosen[i];
	for (bar = 0; bar < BARS; bar++)
		if (bar_exists(device, bar))
			return true;
	return false;
}

static void print_summary(const struct summary *summary)
{
	printf("%d memory BAR%s, pages of %ldK: %d mappable now, %d with an option, %d with " OURS
	       ", %d not\n",
	       summary->bars, summary->bars == 1 ? "" : "s", sysconf(_SC_PAGESIZE) / 1024, summary->now,
	       summary->with_option, summary->with_ours,
	       summary->bars - summary->now - summary->with_option - summary->with_ours);
	if (summary->candidates)
		printf("To have them mapped: subpage-vfio bind%s\n", summary->candidates);
	else if (summary->with_ours)
		printf("\"subpage-vfio list DEVICE\" says what to do for a device\n");
}

static int list_run(const struct options *options)
{
	struct summary summary = { 0 };
	struct table *table = NULL;
	struct machine machine;
	struct bus bus;
	bool *chosen;
	int i;

	bus_scan_filtered(&bus, options->slot, options->id);
	chosen = allocate(NULL, bus.count + 1);
	memset(chosen, 0, bus.count + 1);
	for (i = 0; i < options->devices; i++)
		chosen[bus_find(&bus, options->device[i]) - bus.device] = true;
	for (i = 0; i < bus.count; i++)
		chosen[i] = is_wanted(options, &bus.device[i], chosen, i);

	if (options->shared) {
		shared_print(&bus, chosen, options);
	} else {
		machine_look(&machine, false);
		if (!table_is_for_people(options))
			table = table_new("bars", columns, options);
		for (i = 0; i < bus.count; i++)
			if (chosen[i])
				show_device(&bus, &machine, &bus.device[i], options, table, &summary);
		if (table)
			table_end(table, "");
		else
			print_summary(&summary);
		machine_free(&machine);
	}
	free(summary.candidates);
	free(chosen);
	bus_free(&bus);
	return CODE_OK;
}

static const struct option_use list_options[] = {
	{ 's', "only devices at such an address, as with lspci" },
	{ 'd', "only devices with such ids, as with lspci: VENDOR:DEVICE[:CLASS]" },
	{ 'c', "only devices of that class: its number (01, 0108) or part of its name" },
	{ 'D', "only devices that this driver has; \"none\": those without" },
	{ 'G', "only devices of that IOMMU group" },
	{ 'C', "only what a command or an option would have mapped" },
	{ 'S', "pages that devices of different IOMMU groups share" },
	{ 'o', NULL },
	{ 'r', NULL },
	{ 'j', NULL },
	{ 0 }
};

const struct command list_command = {
	.name = "list", .run = list_run,
	.summary = "show all memory BARs, and which of their pages a guest can use directly",
	.arguments = "[DEVICE...]", .min_arguments = 0, .max_arguments = ANY_NUMBER,
	.description =
		"Show each memory BAR of all devices, or of those given: where it is, who else lives\n"
		"on its page, whether a guest can use it without exits, and what helps if not. A BAR\n"
		"with an MSI-X table has a row for the table's pages. Needs no privilege, but shows\n"
		"where an MSI-X table lies, and neighbours that are no PCI devices, to root only.\n",
	.option = list_options,
	.columns = columns,
	.first_reason = REASON_WHOLE_PAGES, .last_reason = REASON_BRIDGE,
	.examples =
		"  subpage-vfio list\n"
		"  subpage-vfio list --candidates --class 0108\n"
		"  subpage-vfio list --shared\n"
		"  subpage-vfio list --raw -o ADDRESS,BAR,MAPPABLE,REASON_CODE 01:00.0\n"
		"  subpage-vfio list --json | jq '.bars[] | select(.mappable != \"now\")'\n",
};
