// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdarg.h>

#include "print/output.h"

/* Without functions that allocate memory themselves. */
static void __attribute__((noreturn)) fail_without_memory(void)
{
	fputs("subpage-vfio: out of memory\n", stderr);
	exit(CODE_FAILED);
}

static char *vformat(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		fail_without_memory();
	return text;
}

/* Names in it, of processes, interfaces and files, are chosen by others. */
static void vcomplain(const char *next, const char *fmt, va_list args)
{
	char *text = vformat(fmt, args), *valid = valid_text(text);

	progress(NULL);
	fflush(stdout);
	fprintf(stderr, "subpage-vfio: %s\n", valid);
	if (next)
		fprintf(stderr, "  %s\n", next);
	free(valid);
	free(text);
}

void complain(const char *next, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vcomplain(next, fmt, args);
	va_end(args);
}

void fail(enum exit_code code, const char *next, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vcomplain(next, fmt, args);
	va_end(args);
	exit(code);
}

static void check_output(int code, void *unused)
{
	bool failed = ferror(stdout);

	(void)unused;
	errno = 0;
	/* Once more, to know why. */
	if (failed)
		putchar('\n');
	if ((!fclose(stdout) && !failed) || code != CODE_OK)
		return;
	complain(NULL, "the output could not be written%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
	_exit(CODE_FAILED);
}

void output_begin(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* Opened the wrong way round, so that using it fails as on a closed file. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(CODE_HOST);
	}
	on_exit(check_output, NULL);
}

void progress(const char *fmt, ...)
{
	static bool shown;
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	if (shown)
		fputs("\r\033[K", stderr);
	shown = fmt;
	if (!fmt)
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputs(" ...", stderr);
}

void *allocate(void *old, size_t size)
{
	void *memory = realloc(old, size);

	if (!memory)
		fail_without_memory();
	return memory;
}

char *format(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = vformat(fmt, args);
	va_end(args);
	return text;
}

void *one_more(void *array, int *count, size_t size)
{
	char *all;

	memcpy(&all, array, sizeof(all));
	all = allocate(all, (*count + 1) * size);
	memcpy(array, &all, sizeof(all));
	return memset(all + size * (*count)++, 0, size);
}

void add_text(char **list, const char *between, const char *fmt, ...)
{
	char *old = *list, *more;
	va_list args;

	va_start(args, fmt);
	more = vformat(fmt, args);
	va_end(args);
	*list = format("%s%s%s", old ? old : "", old && *old ? between : "", more);
	free(more);
	free(old);
}

void add_help(char **lines, const char *before, const char *help)
{
	char *line = format("%shelps: %s\n", before, help ? help : "");

	if (help && !(*lines && strstr(*lines, line)))
		add_text(lines, "", "%s", line);
	free(line);
}

bool colours_wanted(void)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") && !(no_color && *no_color);
}

const char *colour_on(enum colour colour)
{
	static const char * const code[] = {
		[PLAIN] = "",
		[GOOD] = "\033[32m",
		[BETTER] = "\033[33m",
		[BAD] = "\033[31m",
		[STRONG] = "\033[1m",
	};

	return colours_wanted() ? code[colour] : "";
}

const char *colour_off(void)
{
	return colours_wanted() ? "\033[0m" : "";
}

/*
 * Bytes of the UTF-8 letter there, 0 if there is none. By hand: the C library's own decoder
 * knows UTF-8 only where a locale's files are, which a small system lacks.
 */
static size_t read_letter(const unsigned char *text, uint32_t *letter)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *text < 0x80 ? 1 : *text >> 5 == 6 ? 2 : *text >> 4 == 14 ? 3 : *text >> 3 == 30 ? 4 : 0, i;

	*letter = length < 2 ? *text : *text & (0x7f >> length);
	/* The 0 at the text's end is no continuation. */
	for (i = 1; i < length; i++) {
		if (text[i] >> 6 != 2)
			return 0;
		*letter = *letter << 6 | (text[i] & 0x3f);
	}
	if (!length || *letter < least[length] || *letter > 0x10ffff || (*letter >= 0xd800 && *letter <= 0xdfff))
		return 0;
	return length;
}

/* What a terminal obeys instead of showing it, and what reverses the direction of a line. */
static bool is_control(uint32_t letter)
{
	return letter < 0x20 || (letter >= 0x7f && letter <= 0x9f) || (letter >= 0x2028 && letter <= 0x202e) ||
	       (letter >= 0x2066 && letter <= 0x2069);
}

char *valid_text(const char *text)
{
	char *valid = allocate(NULL, 3 * strlen(text) + 1), *to = valid;
	uint32_t letter;
	size_t n;

	for (; *text; text += n ? n : 1) {
		n = read_letter((const unsigned char *)text, &letter);
		if (n && !is_control(letter))
			to = mempcpy(to, text, n);
		else
			/* U+FFFD stands for it. */
			to = mempcpy(to, "\357\277\275", 3);
	}
	*to = '\0';
	return valid;
}
