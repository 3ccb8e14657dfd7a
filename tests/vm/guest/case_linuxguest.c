// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole Linux in the nested guest drives an NVMe and a SATA controller of the
 * machine: by DMA, with MSIs, across a reboot of its own and a reset from outside.
 * What it does is in case_guest_drives.c. The controller's BAR of 4K had to move to
 * a page of its own; the NVMe's shares its page with the MSI-X table.
 */
#include <sys/ioctl.h>

#include "cases.h"
#include "drive.h"
#include "image.h"
#include "nested.h"
#include "vfio.h"

#define DISK 0
#define NVME_CC 0x14		/* controller configuration */
#define NVME_CC_SIZES 0x460000	/* of queue entries; the controller stays off */

static struct nested_device devices[DRIVES] = {
	/* Without a place of its own the table would make QEMU trap the page that it shares. */
	[DISK] = { .options = ",x-msix-relocation=bar2" },
	{ .options = "" },
};

static void run_guest(const char *parameters, int boots)
{
	const struct nested_linux linux_guest = { .parameters = parameters, .trace = true };
	struct nested guest;
	int i;

	about("%s", parameters);
	if (is_errno(nested_run_linux(devices, DRIVES, &linux_guest, &guest), 0, "a Linux guest runs"))
		is_u64(nested_relay(&guest), boots, "to the end of each boot: %d", boots);
	for (i = 0; i < DRIVES; i++) {
		is_u64(nested_mmaps(&guest, &devices[i].dev, drives[i].bar), 1, "QEMU mapped BAR %d of %s",
		       drives[i].bar, devices[i].dev.bdf);
		is_u64(nested_reads(&guest, &devices[i].dev, drives[i].bar), 0,
		       "and had no register of %s to read for the guest", devices[i].dev.bdf);
	}
	is_u64(nested_mapped_reads(&guest), 0, "nor in its own mappings");
	nested_free(&guest);
}

static void reset(void)
{
	struct vfio vfio;
	uint32_t value;

	if (!is_errno(vfio_open(&devices[DISK].dev, &vfio), 0, "user space opens the NVMe"))
		return;
	is_errno(vfio_write32(&vfio, 0, NVME_CC, NVME_CC_SIZES), 0, "writes a register");
	vfio_read32(&vfio, 0, NVME_CC, &value);
	is_u64(value, NVME_CC_SIZES, "which keeps it");
	is_errno(ioctl(vfio.device, VFIO_DEVICE_RESET) ? -errno : 0, 0, "VFIO_DEVICE_RESET");
	vfio_read32(&vfio, 0, NVME_CC, &value);
	is_u64(value, 0, "the register has forgotten it");
	vfio_close(&vfio);
}

static void check_drive(const struct drive *drive, int boots)
{
	int fd = drive_open(drive), i, good = 0;

	about("%s", drive->path);
	if (!ok(fd >= 0, "the machine's own driver has %s", drive->path))
		return;
	for (i = 0; i < DRIVE_AREAS; i++) {
		int boot = i - DRIVE_FIRST_WRITTEN;
		int want = boot >= 0 && boot < boots ? DRIVE_BOOT + boot : DRIVE_RUNNER;
		int writer = drive_read_area(fd, i);

		if (writer == want)
			good++;
		else
			diag("area %d: got %d, want %d", i, writer, want);
	}
	is_u64(good, DRIVE_AREAS, "on it is what the guest wrote in %d boots, and nothing else has changed", boots);
	close(fd);
}

MODULE_CASE(linuxguest, "msix_mmap=isolated")
{
	int i;

	if (!is_errno(image_mount(), 0, "the image is mounted"))
		return;
	for (i = 0; i < DRIVES; i++)
		if (!is_errno(pci_find(drives[i].vendor, drives[i].device, 0, &devices[i].dev), 0,
			      "there is the controller of %s", drives[i].path) ||
		    !is_errno(pci_bind(&devices[i].dev, "subpage_vfio_pci"), 0,
			      "the driver takes it from %s", drives[i].path))
			return;
	diag("after binding; boot 0 ends with a reboot");
	run_guest("run=guest_drives reboot_after=0", 2);
	diag("after a reset from outside");
	reset();
	run_guest("run=guest_drives", 1);
	for (i = 0; i < DRIVES; i++) {
		is_errno(pci_bind(&devices[i].dev, ""), 0, "%s is given back", devices[i].dev.bdf);
		check_drive(&drives[i], 3);
	}
}
