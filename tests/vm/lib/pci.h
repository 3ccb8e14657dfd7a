/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PCI_H
#define PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pci_dev {
	char bdf[16];		/* "0000:00:02.0" */
	uint16_t vendor;
	uint16_t device;
};

struct pci_bar {
	uint64_t start;
	uint64_t size;		/* 0: the device has no such BAR */
	uint64_t flags;		/* IORESOURCE_*; memory is 0x200 */
};

/* All that return int return -errno when they fail. */

/* The nth (from 0) function of that kind, in the order of addresses; -ENODEV. */
int pci_find(uint16_t vendor, uint16_t device, int nth, struct pci_dev *dev);
int pci_at(const char *bdf, struct pci_dev *dev);
bool pci_present(const struct pci_dev *dev);
/* Wait for a hot-added or rescanned function. */
int pci_wait(uint16_t vendor, uint16_t device, int nth, struct pci_dev *dev, unsigned int ms);

/* A file in the device's sysfs directory. */
int pci_attr_read(const struct pci_dev *dev, const char *name, char *text, size_t size);
int pci_attr_write(const struct pci_dev *dev, const char *name, const char *text);

/*
 * What the kernel says of a BAR (0 to 5; 6 is the ROM; from 7 on, the BARs of all virtual
 * functions together).
 */
int pci_bar(const struct pci_dev *dev, int bar, struct pci_bar *out);

/* Config space. Returns the number of bytes read: 256 or 4096. */
int pci_config(const struct pci_dev *dev, void *config, size_t size);
uint32_t pci_config_read(const struct pci_dev *dev, int offset, int bytes);
int pci_config_write(const struct pci_dev *dev, int offset, int bytes, uint32_t value);
/* Where a capability is, or 0. */
int pci_capability(const struct pci_dev *dev, uint8_t id);

/* Map a page of a BAR, from that offset, through its file in sysfs, to read and write; MAP_FAILED. */
void *pci_map(const struct pci_dev *dev, int bar, uint64_t offset);

/*
 * Give the device to a driver, taking it from the one it has; "" leaves it with
 * none. The error is the probe's own.
 */
int pci_bind(const struct pci_dev *dev, const char *driver);
int pci_unbind(const struct pci_dev *dev);
/* The driver's name, "" if none. */
const char *pci_driver(const struct pci_dev *dev);
/* The group's number or -ENOENT. On device tree machines there is none before the first probe. */
int pci_iommu_group(const struct pci_dev *dev);

/* The nth (from 0) virtual function of a physical one; -ENOENT. */
int pci_virtfn(const struct pci_dev *pf, int nth, struct pci_dev *vf);

int pci_remove(const struct pci_dev *dev);
int pci_rescan(void);

#endif
