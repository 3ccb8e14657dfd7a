/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_INFO_H
#define CLI_INFO_H

#include "options.h"

extern const char info_help[];
int info_run(const struct options *options);

#endif
