// SPDX-License-Identifier: GPL-2.0-only
/*
 * realign=trap, and a BAR that is alone on its page. vfio-pci-core would reserve the rest of the page as the
 * device is opened, and as it is closed dies of that when the window has gone.
 */
#include "cases.h"
#include "lost_user.h"

MODULE_CASE(lost_trap, "")
{
	struct vfio_region_info info;
	struct pci_dev port;
	struct vfio vfio;
	uint32_t value;
	void *map;

	if (!window_prepare(LONG, 8, &port))
		return;
	/* Once it has had a page of its own it is alone on it. */
	is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound");
	is_errno(pci_bind(&at.dev, ""), 0, "and unbound");
	is_errno(module_set("realign", "trap"), 0, "realign=trap");
	if (!ok(zoo_stock_maps(&at), "the BAR is alone on its page") ||
	    !is_errno(pci_bind(&at.dev, OURS), 0, "bound anew") ||
	    !is_errno(vfio_open(&at.dev, &vfio), 0, "opened"))
		return;
	is_str(zoo_sysfs(&at, "state"), "trap", "state in sysfs");
	ok(zoo_claimed(&at), "it has its page");
	if (is_errno(vfio_info(&vfio, at.bar, &info), 0, "region info")) {
		ok(!(info.flags & VFIO_REGION_INFO_FLAG_MMAP), "it is not mappable");
		is_u64(info.size, at.size, "and has its true size");
	}
	is_errno(vfio_map(&vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map), -EINVAL, "mmap is refused");
	is_errno(vfio_read32(&vfio, at.bar, at.reg, &value), 0, "it is read");
	is_errno(vfio_read32(&vfio, at.bar, at.size, &value), -EINVAL, "and nothing behind its registers");
	if (!window_release(&port))
		return;
	is_errno(vfio_read32(&vfio, at.bar, at.reg, &value), -EIO, "the device is revoked");
	vfio_close(&vfio);
	ok(pci_present(&at.dev), "it is closed, and the machine lives");
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(!zoo_any_claim(), "the BAR has its true size again");
}
