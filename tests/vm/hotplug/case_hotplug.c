// SPDX-License-Identifier: GPL-2.0-only
/*
 * While a claim stands, devices come: behind the same bridge (SHPC), in another
 * port (pciehp), and back from a remove and rescan beside it. None may be placed
 * on the claimed page. All are as small as the BAR, so that they would fit there.
 */
#include <linux/pci_regs.h>

#include "cases.h"
#include "log.h"
#include "monitor.h"
#include "zoo.h"

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
	if (!is_errno(pci_wait(SDHCI, nth, &dev, BUTTON_MS), 0, "the kernel finds it"))
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

static void plug(const char *device)
{
	char reply[512];

	is_errno(monitor_cmd(reply, sizeof(reply), "device_add %s", device), 0, "%s is plugged in", device);
	is_str(reply, "", "QEMU has no objection to %s", device);
}

/*
 * With align_for=, vfio-pci gets a newcomer whose BAR has a page, right when it is plugged in. Two
 * functions of a slot: the PCI core places them beside each other. They show with function 0.
 */
static void check_align(void)
{
	int n, i, aligned = 0, taken = 0;

	about("align_for");
	module_set("align_for", "vfio-pci");
	is_errno(file_write("/sys/bus/pci/drivers/vfio-pci/new_id", "10ec 8139"), 0, "vfio-pci takes such devices");
	plug("rtl8139,romfile=,bus=port3,addr=0.1");
	plug("rtl8139,romfile=,bus=port3,addr=0.0,multifunction=on");
	for (n = 0; n < 300 && taken < 2; n++) {
		sleep_ms(100);
		count = zoo_list(bars);
		for (taken = i = 0; i < count; i++)
			taken += !strcmp(bars[i].name, "rtl8139") && !strcmp(pci_driver(&bars[i].dev), "vfio-pci");
	}
	is_u64(taken, 2, "vfio-pci has both");
	pci_rescan();
	count = zoo_list(bars);
	for (i = 0; i < count; i++)
		if (!strcmp(bars[i].name, "rtl8139"))
			aligned += zoo_claimed(&bars[i]);
	is_u64(aligned, 2, "each BAR is a page long, and alone there");
	is_u64(zoo_held_count(), 2, "each is held");
}

/*
 * Out of the kernel's sight the power of the slot goes for a moment, and the machine takes out what is
 * in it. Then pciehp hears that the slot is empty, as when somebody pulls a card.
 */
static void check_surprise(void)
{
	struct pci_dev port, dev = {};
	int mark = log_mark(), sltctl, waited, i;
	uint16_t on, off;
	char bus[16];

	about("pulled out");
	for (i = 0; i < count; i++)
		if (!strcmp(bars[i].name, "rtl8139"))
			dev = bars[i].dev;
	for (i = 0; !pci_find(ROOT_PORT, i, &port); i++) {
		snprintf(bus, sizeof(bus), "0000:%02x:", pci_config_read(&port, PCI_SECONDARY_BUS, 1));
		if (!strncmp(dev.bdf, bus, strlen(bus)))
			break;
	}
	sltctl = pci_capability(&port, PCI_CAP_ID_EXP) + PCI_EXP_SLTCTL;
	on = pci_config_read(&port, sltctl, 2);
	off = (on & ~PCI_EXP_SLTCTL_HPIE) | PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF;
	pci_config_write(&port, sltctl, 2, on & ~PCI_EXP_SLTCTL_HPIE);
	pci_config_write(&port, sltctl, 2, off);
	pci_config_write(&port, sltctl, 2, on);
	for (waited = 0; waited < BUTTON_MS && pci_present(&dev); waited += 100)
		sleep_ms(100);
	pci_rescan();
	ok(!pci_present(&dev), "the devices are gone");
	ok(log_has(mark, "Card not present"), "to the kernel's surprise");
	close(mark);
	is_u64(zoo_held_count(), 0, "nothing is held any more");
}

MODULE_CASE(hotplug, "")
{
	const struct zoo_bar *claimed[2], *neighbour[2];
	int i;

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
	check_align();
	check_surprise();
}
