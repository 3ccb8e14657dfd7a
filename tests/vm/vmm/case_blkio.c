// SPDX-License-Identifier: GPL-2.0-only
/*
 * libblkio, unmodified: qemu-img reads a whole virtio disk through it. It maps each of virtio's
 * structures by itself, which lie 4K apart, once the BAR may be mapped, and reads and writes through the
 * device's file else. So a larger page refuses it, with stock vfio-pci, too, if the BAR is as long as a
 * page; if it is shorter, only with this driver, and realign=trap is the cure.
 */
#include "cases.h"
#include "drive.h"
#include "image.h"
#include "pci.h"

#define COPY "/tmp/copy"
#define IN_IMAGE(path) "/nested" path
#define OUTPUT "/tmp/qemu-img"
#define VIRTIO_BLK_MODERN 0x1af4, 0x1042
#define BAR 4
#define SECONDS 120

static struct pci_dev disk;

static void check(const char *driver, const char *realign, bool works)
{
	char source[120], *said;
	char *const argv[] = { "qemu-img", "convert", "-O", "raw", "--image-opts", source, COPY, NULL };
	int status;

	about("%s, realign=%s", driver, realign);
	is_errno(module_set("realign", "%s", realign), 0, "set");
	if (!is_errno(pci_bind(&disk, driver), 0, "bound"))
		return;
	snprintf(source, sizeof(source), "driver=virtio-blk-vfio-pci,path=/sys/bus/pci/devices/%s,cache.direct=on",
		 disk.bdf);
	unlink(IN_IMAGE(COPY));
	status = image_run(argv, OUTPUT, SECONDS);
	said = file_slurp(OUTPUT, NULL);
	if (works) {
		is_u64(status, 0, "qemu-img reads the disk");
		ok(drive_is_copy(IN_IMAGE(COPY)), "and what it reads is what is on it");
	} else {
		ok(status > 0 && said && strstr(said, "Invalid argument"),
		   "qemu-img is refused a mapping and cannot start");
	}
	diag("%s", said ? said : "");
	free(said);
	pci_bind(&disk, "");
	is_errno(module_set("realign", "1"), 0, "set back");
}

MODULE_CASE(blkio, "")
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	struct pci_bar bar;

	if (!is_errno(image_mount(), 0, "there is a qemu-img in the machine") ||
	    !is_errno(pci_find(VIRTIO_BLK_MODERN, 0, &disk), 0, "there is a disk") ||
	    !is_errno(pci_bar(&disk, BAR, &bar), 0, "with registers"))
		return;
	diag("%llu bytes, and pages of %llu", (unsigned long long)bar.size, (unsigned long long)page);
	/* First: once moved, stock vfio-pci maps the BAR too. */
	check(STOCK, "1", page == 4096 || bar.size < page);
	check(OURS, "1,trap@pci:1af4:1042", page == 4096 || bar.size < page);
	check(OURS, "1", page == 4096);
}
