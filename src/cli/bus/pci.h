/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_PCI_H
#define CLI_PCI_H

#include "print/output.h"

#define OURS "subpage_vfio_pci"

#define BARS 6
#define ROM 6			/* its place in the file "resource", after the BARs */
#define RESOURCES 13		/* BARs, ROM, and the BARs of all virtual functions */

/* Bits of a resource's flags, as in the file "resource". */
#define RESOURCE_FIXED		0x00000010
#define RESOURCE_ENHANCED	0x00000020
#define RESOURCE_MEMORY		0x00000200
#define RESOURCE_64BIT		0x00100000
#define RESOURCE_UNSET		0x20000000

struct resource {
	uint64_t start;
	uint64_t size;		/* the device's own, also while the driver has it; 0: there is none */
	uint64_t flags;
	bool held;		/* our driver keeps a page for it while the device has another one */
};

enum msix { MSIX_NONE, MSIX_PRESENT, MSIX_UNKNOWN };

struct device {
	char address[24];	/* "0000:01:00.0" */
	char *name;		/* "Vendor Device" */
	char *class_name;
	uint16_t vendor, device, class;
	bool selected;		/* by the filters of bus_scan() */
	bool named;		/* bus_find() was asked for it */
	bool bridge;		/* its header is a bridge's */
	bool virtfn;
	int group;		/* -1: none */
	char driver[64];	/* "" if none */
	struct resource resource[RESOURCES];
	enum msix msix;		/* unknown: config space shows it to root only */
	int msix_bar;		/* -1: unknown */
	uint32_t msix_offset, msix_size;	/* 0: unknown */
};

struct bus {
	int count;
	struct device *device;	/* in the order of addresses */
};

/*
 * All functions of this machine, with "selected" set for what lspci's -s and -d would choose; NULL: all.
 * None at all is no error; a filter that cannot be read ends the program.
 */
void bus_scan(struct bus *bus, const char *slot, const char *id);
void bus_free(struct bus *bus);

/*
 * The device that a person means by "0000:01:00.0" or "01:00.0", or by the name of its
 * interface or disk; ends the program if there is none.
 */
struct device *bus_find(const struct bus *bus, const char *text);
/* The one at "0000:01:00.0", or NULL. */
struct device *bus_device_at(const struct bus *bus, const char *address);

/* A file in the device's directory, as file_read() and file_write() have it. */
int device_read(const struct device *device, const char *name, char *text, size_t size);
int device_write(const struct device *device, const char *name, const char *text);
/*
 * What the driver says of a BAR: its "state", "reason", "size" or, if it has moved alone, "original"; else "".
 * Returns as device_read().
 */
int device_read_bar(const struct device *device, int bar, const char *what, char *text, size_t size);
bool device_has(const struct device *device, const char *name);

/* The file of its IOMMU group; the mode without an IOMMU has another name for it. */
void device_vfio_group(const struct device *device, char *path, size_t size);

/* Read the driver, the group and the BARs again: all change when a device is bound. */
void device_refresh(struct device *device);
void bus_refresh(struct bus *bus);

/* A driver's name for people: "none" if there is none. */
const char *driver_text(const char *driver);

/* Does our driver keep pages for it while another one has it? */
bool device_is_held(const struct device *device);

/* Does a vfio driver have it? */
bool device_is_vfio(const struct device *device);

/* Is it a bridge, which VFIO does not support? */
bool device_is_bridge(const struct device *device);

/*
 * Does it keep others of its IOMMU group from being given to user space? Not
 * when it has no driver, a vfio driver, or one that does no DMA.
 */
bool device_blocks_group(const struct device *device);

#endif
