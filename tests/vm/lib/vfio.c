// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio.h"

static int set_iommu(int container)
{
	static const int types[] = { VFIO_TYPE1v2_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU };
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (ioctl(container, VFIO_CHECK_EXTENSION, types[i]) > 0)
			return ioctl(container, VFIO_SET_IOMMU, types[i]) ? -errno : 0;
	return -ENODEV;
}

/* Of the kernel's headers since 6.2 and 6.6, the token later; Debian 12's are older. */
struct ioas_alloc {
	uint32_t size, flags, id;
};

struct bind_iommufd {
	uint32_t argsz, flags;
	int32_t iommufd;
	uint32_t id;
	uint64_t token;
};

struct attach_pt {
	uint32_t argsz, flags, id;
};

struct ioas_map {
	uint32_t size, flags, id, reserved;
	uint64_t memory, length, iova;
};

struct ioas_map_file {
	uint32_t size, flags, id;
	int32_t fd;
	uint64_t start, length, iova;
};

#define IOAS_ALLOC	_IO(';', 0x81)
#define IOAS_MAP_FILE	_IO(';', 0x8f)
#define IOAS_MAP	_IO(';', 0x85)
#define MAP_THERE	1
#define MAP_RW	6
#define BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)
#define BIND_TOKEN	1
#define ATTACH_PT	_IO(VFIO_TYPE, VFIO_BASE + 19)

/* The device's own file, "vfioN" below /dev/vfio/devices; sysfs tells N. */
static int open_cdev(const struct pci_dev *dev)
{
	char path[300];
	struct dirent *entry;
	int fd = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", dev->bdf);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (fd == -ENOENT && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}

static int parse_uuid(const char *text, unsigned char uuid[16])
{
	int i;

	for (i = 0; i < 16; i++, text += 2) {
		text += *text == '-';
		if (sscanf(text, "%2hhx", &uuid[i]) != 1)
			return 0;
	}
	return 1;
}

static int open_with_iommufd(const struct pci_dev *dev, const char *token, struct vfio *vfio)
{
	unsigned char uuid[16];
	struct ioas_alloc ioas = { .size = sizeof(ioas) };
	struct bind_iommufd bind = { .argsz = sizeof(bind) };
	struct attach_pt attach = { .argsz = sizeof(attach) };
	int err;

	vfio->group = -1;
	vfio->device = open_cdev(dev);
	vfio->container = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (vfio->device < 0) {
		err = vfio->device;
		goto err;
	}
	if (*token) {
		if (!parse_uuid(token, uuid)) {
			err = -EINVAL;
			goto err;
		}
		bind.flags = BIND_TOKEN;
		bind.token = (uintptr_t)uuid;
	}
	bind.iommufd = vfio->container;
	if (vfio->container < 0 || ioctl(vfio->device, BIND_IOMMUFD, &bind) ||
	    ioctl(vfio->container, IOAS_ALLOC, &ioas))
		goto err_errno;
	vfio->ioas = ioas.id;
	attach.id = ioas.id;
	if (!ioctl(vfio->device, ATTACH_PT, &attach))
		return 0;

err_errno:
	err = -errno;
err:
	vfio_close(vfio);
	return err;
}

int vfio_open(const struct pci_dev *dev, struct vfio *vfio)
{
	return vfio_open_vf(dev, "", vfio);
}

int vfio_open_vf(const struct pci_dev *dev, const char *token, struct vfio *vfio)
{
	const char *door = getenv("vfio");
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int number = pci_iommu_group(dev), err;
	char path[64], name[80];

	if (door && !strcmp(door, "cdev"))
		return open_with_iommufd(dev, token, vfio);
	vfio->container = -1;
	vfio->group = -1;
	vfio->device = -1;
	if (number < 0)
		return number;
	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	vfio->group = open(path, O_RDWR | O_CLOEXEC);
	if (vfio->group < 0)
		goto err;
	if (ioctl(vfio->group, VFIO_GROUP_GET_STATUS, &status))
		goto err;
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		errno = EPERM;
		goto err;
	}
	vfio->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (vfio->container < 0 ||
	    ioctl(vfio->group, VFIO_GROUP_SET_CONTAINER, &vfio->container))
		goto err;
	errno = -set_iommu(vfio->container);
	if (errno)
		goto err;
	snprintf(name, sizeof(name), *token ? "%s vf_token=%s" : "%s%s", dev->bdf, token);
	vfio->device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (vfio->device < 0)
		goto err;
	return 0;

err:
	err = -errno;
	vfio_close(vfio);
	return err;
}

int vfio_set_token(const struct vfio *vfio, const char *token)
{
	struct {
		struct vfio_device_feature feature;
		unsigned char uuid[16];
	} request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
	};

	if (!parse_uuid(token, request.uuid))
		return -EINVAL;
	return ioctl(vfio->device, VFIO_DEVICE_FEATURE, &request) ? -errno : 0;
}

void vfio_close(struct vfio *vfio)
{
	if (vfio->device >= 0)
		close(vfio->device);
	if (vfio->group >= 0)
		close(vfio->group);
	if (vfio->container >= 0)
		close(vfio->container);
	vfio->container = -1;
	vfio->group = -1;
	vfio->device = -1;
}

int vfio_device(const struct vfio *vfio, const struct pci_dev *dev)
{
	int device = ioctl(vfio->group, VFIO_GROUP_GET_DEVICE_FD, dev->bdf);

	return device < 0 ? -errno : device;
}

int vfio_info(const struct vfio *vfio, uint32_t index, struct vfio_region_info *info)
{
	*info = (struct vfio_region_info) { .argsz = sizeof(*info), .index = index };
	return ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, info) ? -errno : 0;
}

int vfio_region(const struct vfio *vfio, uint32_t index, struct vfio_region_info **out)
{
	uint32_t size = sizeof(struct vfio_region_info);

	for (;;) {
		struct vfio_region_info *info = calloc(1, size);
		int err;

		info->argsz = size;
		info->index = index;
		if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, info)) {
			err = -errno;
			free(info);
			return err;
		}
		if (info->argsz <= size) {
			*out = info;
			return 0;
		}
		size = info->argsz;
		free(info);
	}
}

const struct vfio_info_cap_header *vfio_cap(const struct vfio_region_info *info, uint16_t id)
{
	const struct vfio_info_cap_header *cap;
	uint32_t at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

	for (; at; at = cap->next) {
		cap = (const void *)((const char *)info + at);
		if (cap->id == id)
			return cap;
	}
	return NULL;
}

/* vfio-pci's file offsets are public only through region info. */
int vfio_map(const struct vfio *vfio, uint32_t index, uint64_t offset, size_t len, void **map)
{
	struct vfio_region_info info;
	int err = vfio_info(vfio, index, &info);

	if (err)
		return err;
	*map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, vfio->device, info.offset + offset);
	return *map == MAP_FAILED ? -errno : 0;
}

int vfio_event(const struct vfio *vfio, uint32_t index, int fd)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} request = { .set = {
		.argsz = sizeof(request),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = 1,
	}, .fd = fd };

	return ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, &request) ? -errno : 0;
}

int vfio_read32(const struct vfio *vfio, uint32_t index, uint64_t offset, uint32_t *value)
{
	struct vfio_region_info info;
	uint32_t data;
	int err = vfio_info(vfio, index, &info);

	if (err)
		return err;
	if (pread(vfio->device, &data, sizeof(data), info.offset + offset) != sizeof(data))
		return errno ? -errno : -EIO;
	*value = le32toh(data);
	return 0;
}

int vfio_write32(const struct vfio *vfio, uint32_t index, uint64_t offset, uint32_t value)
{
	struct vfio_region_info info;
	uint32_t data = htole32(value);
	int err = vfio_info(vfio, index, &info);

	if (err)
		return err;
	if (pwrite(vfio->device, &data, sizeof(data), info.offset + offset) != sizeof(data))
		return errno ? -errno : -EIO;
	return 0;
}

int vfio_map_dma(const struct vfio *vfio, uint64_t iova, void *memory, size_t len)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = len,
	};
	struct ioas_map ioas_map = {
		.size = sizeof(ioas_map),
		.flags = MAP_THERE | MAP_RW,
		.id = vfio->ioas,
		.memory = (uintptr_t)memory,
		.length = len,
		.iova = iova,
	};

	if (vfio->group < 0)
		return ioctl(vfio->container, IOAS_MAP, &ioas_map) ? -errno : 0;
	return ioctl(vfio->container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

int vfio_hot_reset(const struct vfio *vfio)
{
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t group;
	} request = {
		.reset.argsz = sizeof(request),
		/* With iommufd nothing is named: what it is bound to says whose the devices are. */
		.reset.count = vfio->group < 0 ? 0 : 1,
		.group = vfio->group,
	};

	return ioctl(vfio->device, VFIO_DEVICE_PCI_HOT_RESET, &request) ? -errno : 0;
}

#define FEATURE_DMA_BUF 11	/* the headers of Debian 12 do not have it */

int vfio_dmabuf(const struct vfio *vfio, uint32_t index, uint64_t offset, uint64_t len)
{
	struct {
		struct vfio_device_feature feature;
		uint32_t region, open_flags, flags, count;
		uint64_t offset, length;
	} request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF,
		.region = index,
		.open_flags = O_RDWR | O_CLOEXEC,
		.count = 1,
		.offset = offset,
		.length = len,
	};
	int fd = ioctl(vfio->device, VFIO_DEVICE_FEATURE, &request);

	return fd < 0 ? -errno : fd;
}

int vfio_dmabuf_use(int dmabuf, uint64_t len)
{
	struct ioas_alloc ioas = { .size = sizeof(ioas) };
	struct ioas_map_file map = { .size = sizeof(map), .flags = MAP_RW, .fd = dmabuf, .length = len };
	int iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC), err = 0;

	if (iommu < 0)
		return -errno;
	if (!ioctl(iommu, IOAS_ALLOC, &ioas)) {
		map.id = ioas.id;
		err = ioctl(iommu, IOAS_MAP_FILE, &map) ? -errno : 0;
	}
	close(iommu);
	return err;
}

int vfio_feature_set(const struct vfio *vfio, uint32_t feature)
{
	struct vfio_device_feature request = {
		.argsz = sizeof(request),
		.flags = VFIO_DEVICE_FEATURE_SET | feature,
	};

	return ioctl(vfio->device, VFIO_DEVICE_FEATURE, &request) ? -errno : 0;
}

int vfio_try_map(const struct vfio *vfio, int bar, uint64_t offset, uint64_t len)
{
	void *map;
	int err = vfio_map(vfio, bar, offset, len, &map);

	if (!err)
		munmap(map, len);
	return err;
}
