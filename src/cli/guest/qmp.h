/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_QMP_H
#define CLI_QMP_H

#include "guest/vfio_user.h"

struct json_tokener;

/* What QEMU has laid into its guest's memory, as its monitor says. */

/* A range of the guest's memory that belongs to a BAR of a device. */
struct guest_range {
	char address[16];	/* of the device on the host */
	int bar;
	uint64_t start, size;	/* in the guest */
	uint64_t offset;	/* in what QEMU calls the region or the mapping */
	bool mapped;		/* it is a mapping, not QEMU's own code */
	bool direct;		/* and KVM gives it to the guest */
};

struct guest_map {
	int count;
	struct guest_range *range;
};

/* A monitor, and what it has said. */
struct monitor {
	pid_t pid;		/* the path is one of that process, which must be the one that listens there; 0: ours */
	char *path;		/* NULL: there is none to ask */
	struct guest_map map;
	int error;		/* why it has not: -errno; -EBUSY: another program has it */
	int fd, step;		/* of the talk */
	size_t received;
	struct json_tokener *tokener;
};

/* The path at which a process's command line says that a QMP monitor listens, to free(); NULL: none. */
char *monitor_path(const struct vfio_user *user);

/* Ask all of them at once; takes 3 seconds at most. monitor_free() in any case. */
void monitors_ask(struct monitor *monitor, int count);
void monitor_free(struct monitor *monitor);

/* Where the guest has put the BAR. Returns false if nowhere. */
bool guest_bar_address(const struct guest_map *map, const char *address, int bar, uint64_t *start);

/*
 * How many of these bytes of the BAR does the guest reach by itself? direct: through KVM; else through QEMU's mapping.
 */
uint64_t guest_bar_covered(const struct guest_map *map, const char *address, int bar, uint64_t offset,
			   uint64_t size, bool direct);

#endif
