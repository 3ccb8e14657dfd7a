/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_INTERFACE_H
#define CLI_INTERFACE_H

#include "use/obstacle.h"

/* A network interface, of whatever network namespace; sysfs shows those of our own only. */
struct interface {
	char *name;
	char *namespace;	/* ", in the network namespace of process 12 (x)", or "" */
	char *parent;		/* directory of the device that it belongs to */
	char *master;		/* of a bridge or bond; "" if none */
	char *above;		/* an interface that is made from it; "" if none */
	unsigned int flags;
};

struct interfaces {
	int count;
	struct interface *interface;
	char *unknown;		/* why there may be more, or NULL */
};

void interfaces_scan(struct interfaces *interfaces);
void interfaces_free(struct interfaces *interfaces);

/*
 * The first interface that belongs to the device of that directory, or to one below it;
 * or the next one after "from". NULL: there is none.
 */
const struct interface *interface_of(const struct interfaces *interfaces, const char *directory,
				     const struct interface *from);

/* Which of those are in use. Returns how many there are, in use or not. */
int interfaces_find_obstacles(const struct interfaces *interfaces, const char *directory,
			      struct obstacles *obstacles);

#endif
