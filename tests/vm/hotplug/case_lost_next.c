// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI core has released a bridge window under a device and told nobody yet: what comes next looks.
 */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "cases.h"
#include "lost_user.h"
#include "peek.h"

/* FAULT_TOLD of src/driver/fault.h. */
#define UNTOLD "2048"

/* Its own user looks, by what it does: that is refused, and the mapping goes. */
static void check_looks(const struct vfio *vfio, int bar, void *map)
{
	struct vfio_irq_set irqs = {
		.argsz = sizeof(irqs),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_INTX_IRQ_INDEX,
	};
	uint32_t value;
	int i;

	is_errno(ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &irqs) ? -errno : 0, -EIO,
		 "a third one, which has moved, too, sets up no interrupts, for which VFIO switches decode on");
	is_errno(vfio_read32(vfio, bar, 0, &value), -EIO, "read() is refused");
	for (i = 0; i < 50 && peek(map, &value); i++)
		sleep_ms(100);
	ok(!peek(map, &value), "and its mapping goes");
}

/* It may lie now where the first one was. */
static void check_next_opened(void)
{
	struct pci_dev port, next, third;
	struct vfio vfio, other, own;
	void *map, *own_map;
	uint32_t value;

	about("another device is opened");
	if (!window_prepare(LONG, 8, &port))
		return;
	next = window_other(2);
	third = window_other(0);
	if (!is_errno(pci_bind(&at.dev, OURS), 0, "one is bound") ||
	    !is_errno(pci_bind(&next, OURS), 0, "and another one") ||
	    !is_errno(pci_bind(&third, OURS), 0, "and a third one") ||
	    !is_errno(vfio_open(&at.dev, &vfio), 0, "one is opened") ||
	    !is_errno(vfio_map(&vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "and mapped") ||
	    !is_errno(vfio_open(&third, &own), 0, "so is the third one") ||
	    !is_errno(vfio_map(&own, 5, 0, sysconf(_SC_PAGESIZE), &own_map), 0, "which is mapped, too"))
		return;
	ok(peek(map, &value) && peek(own_map, &value), "and both are read");
	if (!window_release(&port))
		return;
	ok(peek(own_map, &value), "nobody has looked: the mappings are still there");
	check_looks(&own, 5, own_map);
	ok(peek(map, &value), "but not that of the one that nobody has looked at");
	is_errno(vfio_open(&next, &other), 0, "the other one is opened");
	ok(!peek(map, &value), "before that the mapping has gone");
	vfio_close(&other);
	munmap(own_map, sysconf(_SC_PAGESIZE));
	vfio_close(&own);
	munmap(map, sysconf(_SC_PAGESIZE));
	vfio_close(&vfio);
	is_u64(zoo_register(&at), zoo_address(&at), "closed, its BAR says where it is now");
	is_errno(pci_bind(&third, ""), 0, "the third one is unbound");
	is_errno(pci_bind(&next, ""), 0, "so is the other one");
	is_errno(pci_bind(&at.dev, ""), 0, "and the first one");
}

/* On 6.1 the PCI core writes its BARs, and it wakes up with what it fell asleep with. */
static void check_unbound(void)
{
	struct pci_dev port;

	about("it sleeps and is unbound");
	if (!window_prepare(LONG, 8, &port) || !is_errno(pci_bind(&at.dev, OURS), 0, "it is bound"))
		return;
	check_asleep("nobody has it open,");
	if (!window_release(&port))
		return;
	is_errno(pci_bind(&at.dev, ""), 0, "it is unbound");
	is_u64(zoo_register(&at), zoo_address(&at), "its BAR says where it is now");
}

MODULE_CASE(lost_next, "")
{
	module_set("fault_points", UNTOLD);
	check_next_opened();
	check_unbound();
	module_set("fault_points", "0");
}
