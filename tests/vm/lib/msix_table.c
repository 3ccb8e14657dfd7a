// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "msix_table.h"

bool msix_table_find(const struct pci_dev *dev, struct msix_table *table)
{
	int cap = pci_capability(dev, 0x11);
	uint64_t page = sysconf(_SC_PAGESIZE);
	uint32_t location;

	if (!cap)
		return false;
	location = pci_config_read(dev, cap + 4, 4);
	table->bar = location & 7;
	table->offset = location & ~7u;
	table->size = ((pci_config_read(dev, cap + 2, 2) & 0x7ff) + 1) * 16;
	table->hole_start = table->offset / page * page;
	table->hole_end = (table->offset + table->size + page - 1) / page * page;
	return true;
}
