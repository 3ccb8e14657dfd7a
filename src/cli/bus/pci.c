// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>

#include <pci/pci.h>

#include "bus/file.h"
#include "bus/pci.h"
#include "print/output.h"

#define DEVICES "/sys/bus/pci/devices"

int device_read(const struct device *device, const char *name, char *text, size_t size)
{
	return file_read(text, size, DEVICES "/%s/%s", device->address, name);
}

int device_read_bar(const struct device *device, int bar, const char *what, char *text, size_t size)
{
	return file_read(text, size, DEVICES "/%s/" OURS "/bar%d_%s", device->address, bar, what);
}

int device_write(const struct device *device, const char *name, const char *text)
{
	return file_write(text, DEVICES "/%s/%s", device->address, name);
}

bool device_has(const struct device *device, const char *name)
{
	return file_exists(DEVICES "/%s/%s", device->address, name);
}

void device_vfio_group(const struct device *device, char *path, size_t size)
{
	snprintf(path, size, "/dev/vfio/noiommu-%d", device->group);
	if (access(path, F_OK))
		snprintf(path, size, "/dev/vfio/%d", device->group);
}

bool device_is_held(const struct device *device)
{
	int bar;

	for (bar = 0; bar < BARS; bar++)
		if (device->resource[bar].held)
			return true;
	return false;
}

const char *driver_text(const char *driver)
{
	return *driver ? driver : "none";
}

bool device_is_vfio(const struct device *device)
{
	return device_has(device, "vfio-dev");
}

bool device_is_bridge(const struct device *device)
{
	/* A host bridge has the header of a plain device. */
	return device->bridge || device->class == 0x0600;
}

bool device_blocks_group(const struct device *device)
{
	return *device->driver && !device_is_vfio(device) &&
	       strcmp(device->driver, "pcieport") && strcmp(device->driver, "pci-stub");
}

/*
 * While the driver has a device, or holds pages for another one that has it, a BAR smaller than a page
 * is a page long in the file "resource", so that nothing is placed beside it; the driver knows its size.
 */
static void read_true_sizes(struct device *device)
{
	struct lines held = { 0 };
	char text[24];
	int bar;

	for (bar = 0; bar < BARS; bar++)
		if (device->resource[bar].size && device_read_bar(device, bar, "size", text, sizeof(text)) > 0)
			device->resource[bar].size = strtoull(text, NULL, 0);
	while (next_line(&held, "/sys/bus/pci/drivers/" OURS "/held")) {
		unsigned long long size;

		if (sscanf(held.line, "%23s %d %llu", text, &bar, &size) == 3 && bar >= 0 && bar < BARS &&
		    !strcmp(text, device->address)) {
			device->resource[bar].size = size;
			device->resource[bar].held = true;
		}
	}
}

static void read_resources(struct device *device)
{
	char text[4096], *line = text;
	int i;

	memset(device->resource, 0, sizeof(device->resource));
	if (device_read(device, "resource", text, sizeof(text)) < 0)
		return;
	for (i = 0; i < RESOURCES && line; i++) {
		struct resource *res = &device->resource[i];
		unsigned long long start, end, flags;

		/* What follows the ROM of a bridge are its windows, which hold other devices. */
		if (device->bridge && i > ROM)
			break;
		if (sscanf(line, "%llx %llx %llx", &start, &end, &flags) == 3 && flags) {
			res->start = start;
			res->size = end - start + 1;
			res->flags = flags;
		}
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	read_true_sizes(device);
}

void device_refresh(struct device *device)
{
	char group[16];

	link_read(device->driver, sizeof(device->driver), DEVICES "/%s/driver", device->address);
	link_read(group, sizeof(group), DEVICES "/%s/iommu_group", device->address);
	device->group = *group ? atoi(group) : -1;
	read_resources(device);
}

void bus_refresh(struct bus *bus)
{
	struct device *device;

	for_each(device, bus->device, bus->count)
		device_refresh(device);
}

static void find_msix(struct device *device, struct pci_dev *pci)
{
	struct pci_cap *cap;
	char bar[8];
	uint32_t location;
	uint8_t byte;

	device->msix_bar = -1;
	if (!(pci_read_word(pci, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return;
	/* The kernel shows the capabilities, which start here, to root only. */
	if (!pci_read_block(pci, 64, &byte, 1)) {
		device->msix = MSIX_UNKNOWN;
		if (device_read(device, OURS "/msix_bar", bar, sizeof(bar)) > 0) {
			device->msix = MSIX_PRESENT;
			device->msix_bar = atoi(bar);
		}
		return;
	}
	cap = pci_find_cap(pci, PCI_CAP_ID_MSIX, PCI_CAP_NORMAL);
	if (!cap)
		return;
	location = pci_read_long(pci, cap->addr + PCI_MSIX_TABLE);
	device->msix = MSIX_PRESENT;
	device->msix_bar = location & PCI_MSIX_BIR;
	device->msix_offset = location & ~PCI_MSIX_BIR;
	device->msix_size = 16 * ((pci_read_word(pci, cap->addr + PCI_CAP_FLAGS) & PCI_MSIX_TABSIZE) + 1);
}

/* libpci ends the program when a device has lost a file that each has: only by a jump does it go on. */
static jmp_buf gone;

static void __attribute__((noreturn)) skip_device(char *fmt, ...)
{
	(void)fmt;
	longjmp(gone, 1);
}

static void add(struct bus *bus, struct pci_access *libpci, struct pci_dev *pci, struct pci_filter *filter)
{
	struct device *device;
	char name[256], class_name[128];
	uint8_t header;

	/* What is unplugged while its files are read is not there. */
	if (setjmp(gone))
		return;
	pci_fill_info(pci, PCI_FILL_IDENT | PCI_FILL_CLASS | PCI_FILL_CAPS);
	device = grow(bus->device, bus->count);
	*device = (struct device) {
		.vendor = pci->vendor_id,
		.device = pci->device_id,
		.class = pci->device_class,
		.selected = pci_filter_match(filter, pci),
	};
	snprintf(device->address, sizeof(device->address), "%04x:%02x:%02x.%u",
		 pci->domain, pci->bus, pci->dev, pci->func);
	device->name = format("%s", pci_lookup_name(libpci, name, sizeof(name), PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE,
						    pci->vendor_id, pci->device_id));
	device->class_name = format("%s", pci_lookup_name(libpci, class_name, sizeof(class_name),
							  PCI_LOOKUP_CLASS, pci->device_class));
	header = pci_read_byte(pci, PCI_HEADER_TYPE) & 0x7f;
	device->bridge = header == PCI_HEADER_TYPE_BRIDGE || header == PCI_HEADER_TYPE_CARDBUS;
	device->virtfn = device_has(device, "physfn");
	device_refresh(device);
	find_msix(device, pci);
}

static int by_address(const void *a, const void *b)
{
	const struct device *x = a, *y = b;
	size_t m = strlen(x->address), n = strlen(y->address);

	/* A domain of more than four digits comes last. */
	return m != n ? (m < n ? -1 : 1) : strcmp(x->address, y->address);
}

/* Unprivileged, a read of config space beyond its first 64 bytes is no news. */
static void be_silent(char *fmt, ...)
{
	(void)fmt;
}

/* libpci changes the text as it reads it. */
static void read_filter(char *(*parse)(struct pci_filter *filter, char *text), struct pci_filter *filter,
			const char *option, const char *text)
{
	char *copy, *error;

	if (!text)
		return;
	copy = format("%s", text);
	error = parse(filter, copy);
	if (error)
		fail(CODE_USAGE, "lspci(8) explains it", "%s \"%s\": %s", option, text, error);
	free(copy);
}

void bus_scan(struct bus *bus, const char *slot, const char *id)
{
	struct pci_access *libpci;
	struct pci_filter filter;
	struct pci_dev *pci;

	*bus = (struct bus) { 0 };
	/* Without PCI libpci would end the program with a message of its own. */
	if (access(DEVICES, F_OK))
		return;
	libpci = pci_alloc();
	libpci->method = PCI_ACCESS_SYS_BUS_PCI;
	libpci->warning = be_silent;
	pci_init(libpci);
	pci_filter_init(libpci, &filter);
	read_filter(pci_filter_parse_slot, &filter, "--slot", slot);
	read_filter(pci_filter_parse_id, &filter, "--id", id);
	pci_scan_bus(libpci);
	libpci->error = skip_device;
	for (pci = libpci->devices; pci; pci = pci->next)
		add(bus, libpci, pci, &filter);
	pci_cleanup(libpci);
	if (bus->count)
		qsort(bus->device, bus->count, sizeof(*bus->device), by_address);
}

void bus_free(struct bus *bus)
{
	struct device *device;

	for_each(device, bus->device, bus->count) {
		free(device->name);
		free(device->class_name);
	}
	free(bus->device);
}

/* "01:00.0" or "0000:01:00.0"; sscanf() alone would take signs, blanks and 0x, too. */
static bool parse_address(const char *text, char *address, size_t size)
{
	unsigned int domain = 0, number, slot, function;
	const char *rest = strchr(text, ':');
	int end = 0;

	if (text[strspn(text, "0123456789abcdefABCDEF:.")] || !rest)
		return false;
	if (strchr(rest + 1, ':')) {
		if (rest == text || rest - text > 8)
			return false;
		domain = strtoul(text, NULL, 16);
		text = rest + 1;
	}
	if (sscanf(text, "%2x:%2x.%1u%n", &number, &slot, &function, &end) != 3 || text[end])
		return false;
	snprintf(address, size, "%04x:%02x:%02x.%u", domain, number, slot, function);
	return true;
}

struct device *bus_device_at(const struct bus *bus, const char *address)
{
	struct device *device;

	for_each(device, bus->device, bus->count)
		if (!strcmp(device->address, address))
			return device;
	return NULL;
}

/* The function that an interface or a disk of that name lies below. */
static struct device *find_named(const struct bus *bus, const char *class, const char *name)
{
	char *path = format("/sys/class/%s/%s", class, name), *directory = realpath(path, NULL), *last;
	struct device *device = NULL;

	for (last = directory; last && !device; ) {
		last = strrchr(directory, '/');
		device = last ? bus_device_at(bus, last + 1) : NULL;
		if (last)
			*last = '\0';
	}
	free(directory);
	free(path);
	return device;
}

struct device *bus_find(const struct bus *bus, const char *text)
{
	char address[sizeof(bus->device->address)];
	struct device *device = NULL;

	if (parse_address(text, address, sizeof(address))) {
		device = bus_device_at(bus, address);
		if (!device)
			fail(CODE_NO_DEVICE, "\"subpage-vfio list --all\" shows those there are",
			     "there is no PCI device %s", address);
	} else if (*text && !strchr(text, '/') && *text != '.') {
		device = find_named(bus, "net", text);
		if (!device)
			device = find_named(bus, "block", text);
	}
	if (!device)
		fail(CODE_USAGE, "an address looks like 0000:01:00.0 or 01:00.0; \"lspci -D\" lists them",
		     "\"%s\" is not a PCI address, nor an interface or disk of a PCI device", text);
	device->named = true;
	return device;
}
