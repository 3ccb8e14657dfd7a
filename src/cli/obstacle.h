/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_OBSTACLE_H
#define CLI_OBSTACLE_H

#include "output.h"

/* Something that would break if the device lost its driver now. */
struct obstacle {
	const char *code;	/* for programs; subpage-vfio(8) lists them */
	char *text;		/* for people: what, and who holds it */
};

struct obstacles {
	int count;
	struct obstacle *obstacle;
};

void obstacle_add(struct obstacles *obstacles, const char *code, const char *fmt, ...) PRINTF(3, 4);
void obstacles_free(struct obstacles *obstacles);

#endif
