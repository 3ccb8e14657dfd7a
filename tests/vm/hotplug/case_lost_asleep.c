// SPDX-License-Identifier: GPL-2.0-only
/* The PCI core releases a bridge window under a device that is bound and sleeps. */
#include <errno.h>

#include "cases.h"
#include "lost_user.h"

/* Nobody has it open, and it sleeps; it wakes up with what it fell asleep with. */
static void check_sleeper(bool opened)
{
	static uint32_t value;
	struct pci_dev port;
	struct vfio vfio;

	about("ours, asleep, %s", opened ? "closed again" : "never opened");
	if (!window_prepare(LONG, 8, &port) || !is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound"))
		return;
	if (opened) {
		if (!is_errno(vfio_open(&at.dev, &vfio), 0, "opened"))
			return;
		is_errno(vfio_read32(&vfio, at.bar, at.reg, &value), 0, "read");
		vfio_close(&vfio);
	}
	check_asleep("with nobody who has it open");
	if (!window_release(&port))
		return;
	window_free_bridge();
	check_again(value);
	is_u64(zoo_register(&at), zoo_address(&at), "its BAR says where it is now");
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
}

/* Nobody opens it: a reset of all devices of its bus wakes it up, say, or it goes to another driver. */
static void check_woken(bool unbind)
{
	struct pci_dev port;

	about("ours, asleep, %s", unbind ? "unbound" : "woken up");
	if (!window_prepare(LONG, 8, &port) || !is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound"))
		return;
	check_asleep("with nobody who has it open");
	if (!window_release(&port))
		return;
	/* The kernel tells of the newcomer once all is placed. */
	sleep_ms(200);
	if (unbind)
		is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	else
		is_errno(pci_attr_write(&at.dev, "power/control", "on"), 0, "the device wakes up");
	is_u64(zoo_register(&at), zoo_address(&at), "its BAR says where it is now");
	pci_bind(&at.dev, "");
}

/* The PCI core finds no room for its BAR, and what it decoded before is another device's. */
static void check_no_room(bool asleep)
{
	struct pci_dev port;
	struct vfio vfio;

	about("ours, %s, without room", asleep ? "asleep" : "awake");
	if (!window_prepare(LONGEST, 4, &port) || !is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound") ||
	    !is_errno(vfio_open(&at.dev, &vfio), 0, "opened"))
		return;
	if (!asleep)
		pci_attr_write(&at.dev, "power/control", "on");
	vfio_close(&vfio);
	if (asleep)
		check_asleep("closed,");
	else
		ok(decodes(), "closed, it decodes its BAR");
	if (!window_release(&port))
		return;
	/* The kernel tells of the newcomer once all is placed. */
	sleep_ms(200);
	is_u64(zoo_address(&at), 0, "the BAR has no address");
	pci_attr_write(&at.dev, "power/control", "on");
	ok(!decodes(), "%s, it decodes nothing", asleep ? "woken up" : "awake");
	is_errno(vfio_open(&at.dev, &vfio), -EIO, "it cannot be opened");
	ok(!decodes(), "and decodes nothing");
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
}

MODULE_CASE(lost_asleep, "")
{
	check_sleeper(true);
	/* Of the same model: the register says the same. */
	check_sleeper(false);
	check_woken(false);
	check_woken(true);
	check_no_room(true);
	check_no_room(false);
}
