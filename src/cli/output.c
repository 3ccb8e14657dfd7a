// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "output.h"

static void vcomplain(const char *next, const char *fmt, va_list args)
{
	progress(NULL);
	fflush(stdout);
	fputs("subpage-vfio: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	if (next)
		fprintf(stderr, "  %s\n", next);
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
		fail(CODE_FAILED, NULL, "out of memory");
	return memory;
}

char *format(const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		fail(CODE_FAILED, NULL, "out of memory");
	va_end(args);
	return text;
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

char *valid_text(const char *text)
{
	size_t left = strlen(text), n;
	char *valid = allocate(NULL, 3 * left + 1), *to = valid;
	mbstate_t state = { 0 };
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL), before = uselocale(utf8);

	while (left) {
		n = mbrlen(text, left, &state);
		if (n > left || iscntrl((unsigned char)*text)) {
			/* U+FFFD stands for what is no character. */
			memcpy(to, "\357\277\275", 3);
			to += 3;
			n = 1;
			memset(&state, 0, sizeof(state));
		} else {
			memcpy(to, text, n);
			to += n;
		}
		text += n;
		left -= n;
	}
	*to = '\0';
	uselocale(before);
	if (utf8)
		freelocale(utf8);
	return valid;
}
