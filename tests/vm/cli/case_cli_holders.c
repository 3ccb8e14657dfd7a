// SPDX-License-Identifier: GPL-2.0-only
/*
 * What holds a device in the kernel itself, with no process to name: each is refused and
 * named, and overridden by --force, which says what it has overridden.
 */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/major.h>
#include <linux/raid/md_p.h>
#include <linux/raid/md_u.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cases.h"
#include "command.h"
#include "pci.h"

static dev_t number_of(const char *path)
{
	struct stat node;

	return stat(path, &node) ? 0 : node.st_rdev;
}

static int dm_ioctl(unsigned long command, const char *table)
{
	static char buffer[1024] __attribute__((aligned(8)));
	struct dm_ioctl *head = (void *)buffer;
	struct dm_target_spec *target = (void *)(head + 1);
	int fd = open("/dev/mapper/control", O_RDWR), err;

	memset(buffer, 0, sizeof(buffer));
	*head = (struct dm_ioctl) {
		.version = { DM_VERSION_MAJOR, 0, 0 }, .data_size = sizeof(buffer),
		.data_start = sizeof(*head), .name = "volume",
	};
	if (table) {
		head->target_count = 1;
		*target = (struct dm_target_spec) { .length = 1024, .target_type = "linear" };
		strcpy((char *)(target + 1), table);
	}
	err = ioctl(fd, command, head) ? -errno : 0;
	close(fd);
	return err;
}

static void remove_volume(void)
{
	is_errno(dm_ioctl(DM_DEV_REMOVE, NULL), 0, "the volume is removed");
}

static void check_device_mapper(const struct pci_dev *disk)
{
	static const char why[] = "its disk /dev/nvme0n1 is part of /dev/dm-0 (volume)";
	dev_t number = number_of("/dev/nvme0n1");
	char table[64];

	about("device mapper");
	kmod_insert("dm-mod", "");
	snprintf(table, sizeof(table), "%u:%u 0", major(number), minor(number));
	if (!ok(!dm_ioctl(DM_DEV_CREATE, NULL) && !dm_ioctl(DM_TABLE_LOAD, table) &&
		!dm_ioctl(DM_DEV_SUSPEND, NULL), "a volume is on the disk"))
		return;
	cli_refused(disk, why, "disk_part", "volume");
	cli_forced(disk, why, "volume", remove_volume);
}

static void stop_array(void)
{
	int fd = open("/dev/md0", O_RDWR);

	ok(!ioctl(fd, STOP_ARRAY, NULL), "the array is stopped");
	close(fd);
}

static void check_array(const struct pci_dev *disk)
{
	static const char why[] = "its disk /dev/nvme0n1 is part of /dev/md0";
	mdu_array_info_t array = {
		.major_version = 0, .minor_version = 90, .level = 1, .nr_disks = 1, .raid_disks = 1,
		.not_persistent = 1, .size = 512,
	};
	mdu_disk_info_t part = { .state = 1 << MD_DISK_ACTIVE | 1 << MD_DISK_SYNC };
	dev_t number;
	int fd;

	about("md");
	if (!wait_for("/dev/nvme0n1"))
		return;
	kmod_insert("raid1", "");
	mknod("/dev/md0", S_IFBLK | 0600, makedev(MD_MAJOR, 0));
	number = number_of("/dev/nvme0n1");
	part.major = major(number);
	part.minor = minor(number);
	fd = open("/dev/md0", O_RDWR);
	if (!ok(!ioctl(fd, SET_ARRAY_INFO, &array) && !ioctl(fd, ADD_NEW_DISK, &part) &&
		!ioctl(fd, RUN_ARRAY, NULL), "an array is on the disk"))
		return;
	close(fd);
	cli_refused(disk, why, "disk_part", "array");
	cli_forced(disk, why, "array", stop_array);
}

#define TARGET "/sys/kernel/config/target/core/iblock_0"

static void end_target(void)
{
	ok(!rmdir(TARGET "/out") && !rmdir(TARGET), "the target is removed");
}

/* Behind a virtio adapter, so a disk deep below its PCI device, offered by the kernel's SCSI target. */
static void check_scsi(void)
{
	struct pci_dev adapter;
	char why[160];
	int fd;

	about("SCSI");
	kmod_insert("sd_mod", "");
	kmod_insert("virtio_pci", "");
	kmod_insert("virtio_scsi", "");
	if (!ok(!pci_find(VIRTIO_SCSI, 0, &adapter), "there is a SCSI adapter") || !wait_for("/dev/sda"))
		return;
	fd = open("/dev/sda", O_RDONLY);
	cli_refused(&adapter, "(init) has its disk /dev/sda open", "disk_open", "open disk");
	close(fd);

	kmod_insert("target_core_iblock", "");
	if (mount("configfs", "/sys/kernel/config", "configfs", 0, NULL))
		diag("configfs: %s", strerror(errno));
	mkdir(TARGET, 0755);
	mkdir(TARGET "/out", 0755);
	is_errno(file_write(TARGET "/out/control", "udev_path=/dev/sda"), 0, "a target is on the disk");
	is_errno(file_write(TARGET "/out/enable", "1"), 0, "and on");
	/* Which it says nowhere but in the text of its file "info". */
	cli_refused(&adapter, "its disk /dev/sda is in use by the kernel", "disk_held", "nameless target");
	is_errno(file_write(TARGET "/out/udev_path", "/dev/sda"), 0, "it says which disk");
	snprintf(why, sizeof(why), "its disk /dev/sda is offered by %s/out/udev_path", TARGET);
	cli_refused(&adapter, why, "disk_target", "target");
	cli_forced(&adapter, why, "target", end_target);
	about("SCSI, at the end");
	wait_for("/dev/sda");
}

static void end_bond(void)
{
	is_errno(file_write("/sys/class/net/bonding_masters", "-bond0"), 0, "the bond is removed");
}

static void check_bond(void)
{
	static const char why[] = "its interface eth0 belongs to bond0";
	struct pci_dev net;

	about("bond");
	kmod_insert("e1000e", "");
	kmod_insert("bonding", "max_bonds=0");
	if (!ok(!pci_find(E1000E, 0, &net), "there is an interface") || !wait_for("/sys/class/net/eth0"))
		return;
	is_errno(file_write("/sys/class/net/bonding_masters", "+bond0"), 0, "there is a bond");
	is_errno(file_write("/sys/class/net/bond0/bonding/slaves", "+eth0"), 0, "the interface is in it");
	shell("/cli/busybox ip link set eth0 down");
	cli_refused(&net, why, "interface_member", "member");
	cli_forced(&net, why, "member", end_bond);
	about("VLAN");
	wait_for("/sys/class/net/eth0");
	kmod_insert("8021q", "");
	shell("/cli/busybox ip link add link eth0 name eth0.7 type vlan id 7");
	cli_refused(&net, "its interface eth0 is below eth0.7", "interface_below", "VLAN");
	shell("/cli/busybox ip link del eth0.7");
}

static void no_more(void)
{
}

/* The firmware's picture, which no driver of the card draws; the console is on it. */
static void check_picture(void)
{
	struct pci_dev vga;

	about("firmware's picture");
	if (!ok(!pci_find(VGA, 0, &vga), "there is a display"))
		return;
	cli_refused(&vga, "the firmware's display vesafb is in its BAR 0", "display_boot", "picture");
	says("it is the boot display", "picture");
	cli_forced(&vga, "the firmware's display vesafb is in its BAR 0", "picture", no_more);
}

CASE(cli_holders)
{
	struct pci_dev disk;

	cli_set_up();
	cli_install_module();
	kmod_insert("nvme", "");
	if (!ok(!pci_find(NVME, 0, &disk), "there is a disk") || !wait_for("/dev/nvme0n1"))
		return;
	check_device_mapper(&disk);
	check_array(&disk);
	check_scsi();
	check_bond();
	check_picture();
}
