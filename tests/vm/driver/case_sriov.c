// SPDX-License-Identifier: GPL-2.0-only
/*
 * SR-IOV: a physical function's user has virtual functions made, which come to
 * this driver by themselves. System Page Size places their BARs, not the driver,
 * whatever it has done with the physical function's own.
 */
#include <linux/subpage_vfio_pci.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cases.h"
#include "eeh.h"
#include "iomem.h"
#include "msix_table.h"
#include "vfio.h"
#include "zoo.h"

#define TOKEN "00112233-4455-6677-8899-aabbccddeeff"
#define VFS 3
#define FIRST_VF_BAR 7
#define VF_BAR_SIZE 0x4000

/* In BAR 0 of a virtual function, a register that is not all ones before anybody sets it up. */
static const struct model {
	const char *name;
	uint16_t vendor, device;
	uint32_t vf_status;
} models[] = {
	{ "igb", IGB, 0x08 },
	{ "nvme", NVME, 0x1c },
};

/* The same both ways, and not what is read where nothing is. */
static void check_register(const struct vfio *vfio, const char *whose, int bar, uint32_t reg)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint32_t trapped, mapped;
	void *map;

	if (!is_errno(vfio_map(vfio, bar, 0, page, &map), 0, "%s BAR %d: mapped", whose, bar))
		return;
	mapped = *(volatile uint32_t *)((char *)map + reg);
	is_errno(vfio_read32(vfio, bar, reg, &trapped), 0, "%s BAR %d: read", whose, bar);
	is_u64(mapped, trapped, "%s BAR %d: a register reads the same both ways", whose, bar);
	ok(mapped != ~0u, "%s BAR %d: and is there", whose, bar);
	munmap(map, page);
}

/* Where the IOMMU isolates its MSIs its table is in a BAR that it does not have; PCI knows none such of it. */
static void check_shown(const struct pci_dev *vf, const struct vfio *vfio)
{
	uint32_t location = 0, value = 0;
	struct vfio_region_info info;
	char text[32] = "";
	int bar = -1;

	pci_attr_read(vf, OURS "/msix_relocation", text, sizeof(text));
	if (eeh_enabled()) {
		is_str(text, "none", "under EEH its table is where it is");
		return;
	}
	sscanf(text, "bar%d", &bar);
	if (!ok(bar > 0 && !strchr(text, '-'), "its table is shown in a BAR that it does not have: %s", text) ||
	    !ok(!vfio_info(vfio, bar, &info), "region info of that"))
		return;
	vfio_read32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, pci_capability(vf, 0x11) + 4, &location);
	is_u64(location, bar, "config space says so");
	vfio_write32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, 0x10 + 4 * bar, ~0u);
	vfio_read32(vfio, VFIO_PCI_CONFIG_REGION_INDEX, 0x10 + 4 * bar, &value);
	is_u64(-(value & ~0xfu), (uint32_t)info.size, "it is as long as region info says");
	ok(!(info.flags & VFIO_REGION_INFO_FLAG_MMAP), "and cannot be mapped");
}

/* Each memory BAR is where SR-IOV puts it, and can be mapped. */
static void check_vf(const struct model *model, const struct pci_bar *vf_bars, int nth,
		     const struct pci_dev *vf)
{
	struct vfio_region_info info;
	struct pci_bar before[6], after;
	struct wrong astray = {}, moved = {};
	int bar;
	struct vfio vfio;

	about("%s", vf->bdf);
	is_str(pci_driver(vf), OURS, "%s came to the driver by itself", vf->bdf);
	for (bar = 0; bar < 6; bar++) {
		pci_bar(vf, bar, &before[bar]);
		if (before[bar].size && before[bar].start != vf_bars[bar].start + nth * before[bar].size)
			wrong_add(&astray, "BAR %d at %#llx, the first function's at %#llx", bar,
				  (unsigned long long)before[bar].start,
				  (unsigned long long)vf_bars[bar].start);
	}
	none_wrong(&astray, "its BARs are number %d of those that the physical function has for all", nth);
	is_errno(pci_unbind(vf), 0, "unbound");
	is_errno(pci_bind(vf, OURS), 0, "and bound again");
	for (bar = 0; bar < 6; bar++)
		if (pci_bar(vf, bar, &after) || after.start != before[bar].start)
			wrong_add(&moved, "BAR %d at %#llx, was at %#llx", bar, (unsigned long long)after.start,
				  (unsigned long long)before[bar].start);
	none_wrong(&moved, "its BARs are where they were");

	is_errno(vfio_open(vf, &vfio), -EACCES, "it is not opened without the token");
	if (!is_errno(vfio_open_vf(vf, TOKEN, &vfio), 0, "it is opened with it"))
		return;
	for (bar = 0; bar < 6; bar++) {
		if (!before[bar].size || !ok(!vfio_info(&vfio, bar, &info), "region info of BAR %d", bar))
			continue;
		is_u64(info.size, before[bar].size, "BAR %d has its size", bar);
		ok(info.flags & VFIO_REGION_INFO_FLAG_MMAP, "BAR %d is mappable", bar);
	}
	check_shown(vf, &vfio);
	check_register(&vfio, vf->bdf, 0, model->vf_status);
	vfio_close(&vfio);
}

/* The physical function's own sub-page BARs. */
static int list_own(const struct pci_dev *pf, struct zoo_bar *own)
{
	struct zoo_bar all[ZOO_MAX];
	int count = zoo_list(all), n = 0, i;

	for (i = 0; i < count; i++)
		if (!strcmp(all[i].dev.bdf, pf->bdf))
			own[n++] = all[i];
	return n;
}

static void check_claimed(const struct zoo_bar *own, int count)
{
	int i;

	for (i = 0; i < count; i++)
		ok(zoo_claimed(&own[i]), "BAR %d is claimed, %s, and alone on its page", own[i].bar,
		   zoo_sysfs(&own[i], "state"));
}

static void check_own(const struct zoo_bar *own, int count, const struct vfio *vfio)
{
	int i;

	check_claimed(own, count);
	for (i = 0; i < count; i++)
		check_register(vfio, own[i].dev.bdf, own[i].bar, own[i].reg);
}

static void read_vf_bars(const struct pci_dev *pf, struct pci_bar *vf_bars)
{
	int bar;

	memset(vf_bars, 0, 6 * sizeof(*vf_bars));
	for (bar = 0; bar < 6; bar++)
		pci_bar(pf, FIRST_VF_BAR + bar, &vf_bars[bar]);
}

static void check_vf_bars(const struct pci_dev *pf, const struct pci_bar *before)
{
	struct pci_bar now[6];

	read_vf_bars(pf, now);
	ok(!memcmp(now, before, sizeof(now)), "what it has for the BARs of virtual functions is where it was");
}

/* realign=trap: each of its own BARs is trapped, and says of itself alone whether it holds the table. */
static void check_trapped(const struct pci_dev *pf, const struct zoo_bar *own, int count)
{
	const struct vfio_region_info_cap_subpage *cap;
	struct msix_table table = { .bar = -1 };
	struct vfio_region_info *info;
	struct vfio vfio;
	int i;

	msix_table_find(pf, &table);
	module_set("realign", "trap");
	is_errno(pci_bind(pf, OURS), 0, "with realign=trap the driver takes it");
	if (is_errno(vfio_open(pf, &vfio), 0, "and a user opens it")) {
		for (i = 0; i < count; i++) {
			if (!ok(!vfio_region(&vfio, own[i].bar, &info), "region info of BAR %d", own[i].bar))
				continue;
			ok(!(info->flags & VFIO_REGION_INFO_FLAG_MMAP), "BAR %d is trapped", own[i].bar);
			cap = (const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SUBPAGE);
			if (ok(cap, "BAR %d has the capability that says why", own[i].bar))
				ok((cap->msix_state != SUBPAGE_MSIX_NONE) == (own[i].bar == table.bar),
				   "BAR %d: and if the table is there", own[i].bar);
			free(info);
		}
		vfio_close(&vfio);
	}
	module_set("realign", "1");
	pci_bind(pf, "");
}

/* Claims are made and dropped; virtual functions are not made. Returns how many claims. */
static int check_default(const struct model *model)
{
	struct pci_bar vf_bars[6];
	struct zoo_bar own[6];
	struct pci_dev pf;
	int count;

	about("%s by default", model->name);
	if (!is_errno(pci_find(model->vendor, model->device, 0, &pf), 0, "there is an %s", model->name))
		return 0;
	count = list_own(&pf, own);
	read_vf_bars(&pf, vf_bars);
	/* Hardware makes them as long as System Page Size says; QEMU does not, and the kernel refuses that. */
	if (sysconf(_SC_PAGESIZE) > VF_BAR_SIZE)
		is_u64(vf_bars[0].start, 0, "it has no virtual functions: their BARs are smaller than a page");
	else
		ok(vf_bars[0].start, "it has addresses for the BARs of virtual functions");
	is_errno(pci_bind(&pf, OURS), 0, "the driver takes the physical function");
	check_claimed(own, count);
	check_vf_bars(&pf, vf_bars);
	is_errno(pci_attr_write(&pf, "sriov_numvfs", "1"), -ENOENT, "no virtual function by default");
	pci_bind(&pf, "");
	if (count > 1)
		check_trapped(&pf, own, count);
	return count;
}

/*
 * A native driver goes and leaves its virtual functions. vfio-pci refuses such a device, so
 * align_for= must not have moved it, and what refers to its BARs, for nothing.
 */
static void check_left(const struct model *model, const char *native)
{
	struct zoo_bar own[6];
	uint64_t before[6], now;
	struct wrong moved = {};
	struct pci_dev pf;
	int count, i, shared_pages = 0;

	about("%s left with virtual functions", native);
	if (!is_errno(pci_find(model->vendor, model->device, 0, &pf), 0, "there is an %s", model->name))
		return;
	count = list_own(&pf, own);
	for (i = 0; i < count; i++) {
		before[i] = zoo_address(&own[i]);
		shared_pages += !zoo_alone(&own[i]);
	}
	ok(shared_pages > 0, "%d of its BARs share a page", shared_pages);
	is_errno(kmod_insert(native, ""), 0, "its native driver is loaded");
	is_errno(pci_bind(&pf, native), 0, "and has it");
	pci_attr_write(&pf, "sriov_drivers_autoprobe", "0");
	is_errno(pci_attr_write(&pf, "sriov_numvfs", "3"), 0, "%d virtual functions are made", VFS);
	is_errno(pci_unbind(&pf), 0, "that driver goes");

	is_errno(module_load("align_for=vfio-pci"), 0, "the module loads with align_for=vfio-pci");
	is_errno(pci_bind(&pf, "vfio-pci"), -EBUSY, "vfio-pci refuses it");
	for (i = 0; i < count; i++) {
		now = zoo_address(&own[i]);
		if (now != before[i])
			wrong_add(&moved, "BAR %d at %#llx, was at %#llx", own[i].bar, (unsigned long long)now,
				  (unsigned long long)before[i]);
	}
	none_wrong(&moved, "and its BARs are where they were");
	is_errno(module_unload(), 0, "the module unloads");

	is_errno(pci_bind(&pf, native), 0, "its native driver has it again");
	is_errno(pci_attr_write(&pf, "sriov_numvfs", "0"), 0, "the virtual functions go");
	pci_attr_write(&pf, "sriov_drivers_autoprobe", "1");
	pci_bind(&pf, "");
	is_errno(kmod_remove(native), 0, "and the driver");
}

/* A directory of sysfs has a link for each in it. */
static int count_groups(void)
{
	struct stat st;

	return stat("/sys/kernel/iommu_groups", &st) ? -1 : (int)st.st_nlink;
}

static void check_vfs(const struct model *model, const struct pci_dev *pf, const struct vfio *vfio,
		      const struct zoo_bar *own, int count)
{
	int groups = count_groups();
	struct pci_bar vf_bars[6];
	struct pci_dev vf;
	int i;

	about("with virtual functions");
	read_vf_bars(pf, vf_bars);
	is_errno(vfio_set_token(vfio, TOKEN), 0, "and sets the token");
	is_errno(pci_attr_write(pf, "sriov_numvfs", "3"), 0, "%d virtual functions are made", VFS);
	for (i = 0; i < VFS; i++)
		if (is_errno(pci_virtfn(pf, i, &vf), 0, "virtual function %d", i))
			check_vf(model, vf_bars, i, &vf);
	check_vf_bars(pf, vf_bars);
	check_own(own, count, vfio);
	is_errno(pci_attr_write(pf, "sriov_numvfs", "0"), 0, "they go");
	is_errno(pci_virtfn(pf, 0, &vf), -ENOENT, "none is left");
	is_u64(count_groups(), groups, "nor an IOMMU group of one");
}

static void check_pf(const struct model *model)
{
	struct iomem before, after;
	struct zoo_bar own[6];
	struct pci_dev pf;
	struct vfio vfio;
	int count;

	about("%s", model->name);
	if (!is_errno(pci_find(model->vendor, model->device, 0, &pf), 0, "it is still there"))
		return;
	count = list_own(&pf, own);
	iomem_read(&before);
	is_errno(pci_bind(&pf, OURS), 0, "bound again");
	if (!is_errno(vfio_open(&pf, &vfio), 0, "a user opens the physical function"))
		return;
	if (sysconf(_SC_PAGESIZE) <= VF_BAR_SIZE)
		check_vfs(model, &pf, &vfio, own, count);
	check_own(own, count, &vfio);
	vfio_close(&vfio);
	pci_bind(&pf, "");
	iomem_read(&after);
	ok(iomem_same(&before, &after), "unbound, it leaves nothing in /proc/iomem");
	iomem_free(&before);
	iomem_free(&after);
}

CASE(sriov)
{
	long page = sysconf(_SC_PAGESIZE);
	int claims = 0;
	size_t i;

	if (page > 4096 && page <= VF_BAR_SIZE)
		check_left(&models[1], "nvme");
	/* Where the default hides an MSI-X table, that is no matter of pages: case msix. */
	if (!is_errno(module_load("msix_mmap=isolated"), 0, "the module loads"))
		return;
	for (i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		claims += check_default(&models[i]);
	if (page > 4096)
		ok(claims > 0, "%d BARs of physical functions are smaller than a page", claims);
	module_unload();

	is_errno(module_load("msix_mmap=isolated enable_sriov=1"), 0, "the module loads with enable_sriov=1");
	for (i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		check_pf(&models[i]);
	is_errno(module_unload(), 0, "the module unloads");
}
