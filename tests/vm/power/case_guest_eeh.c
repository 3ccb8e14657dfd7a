// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the nested guest of case_pseries.c: a device that was passed through to
 * it freezes from outside; the guest's own EEH recovers it.
 */
#include <endian.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "cases.h"
#include "eeh.h"
#include "log.h"

#define SDHCI_CAPABILITIES 0x40
#define SECONDS 600

/* No driver is needed for it, and recovery leaves a device without one alone. */
static int read_register(const struct pci_dev *dev, uint32_t *value)
{
	void *map;

	pci_attr_write(dev, "enable", "1");
	map = pci_map(dev, 0, 0);
	if (map == MAP_FAILED)
		return -errno;
	*value = le32toh(*(volatile uint32_t *)((char *)map + SDHCI_CAPABILITIES));
	munmap(map, sysconf(_SC_PAGESIZE));
	return 0;
}

/* Look at the device until the kernel has found it frozen and has recovered it. */
static bool recovered(const struct pci_dev *dev)
{
	int mark = log_mark(), found = 0, done = 0, s;

	for (s = 0; s < SECONDS && !done; s++) {
		char *log;

		if (!found)
			eeh_check(dev);
		sleep_ms(1000);
		log = log_since(mark);
		found += log_count(log, "EEH: Recovering");
		done += log_count(log, "EEH: Recovery successful");
		free(log);
	}
	close(mark);
	ok(found, "its kernel finds the device frozen");
	return ok(done, "and recovers it");
}

CASE(guest_eeh)
{
	struct pci_dev dev;
	uint32_t before = 0, after = 0;

	if (!ok(eeh_enabled(), "its kernel has EEH") ||
	    !is_errno(pci_find(SDHCI, 0, &dev), 0, "the device is there"))
		return;
	is_errno(read_register(&dev, &before), 0, "its register is mapped");
	is_u64(before, 0x057834b4, "and tells the controller's capabilities");
	diag("ready to be frozen");
	if (!recovered(&dev) || !is_errno(pci_wait(SDHCI, 0, &dev, 10000), 0, "the device is there again"))
		return;
	is_errno(read_register(&dev, &after), 0, "its register is mapped again");
	is_u64(after, before, "and holds what it held");
}
