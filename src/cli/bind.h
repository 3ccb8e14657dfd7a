/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_BIND_H
#define CLI_BIND_H

#include "options.h"

extern const char bind_help[];
extern const char unbind_help[];
int bind_run(const struct options *options);
int unbind_run(const struct options *options);

#endif
