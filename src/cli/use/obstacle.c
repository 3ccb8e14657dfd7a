// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>

#include "use/obstacle.h"

void obstacle_add(struct obstacles *obstacles, enum reason reason, const char *fmt, ...)
{
	const struct obstacle *other;
	char *text, *valid;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		fail(CODE_FAILED, NULL, "out of memory");
	va_end(args);
	/* The names of processes, mounts and interfaces are chosen by others. */
	valid = valid_text(text);
	free(text);
	/* A disk is found by more than one way. */
	for_each(other, obstacles->obstacle, obstacles->count)
		if (!strcmp(other->text, valid)) {
			free(valid);
			return;
		}
	*grow(obstacles->obstacle, obstacles->count) = (struct obstacle) { reason, valid };
}

void obstacles_free(struct obstacles *obstacles)
{
	struct obstacle *obstacle;

	for_each(obstacle, obstacles->obstacle, obstacles->count)
		free(obstacle->text);
	free(obstacles->obstacle);
	*obstacles = (struct obstacles) { 0 };
}
