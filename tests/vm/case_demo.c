// SPDX-License-Identifier: GPL-2.0-only
/* The story, for a person who watches. Each table is also a test. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cases.h"
#include "kmod.h"
#include "tap.h"
#include "vfio.h"
#include "zoo.h"

static struct zoo_bar bars[ZOO_MAX];
static int count;

static void rule(void)
{
	say("  %.78s", "------------------------------------------------------------------------------");
}

/* ns per read as user space gets it: mapped where that is offered; -1 if it cannot be opened. */
static double best_read(const struct zoo_bar *at, bool *mapped)
{
	double ns = -1;
	struct vfio vfio;
	void *map;

	if (vfio_open(&at->dev, &vfio))
		return -1;
	*mapped = !vfio_map(&vfio, at->bar, 0, sysconf(_SC_PAGESIZE), &map);
	if (*mapped) {
		ns = zoo_time_mapped((void *)((char *)map + at->reg));
		munmap(map, sysconf(_SC_PAGESIZE));
	} else {
		ns = zoo_time_trapped(at, &vfio);
	}
	vfio_close(&vfio);
	return ns;
}

static void bind_all(const char *driver)
{
	int i;

	for (i = 0; i < count; i++)
		pci_bind(&bars[i].dev, driver);
}

static int show(const char *driver, double *ns, const double *before)
{
	int n = 0, i;

	bind_all(driver);
	say(" ");
	say("  bound to %s:", driver);
	rule();
	say("  %-13s %-9s %-4s %6s  %-12s %-8s %10s  %s", "device", "model", "BAR", "bytes", "address",
	    "access", "ns/read", before ? "faster" : "");
	rule();
	for (i = 0; i < count; i++) {
		char ratio[32] = "";
		bool mapped = false;

		ns[i] = best_read(&bars[i], &mapped);
		n += mapped;
		if (before && ns[i] > 0)
			snprintf(ratio, sizeof(ratio), "%.0f times", before[i] / ns[i]);
		say("  %-13s %-9s %-4d %6llu  %#-12llx %-8s %10.0f  %s", bars[i].dev.bdf, bars[i].name,
		    bars[i].bar, (unsigned long long)bars[i].size,
		    (unsigned long long)zoo_address(&bars[i]), mapped ? "mapped" : "trapped", ns[i], ratio);
	}
	rule();
	return n;
}

void case_demo(void)
{
	double stock[ZOO_MAX], ours[ZOO_MAX];
	struct utsname kernel;

	uname(&kernel);
	if (!is_errno(module_load("msix_mmap=isolated"), 0, "the module loads"))
		return;
	count = zoo_list(bars);
#ifdef __x86_64__
	zoo_repack(bars, count);
	count = zoo_list(bars);
#endif
	say(" ");
	say("A machine with Linux %s, pages of %ldK, and %d devices whose BARs share a page.", kernel.release,
	    sysconf(_SC_PAGESIZE) / 1024, count);
	is_u64(show("vfio-pci", stock, NULL), 0, "stock vfio-pci maps none");
	say("  They share a page, so none can be mapped: each read is a system call.");
	is_u64(show("subpage_vfio_pci", ours, stock), count, "this driver maps all");
	say("  Each has a page of its own now, held in /proc/iomem, and keeps its true size.");
	bind_all("");
}
