/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include "bus/pci.h"
#include "print/reason.h"

/* Does a guest reach the registers of these pages without an exit to its VMM? */
enum mappable {
	MAPPABLE_NO,
	MAPPABLE_WITH_OURS,	/* once subpage_vfio_pci has the device */
	MAPPABLE_WITH_OPTION,	/* of the driver or of the VMM */
	MAPPABLE_NOT_NEEDED,	/* there are no registers: the MSI-X table has the pages for itself */
	MAPPABLE_NOW,
};

/* What else is on the pages of a BAR: "0000:00:03.0 BAR 1", or a name of /proc/iomem. */
struct neighbours {
	int count;
	bool other_group;	/* one of them is a device of another IOMMU group */
	char **name;
};

/* Some pages of a BAR that have one answer. The last one ends with the BAR, in its page. */
struct part {
	uint64_t offset, size;
	enum mappable mappable;
	bool mapped;		/* VFIO lets it be mapped, whatever a guest has of that */
	enum reason reason;
	char *why;		/* for people */
	char *help;		/* commands and options, with "; " between them; or NULL */
};

#define PARTS 3			/* before the MSI-X table, its pages, behind them */

struct verdict {
	struct neighbours neighbours;
	int parts;
	struct part part[PARTS];
	char *libblkio_realign;	/* libblkio wants this value of realign= in place of the page; or NULL: not concerned */
};

/* Does the device have such a memory BAR at all? */
bool bar_exists(const struct device *device, int bar);
bool bar_has_address(const struct device *device, int bar);

/* Can a guest use it directly, and why (not)? */
void bar_judge(const struct bus *bus, const struct device *device, int bar, struct verdict *verdict);
void bar_verdict_free(struct verdict *verdict);

/*
 * Where a VMM can put the MSI-X table instead (QEMU's x-msix-relocation): a BAR that
 * the device does not implement and that is not the upper half of one of 64 bits; or
 * else its smallest memory BAR, which QEMU then makes larger. -1: none.
 */
int bar_for_msix(const struct device *device);
/* QEMU's option for that, to free(); NULL: there is no place for it. */
char *bar_relocation(const struct device *device);

/* Does our driver show the table elsewhere, so that nothing has to be done? */
bool bar_table_is_elsewhere(const struct device *device);

/* Is the table on a page that registers need, too, so that QEMU has to put its own elsewhere? */
bool bar_needs_relocation(const struct device *device);

/* The remedy for that, to free(). */
char *bar_table_help(const struct bus *bus, const struct device *device);

#endif
