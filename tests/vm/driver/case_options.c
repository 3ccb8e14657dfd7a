// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options that stock vfio-pci has, too: by its names and with its meanings, for this
 * driver's devices; beside it, what stock vfio-pci does in the same boot. And what a
 * move leaves alone.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "cases.h"
#include "peek.h"
#include "zoo.h"

#define COMMAND 4
#define COMMAND_MEMORY 0x2

/* Asleep or awake, some time after it was bound and nobody opened it. */
static const char *idle_state(const struct pci_dev *dev, const char *driver)
{
	static char text[32];

	pci_bind(dev, driver);
	sleep_ms(500);
	pci_attr_read(dev, "power/runtime_status", text, sizeof(text));
	pci_bind(dev, "");
	return text;
}

static void check_idle(const char *option, const char *want)
{
	struct pci_dev nvme;

	about("asleep, %s", *option ? option : "by default");
	if (!is_errno(pci_find(NVME, 0, &nvme), 0, "there is a disk"))
		return;
	is_str(idle_state(&nvme, "vfio-pci"), "suspended", "stock vfio-pci puts an idle device to sleep");
	is_str(idle_state(&nvme, OURS), want, "this driver");
}

static int legacy_vga(const struct pci_dev *dev, const char *driver)
{
	struct vfio_region_info info;
	struct vfio vfio;
	int err = pci_bind(dev, driver);

	if (!err)
		err = vfio_open(dev, &vfio);
	if (err)
		return err;
	err = vfio_info(&vfio, VFIO_PCI_VGA_REGION_INDEX, &info);
	vfio_close(&vfio);
	pci_bind(dev, "");
	return err;
}

static void check_vga(const char *option, int want)
{
	struct pci_dev vga;
	/* A kernel can be built without that access: then nobody has it. */
	int stock = getenv("vga_legacy") ? -EINVAL : 0;

	about("VGA, %s", *option ? option : "by default");
	if (!is_errno(pci_find(VGA, 0, &vga), 0, "there is a display"))
		return;
	is_errno(legacy_vga(&vga, "vfio-pci"), stock, "stock vfio-pci %s access to VGA's legacy ranges",
		 stock ? "cannot give" : "gives");
	is_errno(legacy_vga(&vga, OURS), want ?: stock, "this driver");
}

/* Linux 7.1 made these options a device's own. */
static bool options_are_per_device(void)
{
	struct utsname kernel;

	return !uname(&kernel) && strverscmp(kernel.release, "7.1") >= 0;
}

/* What the kernel's arbiter of the legacy ranges takes a display for that is behind a bridge. */
static void check_arbiter(const char *option, const char *driver, const char *want)
{
	char text[256] = "";
	struct pci_dev vga;
	int arbiter;

	/* A kernel that is built without VFIO for these ranges has no arbiter, either. */
	if (getenv("vga_legacy"))
		return;
	about("the arbiter, %s, %s", *option ? option : "by default", driver);
	if (!is_errno(pci_find(VGA, 1, &vga), 0, "there is a display behind a bridge"))
		return;
	pci_bind(&vga, driver);
	snprintf(text, sizeof(text), "target PCI:%.15s", vga.bdf);
	arbiter = open("/dev/vga_arbiter", O_RDWR | O_CLOEXEC);
	if (ok(write(arbiter, text, strlen(text)) > 0, "the arbiter knows it")) {
		memset(text, 0, sizeof(text));
		if (!ok(read(arbiter, text, sizeof(text) - 1) > 0 && strstr(text, want), "it says \"%s\"", want))
			diag("%s", text);
	}
	close(arbiter);
	pci_bind(&vga, "");
}

static int enable_intx(const struct vfio *vfio)
{
	int fd = eventfd(0, EFD_CLOEXEC), err = vfio_event(vfio, VFIO_PCI_INTX_IRQ_INDEX, fd);

	close(fd);
	return err;
}

/*
 * The second of two devices on one interrupt line: it can be shared only where each can mask its own.
 * What nointxmask says @later is not theirs, for it is read when they are bound.
 */
static int share_intx(const char *driver, const char *later)
{
	struct vfio vfio[2];
	struct pci_dev dev[2];
	int i, err = 0;

	for (i = 0; i < 2; i++)
		if (pci_find(SDHCI, i, &dev[i]) || pci_bind(&dev[i], driver))
			return -ENODEV;
	if (*later && module_set("nointxmask", "%s", later))
		return -EIO;
	for (i = 0; i < 2; i++)
		if (vfio_open(&dev[i], &vfio[i]) || (!i && enable_intx(&vfio[i])))
			return -ENODEV;
	err = enable_intx(&vfio[1]);
	for (i = 0; i < 2; i++) {
		vfio_close(&vfio[i]);
		pci_bind(&dev[i], "");
	}
	return err;
}

static void check_intx(const char *option, const char *later, int want)
{
	about("INTx, %s", *option ? option : "by default");
	is_errno(share_intx("vfio-pci", ""), 0, "two devices of stock vfio-pci share an interrupt line");
	is_errno(share_intx(OURS, later), want, "two of this driver");
}

CASE(options)
{
	struct pci_dev nvme;

	module_load("");
	check_idle("", "suspended");
	check_vga("", 0);
	check_arbiter("", "vfio-pci", "decodes=io+mem");
	check_arbiter("", OURS, "decodes=io+mem");
	check_intx("", "1", 0);
	is_errno(module_unload(), 0, "the module unloads");

	is_errno(module_load("disable_idle_d3=1"), 0, "disable_idle_d3=1");
	check_idle("disable_idle_d3=1", "active");
	module_unload();
	is_errno(module_load("disable_vga=1"), 0, "disable_vga=1");
	check_vga("disable_vga=1", -EINVAL);
	check_arbiter("disable_vga=1", OURS, options_are_per_device() ? "decodes=none" : "decodes=io+mem");
	check_intx("disable_vga=1", "", 0);
	module_unload();
	is_errno(module_load("nointxmask=1"), 0, "nointxmask=1");
	check_vga("nointxmask=1", 0);
	check_intx("nointxmask=1", "0", -EBUSY);
	module_unload();
	is_errno(module_load("disable_denylist=1"), 0, "disable_denylist=1");
	module_unload();

	/* Before, what vfio-pci has been told holds for all drivers of vfio-pci-core. */
	kmod_remove("vfio_pci");
	is_errno(kmod_insert("boot", "disable_idle_d3=1"), 0, "vfio-pci is loaded with disable_idle_d3=1");
	is_errno(module_load(""), 0, "this driver is not");
	if (is_errno(pci_find(NVME, 0, &nvme), 0, "there is still a disk"))
		is_str(idle_state(&nvme, OURS), options_are_per_device() ? "suspended" : "active",
		       "its device is asleep where the option is a device's own");
	module_unload();
	kmod_remove("vfio_pci");
	is_errno(kmod_insert("boot", ""), 0, "vfio-pci is loaded as it was");
}

/*
 * While BAR 0 is moved, somebody reads BAR 2 through its file in sysfs, on the other processor: memory
 * that says the same all the time.
 */
MODULE_CASE(undisturbed, "")
{
	static struct zoo_bar bars[ZOO_MAX];
	const struct zoo_bar *at = zoo_named(bars, zoo_list_packed(bars), "ivshmem");
	volatile uint32_t *memory;
	volatile uint64_t *seen;
	uint64_t home;
	int status;
	pid_t child;

	if (!ok(at, "there is a device with shared memory"))
		return;
	pci_config_write(&at->dev, COMMAND, 2, pci_config_read(&at->dev, COMMAND, 2) | COMMAND_MEMORY);
	memory = pci_map(&at->dev, 2, 0);
	seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ok(memory != MAP_FAILED && seen != MAP_FAILED, "BAR 2 is mapped through sysfs"))
		return;
	*memory = 0x12345678;
	child = fork();
	if (!child) {
		for (;; seen[0]++)
			seen[1] += *memory != 0x12345678;
	}
	sleep_ms(100);
	home = zoo_address(at);
	is_errno(pci_bind(&at->dev, OURS), 0, "the device is bound");
	sleep_ms(100);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	ok(zoo_address(at) != home, "BAR 0 was moved");
	ok(seen[0] > 100, "meanwhile BAR 2 was read %llu times", (unsigned long long)seen[0]);
	is_u64(seen[1], 0, "and never said anything else");
	munmap((void *)memory, 4096);
	pci_bind(&at->dev, "");
}

/*
 * Somebody maps BAR 0 through its file in sysfs, which no driver hears of. When the BAR has moved, who
 * comes to its old place later is not his.
 */
MODULE_CASE(old_place, "")
{
	static struct zoo_bar bars[ZOO_MAX];
	const struct zoo_bar *at = zoo_named(bars, zoo_list_packed(bars), "sdhci");
	volatile uint32_t *page;
	uint32_t value;
	uint64_t home;

	if (!ok(at, "there is a device that shares its page"))
		return;
	home = zoo_address(at);
	page = pci_map(&at->dev, 0, 0);
	if (!ok(page != MAP_FAILED, "BAR 0 is mapped through sysfs"))
		return;
	ok(peek(&page[(home & 4095) / 4], &value), "it can be read");
	is_errno(pci_bind(&at->dev, OURS), 0, "the device is bound");
	ok(zoo_address(at) != home, "BAR 0 was moved");
	ok(!peek(&page[(home & 4095) / 4], &value), "its old place is not mapped any more");
	munmap((void *)page, 4096);
	pci_bind(&at->dev, "");
}

/*
 * The kernel itself keeps its last words (ramoops) in BAR 0 or in BAR 2, as it may without a driver: so BAR 0,
 * which shares its page, stays where it is.
 */
CASE(busy)
{
	static struct zoo_bar bars[ZOO_MAX];
	int count = zoo_list(bars);
	const struct zoo_bar *at;
	struct pci_bar memory;
	/* It needs more than there is in BAR 0 for what it keeps by default. */
	static const char * const sizes[] = {
		[0] = "mem_size=0x100 record_size=0x100 console_size=0 ftrace_size=0 pmsg_size=0",
		[2] = "mem_size=0x20000 record_size=0x10000",
	};
	char where[160];
	uint64_t home;
	int i;

	zoo_repack(bars, count);
	at = zoo_named(bars, zoo_list(bars), "ivshmem");
	if (!is_errno(module_load(""), 0, "the module loads") || !ok(at, "there is a device with shared memory") ||
	    !ok(!zoo_stock_maps(at), "its BAR 0 shares its page"))
		return;
	pci_config_write(&at->dev, COMMAND, 2, pci_config_read(&at->dev, COMMAND, 2) | COMMAND_MEMORY);
	home = zoo_address(at);
	for (i = 0; i <= 2; i += 2) {
		about("BAR %d", i);
		pci_bar(&at->dev, i, &memory);
		snprintf(where, sizeof(where), "mem_address=%#llx mem_type=1 %s", (unsigned long long)memory.start,
			 sizes[i]);
		if (!is_errno(kmod_insert("ramoops", where), 0, "the kernel uses it"))
			return;
		is_errno(pci_bind(&at->dev, OURS), 0, "the device is bound");
		is_str(zoo_sysfs(at, "state"), "busy", "state in sysfs");
		is_u64(zoo_address(at), home, "BAR 0 is where it was");
		pci_bind(&at->dev, "");
		is_errno(kmod_remove("ramoops"), 0, "it is in use no more");
	}
	about("no BAR");
	is_errno(pci_bind(&at->dev, OURS), 0, "the device is bound again");
	is_str(zoo_sysfs(at, "state"), "moved", "now BAR 0 moves");
	pci_bind(&at->dev, "");
	is_errno(module_unload(), 0, "the module unloads once more");
}
