// SPDX-License-Identifier: GPL-2.0-only
/* The command leaves alone what a process uses, by whatever file, and what is a bridge. */
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/pci.h>

#include "cases.h"
#include "command.h"
#include "holder.h"
#include "pci.h"
#include "vfio.h"

/* Opens the first file of /dev that matches, a device of that function. */
static int open_node(const char *pattern)
{
	glob_t found;
	int fd = -1, i;

	for (i = 0; i < 300 && glob(pattern, 0, NULL, &found); i++)
		sleep_ms(100);
	if (i < 300) {
		fd = open(found.gl_pathv[0], O_RDONLY | O_NONBLOCK | O_NOCTTY);
		globfree(&found);
	}
	ok(fd >= 0, "%s is open", pattern);
	return fd;
}

static void check_others(void)
{
	struct pci_dev dev;
	char pattern[128];
	int fd;

	kmod_insert("snd-hda-codec-generic", "");
	kmod_insert("snd-hda-intel", "");
	if (ok(!pci_find(HDA, 0, &dev), "there is a sound card")) {
		fd = open_node("/dev/snd/controlC*");
		cli_refused(&dev, "has /dev/snd/controlC0 open", "process_open", "sound card");
		close(fd);
	}
	if (ok(!pci_find(SERIAL, 0, &dev), "there is a serial port")) {
		glob_t found;

		snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/tty/ttyS*", dev.bdf);
		if (ok(!glob(pattern, 0, NULL, &found), "with a driver")) {
			snprintf(pattern, sizeof(pattern), "/dev/%s",
				 strrchr(found.gl_pathv[0], '/') + 1);
			fd = open_node(pattern);
			cli_refused(&dev, pattern, "process_open", "serial port");
			close(fd);
		}
	}
	kmod_insert("bochs", "");
	if (ok(!pci_find(VGA, 0, &dev), "there is a display") && wait_for("/dev/fb0")) {
		cli_refused(&dev, "the console draws on its framebuffer fb0", "framebuffer", "display");
		fd = open_node("/dev/dri/card0");
		cli_refused(&dev, "(init) has /dev/dri/card0 open", "process_open", "GPU");
		close(fd);
	}

	kmod_insert("xhci-pci", "");
	kmod_insert("hid-generic", "");
	kmod_insert("usbhid", "");
	kmod_insert("sd_mod", "");
	kmod_insert("usb-storage", "");
	if (ok(!pci_find(XHCI, 0, &dev), "there is a USB controller") && wait_for("/dev/sda")) {
		fd = open_node("/dev/sda");
		cli_refused(&dev, "has its disk /dev/sda open", "disk_open", "USB disk");
		says("the console takes keys from", "USB keyboard");
		shows("\"reason_code\": \"keyboard\"", "USB keyboard");
		close(fd);
	}
}

static int map_alone(const char *path)
{
	int fd = open(path, O_RDWR);
	void *map = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	return map == MAP_FAILED;
}

/* The other way to a BAR: its address is the offset in the function's file. */
static int map_through_proc(const char *path)
{
	int fd = open(path, O_RDWR);
	struct pci_dev dev;
	void *map = MAP_FAILED;

	if (!pci_find(SDHCI, 0, &dev) && !ioctl(fd, PCIIOC_MMAP_IS_MEM))
		map = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd,
			   pci_config_read(&dev, 0x10, 4) & ~0xfffu);
	close(fd);
	return map == MAP_FAILED;
}

static void *open_and_stay(void *path)
{
	if (open(path, O_RDWR) >= 0)
		ready();
	pause();
	return NULL;
}

/* Its first thread ends, and with it what /proc shows of the process itself. */
static int end_first_thread(const char *path)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, open_and_stay, (void *)path))
		pthread_exit(NULL);
	return 1;
}

/* A file of sysfs or /proc that a driver in user space maps. */
static void check_sysfs(const struct pci_dev *dev)
{
	char path[96], said[128];
	pid_t holder;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", dev->bdf);
	fd = open(path, O_RDWR);
	cli_refused(dev, "(init) has resource0 open", "process_open", "driver through sysfs");
	close(fd);
	holder = start_holder(map_alone, NULL, path, "mapping without a file");
	cli_refused(dev, "(init) has resource0 open", "process_open", "mapping without a file");
	end_holder(holder);
	holder = start_holder(end_first_thread, NULL, path, "process without its first thread");
	cli_refused(dev, "(init) has resource0 open", "process_open", "process without its first thread");
	end_holder(holder);

	snprintf(path, sizeof(path), "/proc/bus/pci/%.2s/%s", dev->bdf + 5, dev->bdf + 8);
	fd = open(path, O_RDWR);
	snprintf(said, sizeof(said), "(init) has %s open", path);
	cli_refused(dev, said, "process_open", "driver through /proc/bus/pci");
	close(fd);
	holder = start_holder(map_through_proc, NULL, path, "mapping of /proc/bus/pci");
	cli_refused(dev, said, "process_open", "mapping of /proc/bus/pci");
	end_holder(holder);
}

/* In a message between processes that nobody has read, an open file is in no process's list. */
static void check_hidden_user(const struct pci_dev *dev)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { "", 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	char path[32];
	int pair[2], fd;

	pci_bind(dev, "vfio-pci");
	snprintf(path, sizeof(path), "/dev/vfio/%d", pci_iommu_group(dev));
	fd = open(path, O_RDWR);
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	ok(fd >= 0 && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && sendmsg(pair[0], &message, 0) == 1,
	   "the group is open, in a message");
	close(fd);
	cli_refused(dev, "a process has it open through VFIO", "vfio_open", "file in a message");
	close(pair[0]);
	close(pair[1]);
	pci_bind(dev, "");
}

/* Those of a disk, of which one has a user. Nothing may wait for him. */
static void check_virtual_functions(void)
{
	struct pci_dev pf, vf;
	struct vfio vfio;

	if (!ok(!pci_find(NVME, 1, &pf), "there is a physical function"))
		return;
	is_errno(pci_attr_write(&pf, "sriov_drivers_autoprobe", "0"), 0, "its functions get no driver");
	is_errno(pci_attr_write(&pf, "sriov_numvfs", "2"), 0, "it has two virtual functions");
	if (!is_errno(pci_virtfn(&pf, 0, &vf), 0, "one is there"))
		return;
	cli_refused(&pf, "its virtual function ", "virtual_function", "virtual functions");
	says(vf.bdf, "virtual functions");
	is_errno(pci_bind(&vf, "vfio-pci"), 0, "one has vfio-pci");
	if (is_errno(vfio_open(&vf, &vfio), 0, "and a user")) {
		cli_refused(&pf, "(init) has it open through VFIO", "vfio_open",
			    "virtual function with a user");
		vfio_close(&vfio);
	}
	ok(pci_present(&vf), "the virtual functions are there");
	pci_bind(&vf, "");
	pci_attr_write(&pf, "sriov_numvfs", "0");
}

static void check_bridge(void)
{
	exits(cli("info 00:00.0"), USAGE, "info of the host bridge");
	says("is a bridge", "info of the host bridge");
	exits(cli("bind 00:00.0"), USAGE, "bind of the host bridge");
	says("is a bridge", "bind of the host bridge");
}

CASE(cli_users)
{
	struct pci_dev dev;

	cli_set_up();
	cli_install_module();
	kmod_insert("nvme", "");
	check_bridge();
	check_others();
	if (is_errno(pci_find(SDHCI, 0, &dev), 0, "there is a device")) {
		check_sysfs(&dev);
		check_hidden_user(&dev);
	}
	check_virtual_functions();
}
