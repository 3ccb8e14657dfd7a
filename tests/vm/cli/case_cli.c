// SPDX-License-Identifier: GPL-2.0-only
/* The command subpage-vfio, as an operator uses it, against real devices. */
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "cases.h"
#include "command.h"
#include "iomem.h"
#include "vfio.h"
#include "zoo.h"

static void check_bad_arguments(const struct pci_dev *dev)
{
	exits(cli("--help"), OK, "--help");
	shows("bench", "--help");
	exits(cli("bind --help"), OK, "bind --help");
	shows("--persist", "bind --help");
	exits(cli(""), USAGE, "no command");
	exits(cli("nonsense"), USAGE, "unknown command");
	says("nonsense", "unknown command");
	exits(cli("list --nonsense"), USAGE, "unknown option");
	exits(cli("list --force"), USAGE, "an option of another command");
	exits(cli("bind"), USAGE, "bind without a device");
	exits(cli("list zz:zz.z"), USAGE, "not an address");
	says("is not a PCI address", "not an address");
	exits(cli("bind %s trailing", dev->bdf), USAGE, "one good address, one bad");
	is_str(pci_driver(dev), "", "one good address, one bad: nothing was bound");
	exits(cli("list 00:1e.7"), NO_DEVICE, "no such device");
	exits(cli("bench --bar 6 %s", dev->bdf), USAGE, "no such BAR");
	exits(cli("info %s", dev->bdf), FAILED, "info of an unbound device");
	says("bind", "info of an unbound device");
}

/* Each BAR of the list, against config space and /proc/iomem. */
static void check_list(const struct zoo_bar *bars, int count, bool bound)
{
	struct iomem map;
	int i;

	iomem_read(&map);
	for (i = 0; i < count; i++) {
		const struct zoo_bar *at = &bars[i];
		uint64_t start = zoo_address(at);
		uint32_t reg = pci_config_read(&at->dev, 0x10 + 4 * at->bar, 4);

		about("%s%s", at->dev.bdf, bound ? ", bound" : "");
		exits(cli("list --json %s", at->dev.bdf), OK, "list");
		shows_text(at->name, "\"start\": \"0x%llx\"", (unsigned long long)start);
		/* On POWER the bus has addresses of its own, whole windows away from the CPU's. */
		is_u64(reg & 0xfffff0, start & 0xfffff0, "%s: so says its BAR register", at->name);
		/* The driver has it a page long; the command shows what is the device's. */
		ok(iomem_range(&map, start, start + (bound ? (uint64_t)sysconf(_SC_PAGESIZE) : at->size) - 1),
		   "%s: and /proc/iomem", at->name);
		shows_text(at->name, "\"bar_size\": %llu", (unsigned long long)at->size);
		if (bound || zoo_stock_maps(at))
			shows("\"mappable\": \"now\"", at->name);
		else
			shows("\"mappable\": \"with_" OURS "\"", at->name);
		if (!bound && !zoo_alone(at)) {
			exits(cli("list %s", at->dev.bdf), OK, "list for people");
			shows("beside it:", at->name);
		}
	}
	iomem_free(&map);
}

static void check_unprivileged(const struct pci_dev *dev)
{
	exits(cli_unprivileged("list --all"), OK, "list without privilege");
	shows(dev->bdf, "list without privilege");
	shows("unknown (needs root)", "list without privilege");
	exits(cli_unprivileged("bind %s", dev->bdf), PERMISSION, "bind without privilege");
	says("run it as root", "bind without privilege");
	is_str(pci_driver(dev), "", "bind without privilege: nothing was bound");
}

static void check_bind(const struct zoo_bar *bars, int count)
{
	char devices[512] = "";
	int i;

	for (i = 0; i < count; i++)
		if (!strstr(devices, bars[i].dev.bdf))
			snprintf(devices + strlen(devices), sizeof(devices) - strlen(devices), " %s",
				 bars[i].dev.bdf);
	exits(cli("bind%s", devices), HOST, "bind without the module");
	says("dkms", "bind without the module");
	is_str(pci_driver(&bars[0].dev), "", "bind without the module: nothing was bound");

	cli_install_module();
	exits(cli("bind%s", devices), OK, "bind");
	shows("page", "bind");
	for (i = 0; i < count; i++)
		is_str(pci_driver(&bars[i].dev), OURS, "%s: bound", bars[i].name);
	exits(cli("bind --json%s", devices), OK, "bind again");
	shows("\"changed\": false", "bind again");
}

/*
 * Two functions of a slot are one IOMMU group. On arm64 it is made when a driver first
 * looks at one of them, and nothing tells before that they are in it.
 */
static void check_late_group(void)
{
	struct pci_dev disk, other;
	char path[96];
	int fd;

	if (pci_find(NVME, 0, &disk) || pci_find(SDHCI, 1, &other)) {
		skip(13, "the machine has no such slot");
		return;
	}
	/* The one that was bound before is in it, the other not yet. */
	exits(cli("bind %s", other.bdf), OK, "late group: bind of one");
	exits(cli("unbind %s", other.bdf), OK, "late group: unbind of one");
	if (sysconf(_SC_PAGESIZE) == 16384)
		is_errno(pci_iommu_group(&disk), -ENOENT, "late group: the other one has none yet");
	else
		skip(1, "this machine groups devices as it finds them");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource0", disk.bdf);
	fd = open(path, O_RDWR);
	ok(fd >= 0, "late group: the other one is open");
	exits(cli("bind --group %s", other.bdf), IN_USE, "late group: bind --group while it is in use");
	says("(init) has resource0 open", "late group: bind --group while it is in use");
	is_str(pci_driver(&other), "", "late group: the function has no driver");
	is_str(pci_driver(&disk), "", "late group: nor has the other one");
	close(fd);
	exits(cli("bind --group %s", other.bdf), OK, "late group: bind --group");
	is_str(pci_driver(&other), OURS, "late group: the function is bound");
	is_str(pci_driver(&disk), OURS, "late group: the other one, too");
	exits(cli("unbind --group %s", other.bdf), OK, "late group: unbind --group");
	is_str(pci_driver(&disk), "", "late group: both are unbound");
}

static void check_info_and_bench(const struct zoo_bar *at)
{
	char *ratio;

	exits(cli("info %s", at->dev.bdf), OK, "info");
	shows("sub-page: BAR", "info");
	exits(cli("info --json %s", at->dev.bdf), OK, "info as JSON");
	shows("\"opened_through\": \"group\"", "info as JSON");
	shows("\"mmap\": true", "info as JSON");
	shows("\"bar_state\": \"", "info as JSON");
	exits(cli("bench --json --bar %d --offset %u %s", at->bar, at->reg, at->dev.bdf), OK, "bench");
	ratio = strstr(out, "\"ratio\": ");
	diag("ratio %.8s", ratio ? ratio + 8 : "none");
	ok(ratio && strtod(ratio + 8, NULL) > 4, "bench: the mapped register is faster by far");
	shows_text("bench", "\"page_size\": %ld", sysconf(_SC_PAGESIZE));
	shows("\"kernel\": \"", "bench");
	shows("\"processor\": \"", "bench");
	exits(cli("bench --pairs -o PAGE_SIZE,NAME %s", at->dev.bdf), OK, "bench --pairs");
	shows("PAGE_SIZE=\"", "bench --pairs");
	exits(cli("bench --bar %d --offset 0x10001 %s", at->bar, at->dev.bdf), USAGE,
	      "bench outside of the BAR");
}

/* A sub-page BAR comes first, even if it is not the first one that can be mapped. */
static void check_bench_chooses(void)
{
	struct pci_dev display;

	if (sysconf(_SC_PAGESIZE) == 4096 || pci_find(VGA, 0, &display)) {
		skip(4, "the machine has no device with a sub-page BAR behind a larger one");
		return;
	}
	exits(cli("bind %s", display.bdf), OK, "bind of a display");
	exits(cli("bench --raw -o BAR,OFFSET %s", display.bdf), OK, "bench of a display");
	shows("\n2 0x0\n", "bench of a display");
	exits(cli("unbind %s", display.bdf), OK, "unbind of a display");
}

/* doc/examples/read_capability.c, as doc/vmm-developers.md shows it: where all is well there is no capability. */
static void check_example(const struct zoo_bar *at)
{
	exits(example("%s", at->dev.bdf), OK, "example");
	shows_text("example", "BAR %d: %ld bytes, mappable\n", at->bar, sysconf(_SC_PAGESIZE));
	ok(!strstr(out, "decodes"), "example: no capability on a BAR that can be mapped");
	/* Only where a BAR is not what it could be is there more to say. */
	is_errno(module_set("realign", "trap"), 0, "realign=trap");
	is_errno(pci_bind(&at->dev, OURS), 0, "bound with that");
	exits(cli("list --raw -o BAR,MAPPABLE,REASON_CODE %s", at->dev.bdf), OK, "list, trapped");
	shows_text("list, trapped", "\n%d no trap\n", at->bar);
	exits(example("%s", at->dev.bdf), OK, "example, trapped");
	shows_text("example, trapped", "BAR %d: %llu bytes, trapped", at->bar, (unsigned long long)at->size);
	shows_text("example, trapped", "decodes %llu bytes, has no page of %ld to itself",
		   (unsigned long long)at->size, sysconf(_SC_PAGESIZE));
	is_errno(module_set("realign", "1"), 0, "realign=1");
	is_errno(pci_bind(&at->dev, OURS), 0, "bound as before");
}

static void check_open_device(const struct zoo_bar *at)
{
	char user[32];
	struct vfio vfio;

	if (!is_errno(vfio_open(&at->dev, &vfio), 0, "%s: opened", at->name))
		return;
	snprintf(user, sizeof(user), "process %d (init)", getpid());
	exits(cli("unbind %s", at->dev.bdf), IN_USE, "unbind of an open device");
	says(user, "unbind of an open device");
	exits(cli("info %s", at->dev.bdf), IN_USE, "info of an open device");
	vfio_close(&vfio);
}

/* The other way to open a device, on kernels that have it; with no group in sight. */
static void check_cdev(const struct zoo_bar *at)
{
	char path[64], attr[32];
	int i, fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", pci_iommu_group(&at->dev));
	if (access("/dev/vfio/devices", F_OK)) {
		ok(!rename(path, "/dev/vfio/away"), "%s is away", path);
		exits(cli("info %s", at->dev.bdf), HOST, "info without the group's file");
		says(path, "info without the group's file");
		ok(!rename("/dev/vfio/away", path), "%s is back", path);
		skip(7, "this kernel opens devices by their groups only");
		return;
	}
	unlink(path);
	exits(cli("info --json %s", at->dev.bdf), OK, "info through the cdev");
	shows("\"opened_through\": \"cdev\"", "info through the cdev");
	shows("\"mmap\": true", "info through the cdev");
	exits(cli("bench --bar %d --offset %u %s", at->bar, at->reg, at->dev.bdf), OK,
	      "bench through the cdev");
	for (i = 0; i < 64; i++) {
		snprintf(attr, sizeof(attr), "vfio-dev/vfio%d/dev", i);
		if (pci_attr_read(&at->dev, attr, path, sizeof(path)) >= 0)
			break;
	}
	snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%d", i);
	fd = open(path, O_RDWR);
	ok(fd >= 0, "%s is held", path);
	exits(cli("unbind %s", at->dev.bdf), IN_USE, "unbind of a device whose cdev is open");
	says(path, "unbind of a device whose cdev is open");
	close(fd);
}

static void check_unbind(const struct zoo_bar *bars, int count)
{
	char override[32];
	int i;

	for (i = 0; i < count; i++) {
		about("%s", bars[i].dev.bdf);
		exits(cli("unbind %s", bars[i].dev.bdf), OK, "unbind");
		is_str(pci_driver(&bars[i].dev), "", "%s: unbound", bars[i].name);
		pci_attr_read(&bars[i].dev, "driver_override", override, sizeof(override));
		is_str(override, "(null)", "%s: nothing is overridden", bars[i].name);
	}
}

/* The disk's driver has it, and somebody has the disk. */
static void check_disk(const struct pci_dev *disk)
{
	int fd = -1, i;

	for (i = 0; i < 300 && fd < 0; i++) {
		fd = open("/dev/nvme0n1", O_RDONLY | O_EXCL);
		if (fd < 0)
			sleep_ms(100);
	}
	if (!ok(fd >= 0, "the disk is held, as by a mount"))
		return;
	exits(cli("bind %s", disk->bdf), IN_USE, "bind of a disk in use");
	says("(init) has its disk /dev/nvme0n1 open", "bind of a disk in use");
	is_str(pci_driver(disk), "nvme", "the disk keeps its driver");
	close(fd);
}

static void check_interface(void)
{
	struct ifreq request = { 0 };
	struct pci_dev net;
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (!ok(!pci_find(E1000E, 0, &net), "there is a network interface"))
		return;
	strcpy(request.ifr_name, "eth0");
	request.ifr_flags = IFF_UP;
	ok(!ioctl(sock, SIOCSIFFLAGS, &request), "it is up");
	exits(cli("bind %s", net.bdf), IN_USE, "bind of an interface that is up");
	says("its interface eth0 is up", "bind of an interface that is up");
	is_str(pci_driver(&net), "e1000e", "the interface keeps its driver");
	exits(cli("bind --force %s", net.bdf), OK, "bind --force");
	is_str(pci_driver(&net), OURS, "bind --force takes it");
	exits(cli("unbind %s", net.bdf), OK, "unbind");
	is_str(pci_driver(&net), "e1000e", "its native driver has it back");
	close(sock);
}

static void check_display(void)
{
	struct pci_dev vga;
	char boot[8];

	if (pci_find(VGA, 0, &vga) || pci_attr_read(&vga, "boot_vga", boot, sizeof(boot)) < 0) {
		skip(2, "the machine has no boot display");
		return;
	}
	exits(cli("bind %s", vga.bdf), IN_USE, "bind of the boot display");
	says("boot display", "bind of the boot display");
}

/* Two functions of a slot are one IOMMU group; the disk's driver has one of them. */
static void check_group(const struct pci_dev *disk)
{
	struct pci_dev other;

	if (!ok(!pci_find(SDHCI, 1, &other), "the disk has a neighbour in its group"))
		return;
	exits(cli("bind %s", other.bdf), HOST, "bind of one of a group");
	says(disk->bdf, "bind of one of a group");
	says("--group", "bind of one of a group");
	is_str(pci_driver(&other), "", "bind of one of a group: it was not touched");
	is_errno(pci_bind(&other, OURS), 0, "it is bound all the same");
	exits(cli("info %s", other.bdf), HOST, "info, the group not being viable");
	says(disk->bdf, "info, the group not being viable");
	/* Shown elsewhere, the table leaves nothing to say of the BAR that the device has it in. */
	is_errno(module_set("msix_relocate", "never"), 0, "msix_relocate=never");
	exits(cli("bind --group %s", other.bdf), OK, "bind --group");
	is_str(pci_driver(disk), OURS, "bind --group takes the disk, too");
	exits(cli("info %s", other.bdf), OK, "info, the group being viable");
	exits(cli("info %s", disk->bdf), OK, "info of the disk");
	exits(example("%s", disk->bdf), OK, "example, of the disk");
	shows("  MSI-X table at 0x2000, ", "example, of the disk");
	exits(cli("bench --bar 0 --offset 0x2000 %s", disk->bdf), USAGE, "bench of the MSI-X table");
	says("MSI-X table", "bench of the MSI-X table");
	exits(cli("unbind --group %s", other.bdf), OK, "unbind --group");
	is_str(pci_driver(disk), "nvme", "the disk's native driver has it back");
	is_errno(module_set("msix_relocate", "auto"), 0, "msix_relocate=auto");
	is_str(pci_driver(&other), "", "its neighbour has none");
}

/* The test build of the module fails at its last step. */
static void check_roll_back(const struct pci_dev *disk, const struct zoo_bar *at)
{
	char override[32];

	cli_fail_last_step(true);
	about("rolled back");
	exits(cli("bind %s %s", disk->bdf, at->dev.bdf), FAILED, "bind that fails");
	cli_fail_last_step(false);
	says("kernel: ", "bind that fails");
	says("nothing was changed", "bind that fails");
	is_str(pci_driver(disk), "nvme", "the disk keeps its driver");
	pci_attr_read(disk, "driver_override", override, sizeof(override));
	is_str(override, "(null)", "and no override");
}

static void check_persist(const struct zoo_bar *at)
{
	char path[64], driver[64] = "";

	exits(cli("bind --persist %s", at->dev.bdf), HOST, "--persist without driverctl");
	says("apt-get install driverctl", "--persist without driverctl");
	if (symlink("/cli/driverctl", "/usr/sbin/driverctl"))
		diag("driverctl: %s", strerror(errno));
	exits(cli("bind --persist %s", at->dev.bdf), OK, "--persist");
	is_str(pci_driver(&at->dev), OURS, "--persist binds");
	snprintf(path, sizeof(path), "/etc/driverctl.d/pci-%s", at->dev.bdf);
	file_read(path, driver, sizeof(driver));
	is_str(driver, OURS, "driverctl has saved it");
	exits(cli("unbind --persist %s", at->dev.bdf), OK, "unbind --persist");
	ok(access(path, F_OK), "driverctl has forgotten it");
	is_str(pci_driver(&at->dev), "", "unbind --persist unbinds");
}

/*
 * Four at most, of devices that no driver of this kernel has taken by itself. With a
 * large page that of an MSI-X table is a whole small BAR: there is nothing to read in.
 */
static int idle_bars(struct zoo_bar *bars)
{
	int count = zoo_list(bars), idle = 0, i;

	for (i = 0; i < count && idle < 4; i++)
		if (!*pci_driver(&bars[i].dev) && !pci_capability(&bars[i].dev, 0x11))
			bars[idle++] = bars[i];
	return idle;
}

CASE(cli)
{
	static struct zoo_bar bars[ZOO_MAX];
	int count;

	cli_set_up();
	count = idle_bars(bars);
	if (!ok(count > 1, "there are sub-page BARs"))
		return;
	zoo_repack(bars, count);
	check_bad_arguments(&bars[0].dev);
	check_list(bars, count, false);
	check_unprivileged(&bars[0].dev);
	check_bind(bars, count);
	check_late_group();
	check_list(bars, count, true);
	check_info_and_bench(&bars[0]);
	check_bench_chooses();
	check_example(&bars[0]);
	check_open_device(&bars[0]);
	check_cdev(&bars[0]);
	check_unbind(bars, count);
	check_persist(&bars[0]);
}

/* Devices that the kernel's own drivers have. To run after the case above. */
CASE(cli_in_use)
{
	static struct zoo_bar bars[ZOO_MAX];
	struct pci_dev disk;

	kmod_insert("nvme", "");
	kmod_insert("e1000e", "");
	if (!ok(!pci_find(NVME, 0, &disk), "there is a disk") ||
	    !ok(idle_bars(bars), "there is a device without a driver"))
		return;
	check_disk(&disk);
	check_interface();
	check_display();
	check_group(&disk);
	check_roll_back(&disk, &bars[0]);
}

/* VFIO makes a group up when the device is bound, and opens it under another name. */
static void check_without_iommu(const struct pci_dev *dev)
{
	struct pci_dev net;
	char path[64];
	int group, fd;

	about("without an IOMMU");
	exits(cli("bind --group %s", dev->bdf), OK, "bind");
	is_str(pci_driver(dev), OURS, "it is bound");
	group = pci_iommu_group(dev);
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", group);
	ok(group >= 0 && !access(path, F_OK), "there is %s", path);
	exits(cli("info --json %s", dev->bdf), OK, "info");
	shows("\"mmap\": true", "info");
	exits(cli("bench --bar 0 --offset 0x40 %s", dev->bdf), OK, "bench");

	fd = open(path, O_RDWR);
	ok(fd >= 0, "the group is open");
	exits(cli("unbind %s", dev->bdf), IN_USE, "unbind of an open device");
	says("(init) has it open through VFIO", "unbind of an open device");
	says(path, "unbind of an open device");
	exits(cli("list --json -o IN_USE %s", dev->bdf), OK, "list");
	shows("open through VFIO", "list");
	close(fd);
	exits(cli("unbind %s", dev->bdf), OK, "unbind");
	is_str(pci_driver(dev), "", "it is unbound");
	exits(cli("align %s", dev->bdf), OK, "align");
	is_str(pci_driver(dev), "vfio-pci", "vfio-pci has it");
	pci_bind(dev, "");

	if (pci_find(E1000E, 0, &net))
		return;
	exits(cli("bind %s", net.bdf), OK, "bind of an interface");
	exits(cli("unbind %s", net.bdf), OK, "unbind of an interface");
	is_str(pci_driver(&net), "e1000e", "its native driver has it back");
}

/* A machine whose IOMMU is off. */
CASE(cli_no_iommu)
{
	struct pci_dev dev, net;
	unsigned int index;

	cli_set_up();
	cli_install_module();
	if (!ok(!pci_find(SDHCI, 0, &dev) && !pci_find(E1000E, 0, &net), "there are devices"))
		return;
	exits(cli("list %s", dev.bdf), OK, "list");
	shows("IOMMU group: none", "list");
	exits(cli("bind %s", dev.bdf), HOST, "bind without an IOMMU");
	says("intel_iommu=on", "bind without an IOMMU");
	is_str(pci_driver(&dev), "", "nothing was bound");

	/* An interface that came back would have another number. */
	kmod_insert("e1000e", "");
	index = if_nametoindex("eth0");
	ok(index > 0, "there is an interface");
	exits(cli("bind %s", net.bdf), HOST, "bind of an interface without an IOMMU");
	says("has no IOMMU group", "bind of an interface without an IOMMU");
	is_u64(if_nametoindex("eth0"), index, "its driver never let go of it");

	if (!getenv("vfio")) {
		skip(1, "Debian's kernels have no mode without an IOMMU");
		return;
	}
	is_errno(file_write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y"), 0,
		 "the mode without an IOMMU is on");
	check_without_iommu(&dev);
	/* Switched off, it is refused as before. */
	is_errno(file_write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N"), 0,
		 "the mode without an IOMMU is off");
	exits(cli("bind %s", dev.bdf), HOST, "bind once it is off");
}
