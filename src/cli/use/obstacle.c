// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "use/obstacle.h"

void obstacle_add(struct obstacles *obstacles, enum reason reason, const char *fmt, ...)
{
	char *text, *valid;
	va_list args;
	int i;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		fail(CODE_FAILED, NULL, "out of memory");
	va_end(args);
	/* The names of processes, mounts and interfaces are chosen by others. */
	valid = valid_text(text);
	free(text);
	/* A disk is found by more than one way. */
	for (i = 0; i < obstacles->count; i++)
		if (!strcmp(obstacles->obstacle[i].text, valid)) {
			free(valid);
			return;
		}
	*grow(obstacles->obstacle, obstacles->count) = (struct obstacle) { reason, valid };
}

void obstacles_free(struct obstacles *obstacles)
{
	int i;

	for (i = 0; i < obstacles->count; i++)
		free(obstacles->obstacle[i].text);
	free(obstacles->obstacle);
	*obstacles = (struct obstacles) { 0 };
}
