/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_INTERFACE_H
#define CLI_INTERFACE_H

#include "use/holder.h"
#include "use/obstacle.h"

/* A network interface, of whatever network namespace; sysfs shows those of our own only. */
struct interface {
	char *name;
	char *namespace;	/* ", in the network namespace of process 12 (x)", or "" */
	char *parent;		/* directory of the device that it belongs to; NULL: of none */
	const char *master;	/* of a bridge or bond; NULL if none */
	const char *above;	/* an interface that is made from it; NULL if none */
	unsigned int flags;
	int index, master_index, lower_index;	/* the kernel's numbers in that namespace; 0: none */
};

struct interfaces {
	int count;
	struct interface *interface;
	char *unknown;		/* why there may be more, or NULL */
};

/* Those of our own network namespace, and of all that the walk has found. */
void interfaces_scan(struct interfaces *interfaces, const struct holders *holders);
void interfaces_free(struct interfaces *interfaces);

/*
 * The first interface that belongs to the device of that directory, or to one below it;
 * or the next one after "from". NULL: there is none.
 */
const struct interface *interface_of(const struct interfaces *interfaces, const char *directory,
				     const struct interface *from);

/* Which of those are in use. Returns how many there are, in use or not. */
int interfaces_find_obstacles(const struct interfaces *interfaces, const char *directory, struct obstacles *obstacles);

#endif
