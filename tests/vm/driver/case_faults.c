// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each step of a claim is made to fail, on devices whose BARs share one page:
 * nothing may be different afterwards, and the BAR is trapped as with stock vfio-pci.
 */
#include <glob.h>
#include <linux/pci_regs.h>

#include "cases.h"
#include "log.h"
#include "snapshot.h"
#include "trace.h"
#include "zoo.h"

#define DEVICES 7
#define BITS_64 2	/* of them, the last ones */

static struct zoo_bar bars[ZOO_MAX];

/* In the order of src/driver/fault.h. */
static const struct {
	const char *step;
	const char *state;
} points[] = {
	{ "the BAR leaves its range", "failed" },
	{ "that range is set aside", "failed" },
	{ "the PCI core finds a page", "no_space" },
	{ "the page is aligned", "no_space" },
	{ "the BAR register takes the address", "failed" },
};

enum { POINT_RELEASE, POINT_ASSIGN = 2, POINT_REGISTER = 5, POINT_PUT_BACK };

/* IORESOURCE_SIZEALIGN, _UNSET and, in ALIGN, _STARTALIGN, of the kernel. */
#define SIZEALIGN 0x00040000
#define UNSET 0x20000000
#define ALIGN (SIZEALIGN | 0x00080000)

#define COMMAND 4
#define COMMAND_MEMORY 0x2

static void set_fault_points(unsigned int mask)
{
	module_set("fault_points", "%u", mask);
}

/* As booted a BAR is alone on its page: what is claimed in place is taken back, too. */
static void check_in_place(int count)
{
	char *before;
	int i;

	about("fails in place: VFIO takes the device");
	for (i = 0; i < count && !zoo_stock_maps(&bars[i]); i++)
		;
	if (!ok(i < count, "there is a BAR that is alone on its page"))
		return;
	snapshot_copy(&bars[i].dev);
	before = snapshot();
	set_fault_points(1 << POINT_REGISTER);
	is_errno(pci_bind(&bars[i].dev, OURS), -EIO, "the bind fails");
	ok(snapshot_unchanged(before), "nothing has changed");
	free(before);
	set_fault_points(0);
}

static bool decodes(const struct pci_dev *dev)
{
	return pci_config_read(dev, COMMAND, 2) & COMMAND_MEMORY;
}

/* As a device is when a driver has used it. */
static void decode_on(const struct pci_dev *dev)
{
	pci_config_write(dev, COMMAND, 2, pci_config_read(dev, COMMAND, 2) | COMMAND_MEMORY);
}

static void check_trapped(const struct zoo_bar *at)
{
	struct vfio vfio;
	uint32_t value;
	void *map;

	about("%s", at->dev.bdf);
	if (!is_errno(vfio_open(&at->dev, &vfio), 0, "%s: opened", at->name))
		return;
	ok(!zoo_reported_mmap(at, &vfio), "%s: not reported as mappable", at->name);
	is_errno(vfio_map(&vfio, at->bar, 0, 4096, &map), -EINVAL, "%s: mmap is refused", at->name);
	is_errno(vfio_read32(&vfio, at->bar, at->reg, &value), 0, "%s: read trapped", at->name);
	vfio_close(&vfio);
}

static void check_point(int point)
{
	const char *step = points[point].step, *state = points[point].state;
	char *before;
	int i;

	about("fails: %s", step);
	set_fault_points(1 << point);
	before = snapshot();
	for (i = 0; i < DEVICES; i++) {
		about("%s", bars[i].dev.bdf);
		is_errno(pci_bind(&bars[i].dev, OURS), 0, "%s: the bind succeeds all the same",
			 bars[i].name);
		/* Before a snapshot has the PCI core restore it. */
		ok(decodes(&bars[i].dev), "%s: it decodes as before", bars[i].name);
		is_str(zoo_sysfs(&bars[i], "state"), state, "%s: state in sysfs", bars[i].name);
		is_u64(strtoull(zoo_sysfs(&bars[i], "size"), NULL, 10), bars[i].size, "%s: true size in sysfs",
		       bars[i].name);
	}
	ok(snapshot_unchanged(before), "nothing has changed while they are bound");
	for (i = 0; i < DEVICES; i++)
		check_trapped(&bars[i]);
	for (i = 0; i < DEVICES; i++)
		pci_bind(&bars[i].dev, "");
	ok(snapshot_unchanged(before), "nor after they are unbound");
	free(before);
}

/* The claims succeed and are taken back: BARs move there and return. */
static void check_register(void)
{
	int mark = log_mark(), i;
	struct pci_bar home, now;
	char *before, *log, *trace, text[96];

	about("fails: VFIO takes the device");
	trace_start();
	set_fault_points(1 << POINT_REGISTER);
	before = snapshot();
	for (i = 0; i < DEVICES; i++) {
		about("%s", bars[i].dev.bdf);
		pci_bar(&bars[i].dev, bars[i].bar, &home);
		is_errno(pci_bind(&bars[i].dev, OURS), -EIO, "%s: the bind fails", bars[i].name);
		/* Before /proc/iomem is read, which kills a machine with anything left in the tree. */
		pci_bar(&bars[i].dev, bars[i].bar, &now);
		ok(now.start == home.start && now.size == home.size && now.flags == home.flags,
		   "%s: the BAR is where and what it was", bars[i].name);
		is_str(pci_driver(&bars[i].dev), "", "%s: no driver has it", bars[i].name);
		log = log_since(mark);
		is_u64(log_count(log, "; BARs are where they were"), 1, "%s: the log says what it left",
		       bars[i].name);
		is_u64(log_count(log, "no IOMMU group"), 0, "%s: and nothing of an IOMMU, which is on", bars[i].name);
		free(log);
	}
	ok(snapshot_unchanged(before), "nothing has changed");
	free(before);
	close(mark);
	trace = trace_end();
	for (i = 0; i < DEVICES; i++) {
		snprintf(text, sizeof(text), "subpage_restore: %.15s bar=%d state=none", bars[i].dev.bdf, bars[i].bar);
		trace_has(trace, text);
	}
	free(trace);
}

/* A step fails, and by then somebody else has the old range: what can be had is said and nothing dangles. */
static void check_no_way_back(unsigned int failing, const char *step, const struct zoo_bar *at)
{
	bool registers = failing & 1 << POINT_REGISTER;
	int mark = log_mark();
	struct pci_bar bar;
	struct vfio vfio;
	char *log;
	int i;

	about("no way back: BAR %d of %s, %s", at->bar, at->dev.bdf, step);
	for (i = 0; i < DEVICES; i++)
		snapshot_copy(&bars[i].dev);
	decode_on(&at->dev);
	set_fault_points(failing | 1 << POINT_PUT_BACK);
	is_errno(pci_bind(&at->dev, OURS), registers ? -EIO : 0, "the bind");
	log = log_since(mark);
	is_u64(log_count(log, "is taken, memory decode is off; remove the device and rescan"), 1,
	       "the log says what the BAR is, and what to do");
	is_u64(log_count(log, "where they were"), 0, "and nothing that is not true");
	free(log);
	close(mark);
	set_fault_points(0);
	is_u64(zoo_address(at), 0, "the BAR has no address");
	pci_bar(&at->dev, at->bar, &bar);
	ok(bar.flags & UNSET, "and is marked so, as the PCI core does it");
	ok(!decodes(&at->dev), "the function decodes nothing");
	if (!registers) {
		is_str(zoo_sysfs(at, "state"), "unassigned", "state in sysfs");
		ok(vfio_open(&at->dev, &vfio) < 0, "it cannot be opened");
		pci_bind(&at->dev, "");
	}
	free(snapshot());
	ok(!decodes(&at->dev), "nor does it when the PCI core restores config space");
	ok(!zoo_any_claim(), "no BAR is longer than it was");

	is_errno(pci_remove(&at->dev), 0, "the device is removed");
	pci_rescan();
	is_errno(pci_bind(&at->dev, OURS), 0, "after a rescan it is bound");
	ok(zoo_claimed(at) && zoo_has_page(at), "and has its page");
	pci_bind(&at->dev, "");
	/* On a page with others again. */
	zoo_repack(bars, DEVICES);
	for (i = 0; i < DEVICES; i++)
		decode_on(&bars[i].dev);
}

/* VFIO numbers its devices from 0 with the first number that is free; -1 if it has not this one. */
static int vfio_number(const struct pci_dev *dev)
{
	char path[96];
	glob_t found;
	int number = -1;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.15s/vfio-dev/vfio*", dev->bdf);
	if (!glob(path, 0, NULL, &found))
		number = atoi(strrchr(found.gl_pathv[0], '/') + 1 + strlen("vfio"));
	globfree(&found);
	return number;
}

/* A bind that works: what stays is what it says, and goes at unbind. */
static void check_bound(const struct pci_bar *before)
{
	struct zoo_bar page;
	struct pci_bar now;
	int i, round;

	for (round = 0; round < 2; round++) {
		about("round %d", round + 1);
		for (i = 0; i < DEVICES; i++) {
			about("%s", bars[i].dev.bdf);
			is_errno(pci_bind(&bars[i].dev, OURS), 0, "%s: without a fault it is bound", bars[i].name);
			is_u64(vfio_number(&bars[i].dev), i, "%s: of those before VFIO has kept none", bars[i].name);
			pci_bar(&bars[i].dev, bars[i].bar, &now);
			is_u64(now.flags & ALIGN, SIZEALIGN, "%s: it is aligned to its size of a page", bars[i].name);
		}
		page = bars[DEVICES - 1];
		page.bar = 0;
		is_str(zoo_sysfs(&page, "state"), "", "a BAR of just a page is none of the driver's");
		for (i = 0; i < DEVICES; i++) {
			about("%s unbound", bars[i].dev.bdf);
			pci_bind(&bars[i].dev, "");
			pci_bar(&bars[i].dev, bars[i].bar, &now);
			is_u64(now.size, before[i].size, "%s: its true size is back", bars[i].name);
			is_u64(now.flags, before[i].flags, "%s: and its flags", bars[i].name);
		}
	}
}

/* The copy of config space is another one than what is there: of 64 bits, all of it must be renewed. */
static void save_other_upper(const struct zoo_bar *at, bool bits_64)
{
	int upper = PCI_BASE_ADDRESS_0 + 4 * at->bar + 4;
	uint32_t value = pci_config_read(&at->dev, upper, 4);

	if (bits_64)
		pci_config_write(&at->dev, upper, 4, 5);
	snapshot_copy(&at->dev);
	if (bits_64)
		pci_config_write(&at->dev, upper, 4, value);
}

/* The same where several BARs of a device move, and the last one that it can have. */
MODULE_CASE(undone, "")
{
	int count = zoo_list_packed(bars), i;
	bool last = false, two = false;
	char *before;

	for (i = 0; i < count; i++) {
		last |= bars[i].bar == 5;
		two |= !zoo_first_of_device(bars, i);
	}
	if (!ok(last && two, "there is a device with BAR 5, and one with two"))
		return;
	set_fault_points(1 << POINT_REGISTER);
	for (i = 0; i < count; i++) {
		if (!zoo_first_of_device(bars, i))
			continue;
		about("%s", bars[i].dev.bdf);
		/* Before its first driver the kernel writes a device's interrupt line. */
		pci_bind(&bars[i].dev, "vfio-pci");
		pci_bind(&bars[i].dev, "");
		before = snapshot();
		is_errno(pci_bind(&bars[i].dev, OURS), -EIO, "%s: the bind fails", bars[i].name);
		ok(snapshot_unchanged(before), "%s: nothing has changed", bars[i].name);
		free(before);
	}
}

MODULE_CASE(faults, "")
{
	struct pci_bar fresh[DEVICES];
	int count, i;

	count = zoo_list(bars);
	check_in_place(count);
	zoo_repack(bars, count);
	count = zoo_list(bars);
	if (!ok(count == DEVICES, "%d sub-page BARs", DEVICES))
		return;
	for (i = 0; i < DEVICES; i++)
		ok(!zoo_alone(&bars[i]), "%s: BAR %d at %#llx shares its page", bars[i].name,
		   bars[i].bar, (unsigned long long)zoo_address(&bars[i]));
	for (i = DEVICES - BITS_64; i < DEVICES; i++)
		ok(zoo_address(&bars[i]) >> 32, "%s: that is above 4 GiB", bars[i].dev.bdf);

	for (i = 0; i < DEVICES; i++)
		decode_on(&bars[i].dev);
	for (i = 0; i < DEVICES; i++)
		snapshot_copy(&bars[i].dev);
	for (i = POINT_RELEASE; i < POINT_REGISTER; i++)
		check_point(i);
	check_register();
	/* Without the placeholder's own point there is none: the BAR is still where it was. */
	for (i = POINT_RELEASE + 1; i <= POINT_REGISTER; i++) {
		const char *step = i == POINT_REGISTER ? "VFIO takes the device" : points[i].step;

		check_no_way_back(1 << i, step, &bars[DEVICES - BITS_64 - 1]);
		check_no_way_back(1 << i, step, &bars[DEVICES - 1]);
	}
	/* Then VFIO registration fails, too. */
	check_no_way_back(1 << POINT_ASSIGN | 1 << POINT_REGISTER, "both", &bars[DEVICES - 1]);

	/* As the PCI core has placed them, before any bind. */
	zoo_repack(bars, DEVICES);
	for (i = 0; i < DEVICES; i++)
		pci_bar(&bars[i].dev, bars[i].bar, &fresh[i]);

	/* Kept awake, for to sleep is to have config space saved. */
	is_errno(module_set("disable_idle_d3", "1"), 0, "disable_idle_d3 is written");
	set_fault_points(0);
	for (i = 0; i < DEVICES; i++) {
		about("%s", bars[i].dev.bdf);
		save_other_upper(&bars[i], i >= DEVICES - BITS_64);
		is_errno(pci_bind(&bars[i].dev, OURS), 0, "%s: without a fault it is bound",
			 bars[i].name);
		ok(zoo_claimed(&bars[i]), "%s: and has its page", bars[i].name);
		free(snapshot());
		is_u64(zoo_register(&bars[i]), zoo_address(&bars[i]),
		       "%s: where the PCI core restores it to", bars[i].name);
	}
	for (i = 0; i < DEVICES; i++)
		pci_bind(&bars[i].dev, "");
	check_bound(fresh);
}
