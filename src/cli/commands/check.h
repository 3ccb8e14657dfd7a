/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "commands/options.h"

extern const struct command check_command;

#endif
