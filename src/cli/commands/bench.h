/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "commands/options.h"

extern const struct command bench_command;

#endif
