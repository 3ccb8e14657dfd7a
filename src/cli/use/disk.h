/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_DISK_H
#define CLI_DISK_H

#include "use/mount.h"
#include "use/obstacle.h"

/*
 * The users of a disk, of its partitions, or of what device mapper and md have made of them: mounts of all
 * namespaces, swap, loop devices, targets, processes. "name" is that of its directory in sysfs.
 */
void disk_find_obstacles(const struct holders *holders, const struct mounts *mounts, const char *name,
			 bool may_try, struct obstacles *obstacles);

#endif
