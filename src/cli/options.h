/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What the command line says, after the command itself. */
struct options {
	bool json;
	bool force;
	bool group;
	bool persist;
	int bar;		/* -1: not given */
	uint64_t offset;
	int devices;
	char **device;
};

#endif
