// SPDX-License-Identifier: GPL-2.0-only
#include <locale.h>

#include "commands/options.h"
#include "print/output.h"

static const struct command * const commands[] = {
	&list_command,
	&bind_command,
	&unbind_command,
	&align_command,
	&info_command,
	&bench_command,
	&check_command,
	&host_command,
	NULL
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	fail(CODE_USAGE, "\"subpage-vfio --help\" lists them", "there is no command \"%s\"", name);
}

int main(int argc, char **argv)
{
	const struct command *command = NULL;
	struct options options;

	output_begin();
	/* A name with letters beyond ASCII is shown as it is where the terminal can. */
	setlocale(LC_CTYPE, "");
	/* "help COMMAND" is "COMMAND --help". */
	if (argc > 1 && !strcmp(argv[1], "help")) {
		if (argc > 2)
			command = find_command(argv[2]);
		argv[1] = "--help";
		argc = 2;
	} else if (argc > 1 && argv[1][0] != '-') {
		command = find_command(argv[1]);
		argc--;
		argv++;
	}
	options_read(argc, argv, command, commands, &options);
	return command->run(&options);
}
