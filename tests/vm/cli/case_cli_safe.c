// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command subpage-vfio leaves alone what is in use, does all or nothing, and says
 * which of it: against real holders of real devices.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/loop.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "command.h"
#include "file.h"
#include "kmod.h"
#include "models.h"
#include "tap.h"
#include "vfio.h"
#include "zoo.h"

static int ready_file;

static void ready(void)
{
	if (write(ready_file, "", 1) != 1)
		_exit(1);
}

/*
 * A child that holds something until it is ended. Where the parent has to do its part in
 * the middle, hold() says by ready() when.
 */
static pid_t start_holder(int (*hold)(const char *), void (*middle)(pid_t, const char *),
			  const char *argument, const char *what)
{
	int pipes[2];
	pid_t pid;
	char byte;

	if (pipe(pipes))
		bail("pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		ready_file = pipes[1];
		if (hold(argument))
			_exit(1);
		ready();
		for (;;)
			pause();
	}
	close(pipes[1]);
	if (middle && read(pipes[0], &byte, 1) == 1)
		middle(pid, argument);
	ok(read(pipes[0], &byte, 1) == 1, "%s: a process holds it", what);
	close(pipes[0]);
	return pid;
}

static void end_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

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

static void no_way_back(void)
{
}

/* The kernel lets nobody end the use of a swap space whose disk is gone: to run when the disk is no longer needed. */
static void check_forced_swap(const struct pci_dev *disk)
{
	about("swap, at the end");
	shell("/cli/busybox mkswap /dev/nvme0n1 >/dev/null");
	ok(!swapon("/dev/nvme0n1", 0), "the disk is swap space again");
	cli_forced(disk, "its disk /dev/nvme0n1 is swap space", "swap", no_way_back);
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

static int interface_flags(const char *name, int flags)
{
	struct ifreq request = { 0 };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	strcpy(request.ifr_name, name);
	request.ifr_flags = flags;
	err = ioctl(sock, SIOCSIFFLAGS, &request);
	close(sock);
	return err;
}

static bool has_interface(const char *name)
{
	int i;

	for (i = 0; i < 100 && !if_nametoindex(name); i++)
		sleep_ms(50);
	return i < 100;
}

static void give_interface(pid_t pid, const char *name)
{
	shell("/cli/busybox ip link set %s netns %d", name, pid);
}

static int other_network(const char *name)
{
	if (unshare(CLONE_NEWNET))
		return 1;
	ready();
	return !has_interface(name) || interface_flags(name, IFF_UP);
}

/* The namespace is held by a socket alone, which tells nobody. */
static int network_of_a_socket(const char *name)
{
	int home = open("/proc/self/ns/net", O_RDONLY), sock;

	if (home < 0 || unshare(CLONE_NEWNET))
		return 1;
	ready();
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	return !has_interface(name) || sock < 0 || setns(home, CLONE_NEWNET) || close(home);
}

/* No process is in it; one has it open, as container managers have. */
static int network_of_a_file(const char *name)
{
	int home = open("/proc/self/ns/net", O_RDONLY);

	if (home < 0 || unshare(CLONE_NEWNET))
		return 1;
	ready();
	return !has_interface(name) || interface_flags(name, IFF_UP) || open("/proc/self/ns/net", O_RDONLY) < 0 ||
	       setns(home, CLONE_NEWNET) || close(home);
}

#define NAMED "/tmp/named"

/* As "ip netns add" keeps one. */
static int network_of_a_name(const char *name)
{
	int home = open("/proc/self/ns/net", O_RDONLY);

	if (home < 0 || unshare(CLONE_NEWNET))
		return 1;
	ready();
	close(open(NAMED, O_WRONLY | O_CREAT, 0644));
	return !has_interface(name) || interface_flags(name, IFF_UP) ||
	       mount("/proc/self/ns/net", NAMED, NULL, MS_BIND, NULL) || setns(home, CLONE_NEWNET) || close(home);
}

static void end_bridge(void)
{
	ok(!shell("/cli/busybox brctl delbr br0"), "the bridge is removed");
}

static void check_interface(const struct pci_dev *net)
{
	static const char member[] = "its interface eth0 belongs to br0";
	pid_t holder;

	if (!ok(has_interface("eth0"), "there is an interface"))
		return;
	ok(!interface_flags("eth0", IFF_UP), "it is up");
	cli_refused(net, "its interface eth0 is up", "interface_up", "interface");
	interface_flags("eth0", 0);

	kmod_insert("bridge", "");
	shell("/cli/busybox brctl addbr br0 && /cli/busybox brctl addif br0 eth0");
	cli_refused(net, member, "interface_member", "member of a bridge");
	cli_forced(net, member, "member of a bridge", end_bridge);
	ok(has_interface("eth0"), "the interface is back from a bridge");

	holder = start_holder(other_network, give_interface, "eth0", "other namespace");
	cli_refused(net, "its interface eth0 is up, in the network namespace of process", "interface_up",
		    "interface of another namespace");
	end_holder(holder);
	ok(has_interface("eth0"), "the interface is back from another namespace");

	holder = start_holder(network_of_a_file, give_interface, "eth0", "file of a namespace");
	cli_refused(net, "its interface eth0 is up, in a network namespace that process", "interface_up",
		    "interface of a namespace that is a file");
	end_holder(holder);
	ok(has_interface("eth0"), "the interface is back from a file");

	holder = start_holder(network_of_a_name, give_interface, "eth0", "named namespace");
	cli_refused(net, "its interface eth0 is up, in the network namespace " NAMED, "interface_up",
		    "interface of a named namespace");
	end_holder(holder);
	umount(NAMED);
	ok(has_interface("eth0"), "the interface is back from a named namespace");

	holder = start_holder(network_of_a_socket, give_interface, "eth0", "nowhere");
	cli_refused(net, "no interface can be seen: perhaps in another network namespace",
		    "interface_hidden", "interface that is nowhere");
	end_holder(holder);
	ok(has_interface("eth0"), "the interface is back from nowhere");
}

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

/* A file of sysfs that a driver in user space maps. */
static void check_sysfs(const struct pci_dev *dev)
{
	char path[96];
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

static void check_state(const struct pci_dev *dev, const char *driver, const char *override,
			const char *what)
{
	char now[64];

	is_str(pci_driver(dev), driver, "%s: driver of %s", what, dev->bdf);
	pci_attr_read(dev, "driver_override", now, sizeof(now));
	is_str(now, override, "%s: driver_override of %s", what, dev->bdf);
}

static void saved_path(const struct pci_dev *dev, char *path, size_t size)
{
	snprintf(path, size, "/etc/driverctl.d/pci-%s", dev->bdf);
}

static void check_saved(const struct pci_dev *dev, const char *want, const char *what)
{
	char path[64], saved[64] = "nothing";

	saved_path(dev, path, sizeof(path));
	file_read(path, saved, sizeof(saved));
	is_str(saved, want, "%s: saved for %s", what, dev->bdf);
}

/* Both are bound and the first is saved, when the second cannot be. */
static void check_save_put_back(const struct pci_dev *first, const struct pci_dev *second)
{
	static const char what[] = "after an entry that cannot be saved";
	char path[64], in_the_way[64];

	saved_path(first, path, sizeof(path));
	ok(!shell("echo nobody >%s", path), "driverctl has a driver saved for the first, too");
	snprintf(in_the_way, sizeof(in_the_way), "/etc/driverctl.d/.pci-%s.new", second->bdf);
	mkdir(in_the_way, 0755);
	exits(cli("bind --persist %s %s", first->bdf, second->bdf), FAILED, "bind --persist that cannot save");
	says("what driverctl is to do with", "bind --persist that cannot save");
	says("nothing was changed", "bind --persist that cannot save");
	check_state(first, "e1000e", "(null)", what);
	check_saved(first, "nobody", what);
	check_state(second, "vfio-pci", "vfio-pci", what);
	check_saved(second, "vfio-pci", what);
	rmdir(in_the_way);
	unlink(path);
}

/* The test build of the module fails at its last step. */
static void check_put_back(const struct pci_dev *net, const struct pci_dev *dev)
{
	char path[64];

	pci_bind(dev, "");
	pci_bind(dev, "vfio-pci");
	pci_attr_write(dev, "driver_override", "vfio-pci\n");
	if (symlink("/cli/driverctl", "/usr/sbin/driverctl"))
		diag("driverctl: %s", strerror(errno));
	mkdir("/etc/driverctl.d", 0755);
	saved_path(dev, path, sizeof(path));
	ok(!shell("echo vfio-pci >%s", path), "driverctl has saved vfio-pci");
	cli_fail_last_step(true);
	exits(cli("bind --persist %s %s", net->bdf, dev->bdf), FAILED, "bind --persist that fails");
	cli_fail_last_step(false);
	says("nothing was changed", "bind --persist that fails");
	check_state(dev, "vfio-pci", "vfio-pci", "after a bind that failed");
	check_saved(dev, "vfio-pci", "after a bind that failed");
	check_state(net, "e1000e", "(null)", "after a bind that failed");
	check_saved(net, "nothing", "after a bind that failed");
	check_save_put_back(net, dev);

	/* An entry of somebody else's is neither ours nor to be forgotten. */
	exits(cli("bind %s", dev->bdf), OK, "bind, another driver being saved");
	exits(cli("unbind %s", dev->bdf), OK, "unbind, another driver being saved");
	ok(!strstr(err, "next boot"), "it does not return to us at the next boot");
	exits(cli("bind %s", dev->bdf), OK, "bind again");
	exits(cli("unbind --persist %s", dev->bdf), OK, "unbind --persist");
	says("driverctl has vfio-pci saved", "unbind --persist");
	check_saved(dev, "vfio-pci", "after unbind --persist");
	unlink(path);
}

/* What is bound already is not touched for --persist, so it may be open. */
static void check_persist(const struct pci_dev *dev)
{
	struct vfio vfio;

	exits(cli("bind %s", dev->bdf), OK, "bind, to be open");
	if (!is_errno(vfio_open(dev, &vfio), 0, "bind --persist: the device is open"))
		return;
	exits(cli("bind --persist %s", dev->bdf), OK, "bind --persist of an open device");
	check_saved(dev, OURS, "bind --persist of an open device");
	exits(cli("align %s", dev->bdf), IN_USE, "align of an open device");
	is_str(pci_driver(dev), OURS, "align of an open device: it keeps its driver");
	vfio_close(&vfio);
	exits(cli("unbind %s", dev->bdf), OK, "unbind, an entry being saved");
	says("returns to " OURS " at the next boot", "unbind, an entry being saved");
	exits(cli("unbind --persist %s", dev->bdf), OK, "unbind --persist, nothing being bound");
	check_saved(dev, "nothing", "unbind --persist, nothing being bound");
}

/* From here on the kernel takes no module without Debian's signature. */
static void check_refused_module(const struct pci_dev *dev)
{
	char path[128];

	is_errno(module_unload(), 0, "our module goes");
	cli_module_path(OURS, path, sizeof(path));
	unlink(path);
	shell("echo nothing of use >%s", path);
	exits(cli("bind %s", dev->bdf), HOST, "module for another kernel");
	says("is not for Linux", "module for another kernel");
	unlink(path);
	if (symlink("/" OURS ".ko", path))
		diag("%s: %s", path, strerror(errno));
	is_errno(file_write("/sys/module/module/parameters/sig_enforce", "1"), 0,
		 "the kernel wants signatures");
	exits(cli("bind %s", dev->bdf), HOST, "module without a signature");
	says("the kernel refuses the signature", "module without a signature");
	is_str(pci_driver(dev), "", "nothing was bound");
}

/* Whatever ends or stops a program waits until it is done; what a module's loader needs does not. */
static void check_signals_held(pid_t pid)
{
	static const int held[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGPIPE, SIGTSTP, SIGTTIN,
		SIGTTOU,
	};
	char path[32], status[4096], *line;
	uint64_t mask;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file_read(path, status, sizeof(status));
	line = strstr(status, "SigBlk:");
	mask = line ? strtoull(line + strlen("SigBlk:"), NULL, 16) : 0;
	for (i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		ok(mask & 1ull << (held[i] - 1), "signal %d waits", held[i]);
	ok(!(mask & 1ull << (SIGCHLD - 1)), "the end of a child does not");
}

/*
 * The first device is bound, the second waits for its user: there an interrupt arrives,
 * and a second instance.
 */
static void check_interrupt(const struct pci_dev *first, const struct pci_dev *second, int signal,
			    const char *what)
{
	struct vfio vfio;
	pid_t pid;
	int i;

	pci_bind(second, "vfio-pci");
	pci_attr_write(second, "driver_override", "vfio-pci\n");
	if (!is_errno(vfio_open(second, &vfio), 0, "%s: the second has a user", what))
		return;
	pid = cli_start("", "bind --force %s %s", first->bdf, second->bdf);
	for (i = 0; i < 300 && strcmp(pci_driver(first), OURS); i++)
		sleep_ms(100);
	is_str(pci_driver(first), OURS, "%s: the first is bound", what);
	sleep_ms(500);
	if (signal == SIGTERM) {
		check_signals_held(pid);
		exits(cli("unbind %s", first->bdf), IN_USE, "second instance");
		says("is changing devices; nothing was changed", "second instance");
		is_str(pci_driver(first), OURS, "the second instance has changed nothing");
	}
	kill(pid, signal);
	sleep_ms(300);
	is_u64(waitpid(pid, NULL, WNOHANG), 0, "%s: it does not end half-way", what);
	vfio_close(&vfio);
	is_u64(cli_wait(pid), 128 + signal, "%s: it ends by that", what);
	says("--force overrides that", what);
	says("interrupted", what);
	says("nothing was changed", what);
	check_state(first, "", "(null)", what);
	check_state(second, "vfio-pci", "vfio-pci", what);
	pci_bind(second, "");
}

/* The same the other way: the first is given back, the second waits for its user. */
static void check_interrupted_unbind(const struct pci_dev *first, const struct pci_dev *second)
{
	static const char what[] = "interrupted unbind";
	struct vfio vfio;
	pid_t pid;
	int i;

	exits(cli("bind %s %s", first->bdf, second->bdf), OK, "bind of two");
	if (!is_errno(vfio_open(second, &vfio), 0, "%s: the second has a user", what))
		return;
	exits(cli("unbind %s %s", first->bdf, second->bdf), IN_USE, "unbind of two");
	is_str(pci_driver(first), OURS, "unbind of two: neither is given back");
	pid = cli_start("", "unbind --force %s %s", first->bdf, second->bdf);
	for (i = 0; i < 300 && *pci_driver(first); i++)
		sleep_ms(100);
	is_str(pci_driver(first), "", "%s: the first is unbound", what);
	kill(pid, SIGHUP);
	vfio_close(&vfio);
	is_u64(cli_wait(pid), 128 + SIGHUP, "%s: it ends by that", what);
	says("nothing was changed", what);
	check_state(first, OURS, OURS, what);
	check_state(second, OURS, OURS, what);
	exits(cli("unbind %s %s", first->bdf, second->bdf), OK, "unbind of both");
}

static void check_unbind(const struct pci_dev *net, const struct pci_dev *dev, const struct pci_dev *second)
{
	char path[128];

	pci_bind(dev, "");
	pci_attr_write(dev, "driver_override", OURS "\n");
	exits(cli("unbind %s", dev->bdf), OK, "unbind of a leftover override");
	check_state(dev, "", "(null)", "leftover override");

	/* Somebody has told the driver to take all of that kind. */
	is_errno(file_write("/sys/bus/pci/drivers/" OURS "/new_id", "1b36 0007"), 0, "the driver takes such devices");
	exits(cli("bind %s", dev->bdf), OK, "bind of such a device");
	exits(cli("unbind %s", dev->bdf), FAILED, "unbind of such a device");
	says("is still bound to " OURS, "unbind of such a device");
	is_str(pci_driver(dev), OURS, "unbind of such a device: it is as it was");
	is_errno(file_write("/sys/bus/pci/drivers/" OURS "/remove_id", "1b36 0007"), 0, "it takes them no more");
	exits(cli("unbind %s %s", dev->bdf, second->bdf), OK, "unbind of them all");
	check_state(dev, "", "(null)", "unbind of them all");

	/* The native driver is not loaded: it was ours from the boot on. */
	exits(cli("bind %s", net->bdf), OK, "bind of the interface");
	is_errno(kmod_remove("e1000e"), 0, "its native driver's module goes");
	cli_install("e1000e", "/modules/e1000e.ko");
	exits(cli("unbind %s", net->bdf), OK, "unbind, the native driver not being loaded");
	check_state(net, "e1000e", "(null)", "the module is loaded for it");

	exits(cli("bind %s", net->bdf), OK, "bind once more");
	is_errno(kmod_remove("e1000e"), 0, "its native driver's module goes again");
	cli_module_path("e1000e", path, sizeof(path));
	unlink(path);
	shell("echo nothing of use >%s", path);
	exits(cli("unbind %s", net->bdf), FAILED, "unbind, the native driver cannot be loaded");
	says("e1000e, the native driver of", "native driver that cannot be loaded");
	says("nothing was changed", "native driver that cannot be loaded");
	check_state(net, OURS, OURS, "native driver that cannot be loaded");
	exits(cli("unbind --force %s", net->bdf), OK, "unbind --force");
	check_state(net, "", "(null)", "unbind --force");
	unlink(path);
	if (symlink("/modules/e1000e.ko", path))
		diag("%s: %s", path, strerror(errno));
	kmod_insert("e1000e", "");
}

/* What was changed cannot be put back: the module of the native driver is gone meanwhile. */
static void check_stuck(const struct pci_dev *net, const struct pci_dev *second)
{
	struct vfio vfio;
	char text[80];
	pid_t pid;
	int i;

	pci_bind(second, "vfio-pci");
	if (!is_errno(vfio_open(second, &vfio), 0, "what cannot be put back: the second has a user"))
		return;
	pid = cli_start("", "bind --json --force %s %s", net->bdf, second->bdf);
	for (i = 0; i < 300 && strcmp(pci_driver(net), OURS); i++)
		sleep_ms(100);
	is_errno(kmod_remove("e1000e"), 0, "the first one's native driver goes");
	kill(pid, SIGTERM);
	vfio_close(&vfio);
	exits(cli_wait(pid), STUCK, "what cannot be put back");
	says("could not be put back: it had the driver e1000e", "what cannot be put back");
	shows("\"changed\": true", "what cannot be put back");
	snprintf(text, sizeof(text), "once e1000e is loaded: echo %s > /sys/bus/pci/drivers_probe", net->bdf);
	says(text, "what cannot be put back");
	check_state(net, "", "(null)", "what cannot be put back");
	kmod_insert("e1000e", "");
	shell("echo %s > /sys/bus/pci/drivers_probe", net->bdf);
	check_state(net, "e1000e", "(null)", "what cannot be put back, after what it said");
	pci_bind(second, "");
}

/* The output is lost, what was done is not. */
static void check_lost_output(const struct pci_dev *dev)
{
	pid_t pid = cli_start("1", "bind %s", dev->bdf);

	exits(cli_wait(pid), CHANGED, "bind whose output is lost");
	says("all was done, but the output could not be written", "bind whose output is lost");
	is_str(pci_driver(dev), OURS, "it is bound");
	exits(cli("unbind %s", dev->bdf), OK, "unbind after the output was lost");
}

/* A device's file that became number 2 had messages written into its registers. */
static void check_closed_files(const struct zoo_bar *at)
{
	char path[64], target[64];
	bool opened = false, clean = true;
	pid_t pid;
	int i, n;

	exits(cli("bind %s", at->dev.bdf), OK, "bind for bench");
	pid = cli_start("012", "bench --bar %d --offset %u %s", at->bar, at->reg, at->dev.bdf);
	while (!waitpid(pid, NULL, WNOHANG)) {
		for (i = 0; i < 8; i++) {
			snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
			n = readlink(path, target, sizeof(target) - 1);
			target[n < 0 ? 0 : n] = '\0';
			opened |= !!strstr(target, "vfio-device");
			clean &= i > 2 || !strstr(target, "vfio");
		}
		sleep_ms(1);
	}
	ok(opened, "the device was open");
	ok(clean, "under no number of standard input, output or error");
	exits(cli("unbind %s", at->dev.bdf), OK, "unbind after bench");
}

static void check_bridge(void)
{
	exits(cli("info 00:00.0"), USAGE, "info of the host bridge");
	says("is a bridge", "info of the host bridge");
	exits(cli("bind 00:00.0"), USAGE, "bind of the host bridge");
	says("is a bridge", "bind of the host bridge");
}

CASE(cli_safe)
{
	static struct zoo_bar bars[ZOO_MAX];
	struct pci_dev disk, net, first, second;

	cli_set_up();
	cli_install_module();
	kmod_insert("nvme", "");
	kmod_insert("e1000e", "");
	if (!ok(!pci_find(NVME, 0, &disk) && !pci_find(E1000E, 0, &net) &&
		!pci_find(SDHCI, 0, &first) && !pci_find(SDHCI, 1, &second) && zoo_list(bars),
		"the devices are there"))
		return;
	check_bridge();
	check_disk(&disk);
	check_interface(&net);
	check_others();
	check_sysfs(&first);
	check_hidden_user(&first);
	check_virtual_functions();
	check_lost_output(&first);
	check_closed_files(zoo_named(bars, zoo_list(bars), "sdhci"));
	check_put_back(&net, &second);
	check_interrupt(&first, &second, SIGTERM, "SIGTERM");
	check_interrupt(&first, &second, SIGINT, "SIGINT");
	check_interrupt(&first, &second, SIGUSR2, "SIGUSR2");
	check_interrupted_unbind(&first, &second);
	check_unbind(&net, &first, &second);
	check_stuck(&net, &second);
	check_persist(&first);
	check_forced_swap(&disk);
	check_refused_module(&first);
}
