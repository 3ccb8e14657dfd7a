/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "commands/options.h"

extern const struct command list_command;
extern const struct command bind_command;
extern const struct command unbind_command;
extern const struct command align_command;
extern const struct command info_command;
extern const struct command bench_command;
extern const struct command check_command;
extern const struct command host_command;

#endif
