// SPDX-License-Identifier: GPL-2.0-only
#include <time.h>

#include "bench.h"
#include "tap.h"

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct bench_spread bench_spread(double *values, int count)
{
	qsort(values, count, sizeof(values[0]), by_value);
	return (struct bench_spread) {
		.median = values[count / 2],
		.low = values[count / 4],
		.high = values[count - 1 - count / 4],
		.n = count,
	};
}

double bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

void bench_record(const char *what, const char *on, const char *with, struct bench_spread spread)
{
	say("bench;%ld;%s;%s;%s;%.2f;%.2f;%.2f;%d", sysconf(_SC_PAGESIZE), what, on, with, spread.median,
	    spread.low, spread.high, spread.n);
}
