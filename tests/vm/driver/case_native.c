// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives and NICs that their own drivers use, are given to this driver, used by a
 * user there, and given back: they work as before.
 */
#include <sys/ioctl.h>

#include "cases.h"
#include "drive.h"
#include "link.h"
#include "zoo.h"

static const struct {
	const char *driver;
	uint16_t vendor, device;
	uint8_t network;
} nics[] = {
	{ "e1000e", E1000E, 2 },
	{ "8139cp", RTL8139, 3 },
};

#define NICS (sizeof(nics) / sizeof(nics[0]))

static struct zoo_bar bars[ZOO_MAX];
static int count;

static void check_drive(const struct drive *drive, const char *when)
{
	int fd = drive_open(drive), area, writer;
	struct wrong wrong = {};

	if (!ok(fd >= 0, "%s: %s is there", when, drive->path)) {
		diag("%s", strerror(-fd));
		return;
	}
	for (area = 0; area < DRIVE_AREAS; area++) {
		writer = drive_read_area(fd, area);
		if (writer != DRIVE_RUNNER)
			wrong_add(&wrong, "area %d: got %d, want %d", area, writer, DRIVE_RUNNER);
	}
	close(fd);
	none_wrong(&wrong, "%s: what is read from %s is what was put on it", when, drive->path);
}

static void check_nic(int nic, const struct pci_dev *dev, const char *when)
{
	about("%s", nics[nic].driver);
	is_errno(link_up(dev, nics[nic].network), 0, "%s: the link is up", when);
	is_errno(link_ping(dev, nics[nic].network), 0, "%s: the gateway answers", when);
}

/* Not by driver_override: as after a boot, by the device's id. */
static void give_back(const struct pci_dev *dev, const char *driver)
{
	about("%s given back", dev->bdf);
	is_errno(pci_bind(dev, ""), 0, "unbound");
	is_errno(file_write("/sys/bus/pci/drivers_probe", dev->bdf), 0, "and probed");
	is_str(pci_driver(dev), driver, "%s has it again", driver);
}

static void use_as_user(const struct pci_dev *dev)
{
	struct vfio vfio;
	int i;

	about("%s in use", dev->bdf);
	is_errno(pci_bind(dev, OURS), 0, "bound");
	if (!is_errno(vfio_open(dev, &vfio), 0, "opened"))
		return;
	for (i = 0; i < count; i++) {
		uint32_t value;

		if (strcmp(bars[i].dev.bdf, dev->bdf))
			continue;
		ok(zoo_claimed(&bars[i]), "%s BAR %d, %s, has its page", bars[i].name, bars[i].bar,
		   zoo_sysfs(&bars[i], "state"));
		is_errno(vfio_read32(&vfio, bars[i].bar, bars[i].reg, &value), 0, "and is read");
	}
	/* As QEMU does for each guest. */
	ioctl(vfio.device, VFIO_DEVICE_RESET);
	vfio_close(&vfio);
}

MODULE_CASE(native, "")
{
	struct pci_dev dev;
	size_t i;

	count = zoo_list_packed(bars);
	for (i = 0; i < DRIVES; i++) {
		const struct drive *drive = &drives[i];
		const char *driver = drive->modules[1] ? drive->modules[1] : drive->modules[0];

		if (!is_errno(pci_find(drive->vendor, drive->device, 0, &dev), 0,
			      "there is the controller of %s", drive->path))
			continue;
		check_drive(drive, "before");
		is_str(pci_driver(&dev), driver, "%s has it", driver);
		use_as_user(&dev);
		give_back(&dev, driver);
		check_drive(drive, "after");
	}
	for (i = 0; i < NICS; i++) {
		if (!is_errno(kmod_insert(nics[i].driver, ""), 0, "%s is loaded", nics[i].driver) ||
		    !is_errno(pci_find(nics[i].vendor, nics[i].device, 0, &dev), 0,
			      "there is a NIC for %s", nics[i].driver))
			continue;
		is_str(pci_driver(&dev), nics[i].driver, "%s has it", nics[i].driver);
		check_nic(i, &dev, "before");
		use_as_user(&dev);
		give_back(&dev, nics[i].driver);
		check_nic(i, &dev, "after");
	}
}
