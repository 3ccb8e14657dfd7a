/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_IN_USE_H
#define CLI_IN_USE_H

#include "bus/pci.h"
#include "use/holder.h"
#include "use/interface.h"
#include "use/mount.h"
#include "use/obstacle.h"

/* What the machine is doing with its devices, read once for all of them. */
struct machine {
	struct holders holders;
	struct mounts mounts;
	struct interfaces interfaces;
	/*
	 * May a disk and a VFIO group be opened for a moment, to see whether a process has them? Whoever else
	 * opens them in that moment fails, so only for a device that is about to be taken.
	 */
	bool may_try;
};

void machine_look(struct machine *machine, bool may_try);
void machine_free(struct machine *machine);

/*
 * What would break if the device lost its driver now: its virtual functions, disks,
 * interfaces, displays, consoles, keyboards, and whoever has one of its files open. What
 * cannot be found out counts, as REASON_UNKNOWN, unless trying would tell and may not be.
 */
void in_use(const struct machine *machine, const struct device *device, struct obstacles *obstacles);

/* What an operator knows it by, to free(): "interface eth0, disk nvme0n1, 4 virtual functions"; or "". */
char *uses_text(const struct machine *machine, const struct device *device);

#endif
