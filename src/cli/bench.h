/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "options.h"

extern const char bench_help[];
int bench_run(const struct options *options);

#endif
