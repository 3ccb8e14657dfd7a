// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that the driver of align_for= does not take: the BARs have their true size again, at once, or,
 * where that driver leaves a region of the BAR to the driver core, with the next bind, or with the device.
 * To a probe that is put off (deferred) the driver core does the same.
 */
#include "cases.h"
#include "log.h"
#include "zoo.h"

/* It looks at the first BAR of whatever it is given, and wants registers there that make sense. */
#define PICKY "sdhci-pci"

static bool has_true_size(const struct zoo_bar *at)
{
	struct pci_bar bar;

	return !pci_bar(&at->dev, at->bar, &bar) && bar.size == at->size && !*zoo_held(at);
}

/* Its first BAR is of I/O, so it is refused before any region is requested. */
static void check_at_once(const struct zoo_bar *at)
{
	int i;

	about("refused");
	for (i = 0; i < 2; i++) {
		about("%s", i ? "again" : "once");
		is_errno(pci_bind(&at->dev, PICKY), -ENODEV, "the driver does not take it");
		ok(has_true_size(at), "the BAR has its true size, and is not held");
	}
	ok(zoo_stock_maps(at), "it has been moved to a page");
	is_u64(zoo_register(at), zoo_address(at), "where its register says it is");
	is_errno(pci_bind(&at->dev, STOCK), 0, "vfio-pci takes it after that");
	ok(zoo_claimed(at) && *zoo_held(at), "and the BAR is held");
	pci_bind(&at->dev, "");
	ok(has_true_size(at), "until it is unbound");
}

/* Its registers make no sense to that driver, which finds that out with the region requested (devres). */
static void leave_region(const struct zoo_bar *at)
{
	int mark = log_mark();

	is_errno(pci_bind(&at->dev, PICKY), -ENODEV, "the driver does not take it");
	is_str(zoo_held(at), "256 -", "it is held, for no driver");
	ok(log_has(mark, "one is still in use; the next bind restores their true size"), "the log says so");
	close(mark);
	is_errno(module_unload(), -EAGAIN, "this module cannot be unloaded");
}

static void check_left_region(const struct zoo_bar *at)
{
	about("refused with a region");
	leave_region(at);
	is_errno(pci_bind(&at->dev, OURS), 0, "this driver takes it");
	ok(zoo_has_page(at) && zoo_claimed(at), "with a page of its own");
	is_str(zoo_held(at), "", "and no longer held");
	is_str(zoo_sysfs(at, "size"), "256", "its true size is known");
	pci_bind(&at->dev, "");
	ok(has_true_size(at), "unbound, it has its true size");
}

/* The kernel itself keeps its last words (ramoops) there, and does not care whether the device goes. */
static void check_removed(const struct zoo_bar *at)
{
	char where[128];

	about("removed");
	leave_region(at);
	snprintf(where, sizeof(where), "mem_address=%#llx mem_type=1 %s", (unsigned long long)zoo_address(at),
		 "mem_size=0x100 record_size=0x100 console_size=0 ftrace_size=0 pmsg_size=0");
	is_errno(kmod_insert("ramoops", where), 0, "the kernel uses its BAR");
	is_errno(pci_remove(&at->dev), 0, "the device is removed");
	is_u64(zoo_held_count(), 0, "nothing is held");
	is_errno(kmod_remove("ramoops"), 0, "the kernel uses it no more");
	pci_rescan();
	ok(has_true_size(at), "found anew, it has its true size");
}

MODULE_CASE(align_refused, "align_for=" STOCK "," PICKY)
{
	static struct zoo_bar bars[ZOO_MAX];
	const struct zoo_bar *nic, *memory;
	int count = zoo_list_packed(bars);

	nic = zoo_named(bars, count, "rtl8139");
	memory = zoo_named(bars, count, "ivshmem");
	if (!ok(nic && memory && !zoo_alone(nic),
		"there are devices that the driver does not know, and share a page") ||
	    !is_errno(kmod_insert(PICKY, ""), 0, "that driver is loaded"))
		return;
	check_at_once(nic);
	check_left_region(memory);
	check_removed(memory);
}
