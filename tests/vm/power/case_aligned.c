// SPDX-License-Identifier: GPL-2.0-only
/*
 * POWER gives each BAR a page of its own at boot. Nothing has to move there; what
 * the claim adds is that the page stays the BAR's own.
 */
#include <endian.h>
#include <sys/mman.h>

#include "cases.h"
#include "vfio.h"
#include "zoo.h"

/* IORESOURCE_SIZEALIGN and IORESOURCE_STARTALIGN, of the kernel. */
#define SIZEALIGN 0x00040000
#define ALIGN (SIZEALIGN | 0x00080000)

static struct zoo_bar bars[ZOO_MAX];
static int count;

static const struct zoo_bar *named(const char *name)
{
	return zoo_named(bars, count, name);
}

static bool is_claimed(const struct zoo_bar *at)
{
	return zoo_any_claim() && zoo_claimed(at);
}

static void check_bar(const struct zoo_bar *at)
{
	uint64_t before = zoo_address(at);
	struct pci_bar home, now;
	struct vfio vfio;
	uint32_t value;
	void *map;

	pci_bar(&at->dev, at->bar, &home);

	ok(zoo_stock_maps(at), "%s: alone on its page as the kernel placed it", at->name);
	is_errno(pci_bind(&at->dev, OURS), 0, "%s: bound", at->name);
	is_str(zoo_sysfs(at, "state"), "in_place", "%s: claimed in place", at->name);
	is_u64(zoo_address(at), before, "%s: not moved", at->name);
	pci_bar(&at->dev, at->bar, &now);
	is_u64(now.flags & ALIGN, SIZEALIGN, "%s: aligned to its size of a page, should it be placed anew", at->name);
	ok(is_claimed(at), "%s: the page is claimed while nobody has the device open", at->name);
	if (is_errno(vfio_open(&at->dev, &vfio), 0, "%s: opened", at->name)) {
		ok(zoo_reported_mmap(at, &vfio), "%s: mappable", at->name);
		if (is_errno(vfio_map(&vfio, at->bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "%s: mapped",
			     at->name)) {
			vfio_read32(&vfio, at->bar, at->reg, &value);
			is_u64(le32toh(*(volatile uint32_t *)((char *)map + at->reg)), value,
			       "%s: mapped and trapped read agree", at->name);
			munmap(map, sysconf(_SC_PAGESIZE));
		}
		ok(is_claimed(at), "%s: and while it is open", at->name);
		vfio_close(&vfio);
	}
	ok(is_claimed(at), "%s: and when it is closed again", at->name);
	is_errno(pci_bind(&at->dev, ""), 0, "%s: unbound", at->name);
	is_u64(zoo_address(at), before, "%s: still not moved", at->name);
	pci_bar(&at->dev, at->bar, &now);
	is_u64(now.flags, home.flags, "%s: its flags are those from before", at->name);
	ok(!is_claimed(at), "%s: no claim is left", at->name);
}

/* Find the device anew, when the alignment no longer gives each BAR a page. */
static void place_anew(const struct zoo_bar *at)
{
	is_errno(file_write("/sys/bus/pci/resource_alignment", "8@pci:0:0"), 0, "alignment of 256 bytes");
	pci_remove(&at->dev);
	pci_rescan();
	ok(pci_present(&at->dev), "%s is found anew", at->name);
	diag("at %#llx", (unsigned long long)zoo_address(at));
}

static bool on_page_of(const struct zoo_bar *at, const struct zoo_bar *other)
{
	return zoo_address(at) / sysconf(_SC_PAGESIZE) == zoo_address(other) / sysconf(_SC_PAGESIZE);
}

/* Its neighbour is placed where there is room enough beside it. */
static void check_stock(const struct zoo_bar *first, const struct zoo_bar *neighbour)
{
	about("beside stock vfio-pci");
	is_errno(pci_bind(&first->dev, "vfio-pci"), 0, "%s: bound", first->name);
	place_anew(neighbour);
	ok(on_page_of(neighbour, first), "%s is placed on its page", neighbour->name);
	is_errno(pci_bind(&first->dev, ""), 0, "%s: unbound", first->name);
}

static void check_ours(const struct zoo_bar *first, const struct zoo_bar *neighbour)
{
	about("beside this driver");
	pci_remove(&neighbour->dev);
	is_errno(pci_bind(&first->dev, OURS), 0, "%s: bound", first->name);
	is_str(zoo_sysfs(first, "state"), "in_place", "%s: claimed in place", first->name);
	place_anew(neighbour);
	ok(!on_page_of(neighbour, first), "%s is placed elsewhere", neighbour->name);
	ok(is_claimed(first), "%s: the claim stands", first->name);
	is_errno(pci_bind(&first->dev, ""), 0, "%s: unbound", first->name);
}

/* The kernel has taken all flags of alignment from it as it placed it. */
static void check_moved(const struct zoo_bar *first, const struct zoo_bar *neighbour)
{
	about("beside a neighbour");
	place_anew(neighbour);
	ok(on_page_of(neighbour, first), "%s is placed on the page", neighbour->name);
	is_errno(pci_bind(&first->dev, OURS), 0, "%s: bound", first->name);
	is_str(zoo_sysfs(first, "state"), "moved", "%s: moved", first->name);
	ok(is_claimed(first), "%s: it has a page", first->name);
	is_errno(pci_bind(&first->dev, ""), 0, "%s: unbound", first->name);
}

MODULE_CASE(aligned, "")
{
	const struct zoo_bar *first, *neighbour;
	int i;

	count = zoo_list(bars);
	if (!ok(count >= 5, "%d sub-page BARs", count))
		return;
	for (i = 0; i < count; i++)
		check_bar(&bars[i]);

	/* 4K at the start of a page, 256 bytes elsewhere: room enough beside it. */
	first = named("pci-testdev");
	neighbour = named("sdhci");
	if (!ok(first && neighbour, "the machine has the devices"))
		return;
	check_stock(first, neighbour);
	check_ours(first, neighbour);
	check_moved(first, neighbour);
}
