// SPDX-License-Identifier: GPL-2.0-only
/*
 * While a claim stands, devices come: behind the same bridge (SHPC), in another
 * port (pciehp), and back from a remove and rescan beside it. None may be placed
 * on the claimed page. All are as small as the BAR, so that they would fit there.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "kmod.h"
#include "monitor.h"
#include "tap.h"
#include "zoo.h"

#define OURS "subpage_vfio_pci"

static struct zoo_bar bars[ZOO_MAX];
static int count;

/* The nth sub-page BAR of a model on the root bus, or below it. */
static struct zoo_bar *find(const char *name, bool on_root, int nth)
{
	int i;

	for (i = 0; i < count; i++)
		if (!strcmp(bars[i].name, name) && on_root == !strncmp(bars[i].dev.bdf, "0000:00:", 8) &&
		    nth-- == 0)
			return &bars[i];
	return NULL;
}

static void check_alone(const struct zoo_bar *at, const char *when)
{
	about("%s, %s", when, at->dev.bdf);
	ok(zoo_claimed(at), "it still has its page");
	ok(zoo_alone(at), "no other BAR is on it");
}

static void check_placed(const struct pci_dev *dev)
{
	struct pci_bar bar = {};

	pci_bar(dev, 0, &bar);
	ok(bar.start && bar.size == 256, "the newcomer %s has a place, at %#llx",
	   dev->bdf, (unsigned long long)bar.start);
}

static void add(const char *bus, const char *slot, int nth, const struct zoo_bar *claimed[2])
{
	struct pci_dev dev;
	char reply[512];

	about("behind %s", bus);
	is_errno(monitor_cmd(reply, sizeof(reply), "device_add sdhci-pci,bus=%s%s", bus, slot), 0,
		 "a device is plugged in");
	is_str(reply, "", "QEMU has no objection");
	if (!is_errno(pci_wait(0x1b36, 0x0007, nth, &dev, BUTTON_MS), 0, "the kernel finds it"))
		return;
	/* It shows in sysfs before its BARs are placed; a rescan waits for that. */
	pci_rescan();
	check_placed(&dev);
	check_alone(claimed[0], "hot-add");
	check_alone(claimed[1], "hot-add");
}

/* What the claim protects from: the page of a BAR that stock vfio-pci is bound to is anybody's. */
static void check_stock(const struct zoo_bar *neighbour, const struct zoo_bar *at)
{
	about("without a claim");
	is_errno(pci_bind(&at->dev, "vfio-pci"), 0, "%s is given to stock vfio-pci", at->dev.bdf);
	ok(zoo_alone(at), "the BAR of %s is alone on its page", at->dev.bdf);
	is_errno(pci_remove(&neighbour->dev), 0, "the neighbour %s is removed", neighbour->dev.bdf);
	pci_rescan();
	check_placed(&neighbour->dev);
	ok(!zoo_alone(at), "with stock vfio-pci %s comes back onto that page", neighbour->dev.bdf);
	pci_bind(&at->dev, "");
}

CASE(hotplug)
{
	const struct zoo_bar *claimed[2], *neighbour[2];
	int i;

	if (!is_errno(module_load(""), 0, "the module loads"))
		return;
	count = zoo_list(bars);
	zoo_repack(bars, count);
	count = zoo_list(bars);
	for (i = 0; i < 2; i++) {
		about(i ? "on the root bus" : "behind the bridge");
		claimed[i] = find("sdhci", i, 0);
		neighbour[i] = find("pci-ohci", i, 0);
		if (!ok(claimed[i] && neighbour[i], "two sub-page BARs"))
			return;
		/* On the first page, where whatever comes next is placed if there is room. */
		is_errno(pci_remove(&neighbour[i]->dev), 0, "%s is removed", neighbour[i]->dev.bdf);
		is_errno(pci_bind(&claimed[i]->dev, OURS), 0, "%s is bound", claimed[i]->dev.bdf);
		is_str(zoo_sysfs(claimed[i], "state"), "in_place", "its BAR is claimed in place");
		pci_rescan();
		check_placed(&neighbour[i]->dev);
		check_alone(claimed[i], "rescan");
	}
	add("bridge", ",addr=5", 2, claimed);
	add("port2", "", 3, claimed);
	for (i = 0; i < 2; i++) {
		pci_bind(&claimed[i]->dev, "");
		check_stock(neighbour[i], claimed[i]);
	}
	is_errno(module_unload(), 0, "the module unloads");
}
