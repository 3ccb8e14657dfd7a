// SPDX-License-Identifier: GPL-2.0-only
/*
 * "subpage-vfio check" at running guests and at a program that drives devices itself:
 * its answer against what is known of each, with the kernel's own KVM and QEMU.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <linux/kvm.h>

#include "cases.h"
#include "command.h"
#include "image.h"
#include "nested.h"
#include "vfio.h"

#define POLICY "/sys/module/subpage_vfio_pci/parameters/msix_mmap"
#define STAY "/tmp/guest/stay.elf"
#define PACKED "/tmp/guest/packed.elf"

enum { DISK, NET, CARD, CARD2, DEVICES };

static const struct {
	uint16_t vendor, device;
	int nth, bar;
} models[DEVICES] = {
	[DISK] = { NVME, 0, 0 },	/* its registers and its MSI-X table share a page */
	[NET] = { RTL8139, 0, 1 },
	[CARD] = { SDHCI, 0, 0 },
	[CARD2] = { SDHCI, 1, 0 },
};

static struct nested_device devices[DEVICES];

static void bind_all(const char *driver)
{
	int i;

	for (i = 0; i < DEVICES; i++)
		is_errno(pci_bind(&devices[i].dev, driver), 0, "device %d: %s", i,
			 *driver ? driver : "unbound");
}

/* The answer for a device: MAPPED, DIRECT and REASON_CODE. */
static void answers(int device, const char *want, const char *what)
{
	shows_text(what, "%s %d %s\n", devices[device].dev.bdf, models[device].bar, want);
}

#define ANSWER "--raw -o ADDRESS,BAR,MAPPED,DIRECT,REASON_CODE"

static int exits_a_second(pid_t pid)
{
	const char *number;

	exits(cli("check --raw -o MMIO_EXITS %d", pid), OK, "check of the exits");
	number = strchr(out, '\n');
	return number ? atoi(number) : -1;
}

/* What a guest is like while it runs, with QEMU's monitor to ask or without. */
static const struct guest_row {
	const char *name, *driver, *policy, *relocation, *payload;
	const char *answer[DEVICES];	/* NULL: not looked at */
	const char *from_outside[DEVICES];
	const char *helps;		/* part of what the answer says that helps */
	bool quick;
} rows[] = {
	{ "stock, BARs share pages", STOCK, "", "", STAY,
	  { [DISK] = "yes no msix_emulated", [NET] = "no no shared_page", [CARD] = "no no shared_page" },
	  { [DISK] = "yes no msix_emulated", [NET] = "no no shared_page" },
	  "subpage-vfio bind ", false },
	{ "ours, the MSI-X table hidden", OURS, "never", "", STAY,
	  { [DISK] = "no no msix_hidden", [NET] = "yes yes direct", [CARD] = "yes yes direct" },
	  { [DISK] = "no no msix_hidden" },
	  "x-msix-relocation=bar2", false },
	{ "ours, the MSI-X table emulated", OURS, "isolated", "", STAY,
	  { [DISK] = "yes no msix_emulated", [CARD2] = "yes yes direct" },
	  { [DISK] = "yes no msix_emulated" },
	  "x-msix-relocation=bar2", false },
	{ "ours, the MSI-X table elsewhere", OURS, "isolated", ",x-msix-relocation=bar2", STAY,
	  { [DISK] = "yes yes direct", [NET] = "yes yes direct", [CARD] = "yes yes direct",
	    [CARD2] = "yes yes direct" },
	  { [DISK] = "yes yes likely_direct" },
	  NULL, true },
	{ "ours, a VMM that does not map", OURS, "isolated", ",x-no-mmap=on", STAY,
	  { [DISK] = "no no vmm_does_not_map", [NET] = "yes yes direct", [CARD] = "yes yes direct" },
	  /* As long as the cards' BARs: which of the three it has not mapped does not show. */
	  { [DISK] = "unsure unsure which_device", [NET] = "yes yes likely_direct" },
	  "x-msix-relocation=bar2", false },
	/* Still on pages of their own, but as long as they are; the guest puts them one behind the other. */
	{ "stock, aligned; the guest packs", STOCK, "", ",x-msix-relocation=bar2", PACKED,
	  { [DISK] = "yes yes direct", [CARD] = "yes no guest_not_on_page", [CARD2] = "yes no guest_not_on_page" },
	  { [CARD] = "yes unsure guest_unknown" },
	  "pci=resource_alignment=14@pci:0:0", false },
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static void check_answers(const char *const *answer, const char *monitor)
{
	int i;

	for (i = 0; i < DEVICES; i++)
		if (answer[i])
			answers(i, answer[i], monitor);
}

static void check_guest(const struct guest_row *row)
{
	static const char *const monitor[] = { "-qmp", "unix:/tmp/qmp,server=on,wait=off", NULL };
	static const char *const none[] = { NULL };
	pid_t pid;
	int rate;

	about("%s", row->name);
	if (*row->policy)
		is_errno(file_write(POLICY, row->policy), 0, "msix_mmap=%s", row->policy);
	bind_all(row->driver);
	devices[DISK].options = row->relocation;

	pid = nested_start(row->payload, devices, DEVICES, monitor);
	if (!ok(pid > 0, "the guest runs"))
		return;
	/* The command finds process and monitor by itself. */
	exits(cli("check " ANSWER), OK, "check");
	check_answers(row->answer, "asking QEMU");
	exits(cli("check --qmp /nested/tmp/qmp " ANSWER " %d", pid), OK, "check --qmp");
	check_answers(row->answer, "asking QEMU where it is told to");
	exits(cli("check %d", pid), OK, "check for people");
	shows("MMIO exits a second", "check for people");
	if (row->helps)
		shows(row->helps, "check for people");
	exits(cli("check --json %d", pid), OK, "check --json");
	shows("\"kvm\": true", "check --json");
	shows("\"held\": \"yes\"", "check --json");
	rate = exits_a_second(pid);
	ok(row->quick ? rate >= 0 && rate < 100 : rate > 100, "%s a second",
	   row->quick ? "few MMIO exits" : "many MMIO exits");
	diag("%d MMIO exits a second", rate);
	nested_stop(pid);

	pid = nested_start(row->payload, devices, DEVICES, none);
	if (!ok(pid > 0, "the guest runs without a monitor"))
		return;
	exits(cli("check " ANSWER " %d", pid), OK, "check without a monitor");
	check_answers(row->from_outside, "not asking QEMU");
	exits(cli("check --qmp /nested/tmp/qmp %d", pid), FAILED, "a monitor that does not answer");
	nested_stop(pid);
}

/* Look at this process; then one device's answer. */
static void program_answers(int device, const char *want, const char *what)
{
	exits(cli("check " ANSWER " %d", getpid()), OK, what);
	answers(device, want, what);
}

/* Does /proc tell whose mapping it is: by the device's own file, or by its address, before 6.10? */
static bool kernel_tells(void)
{
	const char *way = getenv("vfio");
	unsigned int major = 0, minor = 0;
	struct utsname kernel;

	uname(&kernel);
	sscanf(kernel.release, "%u.%u", &major, &minor);
	return (way && !strcmp(way, "cdev")) || major < 6 || (major == 6 && minor < 10);
}

/* Has a command that goes on printed that line by now, or in half a minute? */
static bool prints(pid_t pid, int device, const char *want)
{
	char line[80];
	int i;

	snprintf(line, sizeof(line), "%s %d %s\n", devices[device].dev.bdf, models[device].bar, want);
	for (i = 0; i < 300; i++) {
		cli_so_far(pid);
		if (strstr(out, line))
			return true;
		sleep_ms(100);
	}
	diag("%s%s", out, err);
	return false;
}

/* What changes between two looks shows in the second. Returns with the BAR mapped. */
static void check_watch(struct vfio *one, void **map)
{
	pid_t pid = cli_start("", "check --watch " ANSWER " %d", getpid());

	ok(prints(pid, CARD, "no no vmm_does_not_map"), "--watch: the BAR is not mapped");
	is_errno(vfio_map(one, 0, 0, sysconf(_SC_PAGESIZE), map), 0, "it is mapped now");
	ok(prints(pid, CARD, "yes yes direct"), "--watch: and that shows");
	munmap(*map, sysconf(_SC_PAGESIZE));
	kill(pid, SIGSTOP);
	vfio_close(one);
	kill(pid, SIGCONT);
	exits(cli_wait(pid), NO_DEVICE, "--watch: the device is closed");
	says("holds no VFIO device", "--watch: the device is closed");
}

/* A socket that says something for ever, but never all. */
static pid_t start_dripping(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), user;
	pid_t pid;

	strcpy(at.sun_path, path);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1))
		bail("%s: %s", path, strerror(errno));
	pid = fork();
	if (!pid) {
		user = accept(fd, NULL, NULL);
		while (send(user, " ", 1, MSG_NOSIGNAL) == 1)
			sleep_ms(100);
		_exit(0);
	}
	close(fd);
	return pid;
}

static void check_dripping_monitor(void)
{
	pid_t monitor = start_dripping("/tmp/drips");

	exits(cli("check --qmp /tmp/drips %d", getpid()), FAILED, "a monitor that never comes to an end");
	says("does not answer at /tmp/drips", "a monitor that never comes to an end");
	kill(monitor, SIGKILL);
	waitpid(monitor, NULL, 0);
}

#define STRANGE "\xff\x1b[2J\xc2\x9b"

#define REPLACED "\xef\xbf\xbd\xef\xbf\xbd[2J\xef\xbf\xbd"

static void is_text(const char *what, const char *whom)
{
	ok(!strpbrk(out, "\xff\x1b\x9b") && !strpbrk(err, "\xff\x1b\x9b"), "%s: nothing strange for %s", what, whom);
}

/* A process may call itself what it likes. */
static void check_strange_process(void)
{
	prctl(PR_SET_NAME, STRANGE);
	exits(cli("check --json %d", getpid()), OK, "a strange name");
	shows("\"command\": \"" REPLACED "\"", "a strange name");
	is_text("a strange name", "JSON");
	exits(cli("check %d", getpid()), OK, "a strange name, for people");
	shows("(" REPLACED ")", "a strange name, for people");
	is_text("a strange name", "people");
	prctl(PR_SET_NAME, "init");
}

/* NULL: no longer. */
static void cover(const struct pci_dev *dev, const char *name, const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/" OURS "/%s", dev->bdf, name);
	if (what)
		ok(!shell("printf '\\377\\033[2J\\302\\233\\n' >/tmp/strange") &&
		   !mount("/tmp/strange", path, NULL, MS_BIND, NULL), "%s: so is %s", what, name);
	else
		umount(path);
}

/* Nor is a text of sysfs always one. The device is open while "check" looks, and not for "info". */
static void check_strange_sysfs(const struct pci_dev *dev, bool open)
{
	const char *what = open ? "check, strange texts" : "info, strange texts";

	cover(dev, "bar0_state", what);
	cover(dev, "bar0_reason", what);
	exits(open ? cli("check --json %d", getpid()) : cli("info --json %s", dev->bdf), OK, what);
	shows(open ? "\"reason_code\": \"unknown_state\"" : "\"bar_state\": \"" REPLACED "\"", what);
	shows(REPLACED, what);
	is_text(what, "JSON");
	what = open ? "check, strange texts, for people" : "info, strange texts, for people";
	exits(open ? cli("check %d", getpid()) : cli("info %s", dev->bdf), OK, what);
	is_text(what, "people");
	cover(dev, "bar0_state", NULL);
	cover(dev, "bar0_reason", NULL);
}

/* The devices are of one kind: whose mapping is it? */
static void check_program(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct vfio one, two;
	void *map, *map2;
	bool tells;

	about("a program");
	check_strange_sysfs(&devices[CARD].dev, false);
	if (!is_errno(vfio_open(&devices[CARD].dev, &one), 0, "opens a device, to be watched"))
		return;
	check_watch(&one, &map);
	if (!is_errno(vfio_open(&devices[CARD].dev, &one), 0, "opens a device"))
		return;
	check_strange_process();
	check_strange_sysfs(&devices[CARD].dev, true);
	check_dripping_monitor();
	tells = kernel_tells();
	diag("the kernel tells whose mapping it is: %s", tells ? "yes" : "no");
	is_errno(vfio_map(&one, 0, 0, page, &map), 0, "maps its BAR");
	program_answers(CARD, "yes yes direct", "one device");
	if (!is_errno(vfio_open(&devices[CARD2].dev, &two), 0, "opens another one of the kind"))
		return;
	program_answers(CARD, tells ? "yes yes direct" : "unsure unsure which_device",
			"two of a kind, one mapping: the first");
	program_answers(CARD2, tells ? "no no vmm_does_not_map" : "unsure unsure which_device",
			"two of a kind, one mapping: the second");
	is_errno(vfio_map(&two, 0, 0, page, &map2), 0, "maps its BAR, too");
	program_answers(CARD, "yes yes direct", "two of a kind, two mappings: the first");
	program_answers(CARD2, "yes yes direct", "two of a kind, two mappings: the second");
	munmap(map, page);
	munmap(map2, page);
	program_answers(CARD, "no no vmm_does_not_map", "no mapping any more");
	vfio_close(&one);
	vfio_close(&two);
	exits(cli("check %d", getpid()), NO_DEVICE, "no device any more");
}

static void *make_machine(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)ioctl(open("/dev/kvm", O_RDWR | O_CLOEXEC), KVM_CREATE_VM, 0);
}

/* KVM calls a machine's counters after the thread that made it, which here has ended. Comes last: lockdown stays. */
static void check_exits_known(void)
{
	struct vfio vfio;
	pthread_t thread;
	void *machine;

	about("counters of KVM");
	is_errno(pci_bind(&devices[CARD].dev, OURS), 0, "bound");
	if (!is_errno(vfio_open(&devices[CARD].dev, &vfio), 0, "open"))
		return;
	ok(!pthread_create(&thread, NULL, make_machine, NULL) && !pthread_join(thread, &machine) &&
	   (intptr_t)machine >= 0, "a thread has made a machine and has ended");
	exits(cli("check --raw -o KVM,MMIO_EXITS %d", getpid()), OK, "its exits");
	shows("\n1 0\n", "its exits");
	ok(!umount2("/sys/kernel/debug", MNT_DETACH), "debugfs is not mounted");
	exits(cli("check %d", getpid()), OK, "without debugfs");
	shows("its MMIO exits are unknown: mount -t debugfs none /sys/kernel/debug", "without debugfs");
	ok(!mount("none", "/sys/kernel/debug", "debugfs", 0, NULL), "it is mounted");
	mount("none", "/sys/kernel/security", "securityfs", 0, NULL);
	is_errno(file_write("/sys/kernel/security/lockdown", "integrity"), 0, "the kernel is locked down");
	exits(cli("check %d", getpid()), OK, "with lockdown");
	shows("its MMIO exits are unknown: the kernel is locked down, which hides debugfs", "with lockdown");
	close((intptr_t)machine);
	vfio_close(&vfio);
	pci_bind(&devices[CARD].dev, "");
}

/* Why the command names a BAR: QEMU does not choose one. */
static void check_auto(void)
{
	static const char *const none[] = { NULL };

	about("x-msix-relocation=auto");
	bind_all(OURS);
	devices[DISK].options = ",x-msix-relocation=auto";
	ok(nested_start(STAY, devices, DEVICES, none) < 0, "QEMU does not start");
	ok(nested_has_said("No automatic MSI-X relocation available"), "it has none");
	devices[DISK].options = "";
}

/* With the options of -device that all have. */
static bool set_up(const char *options)
{
	int i;

	cli_set_up();
	if (!is_errno(image_mount(), 0, "there is a QEMU in the machine"))
		return false;
	for (i = 0; i < DEVICES; i++) {
		if (!is_errno(pci_find(models[i].vendor, models[i].device, models[i].nth, &devices[i].dev), 0,
			      "device %d is there", i))
			return false;
		devices[i].options = options;
	}
	return true;
}

/* A process that has no group open, nor any file named after VFIO's devices but each device's own. */
static bool opens_devices_themselves(pid_t pid)
{
	char path[64], target[64];
	int i, own = 0, iommufd = 0;
	ssize_t n;

	for (i = 0; i < 256; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, i);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		/* QEMU has a root of its own, which is not ours. */
		own += !!strstr(target, "/dev/vfio/devices/");
		iommufd += !!strstr(target, "/dev/iommu");
		if (!strcmp(target, "anon_inode:[vfio-device]"))
			return false;
	}
	return own == DEVICES && iommufd;
}

static void check_iommufd_guest(const char *driver, const char *const *answer)
{
	static const char *const more[] = {
		"-object", "iommufd,id=iommufd0", "-qmp", "unix:/tmp/qmp,server=on,wait=off", NULL,
	};
	pid_t pid;

	about("iommufd, %s", driver);
	bind_all(driver);
	pid = nested_start(STAY, devices, DEVICES, more);
	if (!ok(pid > 0, "the guest runs"))
		return;
	ok(opens_devices_themselves(pid), "QEMU has opened each device by its own file");
	exits(cli("check " ANSWER " %d", pid), OK, "check");
	check_answers(answer, "asking QEMU");
	exits(cli("check --raw -o HELD,KVM,MONITOR %d", pid), OK, "what is known of it");
	shows("\nyes 1 1\n", "what is known of it");
	exits(cli("%s %s", strcmp(driver, OURS) ? "bind" : "unbind", devices[NET].dev.bdf), IN_USE,
	      "one of its devices is taken");
	says("(qemu-system-aar) has it open through VFIO (/dev/vfio/devices/vfio", "one of its devices is taken");
	nested_stop(pid);
}

MODULE_CASE(check_iommufd, "msix_relocate=never")
{
	static const char *const stock[DEVICES] = {
		[DISK] = "no no shared_page", [NET] = "no no shared_page", [CARD] = "no no shared_page",
	};
	static const char *const ours[DEVICES] = {
		[DISK] = "yes no msix_emulated", [NET] = "yes yes direct", [CARD] = "yes yes direct",
		[CARD2] = "yes yes direct",
	};

	if (!set_up(",iommufd=iommufd0"))
		return;
	check_iommufd_guest(STOCK, stock);
	check_iommufd_guest(OURS, ours);
	{
		about("at the end");
		bind_all("");
	}
}

MODULE_CASE(check, "msix_relocate=never")
{
	int i;

	if (!set_up(""))
		return;
	exits(cli("check"), OK, "check of an idle machine");
	shows("No process holds a VFIO device", "check of an idle machine");
	exits(cli("check 999999"), NO_DEVICE, "no such process");
	exits(cli("check nonsense"), USAGE, "not a process id");
	exits(cli("check --qmp /tmp/x"), USAGE, "--qmp without a process");
	for (i = 0; i < ROWS; i++)
		check_guest(&rows[i]);
	check_auto();
	check_program();
	{
		about("at the end");
		bind_all("");
	}
	check_exits_known();
}

/* A program alone, on kernels that differ in what they say of its files. */
MODULE_CASE(check_program, "")
{
	int i;

	cli_set_up();
	for (i = CARD; i <= CARD2; i++) {
		if (!is_errno(pci_find(models[i].vendor, models[i].device, models[i].nth, &devices[i].dev), 0,
			      "device %d is there", i))
			return;
		is_errno(pci_bind(&devices[i].dev, OURS), 0, "device %d: " OURS, i);
	}
	check_program();
	for (i = CARD; i <= CARD2; i++)
		is_errno(pci_bind(&devices[i].dev, ""), 0, "device %d: unbound", i);
}
