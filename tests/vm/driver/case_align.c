// SPDX-License-Identifier: GPL-2.0-only
/*
 * align_for=vfio-pci: stock vfio-pci is given devices whose BARs are on pages of their
 * own, however it comes by them; nothing else is touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "file.h"
#include "kmod.h"
#include "log.h"
#include "models.h"
#include "tap.h"
#include "zoo.h"

#define DRIVER "/sys/bus/pci/drivers/" STOCK "/"

static struct zoo_bar bars[ZOO_MAX];
static int count, sleepers;

static bool is_native(const struct zoo_bar *at)
{
	return !strcmp(at->name, "nvme");
}

/* Packed again, and known where. */
static void pack(void)
{
	pci_rescan();
	count = zoo_list(bars);
	zoo_repack(bars, count);
	count = zoo_list(bars);
}

/* How many of those that stock vfio-pci has can a user map, and reads there what read() gives? */
static int mapped(void)
{
	int n = 0, i;

	for (i = 0; i < count; i++) {
		volatile uint32_t *reg;
		uint32_t value = 0;
		struct vfio vfio;
		void *map;

		if (strcmp(pci_driver(&bars[i].dev), STOCK) || vfio_open(&bars[i].dev, &vfio))
			continue;
		if (!vfio_map(&vfio, bars[i].bar, 0, sysconf(_SC_PAGESIZE), &map)) {
			reg = (void *)((char *)map + bars[i].reg);
			n += !vfio_read32(&vfio, bars[i].bar, bars[i].reg, &value) && *reg == value;
			munmap(map, sysconf(_SC_PAGESIZE));
		}
		vfio_close(&vfio);
	}
	return n;
}

static void bind_all(const char *driver)
{
	int i;

	for (i = 0; i < count; i++)
		if (!is_native(&bars[i]) && strcmp(pci_driver(&bars[i].dev), driver))
			pci_bind(&bars[i].dev, driver);
}

static int native_bars(void)
{
	int n = 0, i;

	for (i = 0; i < count; i++)
		n += is_native(&bars[i]);
	return n;
}

/* How many have their device asleep: stock vfio-pci has put it there, while nobody has it open. */
static int asleep(void)
{
	char status[32];
	int n = 0, i;

	sleep_ms(200);
	for (i = 0; i < count; i++)
		n += !is_native(&bars[i]) &&
		     pci_attr_read(&bars[i].dev, "power/runtime_status", status, sizeof(status)) > 0 &&
		     !strcmp(status, "suspended");
	return n;
}

static void check_all(const char *how)
{
	int all = count - native_bars(), i;
	struct wrong wrong = {};

	about("%s", how);
	is_u64(mapped(), all, "all are mapped");
	for (i = 0; i < count; i++)
		if (!is_native(&bars[i]) && (!zoo_stock_maps(&bars[i]) || *zoo_sysfs(&bars[i], "state")))
			wrong_add(&wrong, "%s BAR %d at %#llx", bars[i].dev.bdf, bars[i].bar,
				  (unsigned long long)zoo_address(&bars[i]));
	none_wrong(&wrong, "each is alone on a page, and not this driver's");
	ok(!zoo_any_claim(), "each has its true size");
}

/* Bound before the module came. */
static void check_before(void)
{
	uint64_t home[ZOO_MAX];
	int few, i, moved = 0;

	about("bound before");
	bind_all(STOCK);
	few = mapped();
	ok(few < (count - native_bars()) / 2, "%d of %d are mapped", few, count - native_bars());
	for (i = 0; i < count; i++)
		home[i] = zoo_address(&bars[i]);
	is_errno(module_load("align_for=" STOCK), 0, "the module loads");
	for (i = 0; i < count; i++)
		moved += home[i] != zoo_address(&bars[i]);
	is_u64(moved, 0, "none is moved");
	is_u64(mapped(), few, "and no more are mapped");
	sleepers = asleep();
	diag("%d sleep", sleepers);
}

static void check_override(void)
{
	int mark = log_mark(), i, lines;
	char *log;

	bind_all("");
	for (i = 0; i < count; i++)
		/* Those that nobody has sleep if they can: their config space is written all the same. */
		pci_attr_write(&bars[i].dev, "power/control", "auto");
	sleep_ms(200);
	bind_all(STOCK);
	check_all("driver_override");
	is_u64(asleep(), sleepers, "as many sleep as with stock vfio-pci alone");
	log = log_since(mark);
	lines = log_count(log, STOCK " 0000:") ? log_count(log, ": " OURS ": BAR") : 0;
	is_u64(lines, count - native_bars(), "a line of the log for each says who moved it");
	free(log);
	close(mark);
	bind_all("");
}

/* As vfio-pci.ids= does at boot, when the softdep has loaded this module first. */
static void check_ids(void)
{
	char ids[512] = "ids=";
	int i;

	pack();
	bind_all("");
	for (i = 0; i < count; i++)
		if (!is_native(&bars[i]))
			sprintf(ids + strlen(ids), "%s%04x:%04x", ids[4] ? "," : "", bars[i].dev.vendor,
				bars[i].dev.device);
	for (i = 0; i < count; i++)
		pci_attr_write(&bars[i].dev, "driver_override", "\n");
	is_errno(kmod_remove("vfio_pci"), 0, "ids: vfio-pci is unloaded");
	is_errno(kmod_insert("boot", ids), 0, "ids: and loaded with ids=");
	check_all("ids");
}

/* Packed again and nobody's; one that shares its page. */
static struct zoo_bar *sharing(void)
{
	int i;

	pack();
	bind_all("");
	for (i = 0; i < count; i++)
		if (!is_native(&bars[i]) && !zoo_stock_maps(&bars[i]))
			break;
	return ok(i < count, "there is a BAR that shares its page") ? &bars[i] : NULL;
}

static void check_untouched(void)
{
	static const char * const never[] = { "0", "trap" };
	char realign[64];
	struct zoo_bar *at;
	uint64_t home;
	int i;

	about("untouched");
	/* vfio-pci has the ids of all by now. */
	file_write("/sys/module/" OURS "/parameters/align_for", "\n");
	at = sharing();
	if (!at)
		return;
	home = zoo_address(at);
	file_write("/sys/module/" OURS "/parameters/align_for", STOCK);
	for (i = 0; i < 2; i++) {
		snprintf(realign, sizeof(realign), "1,%s@%.15s", never[i], at->dev.bdf);
		file_write("/sys/module/" OURS "/parameters/realign", realign);
		is_errno(pci_bind(&at->dev, STOCK), 0, "with realign=%s for it, vfio-pci has it", never[i]);
		is_u64(zoo_address(at), home, "with realign=%s it stays where it was", never[i]);
		pci_bind(&at->dev, "");
	}
	file_write("/sys/module/" OURS "/parameters/realign", "1");
	file_write("/sys/module/" OURS "/parameters/align_for", "vfio,vfio-pc,vfio_pci,vfio-pci-x,pci\n");
	is_errno(pci_bind(&at->dev, STOCK), 0, "with names that are not quite vfio-pci");
	is_u64(zoo_address(at), home, "it stays, too");
	pci_bind(&at->dev, "");
	/* What was longer before leaves nothing behind. */
	file_write("/sys/module/" OURS "/parameters/align_for", "abc," STOCK);
	file_write("/sys/module/" OURS "/parameters/align_for", "abc");
	is_errno(pci_bind(&at->dev, STOCK), 0, "with its name taken away again");
	is_u64(zoo_address(at), home, "it stays as well");
	pci_bind(&at->dev, "");
	file_write("/sys/module/" OURS "/parameters/align_for", "uio_pci_generic," STOCK ",uio\n");
	is_errno(pci_bind(&at->dev, STOCK), 0, "with three names");
	ok(zoo_address(at) != home && zoo_stock_maps(at), "each counts");
}

/* What this driver's own probe moves it can put back. */
static void check_own_name(void)
{
	struct zoo_bar *at;

	about("with this driver's own name");
	file_write("/sys/module/" OURS "/parameters/align_for", OURS);
	at = sharing();
	if (!at)
		return;
	is_errno(pci_bind(&at->dev, OURS), 0, "it has the device");
	is_str(zoo_sysfs(at, "state"), "moved", "the move is that of its probe");
	pci_bind(&at->dev, "");
	file_write("/sys/module/" OURS "/parameters/align_for", STOCK "\n");
}

#ifdef __x86_64__
/* A bridge, whose own BAR is that small, too: vfio-pci refuses it, and so it is not touched. */
static void check_bridge(void)
{
	struct pci_dev bridge, other;
	struct pci_bar home, now;

	about("a bridge");
	if (!is_errno(pci_find(PCI_BRIDGE, 0, &bridge), 0, "there is one") ||
	    !is_errno(pci_find(PCI_BRIDGE, 1, &other), 0, "and another"))
		return;
	/* Found anew, they are placed beside each other. */
	pci_remove(&other);
	pci_remove(&bridge);
	pci_rescan();
	ok(!zoo_stock_maps_bar(&bridge, 0), "its BAR shares its page");
	pci_bar(&bridge, 0, &home);
	is_errno(pci_bind(&bridge, STOCK), -EINVAL, "vfio-pci does not take it");
	pci_bar(&bridge, 0, &now);
	is_u64(now.start, home.start, "its BAR is where it was");
	is_u64(now.size, home.size, "and as long");
	pci_attr_write(&bridge, "driver_override", "\n");
}
#endif

CASE(align)
{
	struct pci_dev nvme;
	struct pci_bar before, after;

	if (!is_errno(pci_find(NVME, 0, &nvme), 0, "there is a disk"))
		return;
	pack();
	if (!ok(count - native_bars() >= 4, "%d BARs to align", count - native_bars()) ||
	    !is_errno(kmod_insert("nvme", ""), 0, "the native driver of the disk is loaded"))
		return;
	pci_bind(&nvme, "nvme");
	pci_bar(&nvme, 0, &before);

	check_before();
	check_override();
	check_ids();
	check_untouched();
	check_own_name();
#ifdef __x86_64__
	check_bridge();
#endif

	is_str(pci_driver(&nvme), "nvme", "the native driver still has the disk");
	pci_bar(&nvme, 0, &after);
	ok(before.start == after.start || sysconf(_SC_PAGESIZE) == 4096, "which is where it was");

	bind_all("");
	bind_all(STOCK);
	is_errno(module_unload(), 0, "the module unloads while vfio-pci has the devices");
	is_u64(mapped(), count - native_bars(), "which stay mapped");
	bind_all("");
}
