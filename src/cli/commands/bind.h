/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_BIND_H
#define CLI_BIND_H

#include "commands/options.h"

extern const struct command bind_command;
extern const struct command unbind_command;
extern const struct command align_command;

#endif
