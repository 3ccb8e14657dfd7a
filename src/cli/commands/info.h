/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_INFO_H
#define CLI_INFO_H

#include "commands/options.h"

extern const struct command info_command;

#endif
