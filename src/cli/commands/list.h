/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "commands/options.h"

extern const struct command list_command;

#endif
