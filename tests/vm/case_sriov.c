// SPDX-License-Identifier: GPL-2.0-only
/*
 * SR-IOV: a physical function's user has virtual functions made, which come to
 * this driver by themselves. System Page Size places their BARs, not the driver.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "kmod.h"
#include "tap.h"
#include "vfio.h"

#define OURS "subpage_vfio_pci"
#define TOKEN "00112233-4455-6677-8899-aabbccddeeff"
#define VFS 3

static const unsigned char token[16] = {
	0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
};

static int set_token(const struct vfio *vfio)
{
	struct {
		struct vfio_device_feature feature;
		unsigned char uuid[16];
	} request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
	};

	memcpy(request.uuid, token, sizeof(token));
	return ioctl(vfio->device, VFIO_DEVICE_FEATURE, &request) ? -errno : 0;
}

/* Each memory BAR is where SR-IOV put it, and its registers are the same both ways. */
static void check_vf(const struct pci_dev *vf)
{
	struct pci_bar before[6], after;
	struct vfio_region_info *info;
	uint32_t trapped, mapped;
	struct vfio vfio;
	int bar, moved = 0;
	void *map;

	is_str(pci_driver(vf), OURS, "%s came to the driver by itself", vf->bdf);
	for (bar = 0; bar < 6; bar++)
		pci_bar(vf, bar, &before[bar]);
	is_errno(pci_unbind(vf), 0, "unbound");
	is_errno(pci_bind(vf, OURS), 0, "and bound again");
	for (bar = 0; bar < 6; bar++)
		moved += pci_bar(vf, bar, &after) || after.start != before[bar].start;
	is_u64(moved, 0, "its BARs are where they were");

	is_errno(vfio_open(vf, &vfio), -EACCES, "it is not opened without the token");
	if (!is_errno(vfio_open_vf(vf, TOKEN, &vfio), 0, "it is opened with it"))
		return;
	if (ok(!vfio_region(&vfio, 0, &info), "region info")) {
		is_u64(info->size, before[0].size, "BAR 0 has its size");
		ok(info->flags & VFIO_REGION_INFO_FLAG_MMAP, "and is mappable");
		free(info);
	}
	/* STATUS: the same whoever reads it, and not all ones. */
	if (is_errno(vfio_map(&vfio, 0, 0, before[0].size, &map), 0, "it is mapped")) {
		mapped = *(volatile uint32_t *)((char *)map + 8);
		is_errno(vfio_read32(&vfio, 0, 8, &trapped), 0, "and read");
		is_u64(mapped, trapped, "a register reads the same both ways");
		ok(mapped != ~0u, "and is there");
		munmap(map, before[0].size);
	}
	vfio_close(&vfio);
}

void case_sriov(void)
{
	struct pci_dev pf, vf;
	struct vfio vfio;
	int i;

	if (!is_errno(module_load(""), 0, "the module loads") ||
	    !is_errno(pci_find(0x8086, 0x10c9, 0, &pf), 0, "there is an igb") ||
	    !is_errno(pci_bind(&pf, OURS), 0, "the driver takes the physical function"))
		return;
	is_errno(pci_attr_write(&pf, "sriov_numvfs", "1"), -ENOENT, "no virtual function by default");
	pci_unbind(&pf);
	module_unload();

	is_errno(module_load("enable_sriov=1"), 0, "the module loads with enable_sriov=1");
	is_errno(pci_bind(&pf, OURS), 0, "bound again");
	if (!is_errno(vfio_open(&pf, &vfio), 0, "a user opens the physical function"))
		return;
	is_errno(set_token(&vfio), 0, "and sets the token");
	is_errno(pci_attr_write(&pf, "sriov_numvfs", "3"), 0, "%d virtual functions are made", VFS);
	for (i = 0; i < VFS; i++)
		if (is_errno(pci_find(0x8086, 0x10ca, i, &vf), 0, "virtual function %d", i))
			check_vf(&vf);
	is_errno(pci_attr_write(&pf, "sriov_numvfs", "0"), 0, "they go");
	is_errno(pci_find(0x8086, 0x10ca, 0, &vf), -ENODEV, "none is left");
	vfio_close(&vfio);
	pci_bind(&pf, "");
	is_errno(module_unload(), 0, "the module unloads");
}
