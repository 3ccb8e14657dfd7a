// SPDX-License-Identifier: GPL-2.0-only
/* The command leaves a disk alone that is in use, however it is used, and says how. */
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "cases.h"
#include "command.h"
#include "holder.h"
#include "pci.h"

static int hold_named(const char *path)
{
	/* The name is no UTF-8, and moves a terminal's cursor. */
	int fd = open(path, O_RDONLY);

	return fd < 0 || prctl(PR_SET_NAME, "\xff\x1b[2Jx");
}

static int mount_elsewhere(const char *path)
{
	mkdir("/tmp/data", 0755);
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	       mount(path, "/tmp/data", "ext4", MS_RDONLY, NULL);
}

static void clear_loop(void)
{
	int loop = open("/dev/loop0", O_RDWR);

	ok(!ioctl(loop, LOOP_CLR_FD, 0), "the loop device is cleared");
	close(loop);
}

static void check_loop(const struct pci_dev *disk)
{
	static const char why[] = "its disk /dev/nvme0n1 is behind /dev/loop0";
	int loop, fd;

	about("loop device");
	kmod_insert("loop", "");
	if (!wait_for("/dev/loop0"))
		return;
	loop = open("/dev/loop0", O_RDWR);
	fd = open("/dev/nvme0n1", O_RDWR);
	ok(!ioctl(loop, LOOP_SET_FD, fd), "a loop device is on the disk");
	close(fd);
	close(loop);
	cli_refused(disk, why, "disk_loop", "loop device");
	cli_forced(disk, why, "loop device", clear_loop);
	wait_for("/dev/nvme0n1");
}

#define TARGET "/sys/kernel/config/nvmet/subsystems/out"

static void end_target(void)
{
	file_write(TARGET "/namespaces/1/enable", "0");
	ok(!rmdir(TARGET "/namespaces/1") && !rmdir(TARGET), "the target is removed");
}

static void check_target(const struct pci_dev *disk)
{
	static const char why[] = "its disk /dev/nvme0n1 is offered by " TARGET "/namespaces/1/device_path";

	about("NVMe target");
	kmod_insert("nvmet", "");
	if (mount("configfs", "/sys/kernel/config", "configfs", 0, NULL))
		diag("configfs: %s", strerror(errno));
	ok(!mkdir(TARGET, 0755) && !mkdir(TARGET "/namespaces/1", 0755), "there is an NVMe target");
	is_errno(file_write(TARGET "/namespaces/1/device_path", "/dev/nvme0n1"), 0, "it offers the disk");
	is_errno(file_write(TARGET "/namespaces/1/enable", "1"), 0, "to others");
	cli_refused(disk, why, "disk_target", "NVMe target");
	cli_forced(disk, why, "NVMe target", end_target);
	wait_for("/dev/nvme0n1");
}

static void check_disk(const struct pci_dev *disk)
{
	pid_t holder;
	int fd;

	if (!wait_for("/dev/nvme0n1"))
		return;
	fd = open("/dev/nvme0n1", O_RDONLY);
	cli_refused(disk, "(init) has its disk /dev/nvme0n1 open", "disk_open",
		    "disk that is open, not exclusively");
	close(fd);

	holder = start_holder(hold_named, NULL, "/dev/nvme0n1", "strange name");
	cli_refused(disk, "has its disk /dev/nvme0n1 open", "disk_open", "holder with a strange name");
	ok(strstr(out, "\xef\xbf\xbd") && !strchr(out, '\xff') && !strchr(err, '\x1b'),
	   "what is no UTF-8 is replaced, and moves no cursor");
	end_holder(holder);

	fd = open("/dev/nvme0", O_RDONLY);
	cli_refused(disk, "(init) has /dev/nvme0 open", "process_open", "controller that is open");
	close(fd);

	shell("/cli/busybox mkswap /dev/nvme0n1 >/dev/null");
	ok(!swapon("/dev/nvme0n1", 0), "the disk is swap space");
	cli_refused(disk, "its disk /dev/nvme0n1 is swap space", "disk_swap", "swap");
	swapoff("/dev/nvme0n1");

	kmod_insert("ext4", "");
	shell("/cli/busybox mke2fs /dev/nvme0n1 >/dev/null");
	holder = start_holder(mount_elsewhere, NULL, "/dev/nvme0n1", "mount");
	cli_refused(disk, "its disk /dev/nvme0n1 is mounted on /tmp/data", "disk_mounted",
		    "mount in another namespace");
	end_holder(holder);

	check_loop(disk);
	check_target(disk);
	about("the disk's node");

	rename("/dev/nvme0n1", "/dev/away");
	cli_refused(disk, "whether its disk is in use cannot be found out: /dev/nvme0n1", "unknown",
		    "disk without a node");
	shell("echo no disk >/dev/nvme0n1");
	cli_refused(disk, "cannot be found out: /dev/nvme0n1 is another file", "unknown", "other file in its place");
	rename("/dev/away", "/dev/nvme0n1");
	exits(cli("list %s", disk->bdf), OK, "the disk is left in peace");
}

CASE(cli_disks)
{
	struct pci_dev disk;

	cli_set_up();
	cli_install_module();
	kmod_insert("nvme", "");
	if (is_errno(pci_find(NVME, 0, &disk), 0, "there is a disk"))
		check_disk(&disk);
}

static void no_way_back(void)
{
}

/* The kernel lets nobody end the use of a swap space whose disk is gone: to run when the disk is no longer needed. */
CASE(cli_swap)
{
	struct pci_dev disk;

	about("swap, at the end");
	if (!is_errno(pci_find(NVME, 0, &disk), 0, "there is a disk"))
		return;
	shell("/cli/busybox mkswap /dev/nvme0n1 >/dev/null");
	ok(!swapon("/dev/nvme0n1", 0), "the disk is swap space again");
	cli_forced(&disk, "its disk /dev/nvme0n1 is swap space", "swap", no_way_back);
}
