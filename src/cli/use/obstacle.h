/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_OBSTACLE_H
#define CLI_OBSTACLE_H

#include "print/output.h"
#include "print/reason.h"

/* Something that would break if the device lost its driver now. */
struct obstacle {
	enum reason reason;
	char *text;		/* for people: what it is, and what holds it */
};

struct obstacles {
	int count;
	struct obstacle *obstacle;
};

void obstacle_add(struct obstacles *obstacles, enum reason reason, const char *fmt, ...) PRINTF(3, 4);
void obstacles_free(struct obstacles *obstacles);

#endif
