// SPDX-License-Identifier: GPL-2.0-only
/* The story, for a person who watches. Each table is also a test. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cases.h"
#include "image.h"
#include "kmod.h"
#include "nested.h"
#include "tap.h"
#include "vfio.h"
#include "zoo.h"

#ifdef __x86_64__
#define HYPERVISOR "QEMU without KVM"
#else
#define HYPERVISOR "QEMU with KVM"
#endif

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

/* The same registers, read by a guest that has all the devices. */
static bool ask_guest(const char *driver, struct nested *guest)
{
	struct nested_device devices[ZOO_MAX];
	int i;

	bind_all(driver);
	for (i = 0; i < count; i++)
		devices[i] = (struct nested_device) { .dev = bars[i].dev, .options = "" };
	return is_errno(nested_run(devices, count, false, guest), 0, "a guest runs, devices bound to %s",
			driver);
}

static void show_guest(const struct nested *stock, const struct nested *ours)
{
	int i;

	say(" ");
	say("  The same registers read by a guest inside this machine, %s, -device vfio-pci:", HYPERVISOR);
	rule();
	say("  %-9s %-4s %26s %26s  %s", "model", "BAR", "ns/read with vfio-pci", "subpage_vfio_pci", "faster");
	rule();
	for (i = 0; i < count; i++) {
		const struct nested_bar *before = nested_bar(stock, i, bars[i].bar);
		const struct nested_bar *after = nested_bar(ours, i, bars[i].bar);

		about("%s", bars[i].dev.bdf);
		if (!ok(before && after, "%s: the guest read its register", bars[i].name))
			continue;
		is_u64(after->value, before->value, "%s: the same value", bars[i].name);
		ok(after->ns * 4 < before->ns, "%s: faster by far", bars[i].name);
		say("  %-9s %-4d %26llu %26llu  %.0f times", bars[i].name, bars[i].bar,
		    (unsigned long long)before->ns, (unsigned long long)after->ns,
		    (double)before->ns / (after->ns ? after->ns : 1));
	}
	rule();
	say(" ");
}

/* ns per read of the controller's version register, as a guest sees it. */
static uint64_t nvme_read(const struct pci_dev *nvme, const char *driver, const char *options)
{
	struct nested_device device = { .dev = *nvme, .options = options };
	struct nested guest = {};
	const struct nested_bar *bar;
	uint64_t ns = 0;

	pci_bind(nvme, driver);
	if (is_errno(nested_run(&device, 1, false, &guest), 0, "a guest has the NVMe, %s%s", driver, options)) {
		bar = nested_bar(&guest, 0, 0);
		ns = bar ? bar->ns : 0;
	}
	nested_free(&guest);
	return ns;
}

/* Where the page that holds the MSI-X table holds everything else, too. */
static void show_nvme(void)
{
	static const char relocated[] = ",x-msix-relocation=bar2";
	struct pci_dev nvme;
	uint64_t stock, moved, ours;

	if (sysconf(_SC_PAGESIZE) < 0x4000 || pci_find(0x1b36, 0x0010, 0, &nvme))
		return;
	stock = nvme_read(&nvme, "vfio-pci", "");
	moved = nvme_read(&nvme, "vfio-pci", relocated);
	ours = nvme_read(&nvme, "subpage_vfio_pci", relocated);
	say("  An NVMe has its registers and its MSI-X table on one 16K page. A guest's read of a register:");
	rule();
	say("  %-58s %8llu ns", "vfio-pci", (unsigned long long)stock);
	say("  %-58s %8llu ns", "vfio-pci, x-msix-relocation=bar2", (unsigned long long)moved);
	say("  %-58s %8llu ns", "subpage_vfio_pci, msix_mmap=isolated, x-msix-relocation=bar2",
	    (unsigned long long)ours);
	rule();
	say("  QEMU keeps its own table elsewhere then, and KVM can map the page. The default here,");
	say("  msix_mmap=eeh, hides the device's table: nothing but the IOMMU keeps its MSIs in bounds.");
	ok(ours && ours * 4 < stock, "the NVMe's register is faster by far");
	say(" ");
	pci_bind(&nvme, "");
}

CASE(demo)
{
	double stock[ZOO_MAX], ours[ZOO_MAX];
	struct nested stock_guest = {}, our_guest = {};
	struct utsname kernel;
	bool guests;

	uname(&kernel);
	if (!is_errno(module_load("msix_mmap=isolated"), 0, "the module loads"))
		return;
	count = zoo_list_packed(bars);
	say(" ");
	say("A machine with Linux %s, pages of %ldK, and %d devices whose BARs share a page.", kernel.release,
	    sysconf(_SC_PAGESIZE) / 1024, count);
	is_u64(show("vfio-pci", stock, NULL), 0, "stock vfio-pci maps none");
	say("  They share a page, so none can be mapped: each read is a system call.");
	guests = is_errno(image_mount(), 0, "QEMU is there") && ask_guest("vfio-pci", &stock_guest);
	is_u64(show("subpage_vfio_pci", ours, stock), count, "this driver maps all");
	say("  Each has a page of its own now, held in /proc/iomem, and keeps its true size.");
	if (guests && ask_guest("subpage_vfio_pci", &our_guest))
		show_guest(&stock_guest, &our_guest);
	show_nvme();
	nested_free(&stock_guest);
	nested_free(&our_guest);
	say("  All of this machine is emulated: the ratios are what to look at, and they are no promise.");
	bind_all("");
}
