// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSI-X table: for each value of msix_mmap, what is reported is what mmap
 * allows, page by page.
 */
#include <linux/subpage_vfio_pci.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "cases.h"
#include "eeh.h"
#include "log.h"
#include "meminfo.h"
#include "msix_table.h"
#include "vfio.h"

#define PARAMETER "/sys/module/subpage_vfio_pci/parameters/msix_mmap"

static uint64_t page;

/* On these machines: VT-d with interrupt remapping unless that is off, SMMUv3 with an ITS; none on POWER. */
static bool msis_are_isolated(void)
{
#ifdef __powerpc__
	return false;
#else
	char text[1024];

	return file_read("/proc/cmdline", text, sizeof(text)) < 0 || !strstr(text, "intremap=off");
#endif
}

static enum subpage_msix_state expected(const char *policy)
{
	if (!strcmp(policy, "never"))
		return SUBPAGE_MSIX_HIDDEN;
	if (eeh_enabled())
		return SUBPAGE_MSIX_EEH;
	if (!strcmp(policy, "eeh"))
		return SUBPAGE_MSIX_HIDDEN;
	if (msis_are_isolated())
		return SUBPAGE_MSIX_ISOLATED;
	return strcmp(policy, "always") ? SUBPAGE_MSIX_HIDDEN : SUBPAGE_MSIX_ALWAYS;
}

/* What the log and sysfs say of that. */
static const char *reason(enum subpage_msix_state state, const char *policy)
{
	if (state == SUBPAGE_MSIX_EEH)
		return "mappable, EEH isolates its MSIs";
	if (state == SUBPAGE_MSIX_ISOLATED)
		return "mappable, the IOMMU isolates its MSIs";
	if (state == SUBPAGE_MSIX_ALWAYS)
		return "mappable, msix_mmap=always, though nothing isolates its MSIs";
	if (!strcmp(policy, "never"))
		return "hidden from mmap, msix_mmap=never";
	if (msis_are_isolated())
		return "hidden from mmap, the IOMMU isolates its MSIs, but EEH does not (msix_mmap=isolated maps it)";
	return "hidden from mmap, neither EEH nor the IOMMU isolates its MSIs (msix_mmap=always maps it)";
}

static const char *state_name(enum subpage_msix_state state)
{
	switch (state) {
	case SUBPAGE_MSIX_EEH:
		return "eeh";
	case SUBPAGE_MSIX_ISOLATED:
		return "isolated";
	case SUBPAGE_MSIX_ALWAYS:
		return "always";
	default:
		return "hidden";
	}
}

/* Does region info say that this page can be mapped? */
static bool is_reported(const struct vfio_region_info *info, uint64_t offset)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse =
		(const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	uint32_t i;

	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return false;
	if (!sparse)
		return true;
	for (i = 0; i < sparse->nr_areas; i++)
		if (offset >= sparse->areas[i].offset &&
		    offset + page <= sparse->areas[i].offset + sparse->areas[i].size)
			return true;
	return false;
}

static void check_sparse(const struct vfio_region_info *info)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse =
		(const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	struct wrong wrong = {};
	uint32_t i;

	if (!sparse)
		return;
	ok(sparse->nr_areas > 0, "the list of areas is not empty");
	for (i = 0; i < sparse->nr_areas; i++)
		if (!sparse->areas[i].size || sparse->areas[i].offset % page || sparse->areas[i].size % page)
			wrong_add(&wrong, "area %u: %#llx bytes at %#llx", i,
				  (unsigned long long)sparse->areas[i].size,
				  (unsigned long long)sparse->areas[i].offset);
	none_wrong(&wrong, "each area is of whole pages");
}

static void check_pages(const struct vfio *vfio, const struct vfio_region_info *info,
			const struct msix_table *table, bool hidden)
{
	uint64_t size = (info->size + page - 1) / page * page, at;
	struct wrong untrue = {}, outside = {};

	for (at = 0; at < size; at += page) {
		bool in_hole = at >= table->hole_start && at < table->hole_end;
		int err = vfio_try_map(vfio, table->bar, at, page);

		if (is_reported(info, at) != !err || (err && err != -EINVAL))
			wrong_add(&untrue, "%#llx: %sreported, mmap says %d", (unsigned long long)at,
				  is_reported(info, at) ? "" : "not ", err);
		if (!err != !(hidden && in_hole))
			wrong_add(&outside, "%#llx: mmap says %d", (unsigned long long)at, err);
	}
	none_wrong(&untrue, "each of %llu pages: reported is what mmap allows",
		   (unsigned long long)(size / page));
	none_wrong(&outside, "and the pages of the table are the only ones refused, if any");
	if (!hidden)
		return;
	is_errno(vfio_try_map(vfio, table->bar, 0, size), -EINVAL, "the whole BAR is refused");
	if (table->hole_start)
		is_errno(vfio_try_map(vfio, table->bar, table->hole_start - page, 2 * page), -EINVAL,
			 "a mapping that reaches into the table from below is refused");
	if (table->hole_end < size)
		is_errno(vfio_try_map(vfio, table->bar, table->hole_end - page, 2 * page), -EINVAL,
			 "one that reaches into it from above is refused");
}

/* The table is none of the other BARs' business: each of their pages can be mapped, if any. Returns how many. */
static int check_others(const struct vfio *vfio, int table_bar)
{
	struct vfio_region_info info;
	struct wrong wrong = {};
	int pages = 0, bar, err;
	uint64_t at;

	for (bar = 0; bar < 6; bar++) {
		if (bar == table_bar || vfio_info(vfio, bar, &info))
			continue;
		for (at = 0; info.flags & VFIO_REGION_INFO_FLAG_MMAP && at < info.size; at += page, pages++) {
			err = vfio_try_map(vfio, bar, at, page);
			if (err)
				wrong_add(&wrong, "BAR %d, %#llx: %d", bar, (unsigned long long)at, err);
		}
	}
	none_wrong(&wrong, "%d pages of other BARs can be mapped", pages);
	return pages;
}

/* Each answer has its capabilities in memory of its own for a moment. */
static void check_no_growth(const struct vfio *vfio, int bar)
{
	struct {
		struct vfio_region_info info;
		char caps[256];
	} answer;
	long before = meminfo_kb("SUnreclaim"), after;
	int i;

	/* What watches a debug kernel's memory sees that itself, and needs memory for it. */
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		return;
	for (i = 0; i < 20000; i++) {
		answer.info = (struct vfio_region_info) { .argsz = sizeof(answer), .index = bar };
		ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &answer);
	}
	after = meminfo_kb("SUnreclaim");
	ok(after - before < 512, "20000 answers leave no memory behind (%ld KiB more)", after - before);
}

/* Returns how many pages can be mapped of its BARs without the table. */
static int check_device(const struct pci_dev *dev, const char *policy)
{
	const struct vfio_region_info_cap_subpage *cap;
	enum subpage_msix_state want = expected(policy);
	bool hidden = want == SUBPAGE_MSIX_HIDDEN, nothing_left;
	struct vfio_region_info *info;
	struct msix_table table;
	struct vfio vfio;
	int others;
	uint32_t value;
	char line[256], text[128], *log;
	int mark = log_mark();

	about("%s, msix_mmap=%s", dev->bdf, policy);
	if (!ok(msix_table_find(dev, &table), "it has a table"))
		return 0;
	is_errno(pci_bind(dev, "subpage_vfio_pci"), 0, "bound");
	log = log_since(mark);
	is_u64(log_count(log, "MSI-X table in BAR"), 1, "one line in the log tells what was decided");
	is_u64(log_count(log, hidden ? "hidden from mmap" : "mappable"), 1, "and that rightly");
	snprintf(line, sizeof(line), "MSI-X table in BAR %d [0x%llx-0x%llx]: %s\n", table.bar,
		 (unsigned long long)table.offset, (unsigned long long)(table.offset + table.size - 1),
		 reason(want, policy));
	if (!is_u64(log_count(log, line), 1, "it says where the table is, and why"))
		diag("%s", log);
	free(log);
	close(mark);
	pci_attr_read(dev, "subpage_vfio_pci/msix_bar", text, sizeof(text));
	is_u64(atoi(text), table.bar, "its BAR in sysfs");
	pci_attr_read(dev, "subpage_vfio_pci/msix_state", text, sizeof(text));
	is_str(text, state_name(want), "the decision in sysfs");
	pci_attr_read(dev, "subpage_vfio_pci/msix_reason", text, sizeof(text));
	is_str(text, reason(want, policy), "the reason in sysfs");

	if (!is_errno(vfio_open(dev, &vfio), 0, "opened"))
		return 0;
	if (ok(!vfio_region(&vfio, table.bar, &info), "region info of BAR %d", table.bar)) {
		diag("table at %#llx, %llu bytes, BAR of %llu", (unsigned long long)table.offset,
		     (unsigned long long)table.size, (unsigned long long)info->size);
		nothing_left = table.hole_start == 0 && table.hole_end >= info->size;
		ok(!!(info->flags & VFIO_REGION_INFO_FLAG_MMAP) == !(hidden && nothing_left),
		   "MMAP flag unless nothing is left");
		ok(!!vfio_cap(info, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE) == !hidden,
		   "MSIX_MAPPABLE if it is");
		ok(!!vfio_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP) == (hidden && !nothing_left),
		   "SPARSE_MMAP if part of it is hidden");
		check_sparse(info);
		cap = (const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SUBPAGE);
		if (ok(cap, "the private capability is there")) {
			is_u64(cap->msix_state, want, "with the decision");
			is_u64(cap->msix_offset, table.offset, "with the table's place");
			is_u64(cap->msix_size, table.size, "and length");
		}
		check_pages(&vfio, info, &table, hidden);
		is_errno(vfio_read32(&vfio, table.bar, table.offset, &value), 0, "the table can be read()");
		is_u64(value, 0xffffffff, "which shows nothing of it");
		free(info);
		check_no_growth(&vfio, table.bar);
	}
	others = check_others(&vfio, table.bar);
	vfio_close(&vfio);
	pci_bind(dev, "");
	return others;
}

/* Where it is: case relocate is about the rest. */
MODULE_CASE(msix, "msix_relocate=never")
{
	static const struct { uint16_t vendor, device; } models[] = {
		{ NVME },	/* registers and table in one BAR */
#ifndef __powerpc__
		{ E1000E },	/* a BAR for the table and the PBA */
#endif
		{ XHCI },	/* as in the NVMe */
	};
	static const char * const policies[] = { "eeh", "isolated", "always", "never" };
	struct pci_dev dev;
	size_t m, p;
	char text[32];
	int others;

	page = sysconf(_SC_PAGESIZE);
	file_read(PARAMETER, text, sizeof(text));
	is_str(text, "isolated", "the default is isolated");
	/* VFIO lets nobody use a device whose MSIs are not isolated, unless it is told to. */
	if (!msis_are_isolated())
		file_write("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "1");
	for (p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
		is_errno(file_write(PARAMETER, policies[p]), 0, "msix_mmap=%s", policies[p]);
		others = 0;
		for (m = 0; m < sizeof(models) / sizeof(models[0]); m++) {
			if (!is_errno(pci_find(models[m].vendor, models[m].device, 0, &dev), 0,
				      "msix_mmap=%s: %04x:%04x is there", policies[p],
				      models[m].vendor, models[m].device))
				continue;
			others += check_device(&dev, policies[p]);
		}
#ifndef __powerpc__
		ok(others > 0, "msix_mmap=%s: a device has other BARs, too", policies[p]);
#endif
	}
}

/* Where users see the table goes by what the device says as it is opened, not as it was bound. */
static void check_shown_anew(const struct pci_dev *xhci)
{
	static const struct { const char *fault, *place, *reason; } opens[] = {
		{ "128", "none", "where it is, as the table or the pending bits lie outside the BARs" },
		{ "0", "bar2", "in BAR 2 [0x0-0xff], which the device does not have" },
	};
	int mark = log_mark();
	struct vfio vfio;
	char text[160];
	size_t i;

	for (i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
		module_set("fault_points", "%s", opens[i].fault);
		about("msix_mmap=isolated, fault_points=%s", opens[i].fault);
		if (!is_errno(vfio_open(xhci, &vfio), 0, "opened"))
			return;
		pci_attr_read(xhci, OURS "/msix_relocation", text, sizeof(text));
		is_str(text, opens[i].place, "sysfs says where users see the table");
		pci_attr_read(xhci, OURS "/msix_relocation_reason", text, sizeof(text));
		is_str(text, opens[i].reason, "and why");
		is_u64(log_lines(mark, opens[i].reason), 1, "and so does a line of the log");
		vfio_close(&vfio);
	}
	close(mark);
}

/* No model of QEMU's is such a device; a module of the test build takes one for it. */
MODULE_CASE(msix_behind, "msix_mmap=never")
{
	static const char * const faults[] = { "0", "128", "0" };
	static const char * const where[] = { "in the BAR", "behind the BAR", "in the BAR again" };
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	struct vfio_region_info *info;
	struct pci_dev xhci;
	struct vfio vfio;
	uint64_t size;
	size_t i;

	page = sysconf(_SC_PAGESIZE);
	if (!is_errno(pci_find(XHCI, 0, &xhci), 0, "there is a device with its table inside a BAR"))
		return;
	is_errno(pci_bind(&xhci, "subpage_vfio_pci"), 0, "it is bound");
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		bool behind = i == 1;

		about("%s", where[i]);
		module_set("fault_points", "%s", faults[i]);
		if (!is_errno(vfio_open(&xhci, &vfio), 0, "opened"))
			return;
		if (is_errno(vfio_region(&vfio, 0, &info), 0, "region info")) {
			sparse = (const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
			size = info->size;
			if (ok(sparse && sparse->nr_areas == 1 && !sparse->areas[0].offset, "it names an area"))
				/* The table is on the last page. */
				is_u64(sparse->areas[0].size, behind ? size : size - page,
				       "up to the table, and no farther than the BAR");
			is_errno(vfio_try_map(&vfio, 0, 0, size), behind ? 0 : -EINVAL, "a mapping of the whole BAR");
			is_errno(vfio_try_map(&vfio, 0, size - page, 2 * page), -EINVAL, "one that goes on behind it");
			is_errno(vfio_try_map(&vfio, 0, size, page), -EINVAL, "one where the table should be");
			free(info);
		}
		vfio_close(&vfio);
	}
	module_set("fault_points", "0");
	is_errno(pci_bind(&xhci, ""), 0, "it is given back");
	module_set("msix_mmap", "isolated");
	is_errno(pci_bind(&xhci, OURS), 0, "bound anew, its table can be mapped");
	check_shown_anew(&xhci);
	is_errno(pci_bind(&xhci, ""), 0, "it is given back, too");
}
