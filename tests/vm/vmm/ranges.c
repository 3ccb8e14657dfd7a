// SPDX-License-Identifier: GPL-2.0-only
#include "ranges.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void ranges_add(struct ranges *ranges, uint64_t start, uint64_t end)
{
	if (start < end && ranges->count < RANGES_MAX)
		ranges->at[ranges->count++] = (struct range) { start, end };
}

void ranges_cut(struct ranges *ranges, uint64_t start, uint64_t end)
{
	struct ranges old = *ranges;
	int i;

	ranges->count = 0;
	for (i = 0; i < old.count; i++) {
		const struct range *range = &old.at[i];

		ranges_add(ranges, range->start, least(range->end, start));
		ranges_add(ranges, range->start > end ? range->start : end, range->end);
	}
}

uint64_t ranges_below(const struct ranges *ranges, uint64_t limit)
{
	uint64_t sum = 0, done = 0;
	int i;

	/* From where all is counted, as far as any range reaches from there, or on to the next. */
	while (done < limit) {
		uint64_t reach = done, next = limit;

		for (i = 0; i < ranges->count; i++) {
			if (ranges->at[i].start > done)
				next = least(next, ranges->at[i].start);
			else if (ranges->at[i].end > reach)
				reach = ranges->at[i].end;
		}
		if (reach == done) {
			done = next;
			continue;
		}
		reach = least(reach, limit);
		sum += reach - done;
		done = reach;
	}
	return sum;
}
