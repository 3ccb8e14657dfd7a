// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/options.h"
#include "print/output.h"
#include "print/table.h"

/* Those with a short form. */
#define SHORT "hVosd"

static const struct option long_options[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "json", no_argument, NULL, 'j' },
	{ "raw", no_argument, NULL, 'r' },
	{ "output", required_argument, NULL, 'o' },
	{ "slot", required_argument, NULL, 's' },
	{ "id", required_argument, NULL, 'd' },
	{ "class", required_argument, NULL, 'c' },
	{ "driver", required_argument, NULL, 'D' },
	{ "group", required_argument, NULL, 'G' },
	{ "candidates", no_argument, NULL, 'C' },
	{ "shared", no_argument, NULL, 'S' },
	{ "always", no_argument, NULL, 'A' },
	{ "never", no_argument, NULL, 'n' },
	{ "qemu", no_argument, NULL, 'Q' },
	{ "libvirt", no_argument, NULL, 'L' },
	{ "qmp", required_argument, NULL, 'q' },
	{ "watch", no_argument, NULL, 'w' },
	{ "force", no_argument, NULL, 'f' },
	{ "group", no_argument, NULL, 'g' },
	{ "persist", no_argument, NULL, 'p' },
	{ "report", no_argument, NULL, 'R' },
	{ "bar", required_argument, NULL, 'b' },
	{ "offset", required_argument, NULL, 'x' },
	{ 0 }
};

#define OPTIONS (sizeof(long_options) / sizeof(long_options[0]))

/* What a value is called, and the help of options that mean the same to all commands. */
static const struct {
	char letter;
	const char *value, *help;
} words[] = {
	{ 'h', NULL, "explain the command" },
	{ 'j', NULL, "print JSON, with all columns unless -o names some" },
	{ 'r', NULL, "print columns without padding, numbers in full, for scripts" },
	{ 'o', "LIST", "print these columns, with commas between; +LIST: these as well" },
	{ 's', "SLOT", NULL },
	{ 'd', "ID", NULL },
	{ 'c', "CLASS", NULL },
	{ 'D', "NAME", NULL },
	{ 'G', "N", NULL },
	{ 'q', "SOCKET", NULL },
	{ 'b', "N", NULL },
	{ 'x', "X", NULL },
};

static const char *value_of(int letter)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].letter == letter)
			return words[i].value;
	return NULL;
}

static const char *help_of(const struct option_use *use)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]) && !use->help; i++)
		if (words[i].letter == use->letter)
			return words[i].help;
	return use->help;
}

static const struct option *option_of(int letter)
{
	const struct option *option = long_options;

	while (option->name && option->val != letter)
		option++;
	return option;
}

/* Of two options with one name each command takes one: getopt() is told of that alone. */
static void taken(const struct command *command, struct option *options, char *letters)
{
	const struct option_use *use = command ? command->option : NULL;

	*options++ = *option_of('h');
	if (!command)
		*options++ = *option_of('V');
	/* With a colon first getopt() tells a missing value from an unknown option. */
	letters += sprintf(letters, command ? ":h" : ":hV");
	for (; use && use->letter; use++) {
		*options++ = *option_of(use->letter);
		if (strchr(SHORT, use->letter))
			letters += sprintf(letters, "%c:", use->letter);
	}
	*options = (struct option) { 0 };
}

/* "-o, --output LIST" */
static char *spelt(char letter, bool with_short)
{
	const char *value = value_of(letter);
	char first[8] = "";

	if (with_short && strchr(SHORT, letter))
		snprintf(first, sizeof(first), "-%c, ", letter);
	return format("%s--%s%s%s", first, option_of(letter)->name, value ? " " : "",
		      value ? value : "");
}

static void print_command_help(const struct command *command)
{
	const struct option_use *use;
	char *text;

	printf("Usage: subpage-vfio %s", command->name);
	for (use = command->option; use->letter; use++) {
		text = spelt(use->letter, false);
		printf(" [%s]", text);
		free(text);
	}
	printf("%s%s\n\n%s\n", *command->arguments ? " " : "", command->arguments,
	       command->description);
	for (use = command->option; use->letter; use++) {
		text = spelt(use->letter, true);
		printf("  %-22s %s\n", text, help_of(use));
		free(text);
	}
	printf("  %-22s %s\n", "-h, --help", "explain the command");
	if (command->columns)
		table_print_help(command->columns);
	if (command->first_reason != command->last_reason)
		reason_print_help(command->first_reason, command->last_reason);
	printf("\n%s", command->examples);
}

static void print_help(const struct command *const *commands)
{
	fputs("Usage: subpage-vfio COMMAND [OPTION]... [ARGUMENT]...\n"
	      "\n"
	      "Find PCI devices whose BARs a guest cannot map, and have them mapped.\n"
	      "\n", stdout);
	for (; *commands; commands++)
		printf("  %-7s %s\n", (*commands)->name, (*commands)->summary);
	fputs("\n"
	      "\"subpage-vfio COMMAND --help\" explains one; subpage-vfio(8) is the manual.\n"
	      "A DEVICE is a PCI address: 0000:01:00.0, or 01:00.0 in domain 0.\n"
	      "\n"
	      "  subpage-vfio list\n"
	      "  subpage-vfio bind 01:00.0\n"
	      "  subpage-vfio check\n"
	      "\n"
	      "Exit status, 1 to 6 with no device changed:\n"
	      "  0  done, or nothing to do\n"
	      "  1  the kernel refused, or the output could not be written\n"
	      "  2  the command line makes no sense\n"
	      "  3  no such device\n"
	      "  4  no permission\n"
	      "  5  a device is in use, or another instance changes devices\n"
	      "  6  the machine lacks something: module, IOMMU, viable IOMMU group, driverctl\n"
	      "  7  after a failure not all could be put back\n"
	      "  8  done, but not usable yet, or the output or --always's file could not be written\n", stdout);
}

/* getopt() tells of a wrong option only where it has got to; find the word that was meant. */
static void refuse_option(const struct command *command, int found, int letter, const char *word)
{
	static const char next[] = "\"subpage-vfio COMMAND --help\" lists the options of a command";
	bool is_long = !strncmp(word, "--", 2);
	int length = strcspn(word, "=");

	if (found == ':')
		fail(CODE_USAGE, next, "--%s lacks its value: --%s %s", option_of(letter)->name,
		     option_of(letter)->name, value_of(letter));
	if (letter && is_long)
		fail(CODE_USAGE, next, "--%s takes no value: \"%s\"", option_of(letter)->name, word);
	if (!command)
		fail(CODE_USAGE, "the command comes first: subpage-vfio COMMAND [OPTION]... [ARGUMENT]...",
		     "\"%s\" is no option of subpage-vfio itself", word);
	if (is_long)
		fail(CODE_USAGE, next, "\"%.*s\" is no option of %s, or the beginning of several", length,
		     word, command->name);
	fail(CODE_USAGE, next, "\"-%c\" is no option of %s", letter, command->name);
}

static uint64_t number(const char *option, const char *text, uint64_t max)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || !isdigit((unsigned char)*text) || value > max)
		fail(CODE_USAGE, NULL, "%s wants a number from 0 to 0x%llx, not \"%s\"", option,
		     (unsigned long long)max, text);
	return value;
}

static void set(struct options *options, int letter)
{
	switch (letter) {
	case 'j':
		options->json = true;
		break;
	case 'r':
		options->raw = true;
		break;
	case 'o':
		options->columns = optarg;
		break;
	case 'f':
		options->force = true;
		break;
	case 'g':
		options->group = true;
		break;
	case 'p':
		options->persist = true;
		break;
	case 's':
		options->slot = optarg;
		break;
	case 'd':
		options->id = optarg;
		break;
	case 'c':
		options->class = optarg;
		break;
	case 'A':
		options->always = true;
		break;
	case 'n':
		options->never = true;
		break;
	case 'Q':
		options->qemu = true;
		break;
	case 'R':
		options->report = true;
		break;
	case 'L':
		options->libvirt = true;
		break;
	case 'D':
		options->driver = optarg;
		break;
	case 'G':
		options->iommu_group = number("--group", optarg, INT_MAX);
		break;
	case 'C':
		options->candidates = true;
		break;
	case 'S':
		options->shared = true;
		break;
	case 'q':
		options->qmp = optarg;
		break;
	case 'w':
		options->watch = true;
		break;
	case 'b':
		options->bar = number("--bar", optarg, 5);
		break;
	case 'x':
		options->offset = number("--offset", optarg, UINT64_MAX);
		break;
	}
}

void options_read(int argc, char **argv, const struct command *command,
		  const struct command *const *commands, struct options *options)
{
	struct option known[OPTIONS];
	char letters[3 * OPTIONS];
	int letter;

	*options = (struct options) { .bar = -1, .iommu_group = -1 };
	taken(command, known, letters);
	/* getopt's own messages would not say what to do. */
	opterr = 0;
	while ((letter = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		switch (letter) {
		case '?':
		case ':':
			refuse_option(command, letter, optopt, argv[optind - 1]);
			break;
		case 'h':
			if (command)
				print_command_help(command);
			else
				print_help(commands);
			exit(CODE_OK);
		case 'V':
			puts("subpage-vfio " VERSION);
			exit(CODE_OK);
		default:
			set(options, letter);
		}
	}
	if (!command)
		fail(CODE_USAGE, "\"subpage-vfio --help\" lists the commands", "no command was given");
	options->device = argv + optind;
	options->devices = argc - optind;
	if (options->devices < command->min_arguments)
		fail(CODE_USAGE, "name one, such as 0000:01:00.0; \"subpage-vfio list\" shows them",
		     "%s needs a device", command->name);
	if (options->devices > command->max_arguments)
		fail(CODE_USAGE, NULL, "%s takes one device", command->name);
	if (options->json && options->raw)
		fail(CODE_USAGE, "leave one of them out", "--json and --raw exclude each other");
	/* --shared has a table of its own, which it looks at itself. */
	if (command->columns && !options->shared)
		table_check_columns(command->columns, options->columns);
}
