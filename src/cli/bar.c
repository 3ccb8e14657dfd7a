// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bar.h"
#include "output.h"

static uint64_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

bool bar_exists(const struct device *device, int bar)
{
	const struct resource *res = &device->resource[bar];

	return res->size && (res->flags & RESOURCE_MEMORY);
}

static bool has_address(const struct resource *res)
{
	return res->start && !(res->flags & RESOURCE_UNSET);
}

static bool overlap(uint64_t start, uint64_t end, uint64_t other_start, uint64_t other_end)
{
	return start <= other_end && other_start <= end;
}

static void add_neighbour(struct neighbours *to, char *name)
{
	to->name = allocate(to->name, (to->count + 1) * sizeof(*to->name));
	to->name[to->count++] = name;
}

static void find_devices(const struct bus *bus, const struct device *device, int bar,
			 uint64_t page, struct neighbours *found)
{
	int i, n;

	for (i = 0; i < bus->count; i++) {
		const struct device *other = &bus->device[i];

		for (n = 0; n < RESOURCES; n++) {
			const struct resource *res = &other->resource[n];

			if ((other == device && n == bar) || !bar_exists(other, n) ||
			    !has_address(res) ||
			    !overlap(page, page + page_size() - 1, res->start,
				     res->start + res->size - 1))
				continue;
			if (n < ROM)
				add_neighbour(found, format("%s BAR %d", other->address, n));
			else if (n == ROM)
				add_neighbour(found, format("%s ROM", other->address));
			/* The physical function's range holds its virtual functions' BARs. */
			else if (!device->virtfn)
				add_neighbour(found, format("%s VF BAR %d", other->address,
							    n - ROM - 1));
		}
	}
}

/* Is that range, of /proc/iomem, part of what a PCI device has there? */
static bool is_of_a_device(const struct bus *bus, uint64_t start, uint64_t end)
{
	int i, n;

	for (i = 0; i < bus->count; i++)
		for (n = 0; n < RESOURCES; n++) {
			const struct resource *res = &bus->device[i].resource[n];

			if (res->size && (res->flags & RESOURCE_MEMORY) &&
			    start >= res->start && end < res->start + res->size)
				return true;
		}
	return false;
}

/*
 * What is no PCI device: an interrupt controller, firmware's own. The addresses
 * are all 0 for who is not root.
 */
static void find_others(const struct bus *bus, uint64_t page, struct neighbours *found)
{
	FILE *iomem = fopen("/proc/iomem", "re");
	uint64_t page_end = page + page_size() - 1;
	char line[256];

	while (iomem && fgets(line, sizeof(line), iomem)) {
		unsigned long long start, end;
		int name = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, " %llx-%llx : %n", &start, &end, &name) < 2 || !name ||
		    !overlap(page, page_end, start, end) || (start <= page && end >= page_end) ||
		    is_of_a_device(bus, start, end) ||
		    /* What vfio-pci and this driver lay over the rest of a page. */
		    !strncmp(line + name, "subpage_vfio_pci ", strlen("subpage_vfio_pci ")) ||
		    !strcmp(line + name, "vfio sub-page reserved"))
			continue;
		add_neighbour(found, format("%s", line + name));
	}
	if (iomem)
		fclose(iomem);
}

static void set(struct verdict *verdict, enum mappable mappable, char *why)
{
	verdict->mappable = mappable;
	verdict->why = why;
}

/* The driver knows: it has tried. */
static void judge_claimed(const struct device *device, int bar, struct verdict *verdict)
{
	char path[48], state[32] = "", reason[200] = "";
	bool stands;

	snprintf(path, sizeof(path), OURS "/bar%d_state", bar);
	device_read(device, path, state, sizeof(state));
	snprintf(path, sizeof(path), OURS "/bar%d_reason", bar);
	device_read(device, path, reason, sizeof(reason));
	stands = !strcmp(state, "in_place") || !strcmp(state, "moved");
	set(verdict, stands ? MAPPABLE_NOW : MAPPABLE_NO, format("%s", reason));
}

/* Does the MSI-X table, where it is hidden, leave nothing of the BAR? */
static bool is_all_table(const struct device *device, int bar)
{
	uint64_t mask = page_size() - 1;

	return device->msix_bar == bar && device->msix_size && device->msix_offset <= mask &&
	       ((device->msix_offset + device->msix_size + mask) & ~mask) >=
	       device->resource[bar].size;
}

static bool hides_table(const struct device *device)
{
	char state[32] = "";

	device_read(device, OURS "/msix_state", state, sizeof(state));
	return !strcmp(state, "hidden");
}

static bool is_claim_candidate(const struct device *device, int bar)
{
	char path[48];

	snprintf(path, sizeof(path), OURS "/bar%d_state", bar);
	return device_has(device, path);
}

void bar_judge(const struct bus *bus, const struct device *device, int bar, struct verdict *verdict)
{
	const struct resource *res = &device->resource[bar];
	uint64_t page = res->start & ~(page_size() - 1);

	*verdict = (struct verdict) { 0 };
	if (has_address(res) && res->size < page_size()) {
		find_devices(bus, device, bar, page, &verdict->neighbours);
		find_others(bus, page, &verdict->neighbours);
	}

	if (device->bridge)
		set(verdict, MAPPABLE_NO, format("a bridge: VFIO takes none"));
	else if (is_all_table(device, bar) && hides_table(device))
		set(verdict, MAPPABLE_NO, format("the MSI-X table is in all of its pages"));
	else if (is_claim_candidate(device, bar))
		judge_claimed(device, bar, verdict);
	else if (!has_address(res))
		set(verdict, MAPPABLE_NO, format("it has no address"));
	else if (res->size >= page_size())
		set(verdict, MAPPABLE_NOW, format("a page or more%s", is_all_table(device, bar) ?
		    "; the MSI-X table is in all of its pages" : ""));
	else if (res->start == page && !verdict->neighbours.count)
		set(verdict, MAPPABLE_NOW, format("alone on its page, as long as nothing is placed beside it"));
	else if (device->virtfn)
		set(verdict, MAPPABLE_NO, format("a virtual function: the physical function places it"));
	else if (res->flags & (RESOURCE_FIXED | RESOURCE_ENHANCED))
		set(verdict, MAPPABLE_NO, format("the device cannot move it"));
	else
		set(verdict, MAPPABLE_WITH_OURS, format("%s%s", verdict->neighbours.count ?
		    "shares its page" : "does not start on a page", is_all_table(device, bar) ?
		    "; holds the MSI-X table, which msix_mmap must allow" : ""));
}

void bar_verdict_free(struct verdict *verdict)
{
	int i;

	for (i = 0; i < verdict->neighbours.count; i++)
		free(verdict->neighbours.name[i]);
	free(verdict->neighbours.name);
	free(verdict->why);
}
