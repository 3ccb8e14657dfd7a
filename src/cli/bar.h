/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include "pci.h"

enum mappable { MAPPABLE_NO, MAPPABLE_WITH_OURS, MAPPABLE_NOW };

/* Who else lives on the page where a BAR starts: "0000:00:03.0 BAR 1", or a name of /proc/iomem. */
struct neighbours {
	int count;
	char **name;
};

struct verdict {
	enum mappable mappable;
	char *why;
	struct neighbours neighbours;
};

/* Is there such a memory BAR at all? */
bool bar_exists(const struct device *device, int bar);

/* Can user space map it, and why (not)? */
void bar_judge(const struct bus *bus, const struct device *device, int bar, struct verdict *verdict);
void bar_verdict_free(struct verdict *verdict);

#endif
