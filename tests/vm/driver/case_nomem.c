// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each memory allocation of a bind, of an unbind and of a user's way to a mapping fails
 * once, one after the other, by the kernel's own fault injection: whatever the kernel
 * makes of it, the device is then either bound with its claim or as it was before.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>

#include "cases.h"
#include "pci.h"
#include "snapshot.h"
#include "zoo.h"

#define FAILSLAB "/sys/kernel/debug/failslab/"

/* More than any of the three takes. */
#define MANY 2000

static int fail_nth;

/* The nth allocation that this process makes from here on fails. */
static void arm(int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	if (pwrite(fail_nth, text, len, 0) != len)
		bail("cannot arm the fault");
}

/* Has one failed? */
static bool disarm(void)
{
	char text[16] = "";

	if (pread(fail_nth, text, sizeof(text) - 1, 0) <= 0)
		bail("cannot read what is left of the fault");
	arm(0);
	return !atoi(text);
}

/*
 * Of all caches but those of kmemleak, which would then lose track, and without a
 * dump of the stack each time.
 */
static bool fault_injection_ready(void)
{
	DIR *slabs = opendir("/sys/kernel/slab");
	struct dirent *slab;
	char path[300];
	int caches = 0;

	while (slabs && (slab = readdir(slabs))) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", slab->d_name);
		if (strncmp(slab->d_name, "kmemleak", 8))
			caches += !file_write(path, "1");
	}
	if (slabs)
		closedir(slabs);
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return ok(caches > 20, "%d slab caches can have an allocation fail", caches) &&
	       is_errno(file_write(FAILSLAB "cache-filter", "1"), 0, "only these") &&
	       is_errno(file_write(FAILSLAB "ignore-gfp-wait", "0"), 0, "allocations that may sleep, too") &&
	       is_errno(file_write(FAILSLAB "verbose", "0"), 0, "without a word in the log") &&
	       ok(fail_nth >= 0, "this process can choose which");
}

/*
 * The other BAR is on the device's page, and its function in the device's IOMMU group,
 * which stays with VFIO for as long as that function does: without it a bind also
 * makes the group, and where that fails vfio_create_group() warns (7.2).
 */
static void check_bind(const struct zoo_bar *at, const struct zoo_bar *other)
{
	int nth, err, failed = 0, moved = 0;
	struct wrong wrong = {};
	uint64_t home = zoo_address(at);
	char *before;
	bool hit;

	is_errno(pci_bind(&other->dev, "vfio-pci"), 0, "%s: its neighbour is with VFIO", at->name);
	before = snapshot();
	for (nth = 1; nth < MANY; nth++) {
		bool bound;

		pci_attr_write(&at->dev, "driver_override", OURS);
		arm(nth);
		err = file_write("/sys/bus/pci/drivers/" OURS "/bind", at->dev.bdf);
		hit = disarm();
		bound = *pci_driver(&at->dev);
		failed += !!err;
		if (bound == !!err || (bound && !zoo_claimed(at)))
			wrong_add(&wrong, "allocation %d: bind says %d, the driver is \"%s\"", nth, err,
				  pci_driver(&at->dev));
		pci_bind(&at->dev, "");
		if (zoo_address(at) != home) {
			/* It was bound, if only until its files in sysfs could not be made. */
			moved++;
			pci_remove(&at->dev);
			pci_rescan();
		}
		if (!snapshot_unchanged(before))
			wrong_add(&wrong, "allocation %d: bind says %d, and what is above is left", nth, err);
		if (!hit)
			break;
	}
	free(before);
	none_wrong(&wrong, "%s: a bind leaves the device with its page, or as it was", at->name);
	is_errno(err, 0, "%s: the bind without a fault succeeds", at->name);
	ok(nth > 10 && failed > 10 && moved,
	   "%s: each of %d allocations has failed once, %d times the bind, %d times the BAR had moved",
	   at->name, nth - 1, failed, moved);
}

static void check_unbind(const struct zoo_bar *at)
{
	struct wrong wrong = {};
	int nth, err;
	bool hit;

	for (nth = 1; nth < MANY; nth++) {
		err = pci_bind(&at->dev, OURS);
		if (err)
			wrong_add(&wrong, "before allocation %d: bind says %d", nth, err);
		arm(nth);
		pci_unbind(&at->dev);
		hit = disarm();
		if (zoo_any_claim() != !!*pci_driver(&at->dev))
			wrong_add(&wrong, "allocation %d: %s claim, the driver is \"%s\"", nth,
				  zoo_any_claim() ? "a" : "no", pci_driver(&at->dev));
		pci_bind(&at->dev, "");
		if (!hit)
			break;
	}
	none_wrong(&wrong, "%s: an unbind gives up the page, or has not begun", at->name);
	ok(nth > 1 && nth < MANY, "%s: each of %d allocations has failed once", at->name, nth - 1);
}

/* A user's way to the registers: how many of its allocations have failed, each once? */
static int fail_each(const struct pci_dev *dev, int bar, struct vfio *vfio, bool open_too)
{
	struct wrong odd = {};
	int nth, err;
	void *map;
	bool hit;

	for (nth = 1; nth < MANY; nth++) {
		err = 0;
		arm(nth);
		if (open_too)
			err = vfio_open(dev, vfio);
		if (!err)
			err = vfio_map(vfio, bar, 0, sysconf(_SC_PAGESIZE), &map);
		hit = disarm();
		if (!err)
			munmap(map, sysconf(_SC_PAGESIZE));
		if (open_too)
			vfio_close(vfio);
		/* Its container says EBUSY for whatever keeps the IOMMU from taking the group. */
		if (err && (!hit || (err != -ENOMEM && err != -EBUSY)))
			wrong_add(&odd, "allocation %d: %s", nth, strerror(-err));
		if (!hit)
			break;
	}
	none_wrong(&odd, "%s BAR %d: its user is told when there was no memory to %s it", dev->bdf, bar,
		   open_too ? "open" : "map");
	return nth < MANY ? nth - 1 : 0;
}

static void check_map(const struct pci_dev *dev, int bar, uint32_t reg, int least)
{
	uint32_t value = 0;
	struct vfio vfio;
	void *map;
	int nth;

	if (!is_errno(vfio_open(dev, &vfio), 0, "%s: opened", dev->bdf))
		return;
	is_errno(vfio_write32(&vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_INTERRUPT_LINE, 0), 0,
		 "%s: its config space is written", dev->bdf);
	nth = fail_each(dev, bar, &vfio, false);
	ok(nth >= least, "%s BAR %d: mapped, and each of %d allocations has failed once", dev->bdf, bar, nth);
	is_errno(vfio_read32(&vfio, bar, reg, &value), 0, "%s BAR %d: a register is read", dev->bdf, bar);
	if (is_errno(vfio_map(&vfio, bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "%s BAR %d: mapped", dev->bdf, bar)) {
		is_u64(*(volatile uint32_t *)((char *)map + reg), value, "%s BAR %d: the mapping reads the same",
		       dev->bdf, bar);
		munmap(map, sysconf(_SC_PAGESIZE));
	}
	vfio_close(&vfio);
}

/* Without memory for the areas around the table the user gets an error, not a BAR without a hole. */
static void check_areas(const struct pci_dev *dev, int bar)
{
	struct vfio_region_info *info;
	struct wrong wrong = {};
	struct vfio vfio;
	int nth, err;
	bool hit;

	if (!is_errno(vfio_open(dev, &vfio), 0, "%s: opened for region info", dev->bdf))
		return;
	for (nth = 1; nth < MANY; nth++) {
		arm(nth);
		err = vfio_region(&vfio, bar, &info);
		hit = disarm();
		if (err ? err != -ENOMEM : !vfio_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP))
			wrong_add(&wrong, "allocation %d: error %d, %s", nth, err, err ? "" : "no areas");
		if (!err)
			free(info);
		if (!hit)
			break;
	}
	none_wrong(&wrong, "%s BAR %d: region info is an error or names what can be mapped", dev->bdf, bar);
	ok(nth > 2, "%s BAR %d: each of %d allocations of region info has failed once", dev->bdf, bar, nth - 1);
	vfio_close(&vfio);
}

/*
 * Of a BAR that stays where it is, alone on its page or trapped: a bind that fails leaves
 * it as it was, too.
 */
static void check_bind_in_place(const struct zoo_bar *at, const char *driver, const char *realign)
{
	int nth, err, failed = 0;
	char path[64];
	struct wrong wrong = {};
	char *before;
	bool hit;

	about("%s, %s, realign=%s", at->name, driver, realign);
	is_errno(module_set("realign", "%s", realign), 0, "it is set");
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);
	before = snapshot();
	for (nth = 1; nth < MANY; nth++) {
		pci_attr_write(&at->dev, "driver_override", driver);
		arm(nth);
		err = file_write(path, at->dev.bdf);
		hit = disarm();
		failed += !!err;
		if (err && zoo_held_count())
			wrong_add(&wrong, "allocation %d: bind says %d, and a BAR is held", nth, err);
		pci_bind(&at->dev, "");
		if (zoo_any_claim() || !snapshot_unchanged(before))
			wrong_add(&wrong, "allocation %d: bind says %d, and a claim or what is above is left",
				  nth, err);
		if (!hit)
			break;
	}
	free(before);
	none_wrong(&wrong, "a bind that fails leaves it as it was");
	is_errno(err, 0, "the bind without a fault succeeds");
	ok(nth > 10 && failed > 10, "each of %d allocations has failed once, %d times the bind", nth - 1, failed);
}

MODULE_CASE(nomem, "")
{
	struct zoo_bar bars[ZOO_MAX];
	struct pci_dev nvme;
	struct vfio vfio;
	int nth;

	if (!fault_injection_ready())
		return;
	if (!ok(zoo_list_packed(bars) == 4 && !zoo_alone(&bars[0]) && zoo_address(&bars[1]) >> 32 == 0,
		"two BARs share a page") ||
	    !ok(!zoo_alone(&bars[2]) && zoo_address(&bars[2]) >> 32, "and two of the same devices one above 4 GiB") ||
	    !is_errno(pci_find(NVME, 0, &nvme), 0, "there is a disk"))
		return;
	check_bind(&bars[0], &bars[1]);
	check_unbind(&bars[0]);
	/* It has a page by now: nothing moves. */
	check_bind_in_place(&bars[0], OURS, "1");
	check_bind_in_place(&bars[0], OURS, "trap");
	/* Held for vfio-pci, or not, for want of memory. */
	is_errno(module_set("align_for", STOCK), 0, "align_for=" STOCK);
	check_bind_in_place(&bars[0], STOCK, "1");
	module_set("align_for", "\n");

	is_errno(pci_bind(&bars[0].dev, OURS), 0, "%s: bound", bars[0].name);
	nth = fail_each(&bars[0].dev, bars[0].bar, &vfio, true);
	ok(nth > 10, "%s: opened, and each of %d allocations has failed once", bars[0].name, nth);
	check_map(&bars[0].dev, bars[0].bar, bars[0].reg, 2);

	/* The table is hidden and the rest of the BAR named: more to allocate. */
	is_errno(module_set("msix_mmap", "never"), 0, "msix_mmap=never");
	is_errno(pci_bind(&nvme, OURS), 0, "nvme: bound");
	check_map(&nvme, 0, 0x08, 4);
	check_areas(&nvme, 0);

	pci_bind(&nvme, "");
	pci_bind(&bars[0].dev, "");
	pci_bind(&bars[1].dev, "");
	close(fail_nth);
}
