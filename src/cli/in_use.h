/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_IN_USE_H
#define CLI_IN_USE_H

#include "holder.h"
#include "interface.h"
#include "pci.h"
#include "obstacle.h"

/* What the machine is doing, as far as it concerns devices: once for all of them. */
struct machine {
	struct holders holders;
	struct interfaces interfaces;
};

void machine_look(struct machine *machine);
void machine_free(struct machine *machine);

/*
 * What would break if the device lost its driver now: its virtual functions, disks,
 * interfaces, displays, consoles, keyboards, and whoever has one of its files open. What
 * cannot be found out counts, as REASON_UNKNOWN.
 */
void in_use(const struct machine *machine, const struct device *device, struct obstacles *obstacles);

#endif
