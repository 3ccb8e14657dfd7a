/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "bus/pci.h"

/* What "bench" has measured; the medians, in ns. */
struct report {
	const struct device *device;
	int bar;
	uint64_t offset;
	double trapped, mapped;		/* mapped 0: it cannot be */
};

/*
 * Print it as a block that a person can paste where others read it: with the kernel,
 * the page size, the processor and the kind of device, without names, addresses and
 * serial numbers of this machine.
 */
void report_print(const struct report *report);

#endif
