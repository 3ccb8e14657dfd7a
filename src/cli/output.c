// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static bool colours_wanted(void)
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

void table_row(struct table *table, enum colour colour, int columns, ...)
{
	struct table_row *row;
	va_list args;
	int i;

	table->row = allocate(table->row, (table->rows + 1) * sizeof(*row));
	row = &table->row[table->rows++];
	row->colour = colour;
	table->columns = columns;
	va_start(args, columns);
	for (i = 0; i < columns; i++)
		row->cell[i] = format("%s", va_arg(args, const char *));
	va_end(args);
}

void table_print(const struct table *table, int coloured_column)
{
	int width[TABLE_COLUMNS] = { 0 }, row, i;

	for (row = 0; row < table->rows; row++)
		for (i = 0; i < table->columns; i++)
			if ((int)strlen(table->row[row].cell[i]) > width[i])
				width[i] = strlen(table->row[row].cell[i]);

	for (row = 0; row < table->rows; row++) {
		for (i = 0; i < table->columns; i++) {
			const char *cell = table->row[row].cell[i];
			bool coloured = i == coloured_column;

			/* Nothing follows the last column, so it is not padded. */
			printf("%s%s%-*s%s", "  ",
			       coloured ? colour_on(table->row[row].colour) : "",
			       i == table->columns - 1 ? 0 : width[i], cell,
			       coloured ? colour_off() : "");
		}
		putchar('\n');
	}
}

void table_free(struct table *table)
{
	int row, i;

	for (row = 0; row < table->rows; row++)
		for (i = 0; i < table->columns; i++)
			free(table->row[row].cell[i]);
	free(table->row);
	*table = (struct table) { 0 };
}

void json_print(struct json_object *root)
{
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

void json_add_string(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, text && *text ? json_object_new_string(text) : NULL);
}

void json_add_hex(struct json_object *to, const char *key, unsigned long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", value);
	json_object_object_add(to, key, json_object_new_string(text));
}
