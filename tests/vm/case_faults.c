// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each step of a claim is made to fail, on devices whose BARs share one page:
 * nothing may be different afterwards, and the BAR is trapped as with stock vfio-pci.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "file.h"
#include "kmod.h"
#include "snapshot.h"
#include "tap.h"
#include "zoo.h"

#define OURS "subpage_vfio_pci"
#define DEVICES 5

static struct zoo_bar bars[ZOO_MAX];

/* In the order of src/driver/fault.h, from 1 on. */
static const struct {
	const char *step;
	const char *state;
} points[] = {
	{ "the old range is set aside", "failed" },
	{ "the BAR leaves it", "failed" },
	{ "the PCI core finds a page", "no_space" },
	{ "the page is aligned", "no_space" },
	{ "the BAR register takes the address", "failed" },
	{ "the BAR gets its size back", "failed" },
	{ "the rest of the page is held", "failed" },
};

#define POINT_REGISTER 8

static void set_fault_point(int point)
{
	char text[8];

	snprintf(text, sizeof(text), "%d", point);
	is_errno(file_write("/sys/module/" OURS "/parameters/fault_point", text), 0,
		 "fault point %d is set", point);
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
	const char *step = points[point - 1].step, *state = points[point - 1].state;
	char *before;
	int i;

	about("fails: %s", step);
	set_fault_point(point);
	before = snapshot();
	for (i = 0; i < DEVICES; i++) {
		about("%s", bars[i].dev.bdf);
		is_errno(pci_bind(&bars[i].dev, OURS), 0, "%s: the bind succeeds all the same",
			 bars[i].name);
		is_str(zoo_sysfs(&bars[i], "state"), state, "%s: state in sysfs", bars[i].name);
		is_str(zoo_sysfs(&bars[i], "page"), "none", "%s: no page in sysfs", bars[i].name);
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
	char *before;
	int i;

	about("fails: VFIO takes the device");
	set_fault_point(POINT_REGISTER);
	before = snapshot();
	for (i = 0; i < DEVICES; i++) {
		about("%s", bars[i].dev.bdf);
		is_errno(pci_bind(&bars[i].dev, OURS), -EIO, "%s: the bind fails", bars[i].name);
		is_str(pci_driver(&bars[i].dev), "", "%s: no driver has it", bars[i].name);
	}
	ok(snapshot_unchanged(before), "nothing has changed");
	free(before);
}

CASE(faults)
{
	int count, i;

	if (!is_errno(module_load(""), 0, "the module loads"))
		return;
	count = zoo_list(bars);
	zoo_repack(bars, count);
	count = zoo_list(bars);
	if (!ok(count == DEVICES, "%d sub-page BARs", DEVICES))
		return;
	for (i = 0; i < DEVICES; i++)
		ok(!zoo_stock_maps(&bars[i]), "%s: BAR %d at %#llx shares its page", bars[i].name,
		   bars[i].bar, (unsigned long long)zoo_address(&bars[i]));

	for (i = 1; i < POINT_REGISTER; i++)
		check_point(i);
	check_register();

	set_fault_point(0);
	for (i = 0; i < DEVICES; i++) {
		about("%s", bars[i].dev.bdf);
		is_errno(pci_bind(&bars[i].dev, OURS), 0, "%s: without a fault it is bound",
			 bars[i].name);
		ok(zoo_claimed(&bars[i]), "%s: and has its page", bars[i].name);
	}
	for (i = 0; i < DEVICES; i++)
		pci_bind(&bars[i].dev, "");
	is_errno(module_unload(), 0, "the module unloads");
}
