/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RANGES_H
#define RANGES_H

#include <stdint.h>

#define RANGES_MAX 16

/* Parts of a BAR, in order, without overlap unless added so. */
struct ranges {
	int count;
	struct range {
		uint64_t start, end;	/* the end is the first byte behind */
	} at[RANGES_MAX];
};

/* One more at the end; nothing if it is empty. */
void ranges_add(struct ranges *ranges, uint64_t start, uint64_t end);
/* All but that part. */
void ranges_cut(struct ranges *ranges, uint64_t start, uint64_t end);
/* How many of the first bytes, up to the limit, lie in any of them. */
uint64_t ranges_below(const struct ranges *ranges, uint64_t limit);

#endif
