// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host suspends to RAM, which takes the power from all devices, and resumes: bound devices,
 * open and mapped or not, have their pages as before.
 */
#include <endian.h>
#include <sys/mman.h>

#include "cases.h"
#include "host_sleep.h"
#include "zoo.h"

MODULE_CASE(suspend, "align_for=" STOCK)
{
	static struct zoo_bar bars[ZOO_MAX];
	volatile uint32_t *reg;
	uint32_t value, before;
	int count, i;
	struct vfio vfio;
	void *map;

	count = zoo_list_packed(bars);
	if (!ok(count >= 3 && zoo_other_device(&bars[0]), "BARs share a page"))
		return;
	for (i = 0; i < count; i++) {
		/* The page of the last one is held for vfio-pci. */
		is_errno(pci_bind(&bars[i].dev, i == count - 1 ? STOCK : OURS), 0, "%s is bound", bars[i].dev.bdf);
		ok(zoo_claimed(&bars[i]), "%s BAR %d has a page, %s", bars[i].dev.bdf, bars[i].bar,
		   zoo_sysfs(&bars[i], "state"));
	}
	if (!is_errno(vfio_open(&bars[0].dev, &vfio), 0, "the first is opened") ||
	    !is_errno(vfio_map(&vfio, bars[0].bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "and mapped"))
		return;
	reg = (void *)((char *)map + bars[0].reg);
	before = le32toh(*reg);

	is_u64(zoo_held_count(), 1, "one is held for vfio-pci");

	host_sleeps();

	is_u64(le32toh(*reg), before, "the mapping reads what it read before");
	is_errno(vfio_read32(&vfio, bars[0].bar, bars[0].reg, &value), 0, "read() works");
	is_u64(value, before, "and shows the same");
	munmap(map, sysconf(_SC_PAGESIZE));
	vfio_close(&vfio);
	for (i = 0; i < count; i++) {
		about("%s BAR %d after it", bars[i].dev.bdf, bars[i].bar);
		ok(zoo_claimed(&bars[i]), "has its page");
		if (is_errno(vfio_open(&bars[i].dev, &vfio), 0, "opened")) {
			if (is_errno(vfio_map(&vfio, bars[i].bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "mapped")) {
				vfio_read32(&vfio, bars[i].bar, bars[i].reg, &value);
				is_u64(le32toh(*(uint32_t *)((char *)map + bars[i].reg)), value, "and read");
				munmap(map, sysconf(_SC_PAGESIZE));
			}
			vfio_close(&vfio);
		}
		is_errno(pci_bind(&bars[i].dev, ""), 0, "unbound");
		/* One that nobody has open sleeps on when the host wakes, as with stock vfio-pci; now it is awake. */
		is_u64(pci_config_read(&bars[i].dev, 0x10 + 4 * bars[i].bar, 4) & ~0xfu, zoo_address(&bars[i]),
		       "its register has its address");
	}
	is_u64(zoo_held_count(), 0, "nothing is held");
	ok(!zoo_any_claim(), "no claim is left");
}
