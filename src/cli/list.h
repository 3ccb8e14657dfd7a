/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "options.h"

extern const char list_help[];
int list_run(const struct options *options);

#endif
