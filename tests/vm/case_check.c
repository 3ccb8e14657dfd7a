// SPDX-License-Identifier: GPL-2.0-only
/*
 * "subpage-vfio check" at running guests and at a program that drives devices itself:
 * its answer against what is known of each, with the kernel's own KVM and QEMU.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cases.h"
#include "command.h"
#include "file.h"
#include "image.h"
#include "kmod.h"
#include "nested.h"
#include "tap.h"
#include "vfio.h"

#define STOCK "vfio-pci"
#define OURS "subpage_vfio_pci"
#define POLICY "/sys/module/subpage_vfio_pci/parameters/msix_mmap"
#define STAY "/tmp/guest/stay.elf"
#define PACKED "/tmp/guest/packed.elf"

enum { NVME, NET, CARD, CARD2, DEVICES };

static const struct {
	uint16_t vendor, device;
	int nth, bar;
} models[DEVICES] = {
	[NVME] = { 0x1b36, 0x0010, 0, 0 },	/* its registers and its MSI-X table share a page */
	[NET] = { 0x10ec, 0x8139, 0, 1 },
	[CARD] = { 0x1b36, 0x0007, 0, 0 },
	[CARD2] = { 0x1b36, 0x0007, 1, 0 },
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
	char line[80];

	snprintf(line, sizeof(line), "%s %d %s\n", devices[device].dev.bdf, models[device].bar, want);
	shows(line, what);
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
	  { [NVME] = "yes no msix_emulated", [NET] = "no no shared_page", [CARD] = "no no shared_page" },
	  { [NVME] = "yes no msix_emulated", [NET] = "no no shared_page" },
	  "subpage-vfio bind ", false },
	{ "ours, the MSI-X table hidden", OURS, "never", "", STAY,
	  { [NVME] = "no no msix_hidden", [NET] = "yes yes direct", [CARD] = "yes yes direct" },
	  { [NVME] = "no no msix_hidden" },
	  "x-msix-relocation=bar2", false },
	{ "ours, the MSI-X table emulated", OURS, "isolated", "", STAY,
	  { [NVME] = "yes no msix_emulated", [CARD2] = "yes yes direct" },
	  { [NVME] = "yes no msix_emulated" },
	  "x-msix-relocation=bar2", false },
	{ "ours, the MSI-X table elsewhere", OURS, "isolated", ",x-msix-relocation=bar2", STAY,
	  { [NVME] = "yes yes direct", [NET] = "yes yes direct", [CARD] = "yes yes direct",
	    [CARD2] = "yes yes direct" },
	  { [NVME] = "yes yes likely_direct" },
	  NULL, true },
	{ "ours, a VMM that does not map", OURS, "isolated", ",x-no-mmap=on", STAY,
	  { [NVME] = "no no vmm_does_not_map", [NET] = "yes yes direct", [CARD] = "yes yes direct" },
	  /* As long as the cards' BARs: which of the three it has not mapped does not show. */
	  { [NVME] = "unsure unsure which_device", [NET] = "yes yes likely_direct" },
	  "x-msix-relocation=bar2", false },
	/* Still on pages of their own, but as long as they are; the guest puts them one behind the other. */
	{ "stock, aligned; the guest packs", STOCK, "", ",x-msix-relocation=bar2", PACKED,
	  { [NVME] = "yes yes direct", [CARD] = "yes no guest_not_on_page", [CARD2] = "yes no guest_not_on_page" },
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
	devices[NVME].options = row->relocation;

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

/* The devices are of one kind: whose mapping is it? */
static void check_program(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct vfio one, two;
	void *map, *map2;
	bool tells;

	about("a program");
	if (!is_errno(vfio_open(&devices[CARD].dev, &one), 0, "opens a device"))
		return;
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

/* Why the command names a BAR: QEMU does not choose one. */
static void check_auto(void)
{
	static const char *const none[] = { NULL };

	about("x-msix-relocation=auto");
	bind_all(OURS);
	devices[NVME].options = ",x-msix-relocation=auto";
	ok(nested_start(STAY, devices, DEVICES, none) < 0, "QEMU does not start");
	ok(nested_has_said("No automatic MSI-X relocation available"), "it has none");
	devices[NVME].options = "";
}

/* With the options of -device that all have. */
static bool set_up(const char *options)
{
	int i;

	cli_set_up();
	if (!is_errno(image_mount(), 0, "there is a QEMU in the machine") ||
	    !is_errno(module_load(""), 0, "the module loads"))
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

CASE(check_iommufd)
{
	static const char *const stock[DEVICES] = {
		[NVME] = "no no shared_page", [NET] = "no no shared_page", [CARD] = "no no shared_page",
	};
	static const char *const ours[DEVICES] = {
		[NVME] = "yes no msix_emulated", [NET] = "yes yes direct", [CARD] = "yes yes direct",
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
	is_errno(module_unload(), 0, "the module unloads");
}

CASE(check)
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
	is_errno(module_unload(), 0, "the module unloads");
}

/* A program alone, on kernels that differ in what they say of its files. */
CASE(check_program)
{
	int i;

	cli_set_up();
	if (!is_errno(module_load(""), 0, "the module loads"))
		return;
	for (i = CARD; i <= CARD2; i++) {
		if (!is_errno(pci_find(models[i].vendor, models[i].device, models[i].nth, &devices[i].dev), 0,
			      "device %d is there", i))
			return;
		is_errno(pci_bind(&devices[i].dev, OURS), 0, "device %d: " OURS, i);
	}
	check_program();
	for (i = CARD; i <= CARD2; i++)
		is_errno(pci_bind(&devices[i].dev, ""), 0, "device %d: unbound", i);
	is_errno(module_unload(), 0, "the module unloads");
}
