// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci_regs.h>

#include "file.h"
#include "kmod.h"
#include "models.h"
#include "monitor.h"
#include "tap.h"
#include "window.h"

struct zoo_bar at;
struct pci_dev bridge;
uint64_t home;
/*
 * One has nothing but a BAR of a page, the last that a device can have; one has its first BAR for I/O, and a
 * ROM; one has another BAR in another window.
 */
const char *const window_others[OTHERS] = { "ahci", "rtl8139,romfile=vgabios-stdvga.bin", "virtio-rng-pci" };
/* Which SD controller it is, and which root port is above it. */
static int nth;
/* Of the slot that grows. */
static char slot_power[64];

bool window_find(int number)
{
	static struct zoo_bar bars[ZOO_MAX];
	int count = zoo_list(bars), i;
	struct pci_dev dev;

	nth = number;
	if (pci_find(SDHCI, number, &dev))
		return false;
	for (i = 0; i < count; i++)
		if (!strcmp(bars[i].dev.bdf, dev.bdf))
			at = bars[i];
	return !strcmp(at.dev.bdf, dev.bdf);
}

bool window_wait(uint64_t home, unsigned int ms)
{
	while (zoo_address(&at) == home) {
		if (ms < 100)
			return false;
		sleep_ms(100);
		ms -= 100;
	}
	/* A rescan waits until the PCI core is done. */
	pci_rescan();
	return true;
}

void window_add(const char *model, const char *bus, int slot)
{
	char reply[512];

	about("%s %d", model, slot);
	is_errno(monitor_cmd(reply, sizeof(reply), "device_add %s,bus=%s,addr=%d", model, bus, slot), 0,
		 "a device with a long BAR is plugged in");
	is_str(reply, "", "QEMU has no objection");
}

void window_start_over(void)
{
	struct pci_dev port;

	about("found anew");
	is_errno(pci_find(ROOT_PORT, nth, &port), 0, "there is a root port");
	is_errno(pci_remove(&port), 0, "the port is removed, and all behind it");
	pci_rescan();
	if (!ok(window_find(nth), "after a rescan the device is back"))
		return;
	is_errno(pci_bind(&at.dev, OURS), 0, "and can be bound");
	ok(zoo_claimed(&at) && zoo_has_page(&at), "with a page of its own");
}

/*
 * shpchp shares the group with the devices behind its bridge, which then cannot be opened. And as
 * it goes it waits for work that takes the lock under which its port would be removed: lockdep tells.
 */
void window_free_bridge(void)
{
	is_errno(pci_unbind(&bridge), 0, "the bridge has no driver any more");
}

void window_plug(const char *device)
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

struct pci_dev window_other(int other)
{
	struct pci_dev dev = at.dev;

	dev.bdf[strlen(dev.bdf) - 1] = '2' + other;
	return dev;
}

/*
 * shpchp keeps the group from being used while it has the bridge, so it takes
 * pciehp to lose the window of a device that is open. The device is function 1 of
 * a slot whose function 0 is a bridge. Out of the kernel's sight function 0 gets
 * devices for which the port's window is too small, and is then found as if it
 * had been plugged.
 */
bool window_prepare(const char *model, int models, struct pci_dev *port)
{
	struct pci_dev other;
	char text[96], bus[16];
	int slot, i;

	/* Behind each port before it there is one. */
	for (nth = 0; !pci_find(SDHCI, nth, &other); nth++)
		;
	snprintf(bus, sizeof(bus), "bridge%d", nth);
	if (!is_errno(pci_find(ROOT_PORT, nth, port), 0, "there is a root port"))
		return false;
	slot_interrupt(port, false);
	snprintf(text, sizeof(text), "sdhci-pci,bus=port%d,addr=0.1", nth);
	window_plug(text);
	for (i = 0; i < OTHERS; i++) {
		snprintf(text, sizeof(text), "%s,bus=port%d,addr=0.%d", window_others[i], nth, i + 2);
		window_plug(text);
	}
	snprintf(text, sizeof(text), "pcie-pci-bridge,id=%s,bus=port%d,addr=0.0,multifunction=on", bus, nth);
	window_plug(text);
	pci_rescan();
	if (!ok(window_find(nth), "there is a sub-page BAR behind it") ||
	    !is_errno(pci_find(PCIE_PCI_BRIDGE, nth, &bridge), 0, "and beside it a bridge") ||
	    !is_errno(pci_remove(&bridge), 0, "which is removed"))
		return false;
	for (i = 0; i < OTHERS; i++) {
		other = window_other(i);
		if (!ok(pci_present(&other), "and %s", window_others[i]))
			return false;
	}
	for (slot = 1; slot <= models; slot++)
		window_add(model, bus, slot);
	return true;
}

bool window_release(const struct pci_dev *port)
{
	home = zoo_address(&at);
	slot_interrupt(port, true);
	return ok(window_wait(home, BUTTON_MS), "pciehp finds the bridge, and the window is gone");
}

bool window_fill(const char *device, int nth, struct pci_dev *port)
{
	char text[128];
	int at;

	if (!is_errno(pci_find(ROOT_PORT, nth, port), 0, "there is a root port"))
		return false;
	snprintf(slot_power, sizeof(slot_power), "/sys/bus/pci/slots/%d/power", nth);
	slot_interrupt(port, false);
	snprintf(text, sizeof(text), "%s,bus=port%d,addr=0.1", device, nth);
	window_plug(text);
	snprintf(text, sizeof(text), "pcie-pci-bridge,id=bridge%d,bus=port%d,addr=0.0,multifunction=on", nth, nth);
	window_plug(text);
	/* Nobody was told, and nobody shall be. */
	at = pci_capability(port, PCI_CAP_ID_EXP) + PCI_EXP_SLTSTA;
	pci_config_write(port, at, 2, pci_config_read(port, at, 2));
	/* The port's window gets as long as it has to be, and stays so when the slot is switched off. */
	return is_errno(pci_remove(port), 0, "the port is removed") && !pci_rescan() &&
	       is_errno(pci_find(ROOT_PORT, nth, port), 0, "and found again") &&
	       is_errno(file_write(slot_power, "0"), 0, "its slot is switched off") && !pci_rescan() &&
	       is_errno(pci_find(PCIE_PCI_BRIDGE, nth, &bridge), 0, "what is in it is found all the same") &&
	       is_errno(pci_remove(&bridge), 0, "and the bridge is removed");
}

void window_grow(void)
{
	is_errno(file_write(slot_power, "1"), 0, "the slot is switched on");
}
