// SPDX-License-Identifier: GPL-2.0-only
/* The story, for a person who watches. Each table is also a test. */
#include <sys/mman.h>
#include <sys/utsname.h>

#include "cases.h"
#include "guest_load.h"
#include "image.h"
#include "nested.h"
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

/* One BAR of each device, the one that people would look at. */
static void list(void)
{
	struct zoo_bar all[ZOO_MAX];
	int found = zoo_list_packed(all), i;

	for (i = 0; i < found; i++)
		/* A neighbour, and the disk's MSI-X table. */
		if (strcmp(all[i].name, "pci-testdev") && (strcmp(all[i].name, "nvme") || !all[i].bar))
			bars[count++] = all[i];
}

static void bind_all(const char *driver)
{
	int i;

	for (i = 0; i < count; i++)
		pci_bind(&bars[i].dev, driver);
}

/* "16 times" */
static const char *times(double more, double less)
{
	/* Two in one line. */
	static char texts[2][32];
	static int n;
	char *text = texts[n++ % 2];

	snprintf(text, sizeof(texts[0]), more < less * 10 ? "%.1f times" : "%.0f times",
		 less > 0 ? more / less : 0);
	return text;
}

static int show(const char *driver, double *ns, const double *before)
{
	int n = 0, i;

	bind_all(driver);
	say(" ");
	say("  bound to %s:", driver);
	rule();
	say("  %-12s  %-9s %3s %5s  %-12s %-8s %8s %12s", "device", "model", "BAR", "bytes", "address",
	    "access", "ns/read", before ? "faster" : "");
	rule();
	for (i = 0; i < count; i++) {
		bool mapped = false;

		ns[i] = best_read(&bars[i], &mapped);
		n += mapped;
		say("  %-12s  %-9s %3d %5llu  %#-12llx %-8s %8.0f %12s", bars[i].dev.bdf, bars[i].name,
		    bars[i].bar, (unsigned long long)bars[i].size, (unsigned long long)zoo_address(&bars[i]),
		    mapped ? "mapped" : "trapped", ns[i], before ? times(before[i], ns[i]) : "");
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
	say("  The same registers, passed on to a guest inside this machine, %s:", HYPERVISOR);
	rule();
	say("  %-12s %3s %22s %22s %15s", "model", "BAR", "ns/read with vfio-pci", "subpage_vfio_pci", "faster");
	rule();
	for (i = 0; i < count; i++) {
		const struct nested_bar *before = nested_bar(stock, i, bars[i].bar);
		const struct nested_bar *after = nested_bar(ours, i, bars[i].bar);

		about("%s", bars[i].dev.bdf);
		if (!ok(before && after, "%s: the guest read its register", bars[i].name))
			continue;
		is_u64(after->value, before->value, "%s: the same value", bars[i].name);
		/* A batch of reads takes half a millisecond; where the host is busy, many of them wait for it. */
		ok(after->read.low * 4 < before->ns, "%s: faster by far", bars[i].name);
		say("  %-12s %3d %22llu %22llu %15s", bars[i].name, bars[i].bar, (unsigned long long)before->ns,
		    (unsigned long long)after->ns, times(before->ns, after->ns));
	}
	rule();
	say(" ");
}

/* What it is all for: what a guest gets from a disk. Without KVM there is none. */
static struct random_read disk_reads[2][GUEST_DISK_DEPTHS];

/* Exits to QEMU a read: they hardly depend on how busy this machine is, unlike the reads a second. */
static double disk_exits[2] = { -1, -1 };

/* The usual NVMe: registers, doorbells and MSI-X table in one BAR. No option for QEMU. */
static void measure_disk(const char *driver, struct random_read *reads, double *exits)
{
	struct nested_device disk = { .options = "" };

	about("disk, %s", driver);
	if (pci_find(NVME, 0, &disk.dev))
		return;
	is_errno(pci_bind(&disk.dev, driver), 0, "bound");
	if (guest_load_run(&disk, NULL, 1000, reads))
		*exits = guest_load_to_qemu(reads);
}

static void show_disk(void)
{
	static const char *const drivers[] = { "vfio-pci", "subpage_vfio_pci" };
	const struct random_read (*reads)[GUEST_DISK_DEPTHS] = disk_reads;
	int i;

	if (!reads[0][0].reads || !reads[1][0].reads)
		return;
	ok(disk_exits[0] > 1, "with vfio-pci QEMU rings the disk's doorbells");
	ok(disk_exits[1] >= 0 && disk_exits[1] < 0.5, "with this driver the guest does");
	say("  The NVMe, with registers, doorbells and MSI-X table in one BAR of 16K, passed on to a");
	say("  Linux guest, no option for QEMU. Reads of 4K at random places, each one checked:");
	rule();
	say("  %-17s %15s %21s %21s", "", "exits to QEMU", "reads a second,", "");
	say("  %-17s %15s %21s %21s", "", "a read", "one at a time", "32 at a time");
	rule();
	for (i = 0; i < 2; i++)
		say("  %-17s %15.2f %21.0f %21.0f", drivers[i], disk_exits[i], reads[i][0].rate.median,
		    reads[i][1].rate.median);
	rule();
	say("  What an exit costs differs from machine to machine, and reads a second are those of a");
	say("  machine that has nothing else to do.");
	say(" ");
}

CASE(demo)
{
	double stock[ZOO_MAX], ours[ZOO_MAX];
	struct nested stock_guest = {}, our_guest = {};
	struct utsname kernel;
	bool guests;

	uname(&kernel);
	guests = is_errno(image_mount(), 0, "QEMU is there");
	if (!is_errno(module_load("msix_mmap=isolated"), 0, "the module loads"))
		return;
	list();
	say(" ");
	say("A machine with Linux %s, %ldK pages, and %d devices whose BARs share a page.", kernel.release,
	    sysconf(_SC_PAGESIZE) / 1024, count);
	is_u64(show("vfio-pci", stock, NULL), 0, "stock vfio-pci maps none");
	say("  They share a page, so none can be mapped: each read is a system call.");
	guests = guests && ask_guest("vfio-pci", &stock_guest);
	measure_disk("vfio-pci", disk_reads[0], &disk_exits[0]);
	is_u64(show("subpage_vfio_pci", ours, stock), count, "this driver maps all");
	say("  Each has a page of its own now, as /proc/iomem shows.");
	if (guests && ask_guest("subpage_vfio_pci", &our_guest))
		show_guest(&stock_guest, &our_guest);
	nested_free(&stock_guest);
	nested_free(&our_guest);
	measure_disk("subpage_vfio_pci", disk_reads[1], &disk_exits[1]);
	show_disk();
	say("  All of this machine is emulated: the ratios are what to look at, and they are no promise.");
	bind_all("");
}
