// SPDX-License-Identifier: GPL-2.0-only
#include "bus/bar.h"
#include "bus/iommu.h"
#include "bus/pci.h"
#include "commands/options.h"
#include "print/output.h"
#include "use/in_use.h"

enum {
	COL_ADDRESS, COL_NAME, COL_CLASS_NAME, COL_VENDOR, COL_DEVICE, COL_CLASS, COL_DRIVER, COL_GROUP,
	COL_VIRTFN, COL_USES, COL_IN_USE, COL_MSIX_BAR, COL_MSIX_OFFSET, COL_MSIX_SIZE, COL_RELOCATION,
	COL_HELD_FOR, COL_BAR_SIZE, COL_START,
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
		"what uses it, so that bind refuses it, with \"; \" between; empty: nothing was found" },
	[COL_MSIX_BAR] = { "MSIX_BAR", COLUMN_NUMBER, HIDDEN, "the BAR with the MSI-X table" },
	[COL_MSIX_OFFSET] = { "MSIX_OFFSET", COLUMN_HEX, HIDDEN, "where the table starts in that BAR" },
	[COL_MSIX_SIZE] = { "MSIX_SIZE", COLUMN_NUMBER, HIDDEN, "bytes of the table" },
	[COL_RELOCATION] = { "MSIX_RELOCATION", COLUMN_TEXT, HIDDEN,
		"where the driver shows the table: none, barN, or barN-upper; empty: it does not have the device" },
	[COL_HELD_FOR] = { "HELD_FOR", COLUMN_TEXT, HIDDEN,
		"another driver, while it has the device, for which ours keeps the BAR's page" },
	[COL_BAR_SIZE] = { "BAR_SIZE", COLUMN_BYTES, HIDDEN, "of the whole BAR" },
	[COL_START] = { "START", COLUMN_HEX, HIDDEN, "address of the BAR; empty: it has none" },
	[COL_PAGE_SIZE] = { "PAGE_SIZE", COLUMN_NUMBER, HIDDEN, "of this machine, bytes" },
	[COL_COMPLETE] = { "COMPLETE", COLUMN_BOOL, HIDDEN, "is all known that the answer needs? Not without root" },
	[COL_BESIDE] = { "BESIDE", COLUMN_TEXT, HIDDEN, "what else is on the pages of the BAR" },
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

static const struct {
	const char *key;
	enum colour colour;
} mappables[] = {
	[MAPPABLE_NO] = { "no", BAD },
	[MAPPABLE_WITH_OURS] = { "with_" OURS, BETTER },
	[MAPPABLE_WITH_OPTION] = { "with_option", BETTER },
	[MAPPABLE_NOT_NEEDED] = { "not_needed", PLAIN },
	[MAPPABLE_NOW] = { "now", GOOD },
};

struct summary {
	int bars[MAPPABLE_NOW + 1];	/* by what is the worst of each */
	int listed, others;	/* devices that were listed, and those that people were spared */
	bool groups;		/* one of the candidates needs others of its group */
	char *candidates;	/* devices to bind, with blanks between */
};

/* One run of the command. */
struct run {
	const struct options *options;
	struct bus bus;
	struct machine machine;
	struct table *all;	/* NULL: people see one a device */
	struct summary summary;
};

/* A 64K page can hold 256 neighbours; three and a number tell a person enough. */
static char *neighbours_text(const struct neighbours *neighbours, int most)
{
	char *text = format("%s", "");
	int i;

	for (i = 0; i < neighbours->count && i < most; i++)
		add_text(&text, ", ", "%s", neighbours->name[i]);
	if (i < neighbours->count)
		add_text(&text, " ", "and %d more", neighbours->count - i);
	return text;
}

static char *msix_text(const struct device *device)
{
	char reason[200];

	if (device->msix == MSIX_UNKNOWN)
		return format("unknown (needs root)");
	if (device->msix == MSIX_NONE)
		return format("none");
	device_read(device, OURS "/msix_reason", reason, sizeof(reason));
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

/* A device, what it has, its users, and its BARs. */
struct subject {
	const struct device *device;
	char *uses, *in_use;	/* "interface eth0, disk nvme0n1"; "its interface eth0 is up; process 12 (x) has ..." */
	struct obstacles users;
	struct verdict verdicts[BARS];
};

static void add_device(struct table *table, const struct subject *subject)
{
	const struct device *device = subject->device;
	char relocation[16];

	table_row(table, device->address, device->driver, device->group);
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
	device_read(device, OURS "/msix_relocation", relocation, sizeof(relocation));
	table_text(table, COL_RELOCATION, relocation);
	table_number(table, COL_PAGE_SIZE, sysconf(_SC_PAGESIZE));
	table_bool(table, COL_COMPLETE, is_complete(device));
}

/* The same as "bind" refuses, but that without root what cannot be found out is left out. */
static void find_users(const struct machine *machine, struct subject *subject)
{
	const struct obstacle *user;

	if (!device_is_bridge(subject->device))
		in_use(machine, subject->device, &subject->users);
	subject->in_use = format("%s", "");
	for_each(user, subject->users.obstacle, subject->users.count)
		if (user->reason != REASON_UNKNOWN || !geteuid())
			add_text(&subject->in_use, "; ", "%s", user->text);
}

/* A process that has it open has to release it first. */
static char *help_now(const struct subject *subject, const struct part *part)
{
	static const char bind[] = "subpage-vfio bind", open[] = " has it open through VFIO";
	const struct obstacle *user;

	for_each(user, subject->users.obstacle, subject->users.count)
		if (part->help && !strncmp(part->help, bind, strlen(bind)) && strstr(user->text, open))
			return format("stop %.*s first; %s", (int)(strstr(user->text, open) - user->text), user->text,
				      part->help);
	return part->help ? format("%s", part->help) : NULL;
}

static void add_part(struct table *table, const struct subject *subject, const struct verdict *verdict,
		     const struct part *part, bool for_people)
{
	int bar = verdict - subject->verdicts;
	const struct device *device = subject->device;
	const struct resource *res = &device->resource[bar];
	char *beside = neighbours_text(&verdict->neighbours, for_people ? 3 : verdict->neighbours.count);
	char *why, *help;

	why = format("%s%s%s%s", part->why, for_people && *beside ? "; beside it: " : "", for_people ? beside : "",
		     is_complete(device) ? "" : "; not all is known without root");
	add_device(table, subject);
	table_number(table, COL_BAR, bar);
	table_number(table, COL_BAR_SIZE, res->size);
	if (res->held)
		table_text(table, COL_HELD_FOR, device->driver);
	table_hex(table, COL_OFFSET, part->offset);
	table_number(table, COL_SIZE, part->size);
	if (bar_has_address(device, bar)) {
		table_hex(table, COL_START, res->start);
		table_hex(table, COL_PAGE, res->start + part->offset);
		table_bool(table, COL_ALIGNED, res->start % sysconf(_SC_PAGESIZE) == 0);
	}
	table_text(table, COL_BESIDE, beside);
	table_bool(table, COL_OTHER_GROUP, verdict->neighbours.other_group);
	table_text(table, COL_MAPPABLE, mappables[part->mappable].key);
	table_colour(table, COL_MAPPABLE, mappables[part->mappable].colour);
	table_text(table, COL_CODE, reason_code(part->reason));
	table_text(table, COL_REASON, why);
	help = help_now(subject, part);
	table_text(table, COL_HELP, help);
	free(help);
	free(beside);
	free(why);
}

/* May the summary tell to take it from its driver? Only if the operator has named it, or a VFIO driver has it. */
static bool may_propose(const struct options *options, const struct device *device)
{
	return options->devices || device_is_vfio(device);
}

static void count(struct run *run, const struct subject *subject, const struct verdict *verdict, bool *candidate)
{
	enum mappable worst = MAPPABLE_NOW;
	const struct part *part;

	for_each(part, verdict->part, verdict->parts)
		if (part->mappable < worst)
			worst = part->mappable;
	run->summary.bars[worst]++;
	*candidate |= worst == MAPPABLE_WITH_OURS && may_propose(run->options, subject->device);
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
static void print_help(const struct subject *subject)
{
	const struct verdict *verdict;
	const struct part *part;
	char *said = NULL;

	for_each(verdict, subject->verdicts, BARS)
		for_each(part, verdict->part, verdict->parts) {
			char *help = help_now(subject, part);

			add_help(&said, "  ", help);
			free(help);
		}
	fputs(said ? said : "", stdout);
	free(said);
	for_each(verdict, subject->verdicts, BARS)
		if (verdict->libblkio_realign)
			printf("  libblkio (QEMU's virtio-blk-vfio-pci) does not start if BAR %d can be mapped; "
			       "set realign=%s before the bind\n", (int)(verdict - subject->verdicts),
			       verdict->libblkio_realign);
}

/* Is it worth showing to a person who has not asked for it? */
static bool is_of_interest(const struct run *run, const struct subject *subject)
{
	const struct options *options = run->options;
	const struct verdict *verdict;
	const struct part *part;

	if (run->all || options->all || options->devices || options->slot || options->id || options->class ||
	    options->driver || options->iommu_group >= 0 || options->shared)
		return true;
	for_each(verdict, subject->verdicts, BARS) {
		if (verdict->libblkio_realign)
			return true;
		for_each(part, verdict->part, verdict->parts)
			if (is_candidate(part))
				return true;
	}
	return false;
}

static void add_rows(const struct run *run, const struct subject *subject, struct table *table)
{
	const struct options *options = run->options;
	const struct verdict *verdict;
	const struct part *part;
	int rows = table_rows(table);

	for_each(verdict, subject->verdicts, BARS)
		for_each(part, verdict->part, verdict->parts)
			if ((!options->candidates || is_candidate(part)) &&
			    (!options->shared || verdict->neighbours.other_group))
				add_part(table, subject, verdict, part, !run->all);
	if (table_rows(table) == rows && !options->candidates && !options->shared && options->devices)
		add_device(table, subject);
}

/* The rows of one device; for people at once, under its heading. */
static void show_device(struct run *run, const struct device *device)
{
	struct table *table = run->all ? run->all : table_new("bars", columns, &run->options->format);
	struct subject subject = { .device = device };
	int bar, rows = table_rows(table);
	bool candidate = false;

	for (bar = 0; bar < BARS; bar++)
		if (bar_exists(device, bar)) {
			bar_judge(&run->bus, device, bar, &subject.verdicts[bar]);
			count(run, &subject, &subject.verdicts[bar], &candidate);
		}
	if (is_of_interest(run, &subject)) {
		subject.uses = uses_text(&run->machine, device);
		find_users(&run->machine, &subject);
		add_rows(run, &subject, table);
		run->summary.listed += table_rows(table) > rows;
	} else {
		run->summary.others++;
	}
	if (!run->all && table_rows(table)) {
		print_heading(&subject);
		table_end(table, "  ");
		print_help(&subject);
		putchar('\n');
	} else if (!run->all) {
		table_free(table);
	}
	if (candidate && iommu_may_group(device)) {
		add_text(&run->summary.candidates, " ", "%s", device->address);
		run->summary.groups |= !!group_blocker(&run->bus, device, NULL);
	}
	for (bar = 0; bar < BARS; bar++)
		bar_verdict_free(&subject.verdicts[bar]);
	free(subject.uses);
	free(subject.in_use);
	obstacles_free(&subject.users);
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

static bool is_wanted(const struct options *options, const struct device *device)
{
	int bar;

	if (!device->selected || (options->class && !is_of_class(device, options->class)) ||
	    (options->iommu_group >= 0 && device->group != options->iommu_group) ||
	    (options->driver && strcmp(driver_text(device->driver), options->driver)))
		return false;
	if (options->devices)
		return device->named;
	for (bar = 0; bar < BARS; bar++)
		if (bar_exists(device, bar))
			return true;
	return false;
}

static void print_summary(const struct summary *summary)
{
	int i, all = 0;

	if (summary->others)
		printf("%d other device%s gain%s nothing from this driver; --all shows them.\n", summary->others,
		       summary->others == 1 ? "" : "s", summary->others == 1 ? "s" : "");
	for (i = 0; i <= MAPPABLE_NOW; i++)
		all += summary->bars[i];
	printf("%d memory BAR%s, %ldK pages: %d mappable now, %d with an option, %d with " OURS ", %d not\n", all,
	       all == 1 ? "" : "s", sysconf(_SC_PAGESIZE) / 1024,
	       summary->bars[MAPPABLE_NOW] + summary->bars[MAPPABLE_NOT_NEEDED], summary->bars[MAPPABLE_WITH_OPTION],
	       summary->bars[MAPPABLE_WITH_OURS], summary->bars[MAPPABLE_NO]);
	if (summary->candidates)
		printf("To have them mapped: subpage-vfio bind%s %s\n", summary->groups ? " --group" : "",
		       summary->candidates);
	else if (summary->bars[MAPPABLE_WITH_OURS])
		printf("\"subpage-vfio list DEVICE\" says what to do for a device\n");
}

static int list_run(const struct options *options)
{
	bool people = table_is_for_people(&options->format);
	struct run run = { .options = options };
	const struct device *device;
	int i;

	bus_scan(&run.bus, options->slot, options->id);
	for (i = 0; i < options->devices; i++)
		bus_find(&run.bus, options->device[i]);
	if (people && run.bus.count && !iommu_is_on() && !iommu_is_not_needed())
		printf("No IOMMU is in use, and VFIO needs one: \"subpage-vfio host\" says more.\n\n");
	machine_look(&run.machine, false);
	if (!people)
		run.all = table_new("bars", columns, &options->format);
	for_each(device, run.bus.device, run.bus.count)
		if (is_wanted(options, device))
			show_device(&run, device);
	if (run.all)
		table_end(run.all, "");
	else
		print_summary(&run.summary);
	if (!run.summary.listed && !run.summary.others)
		complain(NULL, "no device matches");
	machine_free(&run.machine);
	free(run.summary.candidates);
	bus_free(&run.bus);
	return CODE_OK;
}

const struct command list_command = {
	.name = "list", .run = list_run,
	.summary = "show memory BARs, and which of their pages a guest can use directly",
	.arguments = "[DEVICE...]", .min_arguments = 0, .max_arguments = ANY_NUMBER,
	.description =
		"Show the memory BARs of devices that could gain, or of those given: can a guest\n"
		"use them without exits, why not, and what helps. Root sees more.\n",
	.option = {
		['a'] = "also devices that gain nothing from this driver",
		['s'] = "only devices at such an address, as with lspci",
		['d'] = "only devices with such ids: VENDOR:DEVICE[:CLASS]",
		['c'] = "only of that class: 01, 0108, or part of its name",
		['D'] = "only devices that this driver has; \"none\": no driver",
		['G'] = "only devices of that IOMMU group",
		['C'] = "only what a command or an option would have mapped",
		['S'] = "only BARs on pages with those of other IOMMU groups",
	},
	.columns = columns,
	.first_reason = REASON_WHOLE_PAGES, .last_reason = REASON_BRIDGE,
	.examples = "  subpage-vfio list --raw -o ADDRESS,BAR,MAPPABLE,REASON_CODE 01:00.0\n"
		"  subpage-vfio list --json | jq '.bars[] | select(.mappable != \"now\")'\n",
};
