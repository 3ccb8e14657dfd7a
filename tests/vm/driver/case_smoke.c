// SPDX-License-Identifier: GPL-2.0-only
/* The machine itself: what every other case takes for granted. */
#include "cases.h"
#include "iomem.h"
#include "log.h"
#include "pci.h"
#include "vfio.h"

#define SDHCI_CAPABILITIES 0x40

CASE(smoke)
{
	struct vfio_region_info *info;
	struct pci_dev dev;
	struct pci_bar bar;
	struct vfio vfio;
	struct iomem map;
	uint32_t value;
	int mark = log_mark();

	if (!ok(!pci_find(SDHCI, 0, &dev), "the machine has the device"))
		return;
	ok(!pci_bar(&dev, 0, &bar), "sysfs describes its BAR");
	is_u64(bar.size, 256, "the BAR has 256 bytes");
	iomem_read(&map);
	ok(iomem_range(&map, bar.start, bar.start + bar.size - 1), "/proc/iomem has the BAR");
	iomem_free(&map);

	if (!is_errno(pci_bind(&dev, "vfio-pci"), 0, "stock vfio-pci takes it"))
		return;
	is_str(pci_driver(&dev), "vfio-pci", "stock vfio-pci has it");
	ok(pci_iommu_group(&dev) >= 0, "it is in an IOMMU group");
	if (is_errno(vfio_open(&dev, &vfio), 0, "user space opens it")) {
		ok(!vfio_region(&vfio, 0, &info), "VFIO describes its BAR");
		is_u64(info->size, 256, "VFIO gives the same size");
		free(info);
		is_errno(vfio_read32(&vfio, 0, SDHCI_CAPABILITIES, &value), 0, "a register is read");
		is_u64(value, 0x057834b4, "the register holds the controller's capabilities");
		vfio_close(&vfio);
	}
	is_errno(pci_bind(&dev, ""), 0, "the device is given back");
	is_str(pci_driver(&dev), "", "no driver has it");
	file_write("/dev/kmsg", "one line of the test\n");
	is_u64(log_lines(mark, "one line of the test"), 1, "the kernel's log is read back");
	close(mark);
}
