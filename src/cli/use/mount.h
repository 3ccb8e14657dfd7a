/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_MOUNT_H
#define CLI_MOUNT_H

#include "use/holder.h"

/* A mounted disk, in whatever namespace. */
struct mount {
	dev_t device;
	char *target;
	const char *whose;	/* as in struct namespace; "" in our own */
};

struct mounts {
	int count;
	struct mount *mount;	/* in the order of devices; no two of one device and one target */
	char *unknown;		/* why there may be more, or NULL */
};

/*
 * All mounts of all namespaces that the walk has found, each namespace once. Network
 * namespaces that a mount keeps ("ip netns add") join those that it has found.
 */
void mounts_scan(struct mounts *mounts, struct holders *holders);
void mounts_free(struct mounts *mounts);

/* The disk of that path; 0: it is none. A path outside of /dev is left alone: some network file system may hang. */
dev_t disk_number(const char *path);

/* "\040" in a list of the kernel is a blank: the text becomes what was meant. */
void unescape(char *text);

#endif
