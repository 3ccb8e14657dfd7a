// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "consumer.h"
#include "eeh.h"

#define RW (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE)

/* Free in any guest, and a multiple of every size here. */
#define GUEST_BASE 0x40000000ull

#define BAR_IO 1
#define BAR_64BIT 4
#define CLASS_NVME 0x0108
#define ID_VIRTIO_BLK 0x10011af4	/* as config space has them: device, vendor */
#define ID_VIRTIO_BLK_MODERN 0x10421af4
#define CAP_VENDOR 0x09
#define CAP_MSIX 0x11
#define VIRTIO_STRUCTURES 4

static uint64_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static uint64_t down(uint64_t at)
{
	return at & ~(page_size() - 1);
}

static uint64_t up(uint64_t at)
{
	return down(at + page_size() - 1);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * A BAR that its owner places by this alignment, in the worst case: right after a
 * neighbour that ends in the middle of a page.
 */
static uint64_t place(uint64_t alignment)
{
	return GUEST_BASE + alignment % page_size();
}

/* Whether its table or its pending bits lie in this BAR. */
static bool holds(const struct consumer_msix *msix, const struct consumer_bar *bar)
{
	return msix->bar == bar->index;
}

static void cut_pages(struct ranges *ranges, const struct consumer_msix *msix,
		      const struct consumer_bar *bar)
{
	if (holds(msix, bar))
		ranges_cut(ranges, down(msix->start), up(msix->end));
}

static void areas_or_all(const struct consumer_bar *bar, struct ranges *maps)
{
	if (bar->sparse)
		*maps = bar->areas;
	else
		ranges_add(maps, 0, bar->size);
}

/*
 * QEMU 10.0.13: vfio_setup_region_sparse_mmaps() in hw/vfio/helpers.c;
 * vfio_pci_fixup_msix_region(), vfio_sub_page_bar_update_mapping() and
 * vfio_msix_setup() in hw/vfio/pci.c; kvm_align_section() in accel/kvm/kvm-all.c. 7.2
 * does the same. Guest BARs are placed by the guest, by the size that VFIO reports. One
 * below a page is mapped as a page if the guest has put it on one. QEMU's own MSI-X
 * table lies over the device's; its pending bits only while a masked vector needs them.
 * What is left goes to KVM in whole pages.
 */
static void qemu(const struct consumer_bar *bar, uint64_t guest_address, bool relocated,
		 struct consumer_plan *plan)
{
	struct ranges left;
	bool whole;
	int i;

	plan->guest_address = guest_address;
	if (!(bar->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;
	areas_or_all(bar, &plan->maps);
	whole = plan->maps.count == 1 && plan->maps.at[0].end - plan->maps.at[0].start == bar->size;
	if (whole && !bar->msix_mappable)
		cut_pages(&plan->maps, &bar->table, bar);
	left = plan->maps;
	if (whole && left.count == 1 && bar->size < page_size() && guest_address % page_size() == 0)
		left.at[0].end = page_size();
	if (holds(&bar->table, bar) && !relocated)
		ranges_cut(&left, bar->table.start, bar->table.end);
	for (i = 0; i < left.count; i++) {
		uint64_t from = up(guest_address + left.at[i].start);
		uint64_t to = down(guest_address + left.at[i].end);

		if (from < to)
			ranges_add(&plan->slots, from - guest_address, to - guest_address);
	}
}

static void plan_qemu(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	qemu(bar, GUEST_BASE, false, plan);
}

static void plan_qemu_packs(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	qemu(bar, place(bar->size), false, plan);
}

/*
 * vfio_pci_relocate_msix() in the same file, x-msix-relocation=barN: QEMU's table is in another BAR,
 * or in the upper half of this one, doubled.
 */
static void plan_qemu_relocated(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	qemu(bar, GUEST_BASE, true, plan);
}

/*
 * crosvm f1e797a68: get_regions() in devices/src/vfio.rs; collect_bars(),
 * allocate_root_barmem(), add_bar_mmap() and adjust_bar_mmap() in
 * devices/src/pci/vfio_pci.rs; add_memory_region() in hypervisor/src/kvm/mod.rs. Once there is any
 * capability, only SPARSE_MMAP and MSIX_MAPPABLE make a BAR mappable, and both make its
 * table so too. BARs are sized by config space and placed by their size; slots are rounded up.
 */
static void plan_crosvm(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	int i;

	plan->guest_address = place(bar->sized);
	if (!(bar->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;
	if (!bar->longer) {
		ranges_add(&plan->maps, 0, bar->size);
		cut_pages(&plan->maps, &bar->table, bar);
		cut_pages(&plan->maps, &bar->pba, bar);
	} else if (bar->sparse || bar->msix_mappable) {
		areas_or_all(bar, &plan->maps);
	}
	for (i = 0; i < plan->maps.count; i++)
		ranges_add(&plan->slots, plan->maps.at[i].start,
			   plan->maps.at[i].start + up(plan->maps.at[i].end - plan->maps.at[i].start));
}

/*
 * cloud-hypervisor ae44c2971: allocate_bars(), fixup_msix_region(),
 * generate_sparse_areas() and map_mmio_regions() in pci/src/vfio.rs. A 64-bit BAR whose
 * table is not on a page is doubled, and the table goes to its upper half; it is placed
 * by a page at least, a 32-bit one by its size alone.
 */
static void plan_cloud_hypervisor(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	struct consumer_msix table = bar->table, pba = bar->pba;
	uint64_t size = bar->sized;
	int i;

	if (bar->is_64bit && holds(&table, bar) && table.start % page_size()) {
		uint64_t lengths = table.end - table.start + pba.end - pba.start;

		size = 2 * larger(size, up(lengths));
		pba.end += size / 2 - table.start;
		pba.start += size / 2 - table.start;
		table.end += size / 2 - table.start;
		table.start = size / 2;
	}
	plan->guest_address = place(bar->is_64bit ? larger(size, page_size()) : size);
	if (!(bar->flags & VFIO_REGION_INFO_FLAG_MMAP) ||
	    ((holds(&table, bar) || holds(&pba, bar)) && !bar->msix_mappable))
		return;
	areas_or_all(bar, &plan->maps);
	if (bar->msix_mappable && !bar->sparse) {
		if (plan->guest_address % 4096 || bar->size % 4096) {
			plan->fails = "not a multiple of 4K";
			return;
		}
		if (table.start < bar->size)
			cut_pages(&plan->maps, &table, bar);
		if (pba.start < bar->size)
			cut_pages(&plan->maps, &pba, bar);
	}
	for (i = 0; i < plan->maps.count; i++) {
		struct range *map = &plan->maps.at[i];

		if (map->end - map->start < page_size()) {
			if (map->start) {
				plan->fails = "a part of a page, not at its start";
				return;
			}
			map->end = page_size();
		}
		ranges_add(&plan->slots, map->start, map->end);
	}
}

/*
 * Firecracker, pull request 6114 at 9239cd989: vfio_allocate_memory_ranges_for_bars(),
 * vfio_calculate_bar_areas() and vfio_map_bar_mapping() in src/vmm/src/vfio.rs. BARs are
 * placed by a page at least; the pages of table and pending bits must be in the BAR, and
 * stay trapped; a slot is as long as its area.
 */
static void plan_firecracker(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	bool table = holds(&bar->table, bar), pba = holds(&bar->pba, bar);
	int i;

	plan->guest_address = place(larger(bar->sized, page_size()));
	if ((table && up(bar->table.end) > bar->size) || (pba && up(bar->pba.end) > bar->size)) {
		plan->fails = "pages of the MSI-X table outside";
		return;
	}
	if ((table || pba) && !bar->msix_mappable && !bar->sparse)
		return;
	if (!(bar->flags & VFIO_REGION_INFO_FLAG_MMAP) && !bar->sparse)
		return;
	areas_or_all(bar, &plan->maps);
	if (bar->sparse) {
		for (i = 0; i < plan->maps.count; i++)
			if ((plan->maps.at[i].start | plan->maps.at[i].end) % page_size())
				plan->fails = "an area of part of a page";
	} else {
		cut_pages(&plan->maps, &bar->table, bar);
		cut_pages(&plan->maps, &bar->pba, bar);
	}
	plan->slots = plan->maps;
}

/*
 * OpenVMM 1488a37b7: subtract_msix_regions() and what is around it in
 * vm/devices/pci/vfio_assigned_device/src/lib.rs; region_mmap_areas() in
 * vm/devices/user_driver/vfio_sys/src/lib.rs. The guest places BARs, by the size that VFIO reports.
 */
static void plan_openvmm(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	plan->guest_address = place(bar->size);
	if (bar->beside_ports) {
		plan->fails = "takes no device with I/O ports";
		return;
	}
	if (bar->sparse)
		plan->maps = bar->areas;
	else if (bar->flags & VFIO_REGION_INFO_FLAG_MMAP)
		ranges_add(&plan->maps, 0, down(bar->size));
	cut_pages(&plan->maps, &bar->table, bar);
	cut_pages(&plan->maps, &bar->pba, bar);
	plan->slots = plan->maps;
}

/*
 * kvmtool b48735e: vfio_map_region() in vfio/core.c; vfio_pci_configure_bar(), vfio_pci_bar_activate() and
 * vfio_pci_create_msix_table() in vfio/pci.c. The BAR of the table and that of the pending bits are always
 * trapped. It places the others by a page at least, but a guest's Linux places all anew, by the size that VFIO
 * reports. The slot is rounded up to pages: with a BAR that is shorter it also takes what the guest has put
 * behind it, and the guest hangs (seen, when it ran).
 */
static void plan_kvmtool(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	plan->guest_address = place(bar->size);
	if (!(bar->flags & VFIO_REGION_INFO_FLAG_MMAP) || holds(&bar->table, bar) || holds(&bar->pba, bar))
		return;
	if (bar->size % page_size()) {
		plan->fails = "the slot also takes the next BAR";
		return;
	}
	ranges_add(&plan->maps, 0, bar->size);
	ranges_add(&plan->slots, 0, bar->size);
}

/*
 * DPDK 38f72e500b: pci_vfio_map_resource_primary(), pci_vfio_mmap_bar() and
 * pci_vfio_sparse_mmap_bar() in drivers/bus/pci/linux/pci_vfio.c; the driver's name in
 * drivers/bus/pci/linux/pci.c. Without MSIX_MAPPABLE it maps what is before and behind the table.
 */
static void plan_dpdk(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	uint64_t end = up(bar->table.end);

	if (!(bar->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return;
	if (bar->sparse || bar->msix_mappable || !holds(&bar->table, bar)) {
		areas_or_all(bar, &plan->maps);
		return;
	}
	ranges_add(&plan->maps, 0, bar->table.start);
	ranges_add(&plan->maps, end, bar->size);
}

/* VPP b575ec2c56d: vlib_pci_map_region_int() and vlib_pci_region() in src/vlib/linux/pci.c. No flag is looked at. */
static void plan_vpp(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	ranges_add(&plan->maps, 0, bar->size);
}

/* libvfn c2acee3: nvme_init() in src/nvme/core.c, vfio_pci_map_bar() in src/vfio/pci.c: the doorbells from 4K on. */
static void plan_libvfn(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	ranges_add(&plan->maps, 0, smaller(4096, bar->size));
	ranges_add(&plan->maps, 4096, bar->size);
}

/* QEMU 10.0.13 as a user of an NVMe: nvme_init() in block/nvme.c, qemu_vfio_pci_map_bar() in util/vfio-helpers.c. */
static void plan_nvme(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	ranges_add(&plan->maps, 0, smaller(4096, bar->size));
	ranges_add(&plan->maps, 0, smaller(8192, bar->size));
}

/*
 * libblkio 1.5.0, QEMU's virtio-blk-vfio-pci: each of virtio's structures is mapped by itself, at its offset, if the
 * BAR may be mapped, else it is read and written through the device's file. (Seen, when it ran: case blkio.)
 */
static void plan_libblkio(const struct consumer_bar *bar, struct consumer_plan *plan)
{
	if (bar->flags & VFIO_REGION_INFO_FLAG_MMAP)
		plan->maps = bar->virtio;
}

const struct consumer consumers[] = {
	{ .name = "QEMU", .has_guest = true, .plan = plan_qemu },
	{ .name = "QEMU,packed", .has_guest = true, .plan = plan_qemu_packs },
	{ .name = "QEMU,relo", .has_guest = true, .plan = plan_qemu_relocated },
	{ .name = "crosvm", .has_guest = true, .plan = plan_crosvm },
	{ .name = "cloud-hyp.", .has_guest = true, .needs_maps = true, .needs_slots = true,
	  .fails_exact = true, .plan = plan_cloud_hypervisor },
	{ .name = "firecracker", .has_guest = true, .needs_maps = true, .needs_slots = true,
	  .fails_exact = true, .plan = plan_firecracker },
	{ .name = "OpenVMM", .has_guest = true, .needs_maps = true, .plan = plan_openvmm },
	{ .name = "kvmtool", .has_guest = true, .shuns_table = true, .needs_slots = true, .fails_exact = true,
	  .plan = plan_kvmtool },
	{ .name = "DPDK", .vfio_pci_only = true, .needs_maps = true, .plan = plan_dpdk },
	{ .name = "VPP", .vfio_pci_only = true, .needs_maps = true, .plan = plan_vpp },
	{ .name = "libvfn", .only = NVME_DEVICE, .needs_maps = true, .fails_hidden = true, .plan = plan_libvfn },
	{ .name = "nvme://", .only = NVME_DEVICE, .needs_maps = true, .fails_hidden = true, .plan = plan_nvme },
	{ .name = "libblkio", .only = VIRTIO_BLK_DEVICE, .needs_maps = true, .fails_longer = true,
	  .plan = plan_libblkio },
};

const int consumer_count = sizeof(consumers) / sizeof(consumers[0]);

static uint32_t config(const struct vfio *vfio, int at)
{
	uint32_t value = 0;

	vfio_read32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, at, &value);
	return value;
}

static uint32_t config_sized(const struct vfio *vfio, int at)
{
	uint32_t old = config(vfio, at), mask;

	vfio_write32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, at, ~0u);
	mask = config(vfio, at);
	vfio_write32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, at, old);
	return mask;
}

static struct consumer_msix msix_at(const struct vfio *vfio, int at, uint64_t length)
{
	uint32_t value = config(vfio, at);

	return (struct consumer_msix) { value & 7, value & ~7u, (value & ~7u) + length };
}

/* One of virtio's capabilities: kind, BAR, offset and length of a structure. */
static void read_virtio(const struct vfio *vfio, int cap, struct consumer_bar *bar)
{
	uint32_t kind = config(vfio, cap) >> 24, offset = config(vfio, cap + 8);

	if (kind && kind <= VIRTIO_STRUCTURES && (config(vfio, cap + 4) & 0xff) == (uint32_t)bar->index)
		ranges_add(&bar->virtio, offset, offset + config(vfio, cap + 12));
}

static void read_config(const struct vfio *vfio, struct consumer_bar *bar)
{
	int at = 0x10 + 4 * bar->index, i, cap, steps = 48;
	uint64_t mask = config_sized(vfio, at) & ~0xfu;
	uint32_t vectors, id = config(vfio, 0);

	bar->is_64bit = config(vfio, at) & BAR_64BIT;
	mask |= bar->is_64bit ? (uint64_t)config_sized(vfio, at + 4) << 32 : 0xffffffffull << 32;
	bar->sized = -mask;
	if (config(vfio, 0x08) >> 16 == CLASS_NVME)
		bar->device = NVME_DEVICE;
	else if (id == ID_VIRTIO_BLK || id == ID_VIRTIO_BLK_MODERN)
		bar->device = VIRTIO_BLK_DEVICE;
	for (i = 0; i < 6; i++) {
		uint32_t value = config(vfio, 0x10 + 4 * i);

		bar->beside_ports |= value & BAR_IO;
		if (!(value & BAR_IO) && value & BAR_64BIT)
			i++;
	}
	bar->table.bar = -1;
	bar->pba.bar = -1;
	if (!(config(vfio, 0x04) >> 16 & 0x10))
		return;
	for (cap = config(vfio, 0x34) & 0xfc; cap && steps--; cap = config(vfio, cap) >> 8 & 0xfc) {
		if (bar->device == VIRTIO_BLK_DEVICE && (config(vfio, cap) & 0xff) == CAP_VENDOR)
			read_virtio(vfio, cap, bar);
		if ((config(vfio, cap) & 0xff) != CAP_MSIX)
			continue;
		vectors = (config(vfio, cap) >> 16 & 0x7ff) + 1;
		bar->table = msix_at(vfio, cap + 4, 16 * vectors);
		bar->pba = msix_at(vfio, cap + 8, (vectors + 63) / 64 * 8);
	}
}

int consumer_bar_read(const struct vfio *vfio, int index, struct consumer_bar *bar)
{
	const struct vfio_region_info_cap_sparse_mmap *cap;
	struct vfio_region_info *info;
	int err = vfio_region(vfio, index, &info);
	uint32_t i;

	if (err)
		return err;
	*bar = (struct consumer_bar) {
		.index = index,
		.size = info->size,
		.flags = info->flags,
		.longer = info->argsz > sizeof(*info),
		.msix_mappable = vfio_cap(info, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE),
	};
	cap = (const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	bar->sparse = cap;
	for (i = 0; cap && i < cap->nr_areas; i++)
		ranges_add(&bar->areas, cap->areas[i].offset, cap->areas[i].offset + cap->areas[i].size);
	free(info);
	read_config(vfio, bar);
	return 0;
}

struct consumer_bar consumer_bar_best(const struct consumer_bar *bar)
{
	struct consumer_bar best = *bar;

	best.size = larger(bar->size, page_size());
	best.sized = best.size;
	/* Under EEH a guest uses the device's own table, so that has to stay where it is. */
	if (!eeh_enabled()) {
		best.table.bar = -1;
		best.pba.bar = -1;
	}
	best.longer = holds(&best.table, bar);
	best.msix_mappable = best.longer;
	best.flags = RW | VFIO_REGION_INFO_FLAG_MMAP | (best.longer ? VFIO_REGION_INFO_FLAG_CAPS : 0);
	best.sparse = false;
	best.areas.count = 0;
	return best;
}

struct mapping {
	void *memory;
	struct range range;
};

static int map_one(const struct consumer_bar *bar, const struct vfio *vfio, struct mapping *map)
{
	map->memory = NULL;
	if (vfio)
		return vfio_map(vfio, bar->index, map->range.start, map->range.end - map->range.start,
				&map->memory);
	return map->range.start % page_size() || map->range.end > up(bar->size) ? -EINVAL : 0;
}

/* mmap() gives whole pages. */
static const struct mapping *mapping_of(const struct mapping *maps, int count, const struct range *range)
{
	int i;

	for (i = 0; i < count; i++)
		if (range->start >= maps[i].range.start && range->end <= up(maps[i].range.end))
			return &maps[i];
	return NULL;
}

static int add_slot(const struct consumer_plan *plan, const struct mapping *maps, int count,
		    const struct range *range, struct kvm *kvm)
{
	const struct mapping *map = mapping_of(maps, count, range);
	uint64_t address = plan->guest_address + range->start, size = range->end - range->start;

	if (!map)
		return -EFAULT;
	if (!map->memory)
		return (address | size) % page_size() ? -EINVAL : 0;
	return kvm_add_slot(kvm, address, (char *)map->memory + range->start - map->range.start, size);
}

static bool reads_wrong(const struct consumer_bar *bar, const struct vfio *vfio,
			const struct mapping *maps, int count, uint32_t reg)
{
	const struct range range = { reg, reg + 4 };
	const struct mapping *map = mapping_of(maps, count, &range);
	uint32_t value = 0;

	if (!map || !map->memory || reg + 4 > map->range.end)
		return false;
	return vfio_read32(vfio, bar->index, reg, &value) ||
	       value != *(volatile uint32_t *)((char *)map->memory + reg - map->range.start);
}

static void refused(struct consumer_result *result, bool fatal, const char *what,
		    const struct range *range, int err)
{
	snprintf(result->why, sizeof(result->why), "%s of %#llx at %#llx: %s", what,
		 (unsigned long long)(range->end - range->start), (unsigned long long)range->start,
		 strerror(-err));
	if (fatal) {
		result->failed = true;
		result->direct = 0;
	}
}

struct consumer_result consumer_play(const struct consumer *consumer, const struct consumer_bar *bar,
				     const struct vfio *vfio, struct kvm *kvm, uint64_t true_size,
				     uint32_t reg)
{
	struct consumer_result result = { .failed = false };
	struct mapping maps[RANGES_MAX];
	struct consumer_plan plan = { .fails = NULL };
	struct ranges direct = { 0 };
	int count, i, err;

	consumer->plan(bar, &plan);
	if (plan.fails) {
		result.failed = true;
		snprintf(result.why, sizeof(result.why), "%s", plan.fails);
		return result;
	}
	for (count = 0; count < plan.maps.count; count++) {
		maps[count].range = plan.maps.at[count];
		err = map_one(bar, vfio, &maps[count]);
		if (err) {
			refused(&result, consumer->needs_maps, "mmap", &maps[count].range, err);
			goto out;
		}
		if (!consumer->has_guest)
			ranges_add(&direct, maps[count].range.start, maps[count].range.end);
	}
	for (i = 0; i < plan.slots.count; i++) {
		err = add_slot(&plan, maps, count, &plan.slots.at[i], kvm);
		if (err) {
			refused(&result, consumer->needs_slots, "slot", &plan.slots.at[i], err);
			break;
		}
		ranges_add(&direct, plan.slots.at[i].start, plan.slots.at[i].end);
	}
	result.wrong = vfio && reads_wrong(bar, vfio, maps, count, reg);
out:
	if (!result.failed)
		result.direct = ranges_below(&direct, true_size);
	if (kvm)
		kvm_remove_slots(kvm);
	while (count--)
		if (maps[count].memory)
			munmap(maps[count].memory, maps[count].range.end - maps[count].range.start);
	return result;
}
