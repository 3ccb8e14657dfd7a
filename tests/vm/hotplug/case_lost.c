// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hot-added device that does not fit makes the PCI core release the whole
 * bridge window, under a device that is bound, or even open.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/subpage_vfio_pci.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "file.h"
#include "kmod.h"
#include "log.h"
#include "models.h"
#include "monitor.h"
#include "tap.h"
#include "trace.h"
#include "zoo.h"

#define AUTOPROBE "/sys/bus/pci/drivers_autoprobe"
#define BY_EVENT 0x5a5a1230
#define CHANGED_LINE 0x10

/* Of the bridge's hot-plug controller: how many slots there are, and what they can do. */
#define SHPC_SLOTS 0x0c

static struct zoo_bar at;
static struct pci_dev bridge;

/*
 * Two more functions of its slot, which the user has open, too: one has nothing but a BAR of a page, the
 * last that a device can have, and one has its first BAR for I/O.
 */
static struct other {
	const char *model;
	int bar;		/* its first register is of 32 bits and says what it says */
	struct pci_dev dev;
	struct vfio vfio;
	void *map;
} others[] = {
	{ .model = "ahci", .bar = 5 },
	{ .model = "rtl8139,romfile=", .bar = 1 },
};

#define OTHERS (sizeof(others) / sizeof(others[0]))

/* The sub-page BAR of the nth SD controller. */
static bool find(int nth)
{
	static struct zoo_bar bars[ZOO_MAX];
	int count = zoo_list(bars), i;
	struct pci_dev dev;

	if (pci_find(SDHCI, nth, &dev))
		return false;
	for (i = 0; i < count; i++)
		if (!strcmp(bars[i].dev.bdf, dev.bdf))
			at = bars[i];
	return !strcmp(at.dev.bdf, dev.bdf);
}

/* Until the BAR is not where it was. */
static bool wait_lost(uint64_t home, unsigned int ms)
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

/* Something whose BAR is much longer than the windows of the firmware's: of 1 MiB, or of 512 MiB. */
#define LONG "edu"
#define LONGEST "secondary-vga,vgamem_mb=512"

static void add(const char *model, const char *bus, int slot)
{
	char reply[512];

	about("%s %d", model, slot);
	is_errno(monitor_cmd(reply, sizeof(reply), "device_add %s,bus=%s,addr=%d", model, bus, slot), 0,
		 "a device with a long BAR is plugged in");
	is_str(reply, "", "QEMU has no objection");
}

static bool log_has(int mark, const char *text)
{
	char *log = log_since(mark);
	bool has = strstr(log, text);

	if (!has)
		diag("the log has no \"%s\"", text);
	free(log);
	return has;
}

/* With the port gone there is room for all of it, elsewhere. */
static void start_over(int nth)
{
	struct pci_dev port;

	about("found anew");
	is_errno(pci_find(ROOT_PORT, nth, &port), 0, "there is a root port");
	is_errno(pci_remove(&port), 0, "the port is removed, and all behind it");
	pci_rescan();
	if (!ok(find(nth), "after a rescan the device is back"))
		return;
	is_errno(pci_bind(&at.dev, OURS), 0, "and can be bound");
	ok(zoo_claimed(&at) && zoo_has_page(&at), "with a page of its own");
}

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

/*
 * shpchp shares the group with the devices behind its bridge, which then cannot be opened. And as
 * it goes it waits for work that takes the lock under which its port would be removed: lockdep tells.
 */
static void free_bridge(void)
{
	is_errno(pci_unbind(&bridge), 0, "the bridge has no driver any more");
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
	add(LONG, "bridge", 3);
	is_errno(pci_wait(EDU, 0, &edu, BUTTON_MS), 0, "it fits");
	/* A rescan waits until the PCI core is done. */
	pci_rescan();
	ok(zoo_claimed(&at), "the claim stands");
	add(LONG, "bridge", 4);
	ok(wait_lost(home, BUTTON_MS), "it does not fit, and the window is gone");
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
	free_bridge();
	start_over(0);
}

static void check_opened_after(void)
{
	uint64_t home = zoo_address(&at);
	int mark = log_mark();
	struct vfio vfio;
	uint32_t value;
	void *map;

	about("lost while it is bound, opened after that");
	add(LONG, "bridge", 5);
	ok(wait_lost(home, BUTTON_MS), "the window is gone");
	free_bridge();
	check_stands("before it is opened");
	if (!is_errno(vfio_open(&at.dev, &vfio), 0, "it is opened"))
		return;
	if (!zoo_has_page(&at)) {
		ok(vfio_map(&vfio, at.bar, 0, 4096, &map) < 0, "nothing is mapped");
		ok(vfio_read32(&vfio, at.bar, at.reg, &value) < 0, "nothing is read");
		ok(log_has(mark, "page lost"), "the log says why");
		vfio_close(&vfio);
	} else {
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
	start_over(0);
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

static sigjmp_buf no_page;
static uint64_t home;	/* of the BAR, before */

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(no_page, 1);
}

/* Read through a mapping; false for SIGBUS. */
static bool peek(const volatile uint32_t *reg, uint32_t *value)
{
	struct sigaction catch = { .sa_handler = on_sigbus }, before;
	bool there = false;

	sigaction(SIGBUS, &catch, &before);
	if (!sigsetjmp(no_page, 1)) {
		*value = *reg;
		there = true;
	}
	sigaction(SIGBUS, &before, NULL);
	return there;
}

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
	map = pci_map(&bridge, 0);
	if (map == MAP_FAILED)
		return false;
	*offset = bar.start - page;
	*value = *(volatile uint32_t *)((char *)map + *offset + SHPC_SLOTS);
	munmap(map, sysconf(_SC_PAGESIZE));
	*offset += SHPC_SLOTS;
	return true;
}

/* A write to config space whose buffer is on a page that the user does not have yet. */
struct writer {
	pid_t pid;	/* 0 on a kernel that has no such pages */
	struct {
		int faults;
		void *page;
	} *its;
};

static void write_begin(const struct vfio *vfio, struct writer *writer)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	long page = sysconf(_SC_PAGESIZE);
	struct vfio_region_info *config;
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	writer->pid = 0;
	if (fd < 0 && errno == ENOSYS)
		return;
	close(fd);
	writer->its = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	writer->pid = fork();
	if (writer->pid)
		return;
	/* It is for the memory of who opens it. */
	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	writer->its->faults = fd;
	writer->its->page = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)writer->its->page;
	range.range.len = page;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range) ||
	    vfio_region(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config))
		_exit(2);
	_exit(pwrite(vfio->device, writer->its->page, 2, config->offset + PCI_COMMAND) != 2);
}

/* Give it its page: what it writes switches memory decode on. Returns its exit status. */
static int write_end(struct writer *writer)
{
	static const uint16_t buffer[32768] = { PCI_COMMAND_MEMORY };
	struct uffdio_copy copy = {
		.dst = (uintptr_t)writer->its->page,
		.src = (uintptr_t)buffer,
		.len = sysconf(_SC_PAGESIZE),
	};
	int pidfd = pidfd_open(writer->pid, 0), fd = pidfd_getfd(pidfd, writer->its->faults, 0), status = -1;

	if (ioctl(fd, UFFDIO_COPY, &copy))
		kill(writer->pid, SIGKILL);
	waitpid(writer->pid, &status, 0);
	close(fd);
	close(pidfd);
	return status;
}

/*
 * The user changes a register of config space that VFIO lets through, then puts the device to sleep and
 * wakes it up: what the kernel has saved of it last is not what it was.
 */
static void change_config(const struct vfio *vfio)
{
	uint8_t line = CHANGED_LINE;
	struct vfio_region_info *config;
	char status[16] = "";
	int i;

	if (!is_errno(vfio_region(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config), 0, "there is config space"))
		return;
	is_u64(pwrite(vfio->device, &line, sizeof(line), config->offset + PCI_CACHE_LINE_SIZE), sizeof(line),
	       "of which a register is changed");
	free(config);
	is_errno(vfio_feature_set(vfio, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY), 0, "the device may sleep");
	for (i = 0; i < 50 && strcmp(status, "suspended"); i++) {
		sleep_ms(100);
		pci_attr_read(&at.dev, "power/runtime_status", status, sizeof(status));
	}
	is_str(status, "suspended", "and does");
	is_errno(vfio_feature_set(vfio, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT), 0, "it may no more");
	is_u64(pci_config_read(&at.dev, PCI_CACHE_LINE_SIZE, 1), CHANGED_LINE, "the register is what the user wrote");
}

/* From now on whoever signals this event writes to the first register; -1 if it cannot be had. */
static int event_to_register(const struct vfio *vfio)
{
	struct vfio_device_ioeventfd request = {
		.argsz = sizeof(request),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = (uint64_t)at.bar << 40,
		.data = BY_EVENT,
		.fd = eventfd(0, EFD_CLOEXEC),
	};

	if (!ioctl(vfio->device, VFIO_DEVICE_IOEVENTFD, &request))
		return request.fd;
	close(request.fd);
	return -1;
}

static void signal_event(int event)
{
	uint64_t one = 1;

	if (write(event, &one, sizeof(one)) != sizeof(one))
		diag("the event is not signalled: %s", strerror(errno));
	/* The kernel writes at once, or leaves it to a thread. */
	sleep_ms(50);
}

/*
 * shpchp keeps the group from being used while it has the bridge, so it takes
 * pciehp to lose the window of a device that is open. The device is function 1 of
 * a slot whose function 0 is a bridge. Out of the kernel's sight function 0 gets
 * devices for which the port's window is too small, and is then found as if it
 * had been plugged.
 */
static bool prepare(int nth, const char *model, int models, struct pci_dev *port)
{
	char text[96], bus[16];
	size_t i;
	int slot;

	snprintf(bus, sizeof(bus), "bridge%d", nth);
	if (!is_errno(pci_find(ROOT_PORT, nth, port), 0, "there is a root port"))
		return false;
	slot_interrupt(port, false);
	snprintf(text, sizeof(text), "sdhci-pci,bus=port%d,addr=0.1", nth);
	plug(text);
	for (i = 0; i < OTHERS; i++) {
		snprintf(text, sizeof(text), "%s,bus=port%d,addr=0.%zu", others[i].model, nth, i + 2);
		plug(text);
	}
	snprintf(text, sizeof(text), "pcie-pci-bridge,id=%s,bus=port%d,addr=0.0,multifunction=on", bus, nth);
	plug(text);
	pci_rescan();
	if (!ok(find(nth), "there is a sub-page BAR behind it") ||
	    !is_errno(pci_find(PCIE_PCI_BRIDGE, nth, &bridge), 0, "and beside it a bridge") ||
	    !is_errno(pci_remove(&bridge), 0, "which is removed"))
		return false;
	for (i = 0; i < OTHERS; i++) {
		others[i].dev = at.dev;
		others[i].dev.bdf[strlen(at.dev.bdf) - 1] = '2' + i;
		if (!ok(pci_present(&others[i].dev), "and %s", others[i].model))
			return false;
	}
	for (slot = 1; slot <= models; slot++)
		add(model, bus, slot);
	return true;
}

static bool find_bridge(const struct pci_dev *port)
{
	home = zoo_address(&at);
	slot_interrupt(port, true);
	return ok(wait_lost(home, BUTTON_MS), "pciehp finds the bridge, and the window is gone");
}

struct user {
	struct vfio vfio;
	uint32_t line;		/* a register of config space, before it opened the device */
	volatile uint32_t *reg;	/* through a mapping */
	uint32_t value;		/* what it says */
	int event;
	struct writer writer;
};

static bool open_others(void)
{
	uint32_t value = 0;
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		struct other *other = &others[i];

		if (!is_errno(vfio_open(&other->dev, &other->vfio), 0, "%s is opened, too", other->model) ||
		    !is_errno(vfio_map(&other->vfio, other->bar, 0, sysconf(_SC_PAGESIZE), &other->map), 0,
			      "%s: mapped", other->model))
			return false;
		is_errno(vfio_read32(&other->vfio, other->bar, 0, &value), 0, "%s: read", other->model);
		is_u64(*(volatile uint32_t *)other->map, value, "%s: and read through the mapping",
		       other->model);
	}
	return true;
}

static void check_others_revoked(void)
{
	uint32_t value;
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		ok(!peek(others[i].map, &value), "%s: its mapping is gone as well", others[i].model);
		is_errno(vfio_read32(&others[i].vfio, others[i].bar, 0, &value), -EIO,
			 "%s: read() is refused", others[i].model);
	}
}

static void forget_others(void)
{
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		munmap(others[i].map, sysconf(_SC_PAGESIZE));
		vfio_close(&others[i].vfio);
	}
}

/* Closed: they decode what the PCI core has given them, and go. */
static void check_others_closed(void)
{
	struct pci_bar bar;
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		const struct other *other = &others[i];
		int reg = PCI_BASE_ADDRESS_0 + 4 * other->bar;

		pci_bar(&other->dev, other->bar, &bar);
		is_u64(pci_config_read(&other->dev, reg, 4) & PCI_BASE_ADDRESS_MEM_MASK, bar.start,
		       "%s: its BAR says where it is now", other->model);
		is_errno(pci_bind(&other->dev, ""), 0, "%s is unbound", other->model);
	}
}

static bool lose(int nth, const char *driver, const char *model, int models, struct user *user)
{
	struct pci_dev port;
	bool ours = !strcmp(driver, OURS);
	uint32_t value = 0;
	void *map;
	size_t i;

	if (!prepare(nth, model, models, &port))
		return false;
	for (i = 0; i < OTHERS && ours; i++)
		is_errno(pci_bind(&others[i].dev, OURS), 0, "%s is bound", others[i].model);

	user->line = pci_config_read(&at.dev, PCI_CACHE_LINE_SIZE, 1);
	ok(user->line != CHANGED_LINE, "a register of config space has not the value that the user will write");
	/* For stock vfio-pci, too, the BAR is given a page. */
	if (!is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound") ||
	    !is_errno(pci_bind(&at.dev, driver), 0, "%s has it", driver) ||
	    !is_errno(vfio_open(&at.dev, &user->vfio), 0, "opened"))
		return false;
	change_config(&user->vfio);
	is_errno(vfio_map(&user->vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "mapped");
	user->reg = (void *)((char *)map + at.reg);
	is_errno(vfio_read32(&user->vfio, at.bar, at.reg, &user->value), 0, "read");
	is_u64(*user->reg, user->value, "and read through the mapping");
	if (ours && !open_others())
		return false;

	user->event = event_to_register(&user->vfio);
	signal_event(user->event);
	is_errno(vfio_read32(&user->vfio, at.bar, 0, &value), 0, "an event is signalled, a register read");
	is_u64(value, BY_EVENT, "which the event has written");

	write_begin(&user->vfio, &user->writer);
	sleep_ms(200);
	if (user->writer.pid)
		ok(!waitpid(user->writer.pid, NULL, WNOHANG), "a write to config space has begun and does not end");
	else
		skip(1, "no userfaultfd in this kernel");
	return find_bridge(&port);
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
	struct vfio_region_info *info, *config;
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
	if (!vfio_region(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config)) {
		pwrite(vfio->device, &off, sizeof(off), config->offset + PCI_COMMAND);
		after.command = pwrite(vfio->device, &command, sizeof(command),
				       config->offset + PCI_COMMAND) < 0 ? -errno : 0;
		free(config);
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

/*
 * The old address is somebody else's by now: for a moment a device of the root bus has it, whose
 * first register keeps what is written.
 */
static void check_event(int event)
{
	const int bar0 = PCI_BASE_ADDRESS_0;
	uint32_t place, value = 0;
	volatile uint32_t *reg;
	struct pci_dev other;
	void *map;

	if (!is_errno(pci_find(IVSHMEM, 0, &other), 0, "there is a device that can take its old address"))
		return;
	pci_config_write(&other, PCI_COMMAND, 2, pci_config_read(&other, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY);
	map = pci_map(&other, 0);
	if (!ok(map != MAP_FAILED, "whose registers are mapped"))
		return;
	reg = map;
	*reg = 1;
	is_u64(*reg, 1, "its first one keeps what is written");
	place = pci_config_read(&other, bar0, 4);
	pci_config_write(&other, bar0, 4, home);
	signal_event(event);
	pci_config_write(&other, bar0, 4, place);
	value = *reg;
	is_u64(value, 1, "the event that the user has set up before writes nothing there");
	munmap(map, sysconf(_SC_PAGESIZE));
}

static void forget(struct user *user)
{
	munmap((void *)((uintptr_t)user->reg & -sysconf(_SC_PAGESIZE)), sysconf(_SC_PAGESIZE));
	close(user->event);
	forget_others();
}

static bool decodes(void)
{
	return pci_config_read(&at.dev, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
}

/* Bound, and nobody has it open. */
static void check_asleep(const char *when)
{
	char status[16] = "";
	int i;

	for (i = 0; i < 50 && strcmp(status, "suspended"); i++) {
		sleep_ms(100);
		pci_attr_read(&at.dev, "power/runtime_status", status, sizeof(status));
	}
	is_str(status, "suspended", "%s the device sleeps", when);
}

static void check_again(uint32_t value)
{
	uint32_t again = 0;
	struct vfio vfio;
	void *map;

	if (!ok(zoo_has_page(&at) && zoo_claimed(&at), "closed, the BAR has a page of its own again") ||
	    !is_errno(vfio_open(&at.dev, &vfio), 0, "it is opened again"))
		return;
	is_errno(vfio_read32(&vfio, at.bar, at.reg, &again), 0, "read again");
	is_u64(again, value, "it is the user's own device");
	is_errno(vfio_map(&vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "mapped again");
	ok(peek((void *)((char *)map + at.reg), &again), "the mapping is alive");
	is_u64(again, value, "and so it is there");
	munmap(map, sysconf(_SC_PAGESIZE));
	vfio_close(&vfio);
	check_asleep("closed again,");
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

/* Closed, and its window still there: all is as before it was opened, at its new place. */
static void check_closed_anew(struct user *user, int nth)
{
	int mark = log_mark();
	char *log;

	forget(user);
	vfio_close(&user->vfio);
	check_asleep("closed,");
	log = log_since(mark);
	is_u64(log_count(log, "usage count underflow"), 0, "it was kept awake as often as it is let go");
	free(log);
	is_u64(zoo_register(&at), zoo_address(&at), "closed, its BAR says where it is now");
	ok(decodes(), "and decodes that");
	check_others_closed();
	is_u64(pci_config_read(&at.dev, PCI_CACHE_LINE_SIZE, 1), user->line, "what the user changed is changed back");
	check_again(user->value);
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(!zoo_any_claim(), "the BAR has its true size again");
	free(log_since(mark));
	start_over(nth);
	log = log_since(mark);
	is_u64(log_count(log, "within a second"), 0, "no newcomer waits any longer");
	free(log);
	close(mark);
	pci_bind(&at.dev, "");
}

/* The newcomer has a driver, and the PCI core tells of that: at once the user has nothing any more. */
static void check_told(int nth)
{
	int mark = log_mark();
	const char *offered;
	struct after after;
	struct user user;
	char *log;

	about("ours");
	if (!lose(nth, OURS, LONG, 8, &user))
		return;
	after = look(&user.vfio, user.reg);
	print(OURS, &after);
	check_revoked(&after);
	check_others_revoked();
	check_event(user.event);
	log = log_since(mark);
	is_u64(log_count(log, "of no use to that user until closed"), 1 + OTHERS,
	       "the log says of each device what happened");
	/* Who offers it to a driver may say so. */
	offered = strstr(log, "device attach failed");
	ok(!offered || !strstr(offered, "of no use to that user"), "before the newcomer was offered to a driver");
	free(log);
	close(mark);
	if (user.writer.pid) {
		is_u64(write_end(&user.writer), 0, "the write to config space comes to its end");
		ok(!decodes(), "the function decodes nothing all the same");
	} else {
		skip(2, "no userfaultfd in this kernel");
	}
	check_closed_anew(&user, nth);
}

/* No driver comes to the newcomer, so the PCI core tells nobody that it has moved others for it. */
static bool lose_untold(int nth, const char *model, int models, struct user *user)
{
	bool lost;

	file_write(AUTOPROBE, "0");
	lost = lose(nth, OURS, model, models, user);
	file_write(AUTOPROBE, "1");
	return lost;
}

/* Then the next newcomer tells it. */
static void check_newcomer(int nth)
{
	int mark = log_mark();
	struct pci_dev other;
	struct user user;
	uint32_t value;
	bool told;

	about("ours, found by the next newcomer");
	if (!lose_untold(nth, LONG, 8, &user) ||
	    !is_errno(pci_find(IVSHMEM, 0, &other), 0, "there is another device"))
		return;
	/* 6.1 offers the bridge to drivers all the same. */
	told = log_has(mark, "device attach failed");
	close(mark);
	if (told)
		skip(1, "this kernel has told it");
	else
		ok(peek(user.reg, &value), "so far the old mapping is there");
	is_errno(pci_remove(&other), 0, "which is taken away");
	file_write(AUTOPROBE, "0");
	pci_rescan();
	file_write(AUTOPROBE, "1");
	ok(!peek(user.reg, &value), "as it is found again the old mapping goes");
	check_others_revoked();
	if (user.writer.pid)
		write_end(&user.writer);
	check_closed_anew(&user, nth);
}

/* Or nothing, until the user closes the device. */
static void check_at_close(int nth)
{
	struct user user;

	about("ours, found at close");
	if (!lose_untold(nth, LONG, 8, &user))
		return;
	if (user.writer.pid) {
		kill(user.writer.pid, SIGKILL);
		waitpid(user.writer.pid, NULL, 0);
	}
	check_closed_anew(&user, nth);
}

/* Or what the user does next. And the PCI core has found no place at all for the BAR. */
static void check_no_room(int nth)
{
	struct vfio_region_info *info;
	char lost[64], moved[64];
	struct user user;
	uint32_t value;
	int mark, i, other;
	char *log;

	about("ours, without room");
	mark = log_mark();
	if (!lose_untold(nth, LONGEST, 4, &user))
		return;
	is_errno(vfio_read32(&user.vfio, at.bar, at.reg, &value), -EIO, "read() is refused");
	for (i = 0; i < 100 && peek(user.reg, &value); i++)
		sleep_ms(100);
	ok(!peek(user.reg, &value), "then the old mapping goes, too");
	/* What is done about it is said after that. */
	sleep_ms(200);
	is_u64(zoo_address(&at), 0, "the BAR has no address");
	is_str(zoo_sysfs(&at, "state"), "lost", "state in sysfs");
	log = log_since(mark);
	snprintf(lost, sizeof(lost), "%s: BAR %d, at bind", at.dev.bdf, at.bar);
	snprintf(moved, sizeof(moved), "%s: the PCI core has moved its BARs", at.dev.bdf);
	is_u64(log_count(log, lost), 1, "the log says so");
	is_u64(log_count(log, moved), 1, "and what it means to the user");
	/* This one may be noticed only as it is closed. */
	other = log_count(log, "BAR 1, at bind");
	free(log);
	ok(!decodes(), "the function decodes nothing");
	if (user.writer.pid)
		write_end(&user.writer);
	ok(!decodes(), "nor when a write to config space ends that has begun before");
	check_event(user.event);
	forget(&user);
	vfio_close(&user.vfio);
	log = log_since(mark);
	ok(other + log_count(log, "BAR 1, at bind") > 0, "the log says so of the other device whose BAR 1 is lost");
	free(log);
	close(mark);
	for (i = 0; i < (int)OTHERS; i++)
		is_errno(pci_bind(&others[i].dev, ""), 0, "%s is unbound", others[i].model);
	ok(!decodes(), "nor when it is closed: its register has an address that is not its own");
	if (is_errno(vfio_open(&at.dev, &user.vfio), 0, "it is opened again, the PCI core has forgotten the BAR")) {
		if (is_errno(vfio_region(&user.vfio, at.bar, &info), 0, "region info")) {
			is_u64(info->size, 0, "there is no such BAR");
			free(info);
		}
		ok(!decodes(), "nor does the function decode anything now");
		vfio_close(&user.vfio);
	}
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(!zoo_any_claim(), "the BAR has its true size again");
}

/* Nobody has it open, and it sleeps; it wakes up with what it fell asleep with. */
static void check_sleeper(int nth, bool opened)
{
	static uint32_t value;
	struct pci_dev port;
	struct vfio vfio;

	about("ours, asleep, %s", opened ? "closed again" : "never opened");
	if (!prepare(nth, LONG, 8, &port) || !is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound"))
		return;
	if (opened) {
		if (!is_errno(vfio_open(&at.dev, &vfio), 0, "opened"))
			return;
		is_errno(vfio_read32(&vfio, at.bar, at.reg, &value), 0, "read");
		vfio_close(&vfio);
	}
	check_asleep("with nobody who has it open");
	if (!find_bridge(&port))
		return;
	free_bridge();
	check_again(value);
	is_u64(zoo_register(&at), zoo_address(&at), "its BAR says where it is now");
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
}

CASE(lost_open)
{
	struct after after;
	struct user user;

	if (!is_errno(module_load(""), 0, "the module loads"))
		return;
	check_told(0);
	check_newcomer(1);
	check_at_close(2);
	check_no_room(3);
	check_sleeper(4, true);
	/* Of the same model: the register says the same. */
	check_sleeper(5, false);
	about("stock vfio-pci");
	if (!lose(6, "vfio-pci", LONG, 8, &user))
		return;
	after = look(&user.vfio, user.reg);
	print("vfio-pci", &after);
	keep_open(&user.vfio);
	is_errno(module_unload(), 0, "our module unloads");
}

CASE(lost)
{
	uint64_t at_bind;

	if (!is_errno(module_load(""), 0, "the module loads") ||
	    !is_errno(pci_find(PCIE_PCI_BRIDGE, 0, &bridge), 0, "there is a bridge") ||
	    !ok(find(0), "there is a sub-page BAR behind it"))
		return;
	at_bind = zoo_address(&at);
	if (!is_errno(pci_bind(&at.dev, OURS), 0, "it is bound"))
		return;
	ok(zoo_claimed(&at), "it has a page of its own");

	check_closed(at_bind);
	check_opened_after();
	pci_bind(&at.dev, "");
	is_errno(module_unload(), 0, "the module unloads");
}
