// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hot-added device that does not fit makes the PCI core release the whole bridge window, under a
 * device that is bound. lost_open has one that is open.
 */
#include <sys/mman.h>

#include "cases.h"
#include "log.h"
#include "monitor.h"
#include "trace.h"
#include "window.h"

/*
 * The PCI core has placed the BAR anew: the claim went with it, for the BAR is the claim. Or it
 * found no room; then the BAR is lost, and says so.
 */
static bool check_stands(const char *when)
{
	if (zoo_has_page(&at))
		return ok(zoo_claimed(&at), "%s: the BAR has a page of its own again", when);
	return is_str(zoo_sysfs(&at, "state"), "lost", "%s: state in sysfs", when);
}

static void check_closed(uint64_t at_bind)
{
	uint64_t home = zoo_address(&at);
	struct pci_dev edu;
	struct pci_bar bound, unbound;
	char text[96], *trace;
	int mark = log_mark();
	bool lost;

	about("lost while it is bound");
	trace_start();
	window_add(LONG, "bridge", 3);
	is_errno(pci_wait(EDU, 0, &edu, BUTTON_MS), 0, "it fits");
	/* A rescan waits until the PCI core is done. */
	pci_rescan();
	ok(zoo_claimed(&at), "the claim stands");
	window_add(LONG, "bridge", 4);
	ok(window_wait(home, BUTTON_MS), "it does not fit, and the window is gone");
	check_stands("after that");
	lost = !zoo_has_page(&at);
	pci_bar(&at.dev, at.bar, &bound);
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	pci_bar(&at.dev, at.bar, &unbound);
	ok(bound.flags || !unbound.flags, "a BAR that the PCI core has forgotten stays forgotten");
	ok(log_has(mark, "page lost") == lost, "the log says so if the page was lost");
	close(mark);
	trace = trace_end();
	snprintf(text, sizeof(text), "subpage_lost: %s bar=%d state=lost was=%#llx", at.dev.bdf, at.bar,
		 (unsigned long long)at_bind);
	if (lost)
		trace_has(trace, text);
	else
		ok(!strstr(trace, "subpage_lost"), "the trace has no lost page");
	free(trace);
	ok(!zoo_any_claim(), "the BAR has its true size again");
	window_free_bridge();
	window_start_over();
}

static void check_opened_after(void)
{
	uint64_t home = zoo_address(&at);
	int mark = log_mark();
	struct vfio vfio;
	uint32_t value;
	int opened;
	char *log;
	void *map;

	about("lost while it is bound, opened after that");
	window_add(LONG, "bridge", 5);
	ok(window_wait(home, BUTTON_MS), "the window is gone");
	window_free_bridge();
	check_stands("before it is opened");
	opened = vfio_open(&at.dev, &vfio);
	if (!zoo_has_page(&at)) {
		/* Its user could switch memory decode on. */
		is_errno(opened, -EIO, "it is not opened, as its register has an address that it lost");
		log = log_since(mark);
		ok(strstr(log, "page lost"), "the log says why");
		ok(strstr(log, "cannot be opened: BAR 0 has lost its address"), "and what it would decode");
		free(log);
	} else if (is_errno(opened, 0, "it is opened")) {
		ok(zoo_reported_mmap(&at, &vfio), "the BAR is reported as mappable");
		is_errno(vfio_map(&vfio, at.bar, 0, 4096, &map), 0, "it is mapped");
		is_errno(vfio_read32(&vfio, at.bar, at.reg, &value), 0, "read");
		is_u64(*(volatile uint32_t *)((char *)map + at.reg), value, "and read through the mapping");
		munmap(map, 4096);
		vfio_close(&vfio);
	}
	close(mark);
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(!zoo_any_claim(), "the BAR has its true size again");
	window_start_over();
}

/* vfio-pci has it, and nobody but the PCI core looks after its page. */
static void check_held(void)
{
	int mark = log_mark();
	struct pci_bar bar = {};
	bool lost;

	about("lost while it is held for vfio-pci");
	home = zoo_address(&at);
	is_errno(module_set("align_for", STOCK), 0, "align_for");
	is_errno(pci_bind(&at.dev, STOCK), 0, "vfio-pci has it");
	ok(zoo_claimed(&at) && *zoo_held(&at), "its BAR is held");
	window_add(LONG, "bridge", 6);
	ok(window_wait(home, BUTTON_MS), "the window is gone");
	pci_bar(&at.dev, at.bar, &bar);
	lost = bar.size != (uint64_t)sysconf(_SC_PAGESIZE) || bar.start % bar.size;
	if (!lost)
		ok(zoo_claimed(&at), "the PCI core has given it a page again");
	else
		is_u64(bar.size, 0, "the PCI core has found no room for it");
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(log_has(mark, OURS ": BAR 0, at bind") == lost, "the log says so if the page was lost, and who says it");
	close(mark);
	ok(!zoo_any_claim(), "the BAR has its true size again");
	is_u64(zoo_held_count(), 0, "and is not held");
	window_free_bridge();
	window_start_over();
}

MODULE_CASE(lost, "")
{
	uint64_t at_bind;

	if (!is_errno(pci_find(PCIE_PCI_BRIDGE, 0, &bridge), 0, "there is a bridge") ||
	    !ok(window_find(0), "there is a sub-page BAR behind it"))
		return;
	at_bind = zoo_address(&at);
	if (!is_errno(pci_bind(&at.dev, OURS), 0, "it is bound"))
		return;
	ok(zoo_claimed(&at), "it has a page of its own");

	check_closed(at_bind);
	check_opened_after();
	check_held();
	pci_bind(&at.dev, "");
}
