// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices whose MSI-X table is shown elsewhere lose their window while they are open: what shows
 * the table is as closed as all else, config space says the same as before, and opened again they
 * are as they were, at their new place.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "kmod.h"
#include "lost_user.h"
#include "models.h"
#include "monitor.h"
#include "msix_table.h"
#include "peek.h"
#include "tap.h"
#include "vfio.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define REGISTER(bar) (PCI_BASE_ADDRESS_0 + 4 * (bar))

static struct shown {
	const char *name, *place;
	int function;		/* beside the one that the window is lost under */
	int table_bar;		/* which has it, and can be mapped as a whole */
	int bar;		/* which shows it, */
	bool upper;		/* in its upper half */
	uint64_t length;	/* of the real BAR */
	struct pci_dev dev;
	struct vfio vfio;
	void *map;
	uint32_t table, pending, address, value;	/* what config space says, and the first register */
	uint64_t size;
	int dmabuf;
} devices[] = {
	{ .name = "nvme", .place = "bar2", .function = 5, .table_bar = 0, .bar = 2, .length = 0x4000 },
	{ .name = "virtio-rng", .place = "bar1-upper", .function = 4, .table_bar = 1, .bar = 1, .upper = true,
	  .length = 0x1000 },
};

#define DEVICES (sizeof(devices) / sizeof(devices[0]))

static uint32_t config(const struct shown *shown, uint32_t at)
{
	uint32_t value = 0;

	vfio_read32(&shown->vfio, CONFIG, at, &value);
	return value;
}

static uint64_t start_of_table(const struct shown *shown)
{
	return shown->upper ? shown->length : 0;
}

/* Opened and mapped, with the table where it should be. */
static bool use(struct shown *shown)
{
	int cap = pci_capability(&shown->dev, PCI_CAP_ID_MSIX);
	struct vfio_region_info *info;
	struct pci_bar bar;
	uint32_t value = 0;
	char text[32];

	pci_attr_read(&shown->dev, OURS "/msix_relocation", text, sizeof(text));
	is_str(text, shown->place, "where its table is seen");
	if (!is_errno(vfio_open(&shown->dev, &shown->vfio), 0, "opened") ||
	    !is_errno(vfio_map(&shown->vfio, shown->table_bar, 0, shown->length, &shown->map), 0, "mapped") ||
	    !is_errno(vfio_region(&shown->vfio, shown->bar, &info), 0, "region info"))
		return false;
	shown->size = info->size;
	free(info);
	shown->dmabuf = vfio_dmabuf(&shown->vfio, shown->table_bar, 0, shown->length);
	check_dmabuf(shown->dmabuf, 0, "a dma-buf of it can be used");
	shown->table = config(shown, cap + PCI_MSIX_TABLE);
	is_u64(shown->table, start_of_table(shown) + shown->bar, "config space says so");
	shown->pending = config(shown, cap + PCI_MSIX_PBA);
	shown->address = config(shown, REGISTER(shown->bar));
	pci_bar(&shown->dev, shown->table_bar, &bar);
	is_u64(shown->address & PCI_BASE_ADDRESS_MEM_MASK,
	       shown->upper ? (uint32_t)bar.start & ~(2 * shown->length - 1) : 0, "and an address for it");
	is_errno(vfio_read32(&shown->vfio, shown->bar, start_of_table(shown), &value), 0, "it is read");
	is_u64(value, ~0u, "as ones");
	is_errno(vfio_read32(&shown->vfio, shown->pending & PCI_MSIX_PBA_BIR, shown->pending & PCI_MSIX_PBA_OFFSET,
			     &value), 0, "the pending bits are read");
	is_u64(value, 0, "of which none is set");
	/* The table itself is in the lower half: there is nothing else in that BAR. */
	is_errno(vfio_read32(&shown->vfio, shown->table_bar, shown->upper ? 0x800 : 0, &shown->value), 0,
		 "the real BAR is read");
	is_u64(((volatile uint32_t *)shown->map)[shown->upper ? 0x200 : 0], shown->value, "and through the mapping");
	return true;
}

static int try_event(const struct shown *shown)
{
	struct vfio_device_ioeventfd request = {
		.argsz = sizeof(request),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = ((uint64_t)shown->bar << 40) + start_of_table(shown),
		.fd = eventfd(0, 0),
	};
	int err = ioctl(shown->vfio.device, VFIO_DEVICE_IOEVENTFD, &request) ? -errno : 0;

	close(request.fd);
	return err;
}

static void check_lost(struct shown *shown)
{
	int cap = pci_capability(&shown->dev, PCI_CAP_ID_MSIX), fd;
	uint64_t start = start_of_table(shown);
	struct vfio_region_info *info;
	uint32_t value;

	ok(!peek(shown->map, &value), "the mapping of the real BAR is gone");
	is_errno(vfio_read32(&shown->vfio, shown->bar, start, &value), -EIO, "the table is not read");
	is_errno(vfio_read32(&shown->vfio, shown->pending & PCI_MSIX_PBA_BIR, shown->pending & PCI_MSIX_PBA_OFFSET,
			     &value), -EIO, "nor the pending bits");
	is_errno(vfio_write32(&shown->vfio, shown->bar, start, 0), -EIO, "nor is it written");
	is_errno(vfio_try_map(&shown->vfio, shown->bar, start, sysconf(_SC_PAGESIZE)), -EIO, "nor mapped");
	is_errno(vfio_try_map(&shown->vfio, shown->table_bar, 0, shown->length), -EIO, "nor is the real BAR");
	if (is_errno(vfio_region(&shown->vfio, shown->bar, &info), 0, "region info of what shows it")) {
		is_u64(info->size, shown->size, "it is as long as before");
		ok(!(info->flags & VFIO_REGION_INFO_FLAG_MMAP) && !vfio_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP),
		   "and nothing of it may be mapped");
		free(info);
	}
	is_u64(config(shown, cap + PCI_MSIX_TABLE), shown->table, "config space has the table where it was");
	is_u64(config(shown, cap + PCI_MSIX_PBA), shown->pending, "and the pending bits");
	is_errno(vfio_write32(&shown->vfio, CONFIG, REGISTER(shown->bar), ~0u), -EIO, "its BAR takes no address");
	is_u64(config(shown, REGISTER(shown->bar)), shown->address, "and has that which it had");
	is_errno(try_event(shown), -EIO, "no event writes there");
	check_dmabuf(shown->dmabuf, -ENODEV, "the dma-buf that was made before cannot be used");
	fd = vfio_dmabuf(&shown->vfio, shown->table_bar, 0, shown->length);
	ok(fd < 0, "there is no dma-buf of the real BAR");
	if (fd >= 0)
		close(fd);
	ok(!(pci_config_read(&shown->dev, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY), "the function decodes nothing");
}

static void forget(struct shown *shown)
{
	munmap(shown->map, shown->length);
	if (shown->dmabuf >= 0)
		close(shown->dmabuf);
	vfio_close(&shown->vfio);
}

/*
 * There is no room for its last BAR, which the PCI core may forget. Its register still tells that the device has
 * one: shown in a number below it, the table would be what a guest's driver takes for another BAR.
 */
static void check_forgotten(void)
{
	struct pci_bar bar;
	struct pci_dev dev;
	char text[32];

	about("without room");
	window_plug("nvme,serial=2,pmrdev=huge,bus=port2");
	if (!is_errno(pci_wait(NVME, 1, &dev, BUTTON_MS), 0, "another one comes"))
		return;
	pci_rescan();
	pci_bar(&dev, 4, &bar);
	is_u64(bar.start, 0, "its BAR 4 has no address");
	is_errno(pci_bind(&dev, OURS), 0, "bound");
	pci_attr_read(&dev, OURS "/msix_relocation", text, sizeof(text));
	is_str(text, bar.flags ? "bar0-upper" : "bar5", "its table is seen in no BAR that it has");
	is_errno(pci_bind(&dev, ""), 0, "unbound");
}

MODULE_CASE(lost_table, "")
{
	struct pci_dev port, other;
	char text[64];
	int nth;
	size_t i;

	/* The port that window_prepare() will take. */
	for (nth = 0; !pci_find(SDHCI, nth, &other); nth++)
		;
	snprintf(text, sizeof(text), "nvme,serial=1,bus=port%d,addr=0.5", nth);
	window_plug(text);
	if (!window_prepare(LONG, 8, &port))
		return;
	for (i = 0; i < DEVICES; i++) {
		struct shown *shown = &devices[i];

		about("%s", shown->name);
		shown->dev = at.dev;
		shown->dev.bdf[strlen(shown->dev.bdf) - 1] = '0' + shown->function;
		if (!is_errno(pci_bind(&shown->dev, OURS), 0, "bound") || !use(shown))
			return;
	}
	if (!window_release(&port))
		return;
	for (i = 0; i < DEVICES; i++) {
		struct shown *shown = &devices[i];

		about("%s, lost", shown->name);
		check_lost(shown);
		forget(shown);
	}
	for (i = 0; i < DEVICES; i++) {
		struct shown *shown = &devices[i];
		uint32_t before = shown->value;

		about("%s, opened again", shown->name);
		if (use(shown)) {
			is_u64(shown->value, before, "it is the same device");
			forget(shown);
		}
		is_errno(pci_bind(&shown->dev, ""), 0, "unbound");
	}
	check_forgotten();
}
