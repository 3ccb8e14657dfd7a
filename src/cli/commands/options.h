/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "print/reason.h"
#include "print/table.h"

/* What the command line says, after the command itself. */
struct options {
	struct format format;
	bool force, group, persist;
	const char *slot, *id, *class, *driver;		/* NULL: not given; so with all texts */
	int64_t iommu_group;	/* -1: not given; so with all numbers */
	bool all, candidates, shared;
	const char *qmp;
	bool watch;
	bool always, never;
	bool qemu, libvirt;
	int64_t bar, offset;
	int devices;
	char **device;
};

/* A command. Its --help is made of this, so it has all that the command takes. */
struct command {
	const char *name;
	int (*run)(const struct options *options);
	const char *summary;		/* one line for the list of commands */
	const char *arguments;		/* "DEVICE...", for the usage */
	int min_arguments, max_arguments;
	const char *description;	/* whole lines */
	const char *option[128];	/* what its options do, one line each, by their letters in options.c */
	const struct column *columns;	/* of its table */
	enum reason first_reason, last_reason;	/* of its column REASON_CODE; none if the same */
	const char *examples;		/* whole lines */
};

extern const struct command list_command, bind_command, unbind_command, align_command, info_command, bench_command,
	check_command, host_command;

#define ANY_NUMBER 1000000

/*
 * Read the command line behind the command's name (NULL: none was given). Ends the
 * program, in good order for --help and --version.
 */
void options_read(int argc, char **argv, const struct command *command,
		  const struct command *const *commands, struct options *options);

/* What "text" says, as C writes numbers; -1: it is none, or one above "max". */
int64_t read_number(const char *text, int64_t max);

#endif
