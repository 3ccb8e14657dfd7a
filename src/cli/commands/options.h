/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "print/reason.h"
#include "print/table.h"

/* What the command line says, after the command itself. */
struct options {
	struct format format;
	bool force, group, persist;
	const char *slot, *id, *class, *driver;		/* NULL: not given; so with all texts */
	int iommu_group;	/* -1: not given; so with all numbers */
	bool all, candidates, shared;
	const char *qmp;
	bool watch;
	bool always, never;
	bool qemu, libvirt;
	int bar;
	uint64_t offset;
	int devices;
	char **device;
};

/* An option as one command takes it. */
struct option_use {
	char letter;		/* that of options.c */
	const char *help;	/* one line; NULL: what options.c says of it */
};

/* Those of each command that prints a table. */
#define OUTPUT_OPTIONS { 'o', NULL }, { 'J', NULL }, { 'r', NULL }, { 'P', NULL }, { 'n', NULL }

/* A command. Its --help is made of this, so it has all that the command takes. */
struct command {
	const char *name;
	int (*run)(const struct options *options);
	const char *summary;		/* one line for the list of commands */
	const char *arguments;		/* "DEVICE...", for the usage */
	int min_arguments, max_arguments;
	const char *description;	/* whole lines */
	const struct option_use *option;	/* the last one's letter is 0 */
	const struct column *columns;	/* of its table */
	enum reason first_reason, last_reason;	/* of its column REASON_CODE; none if the same */
	const char *examples;		/* whole lines */
};

#define ANY_NUMBER 1000000

/*
 * Read the command line behind the command's name (NULL: none was given). Ends the
 * program, in good order for --help and --version.
 */
void options_read(int argc, char **argv, const struct command *command,
		  const struct command *const *commands, struct options *options);

#endif
