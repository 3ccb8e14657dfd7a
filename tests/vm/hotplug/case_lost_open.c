// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI core releases a bridge window under a device that is open and mapped, and tells of it:
 * what its user has then, with this driver and with stock vfio-pci.
 */
#include <linux/pci_regs.h>
#include <linux/subpage_vfio_pci.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "cases.h"
#include "log.h"
#include "lost_user.h"
#include "peek.h"

/* Of the bridge's hot-plug controller: how many slots there are, and what they can do. */
#define SHPC_SLOTS 0x0c

static const char *seen(bool there, uint32_t value)
{
	static char text[4][32];
	static int n;

	n = (n + 1) % 4;
	if (there)
		snprintf(text[n], sizeof(text[n]), "%#x", value);
	else
		snprintf(text[n], sizeof(text[n]), "SIGBUS");
	return text[n];
}

/*
 * The bridge's own BAR, of 256 bytes, which the PCI core places anew, too: what root reads there, through
 * the file in sysfs, and where it is on the page of our BAR; false if it is on another.
 */
static bool read_neighbour(uint32_t *value, uint64_t *offset)
{
	uint64_t page = zoo_address(&at) & -sysconf(_SC_PAGESIZE);
	struct pci_bar bar;
	void *map;

	if (pci_bar(&bridge, 0, &bar) || (bar.start & -sysconf(_SC_PAGESIZE)) != page)
		return false;
	/* It has no driver that would have switched its decode on. */
	pci_config_write(&bridge, PCI_COMMAND, 2, pci_config_read(&bridge, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY);
	map = pci_map(&bridge, 0, 0);
	if (map == MAP_FAILED)
		return false;
	*offset = bar.start - page;
	*value = *(volatile uint32_t *)((char *)map + *offset + SHPC_SLOTS);
	munmap(map, sysconf(_SC_PAGESIZE));
	*offset += SHPC_SLOTS;
	return true;
}

/* The user's own mapping is where it was, or nowhere: what is there now? */
struct after {
	bool mmap_flag, cap, old_there, toggled_there;
	int map, read, config, command, dmabuf, low_power, reset, hot_reset, irqs, ioeventfd;
	bool decodes;
	uint32_t old, toggled, read_value;
	uint64_t address;
	bool has_neighbour;		/* on the page where the BAR is now: a register of another device */
	uint32_t by_root, by_user;	/* what root reads of it, and the user through a new mapping */
};

static struct after look(struct vfio *vfio, volatile uint32_t *reg)
{
	const struct vfio_region_info_cap_subpage *cap;
	struct after after = {};
	struct vfio_region_info *info, config;
	struct vfio_irq_set irqs = {
		.argsz = sizeof(irqs),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_INTX_IRQ_INDEX,
	};
	struct vfio_pci_hot_reset hot_reset = { .argsz = sizeof(hot_reset) };
	struct vfio_device_ioeventfd ioeventfd = {
		.argsz = sizeof(ioeventfd),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = ((uint64_t)at.bar << 40) + at.reg,
		.fd = -1,
	};
	uint16_t command = PCI_COMMAND_MEMORY, off = 0;
	uint64_t offset = 0;
	uint32_t ids;
	void *map;

	after.address = zoo_address(&at);
	after.has_neighbour = read_neighbour(&after.by_root, &offset);
	after.old_there = peek(reg, &after.old);
	if (!vfio_region(vfio, at.bar, &info)) {
		after.mmap_flag = info->flags & VFIO_REGION_INFO_FLAG_MMAP;
		cap = (const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SUBPAGE);
		after.cap = cap && cap->bar_size == at.size;
		free(info);
	}
	after.map = vfio_map(vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map);
	if (!after.map) {
		if (after.has_neighbour)
			peek((void *)((char *)map + offset), &after.by_user);
		munmap(map, sysconf(_SC_PAGESIZE));
	}
	after.read = vfio_read32(vfio, at.bar, at.reg, &after.read_value);
	after.config = vfio_read32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_VENDOR_ID, &ids);
	if (!vfio_info(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config)) {
		pwrite(vfio->device, &off, sizeof(off), config.offset + PCI_COMMAND);
		after.command = pwrite(vfio->device, &command, sizeof(command),
				       config.offset + PCI_COMMAND) < 0 ? -errno : 0;
	}
	after.toggled_there = peek(reg, &after.toggled);
	after.dmabuf = vfio_dmabuf(vfio, at.bar, 0, sysconf(_SC_PAGESIZE));
	if (after.dmabuf >= 0)
		close(after.dmabuf);
	after.low_power = vfio_feature_set(vfio, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT);
	after.reset = ioctl(vfio->device, VFIO_DEVICE_RESET) ? -errno : 0;
	after.hot_reset = ioctl(vfio->device, VFIO_DEVICE_PCI_HOT_RESET, &hot_reset) ? -errno : 0;
	after.ioeventfd = ioctl(vfio->device, VFIO_DEVICE_IOEVENTFD, &ioeventfd) ? -errno : 0;
	after.irqs = ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &irqs) ? -errno : 0;
	after.decodes = pci_config_read(&at.dev, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
	return after;
}

static void print(const char *driver, const struct after *after)
{
	diag("%s: the BAR was at %#llx and is at %#llx: old mapping %s; region info %s; new mmap %d; read() %d, %#x; "
	     "old mapping after memory decode off and on (%d) %s; dma-buf %d; reset %d",
	     driver, (unsigned long long)home, (unsigned long long)after->address,
	     seen(after->old_there, after->old), after->mmap_flag ? "MMAP" : "no MMAP", after->map, after->read,
	     after->read_value, after->command, seen(after->toggled_there, after->toggled), after->dmabuf,
	     after->reset);
	if (after->has_neighbour)
		diag("%s: also on the page: a register of another device; root reads %#x, the user, mapped anew, %s",
		     driver, after->by_root, seen(!after->map, after->by_user));
}

/* Nothing reaches the device of whoever has the old address now. */
static void check_revoked(const struct after *after)
{
	ok(!after->old_there, "the old mapping is gone before another device has a driver");
	ok(!after->mmap_flag, "region info has no MMAP");
	ok(after->cap || !zoo_has_page(&at), "and a capability that says how the BAR stands and how long it is");
	is_errno(after->map, -EIO, "a new mmap is refused");
	is_errno(after->read, -EIO, "read() is refused");
	is_errno(after->config, 0, "config space can be read");
	is_errno(after->command, -EIO, "memory decode cannot be switched");
	ok(!after->toggled_there, "the old mapping does not come back with it");
	ok(!after->has_neighbour, "no other device is on the page where the BAR is now");
	ok(after->dmabuf < 0, "there is no dma-buf");
	is_errno(after->low_power, -EIO, "low power cannot be left, which revoking has entered");
	is_errno(after->reset, -EIO, "a reset is refused");
	is_errno(after->hot_reset, -EIO, "so is one of the bus");
	is_errno(after->ioeventfd, -EIO, "no event writes to a register");
	is_errno(after->irqs, -EIO, "interrupts cannot be set up, for which VFIO switches decode on");
	ok(!after->decodes, "the function decodes nothing");
}

static bool is_for_real_time(void)
{
	struct utsname kernel;

	return !uname(&kernel) && strstr(kernel.version, "PREEMPT_RT");
}

/* The newcomer has a driver, and the PCI core tells of that: at once the user has nothing any more. */
static void check_told(void)
{
	int mark = log_mark();
	const char *offered;
	struct after after;
	struct user user;
	char *log;

	about("ours");
	if (!user_lose(OURS, LONG, 8, &user))
		return;
	after = look(&user.vfio, user.reg);
	print(OURS, &after);
	check_revoked(&after);
	check_dmabuf(user.dmabuf, -ENODEV, "a dma-buf that was made before cannot be used");
	check_others_revoked();
	check_event(user.event);
	log = log_since(mark);
	is_u64(log_count(log, "access revoked until it is closed and reopened"), 1 + OTHERS,
	       "the log says of each device what happened");
	/* The caller that offers it to a driver may say so. For real time it goes on before that line is written. */
	offered = strstr(log, "device attach failed");
	ok(is_for_real_time() || !offered || !strstr(offered, "access revoked until"),
	   "before the newcomer was offered to a driver");
	/* That waits for a second at most. */
	ok(!offered || log_time("device attach failed") - log_time("access revoked until") < 0.9,
	   "which happens as soon as it may");
	free(log);
	close(mark);
	if (user.writer.pid) {
		about("a write to config space that has begun before");
		write_half(&user.writer);
		ok(!decodes(), "half of it is to go on: the function decodes nothing");
		check_event(user.event);
		is_u64(write_end(&user.writer), EIO, "to its end it is refused");
		ok(!decodes(), "after it the function decodes nothing");
	} else {
		skip(2, "no userfaultfd in this kernel");
	}
	check_closed_anew(&user);
}

/*
 * As it closes the device, vfio-pci-core releases what it had reserved of the page; that has gone with
 * the window, and the kernel dies (6.1 and 7.2). So somebody keeps it open until the machine is switched off.
 */
static void keep_open(const struct vfio *vfio)
{
	if (!fork()) {
		setsid();
		for (;;)
			pause();
	}
	close(vfio->device);
	close(vfio->group);
	close(vfio->container);
}

MODULE_CASE(lost_open, "")
{
	check_told();
}

CASE(lost_stock)
{
	struct after after;
	struct user user;

	if (!is_errno(module_load(""), 0, "the module loads"))
		return;
	about("stock vfio-pci");
	if (!user_lose(STOCK, LONG, 8, &user))
		return;
	after = look(&user.vfio, user.reg);
	print(STOCK, &after);
	/* What doc/upstream.md and the manual say of it. */
	ok(after.mmap_flag, "region info still has MMAP");
	is_errno(after.map, 0, "a new mmap succeeds");
	if (ok(after.has_neighbour, "on the page where the BAR is now there is another device"))
		is_u64(after.by_user, after.by_root, "whose register the user reads");
	keep_open(&user.vfio);
	is_errno(module_unload(), 0, "our module unloads");
}
