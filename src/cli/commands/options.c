// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <getopt.h>
#include <limits.h>

#include "commands/options.h"
#include "print/output.h"

/* Each option once. The letter is its short form, too, if it is one of these: */
#define SHORT "hVoJrPnsd"

enum kind { FLAG, TEXT, NUMBER };

#define AT(member) offsetof(struct options, member)

static const struct known {
	char letter;
	const char *name, *value;
	enum kind kind;
	size_t at;
	int64_t max;		/* of a number */
	const char *help;	/* of what all commands take */
} known[] = {
	{ 'a', "all", NULL, FLAG, AT(all), 0, NULL },
	{ 's', "slot", "SLOT", TEXT, AT(slot), 0, NULL },
	{ 'd', "id", "ID", TEXT, AT(id), 0, NULL },
	{ 'c', "class", "CLASS", TEXT, AT(class), 0, NULL },
	{ 'D', "driver", "NAME", TEXT, AT(driver), 0, NULL },
	{ 'G', "iommu-group", "N", NUMBER, AT(iommu_group), INT_MAX, NULL },
	{ 'C', "candidates", NULL, FLAG, AT(candidates), 0, NULL },
	{ 'S', "shared", NULL, FLAG, AT(shared), 0, NULL },
	{ 'g', "group", NULL, FLAG, AT(group), 0, NULL },
	{ 'f', "force", NULL, FLAG, AT(force), 0, NULL },
	{ 'p', "persist", NULL, FLAG, AT(persist), 0, NULL },
	{ 'A', "always", NULL, FLAG, AT(always), 0, NULL },
	{ 'N', "never", NULL, FLAG, AT(never), 0, NULL },
	{ 'Q', "qemu", NULL, FLAG, AT(qemu), 0, NULL },
	{ 'L', "libvirt", NULL, FLAG, AT(libvirt), 0, NULL },
	{ 'q', "qmp", "SOCKET", TEXT, AT(qmp), 0, NULL },
	{ 'w', "watch", NULL, FLAG, AT(watch), 0, NULL },
	{ 'b', "bar", "N", NUMBER, AT(bar), 5, NULL },
	{ 'x', "offset", "X", NUMBER, AT(offset), INT64_MAX, NULL },
	{ 'o', "output", "LIST", TEXT, AT(format.columns), 0, "print these columns (A,B), or these as well (+A,B)" },
	{ 'J', "json", NULL, FLAG, AT(format.json), 0, "print JSON, with all columns unless -o names some" },
	{ 'r', "raw", NULL, FLAG, AT(format.raw), 0, "print columns without padding, numbers in full" },
	{ 'P', "pairs", NULL, FLAG, AT(format.pairs), 0, "print COLUMN=\"value\", numbers in full" },
	{ 'n', "noheadings", NULL, FLAG, AT(format.noheadings), 0, "print no heading above the columns" },
	{ 'h', "help", "[=columns]", FLAG, 0, 0, "explain the command, or its columns and reason codes" },
	{ 'V', "version", NULL, FLAG, 0, 0, NULL },
};

static const struct known *known_as(int letter)
{
	size_t i;

	for (i = 0; known[i].letter != letter; i++)
		;
	return &known[i];
}

/* What the option does for the command (NULL: none was given); NULL: it does not take it. */
static const char *help_of(const struct command *command, const struct known *is)
{
	if (!command)
		return is->letter == 'h' || is->letter == 'V' ? "" : NULL;
	return is->help ? is->help : command->option[(int)is->letter];
}

/* Tell getopt() what the command takes, and no more. */
static void tell_getopt(const struct command *command, struct option *options, char *letters)
{
	const struct known *is;

	/* With a colon first getopt() tells a missing value from an unknown option. */
	*letters++ = ':';
	for_each(is, known, COUNT(known)) {
		if (!help_of(command, is))
			continue;
		*options++ = (struct option) {
			is->name, is->kind != FLAG ? required_argument : is->value ? optional_argument : no_argument,
			NULL, is->letter
		};
		if (strchr(SHORT, is->letter))
			letters += sprintf(letters, is->kind == FLAG ? "%c" : "%c:", is->letter);
	}
	*letters = '\0';
	*options = (struct option) { 0 };
}

static void print_command_help(const struct command *command)
{
	const struct known *is;
	char text[40], first[8];

	printf("Usage: subpage-vfio %s [OPTION]...%s%s\n\n%s\n", command->name, *command->arguments ? " " : "",
	       command->arguments, command->description);
	for_each(is, known, COUNT(known)) {
		if (!help_of(command, is))
			continue;
		snprintf(first, sizeof(first), "-%c, ", is->letter);
		snprintf(text, sizeof(text), "%s--%s%s%s", strchr(SHORT, is->letter) ? first : "", is->name,
			 is->value && *is->value != '[' ? " " : "", is->value ? is->value : "");
		printf("  %-20s %s\n", text, help_of(command, is));
	}
	printf("\n%s", command->examples);
}

static void print_columns_help(const struct command *command)
{
	table_print_help(command->columns);
	if (command->first_reason != command->last_reason)
		reason_print_help(command->first_reason, command->last_reason);
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
	      "\"subpage-vfio help COMMAND\" explains one; subpage-vfio(8) is the manual.\n"
	      "A DEVICE is a PCI address (0000:01:00.0, or 01:00.0 in domain 0), or the name of\n"
	      "its interface or disk (eth1, nvme0n1).\n"
	      "\n"
	      "  subpage-vfio list\n"
	      "  subpage-vfio bind 01:00.0\n"
	      "  subpage-vfio check\n"
	      "\n"
	      "Exit status: 0 done, 1 to 6 no device was changed, 7 not all could be put back,\n"
	      "8 done, but not usable yet; the manual lists them.\n", stdout);
}

/* getopt() tells of a wrong option only where it has got to; find the word that was meant. */
static void refuse_option(const struct command *command, int found, int letter, const char *word)
{
	static const char next[] = "\"subpage-vfio help COMMAND\" lists the options of a command";
	bool is_long = !strncmp(word, "--", 2);
	int length = strcspn(word, "=");

	if (found == ':')
		fail(CODE_USAGE, next, "--%s lacks its value: --%s %s", known_as(letter)->name,
		     known_as(letter)->name, known_as(letter)->value);
	if (letter && is_long)
		fail(CODE_USAGE, next, "--%s takes no value: \"%s\"", known_as(letter)->name, word);
	if (!command)
		fail(CODE_USAGE, "the command comes first: subpage-vfio COMMAND [OPTION]... [ARGUMENT]...",
		     "\"%s\" is no option of subpage-vfio itself", word);
	if (is_long)
		fail(CODE_USAGE, next, "\"%.*s\" is no option of %s, or the beginning of several", length,
		     word, command->name);
	fail(CODE_USAGE, next, "\"-%c\" is no option of %s", letter, command->name);
}

int64_t read_number(const char *text, int64_t max)
{
	long long value;
	char *end;

	errno = 0;
	value = strtoll(text, &end, 0);
	return errno || *end || !isdigit((unsigned char)*text) || value > max ? -1 : value;
}

static void set(struct options *options, const struct known *is)
{
	int64_t number = is->kind == NUMBER ? read_number(optarg, is->max) : 0;
	void *at = (char *)options + is->at;

	if (is->kind == FLAG)
		*(bool *)at = true;
	else if (is->kind == TEXT)
		*(const char **)at = optarg;
	else
		*(int64_t *)at = number;
	if (number < 0)
		fail(CODE_USAGE, NULL, "--%s wants a number from 0 to 0x%llx, not \"%s\"", is->name,
		     (unsigned long long)is->max, optarg);
}

static void help(const struct command *command, const struct command *const *commands)
{
	if (optarg && (strcmp(optarg, "columns") || !command))
		fail(CODE_USAGE, "subpage-vfio COMMAND --help=columns", "--help explains the command, or its columns");
	if (!command)
		print_help(commands);
	else if (optarg)
		print_columns_help(command);
	else
		print_command_help(command);
	exit(CODE_OK);
}

/* What getopt() cannot know. */
static void check(const struct command *command, const struct options *options)
{
	const struct format *format = &options->format;

	if (!command)
		fail(CODE_USAGE, "\"subpage-vfio --help\" lists the commands", "no command was given");
	if (options->devices < command->min_arguments)
		fail(CODE_USAGE, "name one, such as 0000:01:00.0; \"subpage-vfio list --all\" shows them",
		     "%s needs a device", command->name);
	if (options->devices > command->max_arguments)
		fail(CODE_USAGE, NULL, command->max_arguments ? "%s takes one device" : "%s takes no device",
		     command->name);
	if (format->json + format->raw + format->pairs > 1)
		fail(CODE_USAGE, "leave the others out", "--json, --raw and --pairs exclude each other");
	table_check_columns(command->columns, format->columns);
}

void options_read(int argc, char **argv, const struct command *command,
		  const struct command *const *commands, struct options *options)
{
	struct option takes[COUNT(known) + 1];
	char letters[2 * COUNT(known) + 2];
	int letter;

	*options = (struct options) { .bar = -1, .iommu_group = -1 };
	tell_getopt(command, takes, letters);
	/* getopt's own messages would not say what to do. */
	opterr = 0;
	while ((letter = getopt_long(argc, argv, letters, takes, NULL)) != -1)
		switch (letter) {
		case '?':
		case ':':
			refuse_option(command, letter, optopt, argv[optind - 1]);
			break;
		case 'h':
			help(command, commands);
			break;
		case 'V':
			puts("subpage-vfio " VERSION);
			exit(CODE_OK);
		default:
			set(options, known_as(letter));
		}
	options->device = argv + optind;
	options->devices = argc - optind;
	check(command, options);
}
