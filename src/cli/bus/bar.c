// SPDX-License-Identifier: GPL-2.0-only
#include "bus/bar.h"
#include "bus/file.h"
#include "bus/iommu.h"
#include "print/output.h"

static uint64_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

bool bar_exists(const struct device *device, int bar)
{
	const struct resource *res = &device->resource[bar];

	return res->size && (res->flags & RESOURCE_MEMORY);
}

bool bar_has_address(const struct device *device, int bar)
{
	return device->resource[bar].start && !(device->resource[bar].flags & RESOURCE_UNSET);
}

static bool overlap(uint64_t start, uint64_t end, uint64_t other_start, uint64_t other_end)
{
	return start <= other_end && other_start <= end;
}

static void find_devices(const struct bus *bus, const struct device *device, int bar,
			 uint64_t page, uint64_t end, struct neighbours *found)
{
	const struct device *other;
	int n;

	for_each(other, bus->device, bus->count)
		for (n = 0; n < RESOURCES; n++) {
			const struct resource *res = &other->resource[n];

			if ((other == device && n == bar) || !bar_exists(other, n) || !bar_has_address(other, n) ||
			    !overlap(page, end, res->start, res->start + res->size - 1))
				continue;
			if (other != device && (other->group < 0 || other->group != device->group))
				found->other_group = true;
			if (n < ROM)
				*grow(found->name, found->count) = format("%s BAR %d", other->address, n);
			else if (n == ROM)
				*grow(found->name, found->count) = format("%s ROM", other->address);
			/* The physical function's range holds its virtual functions' BARs. */
			else if (!device->virtfn)
				*grow(found->name, found->count) = format("%s VF BAR %d", other->address, n - ROM - 1);
		}
}

/* Is that range, of /proc/iomem, part of what a PCI device has there? */
static bool is_of_a_device(const struct bus *bus, uint64_t start, uint64_t end)
{
	const struct device *device;
	const struct resource *res;

	for_each(device, bus->device, bus->count)
		for_each(res, device->resource, RESOURCES)
			if (res->size && (res->flags & RESOURCE_MEMORY) &&
			    start >= res->start && end < res->start + res->size)
				return true;
	return false;
}

/* What is no PCI device: an interrupt controller, the firmware's own. Without root all addresses are 0. */
static void find_others(const struct bus *bus, uint64_t page, struct neighbours *found)
{
	uint64_t page_end = page + page_size() - 1;
	struct lines iomem = { 0 };

	while (next_line(&iomem, "/proc/iomem")) {
		unsigned long long start, end;
		int at = 0;

		/* The last two are what vfio-pci and this driver lay over the rest of a page. */
		if (sscanf(iomem.line, " %llx-%llx : %n", &start, &end, &at) == 2 && at &&
		    overlap(page, page_end, start, end) && (start > page || end < page_end) &&
		    !is_of_a_device(bus, start, end) && strncmp(iomem.line + at, OURS " ", strlen(OURS " ")) &&
		    strcmp(iomem.line + at, "vfio sub-page reserved"))
			*grow(found->name, found->count) = format("%s", iomem.line + at);
	}
}

#define PARAMETERS "/sys/module/" OURS "/parameters/"

/* An option's value with another one for this device alone: "VALUE,VALUE@ADDRESS,...", those of others stay. */
static char *option_list(const struct device *device, const char *option, const char *value)
{
	char now[1024], *item, *rest, *list = NULL;

	file_read(now, sizeof(now), PARAMETERS "%s", option);
	for (item = strtok_r(now, ",", &rest); item; item = strtok_r(NULL, ",", &rest))
		if (!strchr(item, '@') || strcmp(strchr(item, '@') + 1, device->address))
			add_text(&list, ",", "%s", item);
	add_text(&list, ",", "%s@%s", value, device->address);
	return list;
}

/* What sets it. */
static char *option_for(const struct device *device, const char *option, const char *value)
{
	char *list = option_list(device, option, value), *help;

	help = format("echo %s > " PARAMETERS "%s; subpage-vfio unbind %s; subpage-vfio bind %s", list, option,
		      device->address, device->address);
	free(list);
	return help;
}

/* All windows that are full, in one line: the kernel takes the last "pci=resource_alignment=" alone. */
static char *windows_help(const struct bus *bus)
{
	char *list = NULL, *help, state[32];
	const struct device *device;
	int bar;

	for_each(device, bus->device, bus->count)
		for (bar = 0; bar < BARS; bar++)
			if (device_read_bar(device, bar, "state", state, sizeof(state)) > 0 &&
			    !strcmp(state, "no_space")) {
				add_text(&list, ";", "%d@%s", __builtin_ctzll(page_size()), device->address);
				break;
			}
	help = format("boot with \"pci=realloc,resource_alignment=%s\"", list ? list : "");
	free(list);
	return help;
}

/* What helps a BAR that the driver has not given a page. */
static char *state_help(const struct bus *bus, const struct device *device, enum reason reason)
{
	switch (reason) {
	case REASON_REALIGN_OFF:
	case REASON_TRAP:
		return option_for(device, "realign", "1");
	case REASON_NO_SPACE:
		return windows_help(bus);
	case REASON_FAILED:
		return format("dmesg | grep %s", device->address);
	case REASON_LOST:
		return format("subpage-vfio unbind %s; echo 1 > /sys/bus/pci/devices/%s/remove; "
			      "echo 1 > /sys/bus/pci/rescan; subpage-vfio bind %s",
			      device->address, device->address, device->address);
	default:
		return NULL;
	}
}

/* What gives the BAR its page: what can be done, that is. */
static char *bind_help(const struct bus *bus, const struct device *device)
{
	if (!iommu_may_group(device))
		return format("subpage-vfio host");
	return format("subpage-vfio bind %s%s", group_blocker(bus, device, NULL) ? "--group " : "", device->address);
}

/* The driver knows: it has tried. Returns false if this is no BAR for it. */
static bool judge_claimed(const struct bus *bus, const struct device *device, int bar, struct part *part)
{
	char state[32], reason[200];

	if (device_read_bar(device, bar, "state", state, sizeof(state)) < 0)
		return false;
	device_read_bar(device, bar, "reason", reason, sizeof(reason));
	part->why = format("%s", reason);
	if (!strcmp(state, "in_place") || !strcmp(state, "moved")) {
		part->reason = REASON_OWN_PAGE;
		part->mappable = MAPPABLE_NOW;
		return true;
	}
	part->reason = reason_of_state(state);
	part->mappable = MAPPABLE_NO;
	part->help = state_help(bus, device, part->reason);
	return true;
}

static void set(struct part *part, enum mappable mappable, enum reason reason, char *why, char *help)
{
	part->mappable = mappable;
	part->reason = reason;
	part->why = why;
	part->help = help;
}

/*
 * Once libblkio may map a virtio disk's BAR it maps virtio's structures, which lie 4K apart, each by itself.
 * A larger page refuses that, and libblkio does not go through the device's file then.
 */
static bool stops_libblkio(const struct device *device, int bar, const struct part *whole)
{
	uint64_t size = device->resource[bar].size;

	return device->vendor == 0x1af4 && (device->device == 0x1001 || device->device == 0x1042) &&
		size > 4096 && size < page_size() &&
		(whole->mappable == MAPPABLE_WITH_OURS || whole->reason == REASON_OWN_PAGE);
}

/* The BAR as a whole, as if there were no MSI-X table. */
static void judge_bar(const struct bus *bus, const struct device *device, int bar,
		      const struct neighbours *neighbours, struct part *part)
{
	const struct resource *res = &device->resource[bar];
	bool on_a_page = res->start % page_size() == 0;

	if (device->bridge)
		set(part, MAPPABLE_NO, REASON_BRIDGE, format("a bridge, which VFIO does not support"), NULL);
	else if (judge_claimed(bus, device, bar, part))
		return;
	else if (res->held)
		set(part, MAPPABLE_NOW, REASON_OWN_PAGE,
		    format("alone on its page, held for %s", device->driver), NULL);
	else if (!bar_has_address(device, bar))
		set(part, MAPPABLE_NO, REASON_UNASSIGNED, format("it has no address"), NULL);
	else if (res->size >= page_size())
		set(part, MAPPABLE_NOW, REASON_WHOLE_PAGES, format("a page or more"), NULL);
	else if (on_a_page && !neighbours->count)
		set(part, MAPPABLE_NOW, REASON_ALONE,
		    format("alone on its page, as long as nothing is placed beside it"), NULL);
	else if (device->virtfn)
		set(part, MAPPABLE_NO, REASON_VIRTFN,
		    format("a virtual function: the physical function places it"), NULL);
	else if (res->flags & (RESOURCE_FIXED | RESOURCE_ENHANCED))
		set(part, MAPPABLE_NO, REASON_FIXED, format("the device cannot move it"), NULL);
	else
		set(part, MAPPABLE_WITH_OURS, neighbours->count ? REASON_SHARED_PAGE : REASON_NOT_ON_A_PAGE,
		    format(neighbours->count ? "shares its page" : "does not start on a page"),
		    bind_help(bus, device));
}

int bar_for_msix(const struct device *device)
{
	int bar, smallest = -1;

	for (bar = 0; bar < BARS; bar++) {
		const struct resource *res = &device->resource[bar];

		if (!res->size && !(bar && device->resource[bar - 1].size &&
				    device->resource[bar - 1].flags & RESOURCE_64BIT))
			return bar;
		if (bar_exists(device, bar) && (smallest < 0 || res->size < device->resource[smallest].size))
			smallest = bar;
	}
	return smallest;
}

/* What of the BAR lies on the pages of its MSI-X table; size 0: there is none. */
static void table_pages(const struct device *device, int bar, uint64_t *offset, uint64_t *size)
{
	uint64_t mask = page_size() - 1, end;

	*offset = *size = 0;
	if (device->msix != MSIX_PRESENT || device->msix_bar != bar || !device->msix_size ||
	    device->msix_offset >= device->resource[bar].size)
		return;
	*offset = device->msix_offset & ~mask;
	end = (device->msix_offset + (uint64_t)device->msix_size + mask) & ~mask;
	if (end > device->resource[bar].size)
		end = device->resource[bar].size;
	*size = end - *offset;
}

/* A BAR that is made for an MSI-X table alone is no larger: 2048 vectors and their pending bits. */
#define TABLE_BAR_MAX 65536

/*
 * Has the table these pages for itself? Devices that follow the PCI specification's advice keep 4K around it free of
 * registers, and where it starts a small BAR, registers are in another.
 */
static bool has_table_alone(const struct device *device, uint64_t offset, uint64_t size)
{
	uint64_t advised = (device->msix_size + 4095ull) & ~4095ull;

	if (!device->msix_offset && device->resource[device->msix_bar].size <= TABLE_BAR_MAX)
		return true;
	return device->msix_offset == offset && size <= advised;
}

bool bar_table_is_elsewhere(const struct device *device)
{
	char where[16];

	return device_read(device, OURS "/msix_relocation", where, sizeof(where)) > 0 && strcmp(where, "none");
}

bool bar_needs_relocation(const struct device *device)
{
	uint64_t offset, size;

	if (device->msix != MSIX_PRESENT || device->msix_bar < 0 || device->msix_bar >= BARS ||
	    bar_table_is_elsewhere(device))
		return false;
	table_pages(device, device->msix_bar, &offset, &size);
	return size && !has_table_alone(device, offset, size);
}

/* Both, with "; " between; takes them. */
static char *join(char *first, char *second)
{
	if (first && second)
		add_text(&first, "; ", "%s", second);
	else if (second)
		return second;
	free(second);
	return first;
}

/* The driver hides the table: which value of msix_mmap= would show it. */
static char *msix_option(const struct device *device)
{
	char now[1024], *own;

	file_read(now, sizeof(now), PARAMETERS "msix_mmap");
	own = strstr(now, device->address);
	/* Where "isolated" does not help the host does not isolate MSIs: the administrator has to decide. */
	return option_for(device, "msix_mmap",
			  !own && !strncmp(now, "isolated", strlen("isolated")) ? "always" : "isolated");
}

char *bar_relocation(const struct device *device)
{
	int bar = bar_for_msix(device);

	return bar < 0 ? NULL : format("-device vfio-pci,host=%s,x-msix-relocation=bar%d", device->address, bar);
}

char *bar_table_help(const struct bus *bus, const struct device *device)
{
	char policy[1024];
	bool forbidden;

	/* Our driver shows it elsewhere, where the IOMMU isolates interrupts; QEMU can with any driver. */
	if (strcmp(device->driver, OURS))
		return join(bind_help(bus, device), strcmp(device->driver, "vfio-pci") ? NULL : bar_relocation(device));
	file_read(policy, sizeof(policy), PARAMETERS "msix_relocate");
	forbidden = strstr(policy, device->address) || !strncmp(policy, "never", strlen("never"));
	return join(forbidden ? option_for(device, "msix_relocate", "auto") : NULL, bar_relocation(device));
}

static bool hides_table(const struct device *device)
{
	char state[32];

	device_read(device, OURS "/msix_state", state, sizeof(state));
	return !strcmp(state, "hidden");
}

static void judge_table(const struct bus *bus, const struct device *device, const struct part *bar, struct part *part)
{
	char reason[200];

	device_read(device, OURS "/msix_reason", reason, sizeof(reason));
	if (has_table_alone(device, part->offset, part->size))
		set(part, MAPPABLE_NOT_NEEDED, REASON_MSIX_ALONE,
		    format("the MSI-X table, which the VMM emulates, and most likely no registers"), NULL);
	else if (hides_table(device))
		set(part, MAPPABLE_WITH_OPTION, REASON_MSIX_HIDDEN,
		    format("the MSI-X table is on this page, and the driver hides it: %s", reason),
		    join(msix_option(device), bar_relocation(device)));
	else if (bar->mappable == MAPPABLE_WITH_OURS)
		set(part, MAPPABLE_WITH_OURS, bar->reason,
		    format("%s, and the MSI-X table is on it", bar->why), bar_table_help(bus, device));
	else
		set(part, strcmp(device->driver, OURS) ? MAPPABLE_WITH_OURS : MAPPABLE_WITH_OPTION,
		    REASON_MSIX_EMULATED,
		    format("VFIO maps it, but a VMM lays its own MSI-X table over part of this page"),
		    bar_table_help(bus, device));
}

/* A part that shares the answer for the whole BAR. */
static void add_part(struct verdict *verdict, const struct part *bar, uint64_t offset, uint64_t size)
{
	struct part *part = &verdict->part[verdict->parts];

	if (!size)
		return;
	verdict->parts++;
	*part = *bar;
	part->offset = offset;
	part->size = size;
	part->why = format("%s", bar->why);
	part->help = bar->help ? format("%s", bar->help) : NULL;
}

void bar_judge(const struct bus *bus, const struct device *device, int bar, struct verdict *verdict)
{
	const struct resource *res = &device->resource[bar];
	uint64_t page = res->start & ~(page_size() - 1), table, table_size;
	struct part whole = { 0 }, pages = { 0 }, *part;
	bool hidden = hides_table(device);

	*verdict = (struct verdict) { 0 };
	if (bar_has_address(device, bar))
		find_devices(bus, device, bar, page, (res->start + res->size - 1) | (page_size() - 1),
			     &verdict->neighbours);
	if (bar_has_address(device, bar) && res->size < page_size())
		find_others(bus, page, &verdict->neighbours);
	judge_bar(bus, device, bar, &verdict->neighbours, &whole);
	if (stops_libblkio(device, bar, &whole))
		verdict->libblkio_realign = option_list(device, "realign", "trap");
	table_pages(device, bar, &table, &table_size);
	if (table_size && bar_table_is_elsewhere(device)) {
		char why[200] = "";

		device_read(device, OURS "/msix_relocation_reason", why, sizeof(why));
		add_text(&whole.why, "; ", "the MSI-X table is shown %s", why);
		hidden = false;
		table_size = 0;
	}
	if (!table_size || whole.mappable == MAPPABLE_NO) {
		add_part(verdict, &whole, 0, res->size);
	} else {
		add_part(verdict, &whole, 0, table);
		pages.offset = table;
		pages.size = table_size;
		judge_table(bus, device, &whole, &pages);
		verdict->part[verdict->parts++] = pages;
		add_part(verdict, &whole, table + table_size, res->size - table - table_size);
	}
	for_each(part, verdict->part, verdict->parts)
		part->mapped = whole.mappable == MAPPABLE_NOW &&
			!(hidden && part->offset < table + table_size && part->offset + part->size > table);
	free(whole.why);
	free(whole.help);
}

void bar_verdict_free(struct verdict *verdict)
{
	int i;

	for (i = 0; i < verdict->neighbours.count; i++)
		free(verdict->neighbours.name[i]);
	free(verdict->neighbours.name);
	free(verdict->libblkio_realign);
	for (i = 0; i < verdict->parts; i++) {
		free(verdict->part[i].why);
		free(verdict->part[i].help);
	}
}
