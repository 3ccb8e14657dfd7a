// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libsmartcols/libsmartcols.h>

#include "print/table.h"

#define COLUMNS_MAX 48

struct table {
	struct libscols_table *scols;
	const struct column *columns;
	struct libscols_line *line;	/* the row that is being filled */
	int place[COLUMNS_MAX];		/* of our column in the table, -1: not printed */
	bool people;
	bool plain;			/* numbers in full */
};

static int find(const struct column *columns, const char *name, size_t length)
{
	int i;

	for (i = 0; columns[i].name; i++)
		if (strlen(columns[i].name) == length && !strncasecmp(columns[i].name, name, length))
			return i;
	return -1;
}

/* The next name in a list; NULL at its end. */
static const char *next_name(const char **list, size_t *length)
{
	const char *name = *list;

	if (!name || !*name)
		return NULL;
	*length = strcspn(name, ",");
	*list = name + *length + (name[*length] == ',');
	return name;
}

void table_check_columns(const struct column *columns, const char *list)
{
	const char *name, *rest = list && *list == '+' ? list + 1 : list;
	size_t length;

	if (list && !*rest)
		fail(CODE_USAGE, "\"--help\" behind the command lists them", "-o names no column");
	while ((name = next_name(&rest, &length)))
		if (find(columns, name, length) < 0)
			fail(CODE_USAGE, "\"--help\" behind the command lists them",
			     "there is no column \"%.*s\"", (int)length, name);
}

void table_print_help(const struct column *columns)
{
	printf("\nColumns (in JSON, keys in lower case):\n");
	for (; columns->name; columns++)
		printf("  %-16s %s\n", columns->name, columns->help);
}

bool table_is_for_people(const struct options *options)
{
	return !options->json && !options->raw && !options->columns;
}

static void add_column(struct table *table, int column)
{
	static const int json_type[] = {
		[COLUMN_TEXT] = SCOLS_JSON_STRING,
		[COLUMN_HEX] = SCOLS_JSON_STRING,
		[COLUMN_NUMBER] = SCOLS_JSON_NUMBER,
		[COLUMN_BYTES] = SCOLS_JSON_NUMBER,
		[COLUMN_BOOL] = SCOLS_JSON_BOOLEAN_OPTIONAL,
	};
	const struct column *what = &table->columns[column];
	struct libscols_column *added;
	int flags = 0;

	if (table->place[column] >= 0)
		return;
	if (what->type == COLUMN_NUMBER || what->type == COLUMN_BYTES)
		flags = SCOLS_FL_RIGHT;
	/* The last one of a person's columns is a sentence: it goes on below itself. */
	if (table->people && (!what[1].name || !what[1].shown) && what->type == COLUMN_TEXT)
		flags = SCOLS_FL_WRAP;
	added = scols_table_new_column(table->scols, what->name, 0, flags);
	if (!added)
		fail(CODE_FAILED, NULL, "out of memory");
	scols_column_set_json_type(added, json_type[what->type]);
	table->place[column] = scols_table_get_ncols(table->scols) - 1;
}

struct table *table_new(const char *name, const struct column *columns, const struct options *options)
{
	struct table *table = allocate(NULL, sizeof(*table));
	const char *list = options->columns, *column;
	bool more = list && *list == '+';
	size_t length;
	int i;

	*table = (struct table) {
		.columns = columns,
		.people = table_is_for_people(options),
		.plain = options->json || options->raw,
		.scols = scols_new_table(),
	};
	if (!table->scols || scols_table_set_name(table->scols, name))
		fail(CODE_FAILED, NULL, "out of memory");
	scols_table_enable_json(table->scols, options->json);
	scols_table_enable_raw(table->scols, options->raw);
	scols_table_enable_colors(table->scols, table->people && colours_wanted());

	for (i = 0; columns[i].name; i++)
		table->place[i] = -1;
	for (i = 0; columns[i].name; i++)
		if ((!list && options->json) ||
		    ((!list || more) && columns[i].shown &&
		     (columns[i].shown == SHOWN || !table->people)))
			add_column(table, i);
	list += more;
	while (options->columns && (column = next_name(&list, &length)))
		add_column(table, find(columns, column, length));
	return table;
}

void table_free(struct table *table)
{
	scols_unref_table(table->scols);
	free(table);
}

/* Takes the text. */
static void put(struct table *table, int column, char *text)
{
	int place = table->place[column];

	if (place < 0)
		free(text);
	else if (scols_line_refer_data(table->line, place, text))
		fail(CODE_FAILED, NULL, "out of memory");
}

void table_text(struct table *table, int column, const char *text)
{
	if (text && *text)
		put(table, column, valid_text(text));
}

void table_lines(struct table *table, int column, const char *text)
{
	if (text)
		put(table, column, format("%s", text));
}

void table_hex(struct table *table, int column, uint64_t value)
{
	put(table, column, format("0x%llx", (unsigned long long)value));
}

void table_number(struct table *table, int column, int64_t value)
{
	put(table, column, table->columns[column].type == COLUMN_BYTES && !table->plain ?
	    size_text(value) : format("%lld", (long long)value));
}

void table_real(struct table *table, int column, double value)
{
	put(table, column, format("%.1f", value));
}

void table_bool(struct table *table, int column, bool value)
{
	put(table, column, format("%s", table->plain ? (value ? "1" : "0") : (value ? "yes" : "no")));
}

void table_colour(struct table *table, int column, enum colour colour)
{
	static const char * const name[] = {
		[GOOD] = "green", [BETTER] = "brown", [BAD] = "red", [STRONG] = "bold",
	};
	int place = table->place[column];

	if (place >= 0 && colour != PLAIN)
		scols_cell_set_color(scols_line_get_cell(table->line, place), name[colour]);
}

void table_row(struct table *table, const struct device *device)
{
	int column;

	table->line = scols_table_new_line(table->scols, NULL);
	if (!table->line)
		fail(CODE_FAILED, NULL, "out of memory");
	for (column = 0; table->columns[column].name; column++) {
		const char *name = table->columns[column].name;

		if (!strcmp(name, "ADDRESS"))
			table_text(table, column, device->address);
		else if (!strcmp(name, "DRIVER"))
			table_text(table, column, device->driver);
		else if (!strcmp(name, "IOMMU_GROUP") && device->group >= 0)
			table_number(table, column, device->group);
	}
}

int table_rows(const struct table *table)
{
	return scols_table_get_nlines(table->scols);
}

static void print(struct table *table, const char *indent)
{
	char *text, *line, *rest;

	if (!table->people || !*indent) {
		scols_print_table(table->scols);
		return;
	}
	if (scols_print_table_to_string(table->scols, &text))
		fail(CODE_FAILED, NULL, "out of memory");
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		printf("%s%s\n", indent, line);
	free(text);
}

void table_end(struct table *table, const char *indent)
{
	print(table, indent);
	table_free(table);
}

char *size_text(uint64_t size)
{
	static const char unit[] = " KMGTPE";
	int i = 0;

	while (size >= 1024 && size % 1024 == 0 && unit[i + 1]) {
		size /= 1024;
		i++;
	}
	return i ? format("%llu%c", (unsigned long long)size, unit[i]) :
		   format("%llu", (unsigned long long)size);
}
