// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may be mapped of a device, and why: open it through its VFIO group and
 * decode the capabilities of its BARs. A BAR that can be mapped and holds no MSI-X
 * table has none: the flag says it all.
 *
 *	cc -Iinclude/uapi -o read_capability doc/examples/read_capability.c
 *	./read_capability 0000:01:00.0
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/subpage_vfio_pci.h>

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_device(const char *address)
{
	char path[PATH_MAX], target[PATH_MAX] = "";
	int container, group, device;

	/* The group's number is the name of what this link points to. */
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", address);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		die(path);
	snprintf(path, sizeof(path), "/dev/vfio/%.16s", basename(target));

	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (container < 0)
		die("/dev/vfio/vfio");
	group = open(path, O_RDWR | O_CLOEXEC);
	if (group < 0)
		die(path);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		die("VFIO_GROUP_SET_CONTAINER");
	/* POWER has the other kind. */
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) &&
	    ioctl(container, VFIO_SET_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU))
		die("VFIO_SET_IOMMU");
	device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address);
	if (device < 0)
		die(address);
	return device;
}

/* Ask twice: the first answer says how long the chain of capabilities is. */
static struct vfio_region_info *region_info(int device, unsigned int index)
{
	struct vfio_region_info *info = calloc(1, sizeof(*info));
	unsigned int size;

	if (!info)
		die("calloc");
	info->argsz = sizeof(*info);
	info->index = index;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, info))
		die("VFIO_DEVICE_GET_REGION_INFO");
	size = info->argsz;
	if (size <= sizeof(*info))
		return info;
	info = realloc(info, size);
	if (!info)
		die("realloc");
	info->argsz = size;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, info))
		die("VFIO_DEVICE_GET_REGION_INFO");
	return info;
}

static void print_sparse(const struct vfio_region_info_cap_sparse_mmap *cap)
{
	unsigned int i;

	for (i = 0; i < cap->nr_areas; i++)
		printf("  only 0x%llx bytes at 0x%llx can be mapped\n",
		       (unsigned long long)cap->areas[i].size,
		       (unsigned long long)cap->areas[i].offset);
}

static void print_subpage(const struct vfio_region_info_cap_subpage *cap)
{
	switch (cap->bar_state) {
	case SUBPAGE_BAR_NONE:
		break;
	case SUBPAGE_BAR_IN_PLACE:
	case SUBPAGE_BAR_MOVED:
		printf("  decodes %llu bytes, has a page of %u to itself\n",
		       (unsigned long long)cap->bar_size, cap->page_size);
		break;
	default:
		printf("  decodes %llu bytes, has no page of %u to itself (state %u)\n",
		       (unsigned long long)cap->bar_size, cap->page_size, cap->bar_state);
	}
	if (cap->msix_state == SUBPAGE_MSIX_NONE)
		return;
	printf("  MSI-X table at 0x%x, 0x%x bytes: %s (state %u)\n", cap->msix_offset,
	       cap->msix_size, cap->msix_state == SUBPAGE_MSIX_HIDDEN ? "hidden" : "mappable",
	       cap->msix_state);
}

static void print_caps(const struct vfio_region_info *info)
{
	/* Each capability names the offset, from the start of the info, of the next. */
	unsigned int offset = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

	while (offset) {
		const struct vfio_info_cap_header *cap = (const void *)((const char *)info + offset);

		if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			print_sparse((const void *)cap);
		else if (cap->id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE)
			printf("  the MSI-X table can be mapped\n");
		else if (cap->id == VFIO_REGION_INFO_CAP_SUBPAGE &&
			 cap->version >= VFIO_REGION_INFO_CAP_SUBPAGE_VERSION)
			print_subpage((const void *)cap);
		offset = cap->next;
	}
}

int main(int argc, char **argv)
{
	int device, index;

	if (argc != 2) {
		fprintf(stderr, "usage: %s ADDRESS, such as 0000:01:00.0\n", argv[0]);
		return 2;
	}
	device = open_device(argv[1]);
	for (index = VFIO_PCI_BAR0_REGION_INDEX; index <= VFIO_PCI_BAR5_REGION_INDEX; index++) {
		struct vfio_region_info *info = region_info(device, index);

		if (info->size)
			printf("BAR %d: %llu bytes, %s\n", index, (unsigned long long)info->size,
			       info->flags & VFIO_REGION_INFO_FLAG_MMAP ? "mappable" : "trapped");
		print_caps(info);
		free(info);
	}
	return 0;
}
