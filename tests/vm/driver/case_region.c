// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region info and mmap at their edges: every index, every length of the answer,
 * and every mapping that must be refused, with the error that stock vfio-pci gives.
 */
#include <linux/pci_regs.h>
#include <linux/subpage_vfio_pci.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "cases.h"
#include "peek.h"
#include "vfio.h"
#include "zoo.h"

#define INDICES (VFIO_PCI_NUM_REGIONS + 3)

static uint64_t page;

/* What one driver answers for the same device. */
struct answers {
	int err[INDICES];
	uint64_t size[INDICES];
	uint32_t flags[INDICES];
	int mmap_err[16], rom_err, pasid_err;
	uint32_t rom;
};

static int region_raw(const struct vfio *vfio, uint32_t index, void *buffer, uint32_t argsz)
{
	struct vfio_region_info *info = buffer;

	info->argsz = argsz;
	info->index = index;
	return ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

static int try_mmap(const struct vfio *vfio, uint64_t where, uint64_t len, int flags)
{
	void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, vfio->device, where);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, len);
	return 0;
}

/* Of an address space of its own that no part of the device has. 6.15 and newer, through iommufd. */
static int detach_pasid(const struct vfio *vfio)
{
	struct {
		uint32_t argsz, flags, pasid;
	} request = { .argsz = sizeof(request), .flags = 1, .pasid = 7 };

	return ioctl(vfio->device, _IO(VFIO_TYPE, VFIO_BASE + 20), &request) ? -errno : 0;
}

static void ask_everything(const struct vfio *vfio, int bar, struct answers *answers)
{
	char buffer[256];
	struct vfio_region_info *info = (void *)buffer;
	uint64_t base = 0, config = 0, stride = 1ull << 40;
	int i, n = 0;

	for (i = 0; i < INDICES; i++) {
		/* What the user has there is no part of the answer. */
		memset(buffer, 0xa5, sizeof(buffer));
		answers->err[i] = region_raw(vfio, i, buffer, sizeof(buffer));
		answers->size[i] = info->size;
		/* Whether there are capabilities differs, and is tested elsewhere. */
		answers->flags[i] = info->flags & ~VFIO_REGION_INFO_FLAG_CAPS;
		if (i == bar)
			base = info->offset;
		if (i == VFIO_PCI_CONFIG_REGION_INDEX)
			config = info->offset;
	}
	answers->pasid_err = detach_pasid(vfio);
	answers->rom_err = vfio_read32(vfio, VFIO_PCI_ROM_REGION_INDEX, 0, &answers->rom);
	answers->mmap_err[n++] = try_mmap(vfio, base, page, MAP_SHARED);
	answers->mmap_err[n++] = try_mmap(vfio, base, 2 * page, MAP_SHARED);
	answers->mmap_err[n++] = try_mmap(vfio, base + page, page, MAP_SHARED);
	answers->mmap_err[n++] = try_mmap(vfio, base + stride - page, page, MAP_SHARED);
	answers->mmap_err[n++] = try_mmap(vfio, base + stride - page, 2 * page, MAP_SHARED);
	answers->mmap_err[n++] = try_mmap(vfio, base, page, MAP_PRIVATE);
	answers->mmap_err[n++] = try_mmap(vfio, config, page, MAP_SHARED);
	answers->mmap_err[n++] = try_mmap(vfio, VFIO_PCI_ROM_REGION_INDEX * stride, page, MAP_SHARED);
	answers->mmap_err[n++] = try_mmap(vfio, 100 * stride, page, MAP_SHARED);
	answers->mmap_err[n++] = try_mmap(vfio, 0x7fffffull * stride, page, MAP_SHARED);
}

static void compare(const struct answers *ours, const struct answers *stock)
{
	static const char * const attempt[] = {
		"the page of the BAR", "a page more", "the page after it", "the end of the BAR's range",
		"across into the next region", "a private mapping", "config space", "the ROM",
		"a region that is not there", "an offset at the end of all",
	};
	size_t i;

	for (i = 0; i < INDICES; i++) {
		is_errno(ours->err[i], stock->err[i], "index %zu: the error is stock vfio-pci's", i);
		is_u64(ours->size[i], stock->size[i], "index %zu: and the size", i);
		is_u64(ours->flags[i], stock->flags[i], "index %zu: and the flags", i);
	}
	for (i = 0; i < sizeof(attempt) / sizeof(attempt[0]); i++)
		is_errno(ours->mmap_err[i], stock->mmap_err[i], "mmap of %s: as with stock vfio-pci",
			 attempt[i]);
	is_errno(ours->rom_err, stock->rom_err, "read() of the ROM: as with stock vfio-pci");
	is_u64(ours->rom, stock->rom, "and what it says");
	is_errno(ours->pasid_err, stock->pasid_err, "detaching a PASID that is not attached: as with stock vfio-pci");
	is_errno(ours->mmap_err[0], 0, "the page of the BAR can be mapped");
	for (i = 1; i < sizeof(attempt) / sizeof(attempt[0]); i++)
		is_errno(ours->mmap_err[i], -EINVAL, "mmap of %s is refused", attempt[i]);
}

static void check_lengths(const struct vfio *vfio, int bar)
{
	char buffer[256] = {};
	struct vfio_region_info *info = (void *)buffer;
	struct vfio_info_cap_header *cap;
	uint32_t need, at, last = 0;
	int caps = 0;

	is_errno(region_raw(vfio, bar, buffer, 0), -EINVAL, "argsz 0 is refused");
	is_errno(region_raw(vfio, bar, buffer, sizeof(*info) - 1), -EINVAL, "argsz one short is refused");
	is_errno(region_raw(vfio, bar, buffer, sizeof(*info)), 0, "argsz without room for capabilities");
	need = info->argsz;
	ok(info->flags & VFIO_REGION_INFO_FLAG_CAPS, "there are capabilities");
	ok(need > sizeof(*info) && need < sizeof(buffer), "argsz says how much room they take");
	is_u64(info->cap_offset, 0, "none of them is returned");

	memset(buffer, 0xa5, sizeof(buffer));
	is_errno(region_raw(vfio, bar, buffer, need - 1), 0, "one byte short of that");
	is_u64(info->argsz, need, "argsz says the same again");
	is_u64(info->cap_offset, 0, "none of them is returned then, either");
	is_u64((uint8_t)buffer[sizeof(*info)], 0xa5, "nothing is written past the fixed part");

	memset(buffer, 0xa5, sizeof(buffer));
	is_errno(region_raw(vfio, bar, buffer, need), 0, "exactly enough");
	is_u64((uint8_t)buffer[need], 0xa5, "nothing is written past the end");
	for (at = info->cap_offset; at; at = cap->next) {
		cap = (void *)(buffer + at);
		if (!ok(at > last && at % 8 == 0 && at + sizeof(*cap) <= need,
			"capability %#x lies in the answer, aligned, after the one before", cap->id))
			break;
		last = at;
		caps++;
	}
	ok(caps > 0, "the chain has %d", caps);
}

/* Where the answer cannot be put, it is an error, whether the fixed part or the capabilities do not fit. */
static void check_bad_pointers(const struct vfio *vfio, int bar)
{
	/* A page that takes the answer, one that can only be read, none. */
	char *pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vfio_region_info *info = (void *)(pages + page - sizeof(*info)), *constant = (void *)(pages + page);
	struct vfio_region_info ask = { .argsz = 256, .index = bar };
	int absent = bar ? bar - 1 : bar + 1;

	about("bad pointers");
	*info = *constant = ask;
	mprotect(pages + page, page, PROT_READ);
	mprotect(pages + 2 * page, page, PROT_NONE);
	is_errno(ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, pages + 2 * page) ? -errno : 0, -EFAULT,
		 "no question");
	is_errno(ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, constant) ? -errno : 0, -EFAULT,
		 "no room for the answer");
	mprotect(pages + page, page, PROT_READ | PROT_WRITE);
	constant->index = absent;
	mprotect(pages + page, page, PROT_READ);
	is_errno(ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, constant) ? -errno : 0, -EFAULT,
		 "no room for an answer without capabilities, of a BAR that is not there");
	is_errno(ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0, -EFAULT,
		 "no room for the capabilities");
	munmap(pages, 3 * page);
}

static void check_capability(const struct vfio *vfio, const struct zoo_bar *at)
{
	const struct vfio_region_info_cap_subpage *cap;
	struct vfio_region_info *info;

	if (!ok(!vfio_region(vfio, at->bar, &info), "region info"))
		return;
	cap = (const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SUBPAGE);
	if (ok(cap, "the capability that says what was done is there")) {
		is_u64(cap->header.version, VFIO_REGION_INFO_CAP_SUBPAGE_VERSION, "its version");
		is_u64(cap->bar_state, SUBPAGE_BAR_TRAP, "it says why the BAR has no page");
		is_u64(cap->bar_size, at->size, "it says how long the BAR is");
		is_u64(cap->page_size, page, "it says how long a page is");
		is_u64(cap->msix_state, SUBPAGE_MSIX_NONE, "it says that no MSI-X table is there");
		is_u64(cap->reserved, 0, "what is reserved is 0");
	}
	free(info);
}

static ssize_t region_pread(const struct vfio *vfio, const struct zoo_bar *at, void *buf, size_t count,
			    uint64_t offset)
{
	return pread(vfio->device, buf, count, ((uint64_t)at->bar << 40) + offset);
}

/* What follows the registers on the page is not the device's: no access reaches the bus. */
static void check_behind(const struct vfio *vfio, const struct zoo_bar *at, const char *how)
{
	uint32_t two[2] = {}, value = 0;
	uint64_t end = (uint64_t)at->bar << 40 | at->size;
	struct iovec parts[] = { { &two[0], 4 }, { &two[1], 4 } };
	uint8_t long_read[256];
	ssize_t got, i;
	void *bad;

	about("%s", how);
	is_u64(region_pread(vfio, at, &value, 4, at->size), 4, "read right behind the registers");
	is_u64(value, 0xffffffff, "gives all ones");
	value = 0;
	is_u64(region_pread(vfio, at, &value, 4, page - 4), 4, "read at the end of the page");
	is_u64(value, 0xffffffff, "all ones, too");
	is_u64(region_pread(vfio, at, two, 8, at->size - 4), 4, "a read across the end of the registers stops there");
	is_u64(pwrite(vfio->device, two, 8, end - 4), 4, "so does a write");
	is_u64(region_pread(vfio, at, two, 8, page - 4), 4, "a read across the end of the page stops there");
	is_u64(pwrite(vfio->device, two, 8, end - at->size + page - 4), 4, "and so does a write");
	is_u64(pwrite(vfio->device, two, 4, end), 4, "a write behind them is taken");
	is_u64(region_pread(vfio, at, &value, 4, at->size), 4, "and read again");
	is_u64(value, 0xffffffff, "forgotten");
	is_errno(region_pread(vfio, at, &value, 4, page) < 0 ? -errno : 0, -EINVAL, "behind the page is nothing");
	memset(long_read, 0xa5, sizeof(long_read));
	got = region_pread(vfio, at, long_read, sizeof(long_read), at->size);
	ok(got > 0 && got <= (ssize_t)sizeof(long_read), "a long read behind the registers gives %zd bytes", got);
	for (i = 0; i < got; i++)
		if (long_read[i] != 0xff)
			break;
	is_u64(i, got > 0 ? got : 0, "of ones and nothing else");
	is_u64(region_pread(vfio, at, &value, 0, at->size), 0, "a read of nothing is none");
	/* The second part begins where the first ends: behind the page. */
	is_u64(preadv(vfio->device, parts, 2, end - at->size + page - 4), 4, "a read of parts ends with the page");
	is_u64(pwritev(vfio->device, parts, 2, end - at->size + page - 4), 4, "so does a write of parts");
	bad = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	is_errno(pread(vfio->device, bad, 4, end) < 0 ? -errno : 0, -EFAULT, "a bad buffer is an error there, too");
	munmap(bad, page);
}

/* Up to 6.9 vfio-pci-core has a list of mappings. In it none that has gone may pass for one that comes. */
static void check_mapped_often(const struct vfio *vfio, const struct zoo_bar *at)
{
	pid_t child = fork();
	int status = 0, i;
	void *map;

	if (!child) {
		/* Or the access never ends. */
		alarm(30);
		for (i = 0; i < 100 && !vfio_map(vfio, at->bar, 0, page, &map); i++) {
			(void)*(volatile uint32_t *)((char *)map + at->reg);
			munmap(map, page);
		}
		_exit(i);
	}
	waitpid(child, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 100, "it is mapped and read a hundred times (%#x)", status);
}

static void check_page(const struct zoo_bar *at)
{
	struct vfio_region_info info;
	struct vfio vfio;

	about("bar_size=page");
	is_errno(pci_bind(&at->dev, "subpage_vfio_pci"), 0, "bound");
	if (is_errno(vfio_open(&at->dev, &vfio), 0, "opened") &&
	    ok(!vfio_info(&vfio, at->bar, &info), "region info")) {
		is_u64(info.size, page, "the region is a page long");
		is_u64(info.flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
				    VFIO_REGION_INFO_FLAG_MMAP, "it can be mapped, and has no capability");
		check_behind(&vfio, at, "region");
		check_mapped_often(&vfio, at);
		vfio_close(&vfio);
	}
	pci_bind(&at->dev, "");
}

static PRINTF(3, 4) void check_exception(const struct zoo_bar *at, const char *state, const char *fmt, ...)
{
	char text[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	about("%s", text);
	is_errno(module_set("realign", "%s", text), 0, "it is taken");
	pci_bind(&at->dev, "subpage_vfio_pci");
	is_str(zoo_sysfs(at, "state"), state, "state");
	pci_bind(&at->dev, "");
}

/* Exceptions that are for another device, by one number each, and those that are for this one. */
static void check_exceptions(const struct zoo_bar *at)
{
	unsigned int domain, bus, slot, function, i;
	unsigned int vendor = at->dev.vendor, device = at->dev.device;

	sscanf(at->dev.bdf, "%x:%x:%x.%x", &domain, &bus, &slot, &function);
	for (i = 0; i < 4; i++)
		check_exception(at, "in_place", "1,trap@%04x:%02x:%02x.%x", domain ^ (i == 0), bus ^ (i == 1),
				slot ^ (i == 2), function ^ (i == 3));
	for (i = 0; i < 2; i++)
		check_exception(at, "in_place", "1,trap@pci:%04x:%04x", vendor ^ (i == 0), device ^ (i == 1));
	check_exception(at, "trap", "1,trap@%x:%x:%x.%x", domain, bus, slot, function);
	check_exception(at, "trap", "1,trap@pci:%04X:%04X", vendor, device);
	check_exception(at, "in_place", "0,1@pci:%x:%x", vendor, device);
	/* An exception alone leaves the rest as it is. */
	check_exception(at, "in_place", "trap@ffff:ff:1f.7");
	/* The longest number and each digit of it. */
	check_exception(at, "in_place", "1,trap@7fffffff:ff:1f.7,trap@pci:abcd:ef09");
}

/* Alone on its page, stock vfio-pci would map it. */
static void check_trap(const struct zoo_bar *at)
{
	char text[64];
	struct vfio vfio;
	void *map = NULL;

	about("realign=trap for this device");
	ok(zoo_stock_maps(at), "the BAR is alone on its page");
	is_errno(module_set("realign", "1,trap@%.15s", at->dev.bdf), 0, "the option takes an exception");
	is_errno(pci_bind(&at->dev, "subpage_vfio_pci"), 0, "bound");
	if (is_errno(vfio_open(&at->dev, &vfio), 0, "opened")) {
		ok(!zoo_reported_mmap(at, &vfio), "not reported as mappable");
		/* What is mapped keeps the device open. */
		if (!is_errno(vfio_map(&vfio, at->bar, 0, page, &map), -EINVAL, "mmap is refused"))
			munmap(map, page);
		check_lengths(&vfio, at->bar);
		check_bad_pointers(&vfio, at->bar);
		check_capability(&vfio, at);
		is_errno(region_pread(&vfio, at, text, 4, at->size) < 0 ? -errno : 0, -EINVAL,
			 "there is nothing behind its registers");
		vfio_close(&vfio);
	}
	pci_bind(&at->dev, "");
	module_set("realign", "1,trap@ffff:ff:1f.7,trap@pci:1234:5678");
	pci_bind(&at->dev, "subpage_vfio_pci");
	is_str(zoo_sysfs(at, "state"), "in_place", "for others it does not count");
	pci_bind(&at->dev, "");
	module_set("realign", "1,trap@pci:%x:%x,0@%.15s", at->dev.vendor, at->dev.device, at->dev.bdf + 5);
	pci_bind(&at->dev, "subpage_vfio_pci");
	is_str(zoo_sysfs(at, "state"), "in_place", "the last one that fits counts");
	pci_bind(&at->dev, "");
	check_exceptions(at);
	module_set("realign", "1");
}

/* What is left of a mapping is two, and each of them loses its pages with memory decode. */
static void check_two_left(const struct vfio *vfio)
{
	struct vfio_region_info config;
	uint16_t on = 0, off;
	volatile uint32_t *last;
	uint32_t value, again;
	void *map;

	if (!is_errno(vfio_map(vfio, 0, 0, 3 * page, &map), 0, "three pages are mapped") ||
	    !is_errno(vfio_info(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config), 0, "config space"))
		return;
	last = (void *)((char *)map + 2 * page);
	value = *last;
	munmap((char *)map + page, page);
	is_u64(*last, value, "without the second the third reads as before");
	pread(vfio->device, &on, sizeof(on), config.offset + PCI_COMMAND);
	off = on & ~PCI_COMMAND_MEMORY;
	is_u64(pwrite(vfio->device, &off, sizeof(off), config.offset + PCI_COMMAND), sizeof(off),
	       "memory decode is switched off");
	ok(!peek(last, &again), "it is there no more");
	pwrite(vfio->device, &on, sizeof(on), config.offset + PCI_COMMAND);
	is_u64(*last, value, "switched on, it is there again");
	munmap(map, 3 * page);
}

/* A BAR of a page and more has the size that it has. */
static void check_exact_long(void)
{
	struct vfio_region_info info;
	struct pci_dev nvme;
	struct pci_bar bar;
	struct vfio vfio;

	about("bar_size=exact, a long BAR");
	if (!is_errno(pci_find(NVME, 0, &nvme), 0, "there is an NVMe") || pci_bar(&nvme, 0, &bar))
		return;
	is_errno(pci_bind(&nvme, "subpage_vfio_pci"), 0, "bound");
	if (is_errno(vfio_open(&nvme, &vfio), 0, "opened")) {
		if (is_errno(vfio_info(&vfio, 0, &info), 0, "region info"))
			is_u64(info.size, bar.size, "its size");
		if (bar.size >= 3 * page)
			check_two_left(&vfio);
		vfio_close(&vfio);
	}
	pci_bind(&nvme, "");
}

MODULE_CASE(region, "")
{
	static struct zoo_bar bars[ZOO_MAX];
	struct answers ours = {}, stock = {};
	struct zoo_bar *at = NULL;
	struct vfio vfio;
	int count, i;

	page = sysconf(_SC_PAGESIZE);
	count = zoo_list(bars);
	for (i = 0; i < count && !at; i++)
		if (!pci_capability(&bars[i].dev, 0x11))
			at = &bars[i];
	if (!ok(at, "there is a device without MSI-X"))
		return;
	diag("%s %s BAR %d", at->dev.bdf, at->name, at->bar);
	check_page(at);
	check_trap(at);

	/* With the true size, all is as with stock vfio-pci. */
	module_set("bar_size", "exact");
	is_errno(pci_bind(&at->dev, "subpage_vfio_pci"), 0, "bound with bar_size=exact");
	if (is_errno(vfio_open(&at->dev, &vfio), 0, "opened")) {
		ask_everything(&vfio, at->bar, &ours);
		check_behind(&vfio, at, "bar_size=exact");
		vfio_close(&vfio);
	}
	ok(zoo_claimed(at), "the BAR's resource is a page long all the same");
	check_exact_long();
	/* Alone on its page now, so that stock vfio-pci maps it too. */
	is_errno(pci_bind(&at->dev, "vfio-pci"), 0, "bound to stock vfio-pci");
	if (is_errno(vfio_open(&at->dev, &vfio), 0, "opened there")) {
		ask_everything(&vfio, at->bar, &stock);
		vfio_close(&vfio);
	}
	compare(&ours, &stock);
	pci_bind(&at->dev, "");
}
