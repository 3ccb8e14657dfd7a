// SPDX-License-Identifier: GPL-2.0-only
/* What subpage-vfio says of devices, and the hand-over to vfio-pci, against real devices. */
#include "cases.h"
#include "command.h"
#include "vfio.h"
#include "zoo.h"

#define CONFIG "/etc/modprobe.d/subpage-vfio-align.conf"
#define POLICY "/sys/module/" OURS "/parameters/msix_mmap"

static struct zoo_bar bars[ZOO_MAX];
static int count;
static struct pci_dev disk;

/* Does every line behind the heading begin with that? */
static bool all_lines_begin(const char *begin)
{
	const char *line = strchr(out, '\n');
	int lines = 0;

	for (; line && line[1]; line = strchr(line + 1, '\n'), lines++)
		if (strncmp(line + 1, begin, strlen(begin)))
			return false;
	return lines;
}

static void check_filters(void)
{
	char group[16];

	about("filters");
	exits(cli("list --raw -o ADDRESS -s %s", disk.bdf + strlen("0000:")), OK, "-s");
	ok(all_lines_begin(disk.bdf), "-s: that device alone");
	exits(cli("list --raw -o ADDRESS -d 1b36:0010"), OK, "-d");
	ok(all_lines_begin(disk.bdf), "-d: that device alone");
	exits(cli("list --raw -o ADDRESS --class 0108"), OK, "--class");
	ok(all_lines_begin(disk.bdf), "--class 0108: the disk alone");
	exits(cli("list --raw -o ADDRESS --class volatile"), OK, "--class by name");
	ok(all_lines_begin(disk.bdf), "--class by name: the disk alone");
	exits(cli("list --raw -o DRIVER --driver none"), OK, "--driver none");
	ok(all_lines_begin("\n"), "--driver none: all have none");
	if (pci_iommu_group(&disk) >= 0) {
		snprintf(group, sizeof(group), "%d", pci_iommu_group(&disk));
		exits(cli("list --raw -o IOMMU_GROUP --iommu-group %s", group), OK, "--iommu-group");
		ok(all_lines_begin(group), "--iommu-group: only of that one");
	}
	exits(cli("list --raw -o MAPPABLE --candidates"), OK, "--candidates");
	ok(all_lines_begin("with_"), "--candidates: those that something helps");
	exits(cli("list -s zz"), USAGE, "-s that makes no sense");
	says("--slot", "-s that makes no sense");
	exits(cli("list -o NONSENSE"), USAGE, "no such column");
	exits(cli("list --json --raw"), USAGE, "JSON and raw at once");
}

/* Pages on which devices of different groups lie, while some do and after all have their own. */
static void check_shared(bool bound)
{
	int i, shared = 0;

	exits(cli("list --shared --raw -o ADDRESS,BAR"), OK, bound ? "--shared, bound" : "--shared");
	for (i = 0; i < count; i++) {
		char line[40];

		snprintf(line, sizeof(line), "\n%.15s %d\n", bars[i].dev.bdf, bars[i].bar);
		shared += !!strstr(out, line);
	}
	if (bound)
		is_u64(shared, 0, "bound, they share none");
	else
		ok(shared > 1, "--shared: devices share pages (%s)", "as the machine has packed them");
}

#define VERDICT "list --raw -o BAR,OFFSET,MAPPABLE,REASON_CODE %s"

#define RELOCATE "/sys/module/" OURS "/parameters/msix_relocate"

/* The driver shows the table elsewhere: nothing is left to do, unless it is told not to. */
static void check_elsewhere(bool small)
{
	about("the table elsewhere");
	exits(cli("bind --qemu %s", disk.bdf), OK, "bind");
	shows("\n-device vfio-pci,host=0000:00:18.0\n", "bind");
	exits(cli("list --raw -o BAR,OFFSET,MAPPABLE,REASON_CODE,MSIX_RELOCATION %s", disk.bdf), OK, "list");
	/* The BAR has 16K. */
	shows(sysconf(_SC_PAGESIZE) > 0x4000 ? "\n0 0x0 now own_page bar2\n" :
					       "\n0 0x0 now whole_pages bar2\n", "list");
	exits(cli("info -o NAME,MSIX_RELOCATION %s", disk.bdf), OK, "info");
	shows(" bar2\n", "info");
	exits(cli("unbind %s", disk.bdf), OK, "unbind");
	is_errno(file_write(RELOCATE, "never"), 0, "msix_relocate=never");
	exits(cli("bind --qemu %s", disk.bdf), OK, "bind, never");
	shows(small ? "host=0000:00:18.0\n" : "host=0000:00:18.0,x-msix-relocation=bar2\n", "bind, never");
	exits(cli("list --raw -o OFFSET,HELP %s", disk.bdf), OK, "list, never");
	if (!small)
		shows("\n0x0 echo\\x20never,auto@0000:00:18.0\\x20", "list, never");
	exits(cli("unbind %s", disk.bdf), OK, "unbind, never");
	is_errno(file_write(RELOCATE, "auto"), 0, "msix_relocate=auto");
}

/* The disk's BAR has its MSI-X table at 0x2000, behind its registers. */
static void check_msix_verdict(void)
{
	bool small = sysconf(_SC_PAGESIZE) == 4096;

	about("the page with the MSI-X table");
	exits(cli(VERDICT, disk.bdf), OK, "list");
	if (small) {
		shows("\n0 0x0 now whole_pages\n", "registers");
		shows("\n0 0x2000 not_needed msix_alone\n", "the table");
		shows("\n0 0x3000 now whole_pages\n", "what follows");
	} else {
		shows("\n0 0x0 with_subpage_vfio_pci msix_emulated\n", "registers and table");
		exits(cli("list %s", disk.bdf), OK, "list for people");
		shows("helps: subpage-vfio bind ", "list for people");
	}

	is_errno(file_write(POLICY, "never"), 0, "msix_mmap=never");
	exits(cli("bind --qemu --libvirt %s", disk.bdf), OK, "bind --qemu --libvirt");
	shows("<address domain='0x0000' bus='0x00' slot='0x18' function='0x0'/>", "--libvirt");
	if (small) {
		shows("\n-device vfio-pci,host=0000:00:18.0\n", "--qemu");
	} else {
		shows("\n-device vfio-pci,host=0000:00:18.0,x-msix-relocation=bar2\n", "--qemu");
		shows("<qemu:property name='x-msix-relocation' type='string' value='bar2'/>", "--libvirt");
		exits(cli(VERDICT, disk.bdf), OK, "list, hidden");
		shows("\n0 0x0 with_option msix_hidden\n", "hidden");
		exits(cli("list --raw -o HELP %s", disk.bdf), OK, "help");
		shows("parameters/msix_mmap", "help");
		shows("x-msix-relocation=bar2", "help");
	}
	exits(cli("bind --json --qemu %s", disk.bdf), OK, "bind --json --qemu");
	shows("\"qemu\": \"-device vfio-pci,host=0000:00:18.0", "bind --json --qemu");
	exits(cli("unbind %s", disk.bdf), OK, "unbind");
	is_errno(file_write(POLICY, "isolated"), 0, "msix_mmap=isolated");
	check_elsewhere(small);
}

/*
 * A boot as far as modules go: both are gone, the system loads vfio-pci by its name, as it
 * does for whoever wants it, and libkmod reads the file that the command has written.
 */
static void check_next_boot(const struct zoo_bar *at)
{
	char text[64] = "";

	zoo_repack(bars, count);
	ok(!zoo_stock_maps(at), "next boot: the BAR shares its page");
	is_errno(module_unload(), 0, "next boot: our module is not loaded");
	is_errno(kmod_remove("vfio_pci"), 0, "next boot: nor is vfio-pci");
	cli_install(STOCK, "/modules/" STOCK ".ko");
	ok(!shell("LD_LIBRARY_PATH=/cli /sbin/modprobe " STOCK), "next boot: modprobe " STOCK);
	file_read("/sys/module/" OURS "/parameters/align_for", text, sizeof(text));
	is_str(text, "uio_pci_generic," STOCK, "next boot: our module is there first, with the option");
	is_errno(pci_bind(&at->dev, STOCK), 0, "next boot: vfio-pci gets the device");
	ok(zoo_stock_maps(at), "next boot: its BAR is alone on its page");
	is_errno(pci_bind(&at->dev, ""), 0, "next boot: it is given back");
}

/* Where the file belongs is no directory. */
static void check_no_place(const struct zoo_bar *at)
{
	ok(!rename("/etc/modprobe.d", "/etc/away") && !shell("echo in the way >/etc/modprobe.d"),
	   "/etc/modprobe.d is a file");
	exits(cli("align --always"), FAILED, "--always that cannot be written");
	says("cannot write " CONFIG, "--always that cannot be written");
	exits(cli("align --always %s", at->dev.bdf), CHANGED, "a device, and --always that cannot be written");
	says("cannot write " CONFIG, "a device, and --always that cannot be written");
	is_str(pci_driver(&at->dev), STOCK, "the device has been handed over all the same");
	is_errno(pci_bind(&at->dev, ""), 0, "%s: it is given back again", at->name);
	ok(!unlink("/etc/modprobe.d") && !rename("/etc/away", "/etc/modprobe.d"), "/etc/modprobe.d is one again");
}

static void check_align(const struct zoo_bar *at)
{
	char text[256];
	struct vfio vfio;

	about("align");
	exits(cli("align --driver nonsense %s", at->dev.bdf), HOST, "no such driver");
	says("nothing was changed", "no such driver");
	is_str(pci_driver(&at->dev), "", "no such driver: it has none");
	exits(cli("align"), USAGE, "nothing to do");
	exits(cli("align --always --never"), USAGE, "both at once");

	ok(!zoo_stock_maps(at), "%s: its BAR shares its page", at->name);
	exits(cli("align %s", at->dev.bdf), OK, "a device");
	shows("alone on its page", "a device");
	is_str(pci_driver(&at->dev), STOCK, "%s: vfio-pci has it", at->name);
	pci_attr_read(&at->dev, "driver_override", text, sizeof(text));
	is_str(text, STOCK, "%s: and nobody else takes it", at->name);
	ok(zoo_stock_maps(at), "%s: its BAR is alone on its page", at->name);
	if (is_errno(vfio_open(&at->dev, &vfio), 0, "%s: it opens", at->name)) {
		ok(zoo_reported_mmap(at, &vfio), "%s: vfio-pci lets it be mapped", at->name);
		vfio_close(&vfio);
	}
	exits(cli("list --raw -o BAR,BAR_SIZE,MAPPABLE,REASON_CODE,HELD_FOR %s", at->dev.bdf), OK, "list, aligned");
	shows_text("list, aligned", "\n%d %llu now own_page " STOCK "\n", at->bar, (unsigned long long)at->size);
	exits(cli("info %s", at->dev.bdf), OK, "info, aligned");
	shows("its page is held for " STOCK, "info, aligned");
	file_read("/sys/module/" OURS "/parameters/align_for", text, sizeof(text));
	ok(!strstr(text, STOCK), "the module's option is as it was");
	exits(cli("unbind %s", at->dev.bdf), OK, "unbind, aligned");
	is_str(pci_driver(&at->dev), "", "%s: it is given back", at->name);
	pci_attr_read(&at->dev, "driver_override", text, sizeof(text));
	is_str(text, "(null)", "%s: to whom it belongs", at->name);
	exits(cli("list --json %s", at->dev.bdf), OK, "list, given back");
	shows("\"held_for\": null", "list, given back");
	exits(cli("align --driver nonsense,x --always"), USAGE, "--always for what is no name");

	exits(cli_unprivileged("align --always"), PERMISSION, "--always without privilege");
	exits(cli("align --always --driver uio_pci_generic"), OK, "--always for one driver");
	exits(cli("align --always"), OK, "--always");
	shows(CONFIG, "--always");
	file_read(CONFIG, text, sizeof(text));
	ok(strstr(text, "\noptions subpage_vfio_pci align_for=uio_pci_generic,vfio-pci\n"), "the option names both");
	ok(strstr(text, "\nsoftdep vfio-pci pre: subpage_vfio_pci"), "the driver comes first");
	file_read("/sys/module/" OURS "/parameters/align_for", text, sizeof(text));
	is_str(text, "uio_pci_generic,vfio-pci", "the module does it from now on");
	check_next_boot(at);
	check_no_place(at);
	exits(cli("align --never"), OK, "--never");
	file_read("/sys/module/" OURS "/parameters/align_for", text, sizeof(text));
	ok(!strstr(text, STOCK), "the module no longer does it");
	shows("removed", "--never");
	ok(access(CONFIG, F_OK), "the file is gone");
	exits(cli("align --never"), OK, "--never again");
}

/* To run after the case "cli", which has put the command and the module in their places. */
CASE(cli_answers)
{
	char devices[4 * 17 + 1] = "";
	int i, all = zoo_list(bars);

	for (i = 0; i < all && count < 4; i++)
		if (!*pci_driver(&bars[i].dev))
			bars[count++] = bars[i];
	if (!ok(count > 1, "there are sub-page BARs") ||
	    !is_errno(pci_find(NVME, 0, &disk), 0, "there is a disk"))
		return;
	zoo_repack(bars, count);
	check_filters();
	check_shared(false);
	check_msix_verdict();
	for (i = 0; i < count - 1 && !strcmp(bars[i].name, "e1000e"); i++)
		;
	/* All of e1000e's small BAR is its MSI-X table, of which there is other news. */
	check_align(&bars[i]);
	zoo_repack(bars, count);
	for (i = 0; i < count; i++)
		if (!strstr(devices, bars[i].dev.bdf))
			strcat(strcat(devices, " "), bars[i].dev.bdf);
	exits(cli("bind%s", devices), OK, "bind of all");
	check_shared(true);
	exits(cli("unbind%s", devices), OK, "unbind of all");
}
