// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PE that freezes, and its recovery: by the user who has the device open, by the
 * kernel when nobody has, and by the kernel with a native driver beside ours.
 */
#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "cases.h"
#include "eeh.h"
#include "log.h"
#include "vfio.h"
#include "zoo.h"

#define COMMAND 0x04
#define COMMAND_MEMORY 0x2

static struct zoo_bar bars[ZOO_MAX];
static int count;

/* A BAR as it was before the freeze. */
struct before {
	const struct zoo_bar *at;
	uint64_t start;
	uint32_t word;
	uint32_t value;
};

static uint32_t bar_word(const struct zoo_bar *at)
{
	return pci_config_read(&at->dev, 0x10 + 4 * at->bar, 4);
}

static const struct zoo_bar *named(const char *name)
{
	return zoo_named(bars, count, name);
}

static uint32_t read_mapped(const struct zoo_bar *at, const struct vfio *vfio)
{
	uint32_t command, value;
	void *map;

	vfio_read32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, COMMAND, &command);
	vfio_write32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, COMMAND, (command & 0xffff) | COMMAND_MEMORY);
	if (!is_errno(vfio_map(vfio, at->bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "%s: mapped", at->name))
		return 0;
	value = le32toh(*(volatile uint32_t *)((char *)map + at->reg));
	munmap(map, sysconf(_SC_PAGESIZE));
	return value;
}

static void check_after(const struct before *before, const struct vfio *vfio)
{
	const struct zoo_bar *at = before->at;
	uint32_t value = 0;

	about("in use again");
	is_u64(bar_word(at), before->word, "%s: the BAR register is as before", at->name);
	is_u64(zoo_address(at), before->start, "%s: and so is the resource", at->name);
	ok(zoo_claimed(at), "%s: the claim stands", at->name);
	is_u64(read_mapped(at, vfio), before->value, "%s: the same value through a mapping", at->name);
	is_errno(vfio_read32(vfio, at->bar, at->reg, &value), 0, "%s: read trapped", at->name);
	is_u64(value, before->value, "%s: the same value through read()", at->name);
}

static bool bind_and_note(const struct zoo_bar *at, struct before *before)
{
	struct vfio vfio;

	is_errno(pci_bind(&at->dev, OURS), 0, "%s: bound", at->name);
	is_str(zoo_sysfs(at, "state"), "moved", "%s: its BAR was moved", at->name);
	if (!is_errno(vfio_open(&at->dev, &vfio), 0, "%s: opened", at->name))
		return false;
	*before = (struct before) {
		.at = at,
		.start = zoo_address(at),
		.value = read_mapped(at, &vfio),
	};
	before->word = bar_word(at);
	vfio_close(&vfio);
	return ok(before->value != 0 && before->value != 0xffffffff, "%s: the register tells something",
		  at->name);
}

static void user_thaws(const struct before *before, const struct vfio *vfio)
{
	const struct pci_dev *dev = &before->at->dev;

	about("thawed by its user");
	is_errno(eeh_freeze(dev), 0, "the PE freezes");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_GET_STATE), VFIO_EEH_PE_STATE_STOPPED, "the user sees it stopped");
	is_errno(eeh_check(dev), 0, "the kernel looks at it");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_UNFREEZE_IO), 0, "the user thaws loads and stores");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_UNFREEZE_DMA), 0, "and DMA");
	is_errno(eeh_wait_thawed(dev, 0), 0, "the host bridge lets both through");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_GET_STATE), VFIO_EEH_PE_STATE_NORMAL, "the PE is well");
	check_after(before, vfio);
}

static void user_resets(const struct before *before, const struct vfio *vfio)
{
	const struct pci_dev *dev = &before->at->dev;

	about("reset by its user");
	is_errno(eeh_freeze(dev), 0, "the PE freezes");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_GET_STATE), VFIO_EEH_PE_STATE_STOPPED, "the user sees it stopped");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_RESET_HOT), 0, "the user resets the PE");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_RESET_DEACTIVATE), 0, "to the end");
	is_errno(eeh_wait_thawed(dev, 0), 0, "the host bridge lets loads, stores and DMA through");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_CONFIGURE), 0, "the PE is configured");
	is_errno(eeh_op(vfio, VFIO_EEH_PE_GET_STATE), VFIO_EEH_PE_STATE_NORMAL, "it is well");
	check_after(before, vfio);
}

/* A user polls the state and recovers the PE itself; the kernel keeps out of it. */
static void check_open(const struct before *before)
{
	struct vfio vfio;
	int mark = log_mark();

	if (!is_errno(vfio_open(&before->at->dev, &vfio), 0, "the user opens the device"))
		return;
	is_errno(eeh_op(&vfio, VFIO_EEH_PE_ENABLE), 0, "the user takes EEH over");
	is_errno(eeh_op(&vfio, VFIO_EEH_PE_GET_STATE), VFIO_EEH_PE_STATE_NORMAL, "the PE is well");
	user_thaws(before, &vfio);
	user_resets(before, &vfio);
	vfio_close(&vfio);

	is_u64(log_lines(mark, "EEH: Recovering"), 0, "the kernel left all of that to the user");
	close(mark);
}

/* Have the kernel find the PE frozen; wait until it is through with it. */
static void kernel_recovers(const struct pci_dev *dev, const char *how)
{
	int mark = log_mark(), i, seen = 0, done = 0, way = 0;

	about("%s, recovered by the kernel", dev->bdf);
	is_errno(eeh_freeze(dev), 0, "the PE freezes");
	is_errno(eeh_check(dev), 0, "the kernel looks at it");
	is_errno(eeh_wait_thawed(dev, 30000), 0, "the kernel has the host bridge let all through");
	for (i = 0; i < 300 && !done; i++) {
		char *log = log_since(mark);

		seen += log_count(log, "EEH: Recovering");
		way += log_count(log, how);
		done += log_count(log, "EEH: Recovery successful");
		free(log);
		sleep_ms(100);
	}
	is_u64(seen, 1, "the kernel saw it frozen");
	is_u64(way, 1, "and took this way: %s", how);
	is_u64(done, 1, "and recovered it");
	close(mark);
}

static void check_closed(const struct before *before)
{
	struct vfio vfio;

	about("closed");
	kernel_recovers(&before->at->dev, "Enable I/O for affected devices");
	is_str(pci_driver(&before->at->dev), OURS, "%s: still bound", before->at->name);
	ok(zoo_claimed(before->at), "%s: the claim stands", before->at->name);
	if (!is_errno(vfio_open(&before->at->dev, &vfio), 0, "opened"))
		return;
	check_after(before, &vfio);
	vfio_close(&vfio);
}

/* Past the page cache: what the device says now. */
static bool drive_reads(void)
{
	int fd = open("/dev/nvme0n1", O_RDONLY | O_DIRECT | O_CLOEXEC);
	bool good = false;
	char *block;

	if (fd < 0 || posix_memalign((void **)&block, 65536, 65536))
		return false;
	good = pread(fd, block, 65536, 65536) == 65536 && !memcmp(block + 16, "line 0000004097\n", 16);
	free(block);
	close(fd);
	return good;
}

/* Its driver sets the disk up in the background. */
static bool drive_comes(void)
{
	int i;

	for (i = 0; i < 300 && !drive_reads(); i++)
		sleep_ms(100);
	return drive_reads();
}

/*
 * The native driver of a BAR that we moved asks the kernel for a reset. It has the
 * PE for itself: the kernel removes functions whose driver cannot follow a reset,
 * and some kernels (6.12.95) wait for a lock of their own when they do.
 */
static void check_native(struct before *nvme, const struct pci_dev *sibling)
{
	struct vfio vfio;

	about("native driver");
	is_errno(pci_unbind(&nvme->at->dev), 0, "nvme: unbound");
	is_errno(pci_remove(sibling), 0, "its sibling is removed");
	is_errno(kmod_insert("nvme", ""), 0, "its native driver is there");
	is_errno(pci_bind(&nvme->at->dev, "nvme"), 0, "nvme: given back to it");
	ok(drive_comes(), "nvme: a block is read");
	is_u64(zoo_address(nvme->at), nvme->start, "nvme: at the address that we gave it");

	kernel_recovers(&nvme->at->dev, "Reset without hotplug activity");
	is_u64(bar_word(nvme->at), nvme->word, "nvme: the BAR register is as before the reset");
	is_u64(zoo_address(nvme->at), nvme->start, "nvme: and so is the resource");
	is_str(pci_driver(&nvme->at->dev), "nvme", "nvme: still bound to its native driver");
	ok(drive_comes(), "nvme: a block is read after that");

	is_errno(pci_bind(&nvme->at->dev, OURS), 0, "nvme: bound to ours again");
	is_str(zoo_sysfs(nvme->at, "state"), "in_place", "nvme: its page is claimed in place");
	if (is_errno(vfio_open(&nvme->at->dev, &vfio), 0, "nvme: opened")) {
		check_after(nvme, &vfio);
		vfio_close(&vfio);
	}
	pci_bind(&nvme->at->dev, "");
}

MODULE_CASE(freeze, "")
{
	struct before sdhci, nvme;

	if (!ok(eeh_enabled(), "EEH is enabled"))
		return;
	count = zoo_list(bars);
	if (!ok(named("sdhci") && named("nvme") && named("qemu-xhci"), "the machine has the devices"))
		return;
	if (bind_and_note(named("sdhci"), &sdhci)) {
		diag("the user recovers");
		check_open(&sdhci);
		diag("the kernel recovers, nobody has the device open");
		check_closed(&sdhci);
		pci_bind(&sdhci.at->dev, "");
	}
	if (bind_and_note(named("nvme"), &nvme)) {
		diag("the kernel recovers, with a native driver");
		check_native(&nvme, &named("qemu-xhci")->dev);
	}
}
