// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bind.h"
#include "info.h"
#include "list.h"
#include "output.h"

static const char help[] =
	"Usage: subpage-vfio COMMAND [OPTION]... [DEVICE]...\n"
	"\n"
	"Find PCI devices whose BARs a guest cannot map, and have them mapped.\n"
	"\n"
	"  list    show all memory BARs, and which of them can be mapped\n"
	"  bind    give devices to subpage_vfio_pci\n"
	"  unbind  give them back to their native drivers\n"
	"  info    show what user space is told of a device\n"
	"  bench   time a register, trapped and mapped\n"
	"\n"
	"\"subpage-vfio COMMAND --help\" explains one; subpage-vfio(8) is the manual.\n"
	"A DEVICE is a PCI address: 0000:01:00.0, or 01:00.0 in domain 0.\n"
	"\n"
	"  subpage-vfio list\n"
	"  subpage-vfio bind 01:00.0\n"
	"  subpage-vfio bench 01:00.0\n";

#define ANY_NUMBER 1000000

static const struct command {
	const char *name;
	int (*run)(const struct options *options);
	const char *help;
	const char *options;	/* those it takes, by letter */
	int min_devices, max_devices;
} commands[] = {
	{ "list", list_run, list_help, "j", 0, ANY_NUMBER },
	{ "bind", bind_run, bind_help, "jfgp", 1, ANY_NUMBER },
	{ "unbind", unbind_run, unbind_help, "jfgp", 1, ANY_NUMBER },
	{ "info", info_run, info_help, "j", 1, 1 },
	{ "bench", bench_run, bench_help, "jbo", 1, 1 },
};

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "json", no_argument, NULL, 'j' },
	{ "force", no_argument, NULL, 'f' },
	{ "group", no_argument, NULL, 'g' },
	{ "persist", no_argument, NULL, 'p' },
	{ "bar", required_argument, NULL, 'b' },
	{ "offset", required_argument, NULL, 'o' },
	{ 0 }
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	fail(CODE_USAGE, "\"subpage-vfio --help\" lists them", "there is no command \"%s\"", name);
}

static uint64_t number(const char *option, const char *text, uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || end == text || *text == '-' || value > max)
		fail(CODE_USAGE, NULL, "%s wants a number from 0 to 0x%llx, not \"%s\"", option,
		     (unsigned long long)max, text);
	return value;
}

int main(int argc, char **argv)
{
	struct options options = { .bar = -1 };
	const struct command *command = NULL;
	int option, index = 0;

	/* getopt's own messages would not say what to do. */
	opterr = 0;
	if (argc > 1 && argv[1][0] != '-') {
		command = find_command(argv[1]);
		argc--;
		argv++;
	}
	while ((option = getopt_long(argc, argv, "hV", long_options, &index)) != -1) {
		if (option == 'h') {
			fputs(command ? command->help : help, stdout);
			return CODE_OK;
		}
		if (option == 'V') {
			puts("subpage-vfio " VERSION);
			return CODE_OK;
		}
		if (option == '?')
			fail(CODE_USAGE, "\"subpage-vfio --help\" lists commands, \"subpage-vfio COMMAND --help\" options",
			     "\"%s\" is no option, or lacks its value", argv[optind - 1]);
		if (!command || !strchr(command->options, option))
			fail(CODE_USAGE, "the command comes first: subpage-vfio COMMAND [OPTION]... [DEVICE]...",
			     "--%s is no option of %s", long_options[index].name,
			     command ? command->name : "subpage-vfio itself");
		switch (option) {
		case 'j':
			options.json = true;
			break;
		case 'f':
			options.force = true;
			break;
		case 'g':
			options.group = true;
			break;
		case 'p':
			options.persist = true;
			break;
		case 'b':
			options.bar = number("--bar", optarg, 5);
			break;
		case 'o':
			options.offset = number("--offset", optarg, UINT64_MAX);
			break;
		}
	}
	if (!command)
		fail(CODE_USAGE, "\"subpage-vfio --help\" lists the commands", "no command was given");
	options.device = argv + optind;
	options.devices = argc - optind;
	if (options.devices < command->min_devices)
		fail(CODE_USAGE, "name one, such as 0000:01:00.0; \"subpage-vfio list\" shows them",
		     "%s needs a device", command->name);
	if (options.devices > command->max_devices)
		fail(CODE_USAGE, NULL, "%s takes one device", command->name);
	return command->run(&options);
}
