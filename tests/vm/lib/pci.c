// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"
#include "pci.h"

#define DEVICES "/sys/bus/pci/devices"

static void attr_path(char *path, size_t size, const struct pci_dev *dev, const char *name)
{
	snprintf(path, size, DEVICES "/%s/%s", dev->bdf, name);
}

int pci_attr_read(const struct pci_dev *dev, const char *name, char *text, size_t size)
{
	char path[256];

	attr_path(path, sizeof(path), dev, name);
	return file_read(path, text, size);
}

int pci_attr_write(const struct pci_dev *dev, const char *name, const char *text)
{
	char path[256];

	attr_path(path, sizeof(path), dev, name);
	return file_write(path, text);
}

bool pci_present(const struct pci_dev *dev)
{
	char path[256];

	attr_path(path, sizeof(path), dev, "vendor");
	return !access(path, F_OK);
}

int pci_at(const char *bdf, struct pci_dev *dev)
{
	char text[16];

	snprintf(dev->bdf, sizeof(dev->bdf), "%s", bdf);
	if (pci_attr_read(dev, "vendor", text, sizeof(text)) < 0)
		return -ENODEV;
	dev->vendor = strtoul(text, NULL, 16);
	if (pci_attr_read(dev, "device", text, sizeof(text)) < 0)
		return -ENODEV;
	dev->device = strtoul(text, NULL, 16);
	return 0;
}

int pci_find(uint16_t vendor, uint16_t device, int nth, struct pci_dev *dev)
{
	struct dirent **entries;
	int n = scandir(DEVICES, &entries, NULL, alphasort), err = -ENODEV, i;

	for (i = 0; i < n; i++) {
		struct pci_dev at;

		if (err && entries[i]->d_name[0] != '.' && !pci_at(entries[i]->d_name, &at) &&
		    at.vendor == vendor && at.device == device && nth-- == 0) {
			*dev = at;
			err = 0;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return err;
}

int pci_wait(uint16_t vendor, uint16_t device, int nth, struct pci_dev *dev, unsigned int ms)
{
	for (;;) {
		int err = pci_find(vendor, device, nth, dev);

		if (!err || !ms)
			return err;
		sleep_ms(ms < 100 ? ms : 100);
		ms -= ms < 100 ? ms : 100;
	}
}

int pci_bar(const struct pci_dev *dev, int bar, struct pci_bar *out)
{
	char text[4096], *line = text;
	unsigned long long start, end, flags;
	int err = pci_attr_read(dev, "resource", text, sizeof(text));

	if (err < 0)
		return err;
	while (bar-- && line) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line || sscanf(line, "%llx %llx %llx", &start, &end, &flags) != 3)
		return -EINVAL;
	out->start = start;
	out->flags = flags;
	out->size = flags ? end - start + 1 : 0;
	return 0;
}

static int config_open(const struct pci_dev *dev, int flags)
{
	char path[256];

	attr_path(path, sizeof(path), dev, "config");
	return open(path, flags | O_CLOEXEC);
}

int pci_config(const struct pci_dev *dev, void *config, size_t size)
{
	int fd = config_open(dev, O_RDONLY), err;
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = pread(fd, config, size, 0);
	err = errno;
	close(fd);
	return len < 0 ? -err : len;
}

uint32_t pci_config_read(const struct pci_dev *dev, int offset, int bytes)
{
	int fd = config_open(dev, O_RDONLY);
	uint8_t data[4] = { 0xff, 0xff, 0xff, 0xff };
	uint32_t value = 0;

	if (fd >= 0) {
		if (pread(fd, data, bytes, offset) != bytes)
			memset(data, 0xff, sizeof(data));
		close(fd);
	}
	while (bytes--)
		value = value << 8 | data[bytes];
	return value;
}

int pci_config_write(const struct pci_dev *dev, int offset, int bytes, uint32_t value)
{
	uint8_t data[4] = { value, value >> 8, value >> 16, value >> 24 };
	int fd = config_open(dev, O_WRONLY), err = 0;

	if (fd < 0)
		return -errno;
	if (pwrite(fd, data, bytes, offset) != bytes)
		err = -errno;
	close(fd);
	return err;
}

int pci_capability(const struct pci_dev *dev, uint8_t id)
{
	int at, steps = 48;

	if (!(pci_config_read(dev, 0x06, 2) & 0x10))
		return 0;
	at = pci_config_read(dev, 0x34, 1) & ~3;
	while (at && steps--) {
		if (pci_config_read(dev, at, 1) == id)
			return at;
		at = pci_config_read(dev, at + 1, 1) & ~3;
	}
	return 0;
}

static int link_name(const struct pci_dev *dev, const char *link, char *name, size_t size)
{
	char path[256], target[256], *base;
	ssize_t len;

	attr_path(path, sizeof(path), dev, link);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	base = strrchr(target, '/');
	snprintf(name, size, "%s", base ? base + 1 : target);
	return 0;
}

const char *pci_driver(const struct pci_dev *dev)
{
	static char name[64];

	return link_name(dev, "driver", name, sizeof(name)) ? "" : name;
}

int pci_unbind(const struct pci_dev *dev)
{
	return *pci_driver(dev) ? pci_attr_write(dev, "driver/unbind", dev->bdf) : 0;
}

void *pci_map(const struct pci_dev *dev, int bar, uint64_t offset)
{
	char path[96];
	void *map;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.15s/resource%d", dev->bdf, bar);
	fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
	map = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	close(fd);
	return map;
}

int pci_bind(const struct pci_dev *dev, const char *driver)
{
	char path[256];
	int err = pci_unbind(dev);

	if (err)
		return err;
	/* An empty line clears it. */
	err = pci_attr_write(dev, "driver_override", *driver ? driver : "\n");
	if (err || !*driver)
		return err;
	/* Not drivers_probe: that one keeps the probe's error to itself. */
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);
	return file_write(path, dev->bdf);
}

int pci_iommu_group(const struct pci_dev *dev)
{
	char name[32];
	int err = link_name(dev, "iommu_group", name, sizeof(name));

	return err ? err : atoi(name);
}

int pci_virtfn(const struct pci_dev *pf, int nth, struct pci_dev *vf)
{
	char link[16], bdf[sizeof(vf->bdf)];
	int err;

	snprintf(link, sizeof(link), "virtfn%d", nth);
	err = link_name(pf, link, bdf, sizeof(bdf));
	return err ? err : pci_at(bdf, vf);
}

int pci_remove(const struct pci_dev *dev)
{
	return pci_attr_write(dev, "remove", "1");
}

int pci_rescan(void)
{
	return file_write("/sys/bus/pci/rescan", "1");
}
