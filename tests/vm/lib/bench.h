/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_H
#define BENCH_H

/* Measured values, for "make bench": one line each of what a person sees. */

/* The middle one of n, and the quartiles; the values are sorted. n is 0 where nobody knows. */
struct bench_spread {
	double median, low, high;
	int n;
};

struct bench_spread bench_spread(double *values, int count);

double bench_now_ns(void);

/*
 * what was measured ("guest read, ns"), on what ("sdhci BAR 0"), and with what
 * ("vfio-pci"). No semicolons in them.
 */
void bench_record(const char *what, const char *on, const char *with, struct bench_spread spread);

#endif
