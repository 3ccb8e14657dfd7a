// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several devices whose BARs share pages: stock vfio-pci and this driver in the
 * same boot, BAR by BAR.
 */
#include <endian.h>
#include <sys/mman.h>

#include "cases.h"
#include "iomem.h"
#include "meminfo.h"
#include "vfio.h"
#include "zoo.h"

static struct zoo_bar bars[ZOO_MAX];
static int count;

static void bind_all(const char *driver)
{
	static int times;
	int i;

	about("change %d of drivers", ++times);
	for (i = 0; i < count; i++)
		if (zoo_first_of_device(bars, i))
			is_errno(pci_bind(&bars[i].dev, driver), 0, "%s %s: %s", bars[i].dev.bdf,
				 bars[i].name, *driver ? driver : "unbound");
}

/* Which of the BARs user space may map; returns how many. */
static int ask_reported(bool *reported)
{
	static int times;
	int n = 0, i;

	about("round %d of users", ++times);
	for (i = 0; i < count; i++) {
		struct vfio vfio;

		about("%s BAR %d", bars[i].dev.bdf, bars[i].bar);
		reported[i] = false;
		if (!is_errno(vfio_open(&bars[i].dev, &vfio), 0, "%s: opened", bars[i].name))
			continue;
		reported[i] = zoo_reported_mmap(&bars[i], &vfio);
		n += reported[i];
		vfio_close(&vfio);
	}
	return n;
}

static void check_register(const struct zoo_bar *at, bool stock)
{
	volatile uint32_t *reg;
	double trapped, mapped;
	struct vfio vfio;
	uint32_t value;
	void *map;

	about("%s BAR %d in use", at->dev.bdf, at->bar);
	if (!is_errno(vfio_open(&at->dev, &vfio), 0, "%s: opened", at->name))
		return;
	ok(zoo_reported_mmap(at, &vfio), "%s: BAR %d is mappable", at->name, at->bar);
	if (!is_errno(vfio_map(&vfio, at->bar, 0, sysconf(_SC_PAGESIZE), &map), 0,
		      "%s: BAR %d is mapped", at->name, at->bar))
		goto close;
	reg = (void *)((char *)map + at->reg);
	is_errno(vfio_read32(&vfio, at->bar, at->reg, &value), 0, "%s: read trapped", at->name);
	is_u64(le32toh(*reg), value, "%s: mapped and trapped read agree", at->name);
	if (at->writable) {
		*reg = htole32(0x5a5a1234);
		vfio_read32(&vfio, at->bar, at->reg, &value);
		is_u64(value, 0x5a5a1234, "%s: written mapped, read trapped", at->name);
		vfio_write32(&vfio, at->bar, at->reg, 0x00c0ffee);
		is_u64(le32toh(*reg), 0x00c0ffee, "%s: written trapped, read mapped", at->name);
	}
	trapped = zoo_time_trapped(at, &vfio);
	mapped = zoo_time_mapped(reg);
	diag("%s %s BAR %d, %llu bytes: trapped by stock vfio-pci %s; here %s, a read %.0f ns instead of %.0f, 1/%.0f",
	     at->dev.bdf, at->name, at->bar, (unsigned long long)at->size, stock ? "no" : "yes",
	     zoo_sysfs(at, "state"), mapped, trapped, trapped / mapped);
	ok(mapped < trapped / 4, "%s: a mapped read is faster by far", at->name);
	munmap(map, sysconf(_SC_PAGESIZE));
close:
	vfio_close(&vfio);
}

/* As the firmware of a PC leaves them: one BAR a page. Others share theirs, the first of a page as well. */
static void check_in_place(void)
{
	int in_place = 0, i;

	for (i = 0; i < count; i++) {
		struct zoo_bar *at = &bars[i];
		uint64_t before = zoo_address(at);

		about("%s BAR %d as booted", at->dev.bdf, at->bar);
		if (!zoo_stock_maps(at))
			continue;
		in_place++;
		pci_bind(&at->dev, OURS);
		is_str(zoo_sysfs(at, "state"), "in_place", "%s: alone on its page, claimed in place",
		       at->name);
		is_u64(zoo_address(at), before, "%s: not moved", at->name);
		ok(zoo_claimed(at), "%s: the claim is one page and holds BAR %d alone", at->name, at->bar);
		pci_bind(&at->dev, "");
	}
#ifdef __x86_64__
	is_u64(in_place, count, "as booted each of the %d BARs was alone on its page, and claimed in place", count);
#else
	diag("%d of %d BARs were alone on their page, and claimed in place", in_place, count);
#endif
}

/* The only BAR of a disk controller is the last that a device can have: realign=trap is for that, too. */
static void check_last_bar(void)
{
	const struct zoo_bar *at = zoo_named(bars, count, "ahci");
	struct vfio vfio;

	if (!at)
		return;
	about("realign=trap");
	module_set("realign", "trap");
	is_errno(pci_bind(&at->dev, OURS), 0, "a device with BAR %d alone is bound", at->bar);
	if (is_errno(vfio_open(&at->dev, &vfio), 0, "opened")) {
		ok(!zoo_reported_mmap(at, &vfio), "and trapped");
		vfio_close(&vfio);
	}
	pci_bind(&at->dev, "");
}

/* Where the default hides an MSI-X table, that is no matter of pages: case msix. */
MODULE_CASE(claim, "msix_mmap=isolated")
{
	const struct iomem_entry *old;
	struct iomem map;
	bool stock[ZOO_MAX], reported[ZOO_MAX];
	uint64_t before[ZOO_MAX], flags[ZOO_MAX];
	struct wrong other_flags = {};
	struct zoo_bar io;
	struct pci_bar bar;
	int moved = 0, i;
	bool neighbour = false, shared;

	count = zoo_list(bars);
	check_in_place();
	count = zoo_list_packed(bars);
	if (!ok(count >= 5, "%d sub-page BARs", count))
		return;

	for (i = 0; i < count; i++) {
		before[i] = zoo_address(&bars[i]);
		flags[i] = pci_bar(&bars[i].dev, bars[i].bar, &bar) ? 0 : bar.flags;
		stock[i] = zoo_stock_maps(&bars[i]);
		neighbour |= before[i] % sysconf(_SC_PAGESIZE) == 0 && !zoo_alone(&bars[i]);
		diag("BAR at %#llx, %llu bytes: %s %s BAR %d%s", (unsigned long long)before[i],
		     (unsigned long long)bars[i].size, bars[i].dev.bdf, bars[i].name, bars[i].bar,
		     stock[i] ? "" : ", shares its page");
	}
	ok(neighbour, "one of them is at the start of a page that others share");

	bind_all("vfio-pci");
	i = ask_reported(reported);
	ok(!memcmp(reported, stock, count * sizeof(*stock)),
	   "stock vfio-pci maps %d of %d: those that start on a page, alone", i, count);
	ok(i < count / 2, "which is less than half of them");
#ifdef __x86_64__
	is_u64(i, 0, "which is none: all share a page");
#endif
	/* One by one: the first device bound at the start of a page still has all its neighbours. */
	bind_all("");
	for (i = 0; i < count; i++) {
		if (!zoo_first_of_device(bars, i))
			continue;
		about("%s claimed", bars[i].dev.bdf);
		shared = zoo_other_device(&bars[i]);
		is_errno(pci_bind(&bars[i].dev, OURS), 0, "%s %s: %s", bars[i].dev.bdf, bars[i].name, OURS);
		if (shared)
			is_str(zoo_sysfs(&bars[i], "state"), "moved", "%s: moved away from its neighbours",
			       bars[i].name);
	}
	for (i = 0; i < count; i++) {
		struct zoo_bar *at = &bars[i];
		bool move = strcmp(zoo_sysfs(at, "state"), "moved") == 0;

		about("%s BAR %d", at->dev.bdf, at->bar);
		moved += move;
		ok(zoo_claimed(at), "%s: the claim is one page and holds BAR %d alone", at->name, at->bar);
		if (!strcmp(at->name, "rtl8139")) {
			io = *at;
			io.bar = 0;
			is_str(zoo_sysfs(&io, "state"), "", "%s: its BAR 0 is for I/O and left alone", at->name);
		}
		ok(move == (zoo_address(at) != before[i]), "%s: state \"%s\" tells what happened",
		   at->name, zoo_sysfs(at, "state"));
		if (move) {
			is_u64(strtoull(zoo_sysfs(at, "original"), NULL, 0), before[i], "%s: so does where it was",
			       at->name);
			iomem_read(&map);
			old = iomem_range(&map, before[i], before[i] + at->size - 1);
			ok(!old || !strstr(old->name, at->dev.bdf), "%s: which is free for others", at->name);
			iomem_free(&map);
		}
#ifdef __x86_64__
		ok(zoo_address(at) >= 0x100000, "%s: not placed below 1 MiB", at->name);
#endif
	}
	ok(moved > 0, "%d of %d were moved", moved, count);
	for (i = 0; i < count; i++)
		check_register(&bars[i], stock[i]);

	bind_all("");
	ok(!zoo_any_claim(), "no claim is left when all are unbound");
	for (i = 0; i < count; i++)
		if (pci_bar(&bars[i].dev, bars[i].bar, &bar) || bar.flags != flags[i])
			wrong_add(&other_flags, "%s BAR %d: %#llx, was %#llx", bars[i].dev.bdf, bars[i].bar,
				  (unsigned long long)bar.flags, (unsigned long long)flags[i]);
	none_wrong(&other_flags, "and each has the flags that it had");
	bind_all("vfio-pci");
	is_u64(ask_reported(reported), count, "given to stock vfio-pci, all stay mappable");
	bind_all("");
	check_last_bar();
}

#define ROUND 256
#define ROUNDS 8

/* Bind and unbind, over and over: nothing grows, nothing wanders. */
MODULE_CASE(cycles, "")
{
	long kb, page_kb = sysconf(_SC_PAGESIZE) / 1024, limit = page_kb > 4 ? 4 * page_kb : 16;
	bool kmemleak = !access("/sys/kernel/debug/kmemleak", F_OK);
	int i, round, quiet = 0, wandered = 0, failed = 0;
	struct iomem first, last;
	struct zoo_bar *at;
	uint64_t address;

	count = zoo_list_packed(bars);
	if (!ok(count > 0, "there is a sub-page BAR"))
		return;
	at = &bars[0];
	failed += !!pci_bind(&at->dev, OURS);
	address = zoo_address(at);
	iomem_read(&first);
	/*
	 * What is allocated once and for all is there after the first round, which can also fill what was free. The
	 * rest of the kernel allocates now and then; but what each bind loses is in every round, of 64 bytes a bind
	 * 16 KiB. So two rounds in a row without it are enough, of up to eight. Memory grows in whole pages: with
	 * larger ones only a leak of four pages a round, 1 KiB a bind with 64K, can be told. KASAN holds memory back;
	 * there kmemleak tells, and need not see more binds than others.
	 */
	for (round = 0; round < (kmemleak ? 3 : ROUNDS) && quiet < 2; round++) {
		kb = meminfo_kb("SUnreclaim");
		for (i = 0; i < ROUND; i++) {
			failed += !!pci_bind(&at->dev, OURS);
			wandered += zoo_address(at) != address;
		}
		kb = meminfo_kb("SUnreclaim") - kb;
		diag("round %d: %ld KiB", round, kb);
		quiet = round && kb < limit ? quiet + 1 : 0;
	}
	iomem_read(&last);
	is_u64(failed, 0, "bound and unbound %d times", ROUND * round);
	is_u64(wandered, 0, "the BAR stays at the address of the first time");
	ok(iomem_same(&first, &last), "/proc/iomem is the same after the last bind as after the first");
	if (kmemleak)
		skip(1, "kmemleak looks for lost memory");
	else
		ok(quiet == 2, "kernel memory does not grow in two rounds of %d binds", ROUND);
	iomem_free(&first);
	iomem_free(&last);
	pci_bind(&at->dev, "");
	ok(!zoo_any_claim(), "no claim is left");
}
