// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region info is carried to user space by this driver before 6.19 and by VFIO
 * from then on. What arrives must be the same, to the byte: one file per
 * architecture (tests/vm/golden) holds it for all kernels.
 */
#include <sys/ioctl.h>

#include "cases.h"
#include "vfio.h"

#define GOLDEN "/golden"

/* One line of the file: which region of which device, and the answer. */
static void answer(const struct vfio *vfio, const struct pci_dev *dev, int index, char *line,
		   size_t size)
{
	/* Bytes that nobody writes stay what they are; none of an answer's is 0xa5. */
	unsigned char bytes[256];
	struct vfio_region_info info = { .argsz = sizeof(bytes), .index = index };
	uint32_t i, len;
	int at;

	memset(bytes, 0xa5, sizeof(bytes));
	memcpy(bytes, &info, sizeof(info));
	at = snprintf(line, size, "%04x:%04x region %d:", dev->vendor, dev->device, index);
	if (ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, bytes)) {
		snprintf(line + at, size - at, " %s", strerror(errno));
		return;
	}
	memcpy(&info, bytes, sizeof(info));
	at += snprintf(line + at, size - at, " argsz %u flags %#x size %#llx offset %#llx caps", info.argsz,
		       info.flags, (unsigned long long)info.size, (unsigned long long)info.offset);
	for (len = sizeof(bytes); len > sizeof(info) && bytes[len - 1] == 0xa5; len--)
		;
	for (i = sizeof(info); i < len; i++)
		at += snprintf(line + at, size - at, i % 4 ? "%02x" : " %02x", bytes[i]);
}

static void check_line(const char *golden, const char *line)
{
	const char *found = strstr(golden, line);

	if (!ok(found && found[strlen(line)] == '\n', "as on every kernel: %.40s", line))
		diag("%s", line);
}

CASE(golden)
{
	static const struct { uint16_t vendor, device; } models[] = {
		{ SDHCI },
		{ NVME },
		{ XHCI },
#ifndef __powerpc__
		{ E1000E },
#endif
	};
	/* Where the table is hidden, where it is seen in its place, where it is seen elsewhere. */
	static const struct { const char *options, *word; } policies[] = {
		{ "msix_mmap=never", "never" },
		{ "msix_mmap=always msix_relocate=never", "always" },
		{ "", "relocate" },
	};
	char *golden = file_slurp(GOLDEN, NULL), line[1024];
	const char *at;
	struct pci_dev dev;
	struct vfio vfio;
	int index, lines = 0, wanted = 0;
	size_t m, p;

	if (!ok(golden, "there is a file to compare with"))
		return;
	for (p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
		is_errno(module_load(policies[p].options), 0, "the module loads with %s", policies[p].word);
		for (m = 0; m < sizeof(models) / sizeof(models[0]); m++) {
			about("%s, %04x:%04x", policies[p].word, models[m].vendor, models[m].device);
			if (!is_errno(pci_find(models[m].vendor, models[m].device, 0, &dev), 0, "is there"))
				continue;
			if (!is_errno(pci_bind(&dev, "subpage_vfio_pci"), 0, "is bound") ||
			    !is_errno(vfio_open(&dev, &vfio), 0, "and opened"))
				continue;
			for (index = 0; index <= VFIO_PCI_NUM_REGIONS; index++, lines++) {
				answer(&vfio, &dev, index, line + sprintf(line, "%s ", policies[p].word),
				       sizeof(line) - 16);
				say("%s", line);
				check_line(golden, line);
			}
			vfio_close(&vfio);
			pci_bind(&dev, "");
		}
		is_errno(module_unload(), 0, "the module unloads with %s", policies[p].word);
	}
	/* Each answer is a line of the file, and each line of the file an answer. */
	for (at = golden; (at = strchr(at, '\n')); at++)
		wanted++;
	is_u64(lines, wanted, "as many answers as the file has lines");
	free(golden);
}
