// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/ioctl.h>

#include "bus/file.h"
#include "bus/iommu.h"
#include "bus/vfio.h"
#include "print/output.h"

/* Debian 12's own headers are older than this way to open a device (Linux 6.6). */
#ifndef VFIO_DEVICE_BIND_IOMMUFD
struct vfio_device_bind_iommufd {
	__u32	argsz;
	__u32	flags;
	__s32	iommufd;
	__u32	out_devid;
};

#define VFIO_DEVICE_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)
#endif

static void cannot_open(const char *path)
{
	if (errno == EACCES || errno == EPERM)
		fail(CODE_PERMISSION, "run it as root, or become the owner of that file",
		     "no permission to open %s", path);
	if (errno == EBUSY)
		fail(CODE_IN_USE, "stop the program that has it open", "%s is in use", path);
	if (errno == ENOENT)
		fail(CODE_HOST, "modprobe vfio_iommu_type1 (POWER: vfio_iommu_spapr_tce)", "there is no %s", path);
	fail(CODE_FAILED, "\"dmesg | tail\" may say more", "cannot open %s: %s", path, strerror(errno));
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		cannot_open(path);
	return fd;
}

static void fail_not_viable(const struct bus *bus, const struct device *device)
{
	const struct device *other = NULL;
	char *others = NULL;

	while ((other = group_blocker(bus, device, other)))
		add_text(&others, "", " %s (%s)", other->address, other->driver);
	fail(CODE_HOST, "bind them too (subpage-vfio bind --group), or unbind them from these drivers",
	     "IOMMU group %d cannot be used while other drivers have devices of it:%s",
	     device->group, others ? others : "");
}

static void set_iommu(const struct vfio *vfio)
{
	static const int kinds[] = {
		VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU, VFIO_SPAPR_TCE_IOMMU,
		VFIO_NOIOMMU_IOMMU,
	};
	size_t i;

	for (i = 0; i < COUNT(kinds); i++)
		if (ioctl(vfio->container, VFIO_CHECK_EXTENSION, kinds[i]) > 0 &&
		    !ioctl(vfio->container, VFIO_SET_IOMMU, kinds[i]))
			return;
	fail(CODE_HOST, "modprobe vfio_iommu_type1 (POWER: vfio_iommu_spapr_tce); \"dmesg | tail\" may say more",
	     "the IOMMU cannot be used through VFIO: %s", strerror(errno));
}

static void open_group(const struct bus *bus, const struct device *device, struct vfio *vfio, const char *path)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	vfio->group = open_file(path);
	if (ioctl(vfio->group, VFIO_GROUP_GET_STATUS, &status))
		fail(CODE_FAILED, NULL, "%s: %s", path, strerror(errno));
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		fail_not_viable(bus, device);
	vfio->container = open_file("/dev/vfio/vfio");
	if (ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container))
		fail(CODE_FAILED, NULL, "%s: %s", path, strerror(errno));
	set_iommu(vfio);
	vfio->device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, device->address);
	if (vfio->device < 0)
		fail(CODE_FAILED, "\"dmesg | tail\" may say more", "cannot open %s: %s",
		     device->address, strerror(errno));
}

/* The other way, where there is no such file of its group. */
static void open_cdev(const struct device *device, struct vfio *vfio, const char *group)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct matches found = { 0 };
	char path[64] = "";
	const char *own;

	/* "vfio0"; without an IOMMU, in Linux 7.3, "noiommu-vfio0". */
	own = next_match(&found, "/sys/bus/pci/devices/%s/vfio-dev/*vfio*", device->address);
	if (own)
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", strrchr(own, '/') + 1);
	matches_end(&found);
	if (!file_exists("%s", path))
		fail(CODE_HOST, "udev makes one of them; a container has to be given it",
		     "there is neither %s nor %s", group, path);
	vfio->device = open_file(path);
	vfio->iommufd = open_file("/dev/iommu");
	bind.iommufd = vfio->iommufd;
	if (ioctl(vfio->device, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		fail(CODE_FAILED, "are all devices of its IOMMU group bound to VFIO drivers?",
		     "cannot open %s: %s", path, strerror(errno));
}

void vfio_open(const struct bus *bus, const struct device *device, struct vfio *vfio)
{
	char path[64];

	*vfio = (struct vfio) { -1, -1, -1, -1 };
	if (device_is_bridge(device))
		fail(CODE_USAGE, "name the devices behind it; \"lspci -tv\" shows them",
		     "%s is a bridge, which VFIO does not support", device->address);
	if (!device_is_vfio(device)) {
		char *next = format("subpage-vfio bind %s", device->address);

		fail(CODE_FAILED, next, "%s has the driver %s, which is none of VFIO's",
		     device->address, driver_text(device->driver));
	}
	device_vfio_group(device, path, sizeof(path));
	if (!access(path, F_OK))
		open_group(bus, device, vfio, path);
	else
		open_cdev(device, vfio, path);
}

void vfio_close(struct vfio *vfio)
{
	/* The device first: it holds on to what it was opened through. */
	close(vfio->device);
	if (vfio->group >= 0)
		close(vfio->group);
	if (vfio->container >= 0)
		close(vfio->container);
	if (vfio->iommufd >= 0)
		close(vfio->iommufd);
}

struct vfio_region_info *vfio_region(const struct vfio *vfio, unsigned int index)
{
	size_t size = sizeof(struct vfio_region_info);
	struct vfio_region_info *info = NULL;

	for (;;) {
		info = allocate(info, size);
		memset(info, 0, size);
		info->argsz = size;
		info->index = index;
		if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, info)) {
			free(info);
			return NULL;
		}
		if (info->argsz <= size)
			return info;
		/* There are capabilities; the kernel says how much they take. */
		size = info->argsz;
	}
}

const struct vfio_info_cap_header *vfio_next_cap(const struct vfio_region_info *info,
						 const struct vfio_info_cap_header *cap)
{
	uint32_t at = cap ? cap->next : info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

	return at && at + sizeof(*cap) <= info->argsz ? (const void *)((const char *)info + at) : NULL;
}

bool vfio_may_map(const struct vfio_region_info *info, uint64_t offset, uint64_t size)
{
	const struct vfio_info_cap_header *cap = NULL;
	unsigned int i;

	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP) || size > info->size || offset > info->size - size)
		return false;
	while ((cap = vfio_next_cap(info, cap))) {
		const struct vfio_region_info_cap_sparse_mmap *sparse = (const void *)cap;

		if (cap->id != VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			continue;
		for (i = 0; i < sparse->nr_areas; i++)
			if (offset >= sparse->areas[i].offset &&
			    offset + size <= sparse->areas[i].offset + sparse->areas[i].size)
				return true;
		return false;
	}
	return true;
}
