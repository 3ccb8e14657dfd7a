// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hot-added device that does not fit makes the PCI core release the whole
 * bridge window, under a device that is bound, or even open.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "file.h"
#include "kmod.h"
#include "log.h"
#include "monitor.h"
#include "tap.h"
#include "zoo.h"

#define OURS "subpage_vfio_pci"
#define ROOT_PORT 0x1b36, 0x000c
#define BRIDGE 0x1b36, 0x000e
#define EDU 0x1234, 0x11e8

static struct zoo_bar at;
static struct pci_dev bridge;

static bool find(void)
{
	static struct zoo_bar bars[ZOO_MAX];
	const struct zoo_bar *found = zoo_named(bars, zoo_list(bars), "sdhci");

	if (found)
		at = *found;
	return found;
}

static bool wait_lost(unsigned int ms)
{
	while (zoo_any_claim()) {
		if (ms < 100)
			return false;
		sleep_ms(100);
		ms -= 100;
	}
	return true;
}

/* edu's BAR has 1 MiB. */
static void add(int slot)
{
	char reply[512];

	about("edu%d", slot);
	is_errno(monitor_cmd(reply, sizeof(reply), "device_add edu,id=edu%d,bus=bridge,addr=%d", slot, slot),
		 0, "a device with a BAR of 1 MiB is plugged in");
	is_str(reply, "", "QEMU has no objection");
}

static bool log_has(int mark, const char *text)
{
	char *log = log_since(mark);
	bool has = strstr(log, text) != NULL;

	if (!has)
		diag("the log has no \"%s\"", text);
	free(log);
	return has;
}

/* With the port gone there is room for all of it, elsewhere. */
static void start_over(void)
{
	struct pci_dev port;

	about("found anew");
	is_errno(pci_find(ROOT_PORT, 0, &port), 0, "there is a root port");
	is_errno(pci_remove(&port), 0, "the port is removed, and all behind it");
	pci_rescan();
	if (!ok(find(), "after a rescan the device is back"))
		return;
	is_errno(pci_bind(&at.dev, OURS), 0, "and can be bound");
	ok(zoo_claimed(&at), "with a page of its own");
}

static void unbind_says_lost(void)
{
	int mark = log_mark();

	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(log_has(mark, "page lost"), "the log says what was lost");
	close(mark);
}

/*
 * shpchp shares the group with the devices behind its bridge, which then cannot be opened. And as
 * it goes it waits for work that takes the lock under which its port would be removed: lockdep tells.
 */
static void free_bridge(void)
{
	is_errno(pci_unbind(&bridge), 0, "the bridge has no driver any more");
}

static void check_closed(void)
{
	struct pci_dev edu;

	about("lost while it is bound");
	add(3);
	is_errno(pci_wait(EDU, 0, &edu, BUTTON_MS), 0, "it fits");
	/* A rescan waits until the PCI core is done. */
	pci_rescan();
	ok(zoo_claimed(&at), "the claim stands");
	add(4);
	ok(wait_lost(BUTTON_MS), "it does not fit, and the window is gone from /proc/iomem");
	pci_rescan();
	unbind_says_lost();
	free_bridge();
	start_over();
}

static void check_opened_after(void)
{
	struct vfio_region_info *info;
	struct vfio vfio;
	void *map;
	int mark;

	about("lost while it is bound, opened after that");
	add(5);
	ok(wait_lost(BUTTON_MS), "the window is gone");
	pci_rescan();
	free_bridge();
	mark = log_mark();
	if (is_errno(vfio_open(&at.dev, &vfio), 0, "it can be opened")) {
		is_errno(vfio_region(&vfio, at.bar, &info), 0, "region info");
		ok(!(info->flags & VFIO_REGION_INFO_FLAG_MMAP), "the BAR is not reported as mappable");
		free(info);
		is_errno(vfio_map(&vfio, at.bar, 0, 4096, &map), -EINVAL, "mmap is refused");
		vfio_close(&vfio);
	}
	ok(log_has(mark, "page lost"), "the log says what was lost");
	close(mark);
	is_str(zoo_sysfs(&at, "state"), "lost", "and so does sysfs");
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	start_over();
}

static void plug(const char *device)
{
	char reply[512];

	about("%s", device);
	is_errno(monitor_cmd(reply, sizeof(reply), "device_add %s", device), 0, "%s", device);
	is_str(reply, "", "QEMU has no objection");
}

/* pciehp hears nothing of its slot, then all at once: it takes the slot for empty until then. */
static void slot_interrupt(const struct pci_dev *port, bool on)
{
	int at = pci_capability(port, PCI_CAP_ID_EXP) + PCI_EXP_SLTCTL;
	uint16_t control = pci_config_read(port, at, 2) & ~PCI_EXP_SLTCTL_HPIE;

	pci_config_write(port, at, 2, control | (on ? PCI_EXP_SLTCTL_HPIE : 0));
}

/*
 * shpchp keeps the group from being used while it has the bridge, so it takes
 * pciehp to lose the window of a device that is open. The device is function 1 of
 * a slot whose function 0 is a bridge. Out of the kernel's sight function 0 gets
 * devices for which the port's window is too small, and is then found as if it
 * had been plugged.
 */
CASE(lost_open)
{
	volatile uint32_t *reg;
	struct pci_dev port;
	struct vfio vfio;
	uint32_t value;
	void *map;
	int slot;

	if (!is_errno(module_load(""), 0, "the module loads") ||
	    !is_errno(pci_find(ROOT_PORT, 0, &port), 0, "there is a root port"))
		return;
	slot_interrupt(&port, false);
	plug("sdhci-pci,bus=bridgeport,addr=0.1");
	plug("pcie-pci-bridge,id=bridge,bus=bridgeport,addr=0.0,multifunction=on");
	pci_rescan();
	if (!ok(find(), "there is a sub-page BAR behind it") ||
	    !is_errno(pci_find(BRIDGE, 0, &bridge), 0, "and beside it a bridge") ||
	    !is_errno(pci_remove(&bridge), 0, "which is removed"))
		return;
	for (slot = 1; slot <= 8; slot++)
		add(slot);

	is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound");
	ok(zoo_claimed(&at), "with a page of its own");
	if (!is_errno(vfio_open(&at.dev, &vfio), 0, "opened"))
		return;
	is_errno(vfio_map(&vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "and mapped");
	reg = (void *)((char *)map + at.reg);
	is_errno(vfio_read32(&vfio, at.bar, at.reg, &value), 0, "read");
	is_u64(*reg, value, "and read through the mapping");

	slot_interrupt(&port, true);
	ok(wait_lost(BUTTON_MS), "pciehp finds the bridge, and the window is gone");
	pci_rescan();
	/* Nobody may answer there now; it must not hang or crash. */
	diag("the mapping reads %#x, it was %#x", *reg, value);
	vfio_close(&vfio);
	munmap(map, sysconf(_SC_PAGESIZE));
	unbind_says_lost();
	start_over();
	pci_bind(&at.dev, "");
	is_errno(module_unload(), 0, "the module unloads");
}

CASE(lost)
{
	if (!is_errno(module_load(""), 0, "the module loads") ||
	    !is_errno(pci_find(BRIDGE, 0, &bridge), 0, "there is a bridge") ||
	    !ok(find(), "there is a sub-page BAR behind it") ||
	    !is_errno(pci_bind(&at.dev, OURS), 0, "it is bound"))
		return;
	ok(zoo_claimed(&at), "it has a page of its own");

	check_closed();
	check_opened_after();
	pci_bind(&at.dev, "");
	is_errno(module_unload(), 0, "the module unloads");
}
