// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>

#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>

#include "print/table.h"

#define COLUMNS_MAX 48

struct table {
	struct libscols_table *scols;
	const struct column *columns;
	struct libscols_line *line;	/* the row that is being filled */
	int place[COLUMNS_MAX];		/* of our column in the table, -1: not printed ... */
	int column[COLUMNS_MAX];	/* ... and our column that is at a place of it */
	const char *name;
	const struct format *format;
	bool people;
	bool plain;			/* numbers in full */
	int sentence;			/* the column that people read last, -1: none ... */
	char **sentences;		/* ... and it in each row */
	int rows;
};

/* What the library has made, or the end of the program. */
static void need(const void *made)
{
	if (!made)
		fail(CODE_FAILED, NULL, "out of memory");
}

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
		fail(CODE_USAGE, "\"--help=columns\" behind the command lists them", "-o names no column");
	while ((name = next_name(&rest, &length)))
		if (find(columns, name, length) < 0)
			fail(CODE_USAGE, "\"--help=columns\" behind the command lists them",
			     "there is no column \"%.*s\"", (int)length, name);
}

void table_print_help(const struct column *columns)
{
	printf("\nColumns (in JSON, keys in lower case):\n");
	for (; columns->name; columns++)
		printf("  %-16s %s\n", columns->name, columns->help);
}

bool table_is_for_people(const struct format *format)
{
	return !format->json && !format->raw && !format->pairs && !format->columns;
}

static void add_column(struct table *table, int column)
{
	const struct column *what = &table->columns[column];
	bool right = what->type == COLUMN_NUMBER || what->type == COLUMN_BYTES;

	if (table->place[column] >= 0)
		return;
	need(scols_table_new_column(table->scols, what->name, 0, right ? SCOLS_FL_RIGHT : 0));
	table->place[column] = scols_table_get_ncols(table->scols) - 1;
	table->column[table->place[column]] = column;
	/* The last one of a person's columns is a sentence: it goes on below itself. */
	if (table->people && (!what[1].name || !what[1].shown) && what->type == COLUMN_TEXT)
		table->sentence = column;
}

struct table *table_new(const char *name, const struct column *columns, const struct format *format)
{
	struct table *table = allocate(NULL, sizeof(*table));
	const char *list = format->columns, *column;
	bool more = list && *list == '+';
	size_t length;
	int i;

	*table = (struct table) {
		.name = name, .format = format, .columns = columns, .sentence = -1,
		.people = table_is_for_people(format),
		.plain = format->json || format->raw || format->pairs,
		.scols = scols_new_table(),
	};
	need(table->scols);
	scols_table_enable_raw(table->scols, format->raw);
	scols_table_enable_export(table->scols, format->pairs);
	scols_table_enable_noheadings(table->scols, format->noheadings && !table->people);
	scols_table_enable_colors(table->scols, table->people && colours_wanted());

	for (i = 0; columns[i].name; i++)
		table->place[i] = -1;
	for (i = 0; columns[i].name; i++)
		if ((!list && format->json) ||
		    ((!list || more) && columns[i].shown && (columns[i].shown == SHOWN || !table->people)))
			add_column(table, i);
	list += more;
	while (format->columns && (column = next_name(&list, &length)))
		add_column(table, find(columns, column, length));
	return table;
}

void table_free(struct table *table)
{
	while (table->rows)
		free(table->sentences[--table->rows]);
	free(table->sentences);
	scols_unref_table(table->scols);
	free(table);
}

/* Takes the text. */
static void put(struct table *table, int column, char *text)
{
	int place = table->place[column];

	if (place < 0) {
		free(text);
		return;
	}
	if (column == table->sentence) {
		/* In its place one letter stands for it until all is laid out. */
		free(table->sentences[table->rows - 1]);
		table->sentences[table->rows - 1] = text;
		text = format("-");
	}
	if (scols_line_refer_data(table->line, place, text))
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

/* "16K", to free(). */
static char *size_text(uint64_t size)
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

void table_row(struct table *table, const char *address, const char *driver, int group)
{
	int column;

	table->line = scols_table_new_line(table->scols, NULL);
	need(table->line);
	*grow(table->sentences, table->rows) = NULL;
	for (column = 0; table->columns[column].name; column++) {
		const char *name = table->columns[column].name;

		if (!strcmp(name, "ADDRESS"))
			table_text(table, column, address);
		else if (!strcmp(name, "DRIVER"))
			table_text(table, column, driver);
		else if (!strcmp(name, "IOMMU_GROUP") && group >= 0)
			table_number(table, column, group);
	}
	if (table->sentence >= 0)
		put(table, table->sentence, format("%s", ""));
}

int table_rows(const struct table *table)
{
	return table->rows;
}

/* A cell as its column's type has it in JSON. */
static struct json_object *value(enum column_type type, const char *text)
{
	if (!text)
		return NULL;
	if (type == COLUMN_BOOL)
		return json_object_new_boolean(*text == '1');
	return type == COLUMN_NUMBER || type == COLUMN_BYTES ? json_tokener_parse(text) : json_object_new_string(text);
}

/* libsmartcols prints JSON, too, but has had values that can be null for truth values since 2.38 only. */
static void print_json(const struct table *table)
{
	struct json_object *all = json_object_new_object(), *rows = json_object_new_array(), *row;
	int i, place;

	for (i = 0; i < table->rows; i++) {
		struct libscols_line *line = scols_table_get_line(table->scols, i);

		row = json_object_new_object();
		for (place = 0; place < (int)scols_table_get_ncols(table->scols); place++) {
			const struct column *what = &table->columns[table->column[place]];
			const char *text = scols_cell_get_data(scols_line_get_cell(line, place));
			char *name = format("%s", what->name), *c;

			for (c = name; *c; c++)
				*c = tolower((unsigned char)*c);
			json_object_object_add(row, name, value(what->type, text));
			free(name);
		}
		json_object_array_add(rows, row);
	}
	json_object_object_add(all, table->name, rows);
	puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(all);
}

/* A sentence behind so many columns; if it does not fit there, below it, and no word in two. */
static void print_sentence(const char *text, size_t at, size_t width)
{
	const size_t below = 8;
	size_t length, left = at < width ? width - at : 0;
	const char *between = "";

	if (strlen(text) <= left) {
		printf("%s\n", text);
		return;
	}
	for (left = 0; *text; text += length, text += strspn(text, " ")) {
		length = strcspn(text, " ");
		if (length + 1 > left) {
			printf("\n%*s", (int)below, "");
			left = width > below ? width - below : length;
			between = "";
		}
		printf("%s%.*s", between, (int)length, text);
		left -= length + strlen(between) < left ? length + strlen(between) : left;
		between = " ";
	}
	putchar('\n');
}

/* Of our tables a person's is the one with an indent; its last column is laid out here. */
static void print_for_people(const struct table *table, const char *indent)
{
	size_t at, width;
	char *text, *line, *rest;
	int row = 0;

	if (scols_print_table_to_string(table->scols, &text))
		fail(CODE_FAILED, NULL, "out of memory");
	width = isatty(STDOUT_FILENO) ? scols_table_get_termwidth(table->scols) : SIZE_MAX;
	line = strtok_r(text, "\n", &rest);
	at = line && table->sentence >= 0 ?
		strlen(indent) + strlen(line) - strlen(table->columns[table->sentence].name) : 0;
	if (line && !table->format->noheadings)
		printf("%s%s\n", indent, line);
	for (; line && (line = strtok_r(NULL, "\n", &rest)); row++) {
		if (table->sentence < 0) {
			printf("%s%s\n", indent, line);
			continue;
		}
		line[strlen(line) - 1] = '\0';
		printf("%s%s", indent, line);
		print_sentence(table->sentences[row], at, width);
	}
	free(text);
}

void table_end(struct table *table, const char *indent)
{
	if (table->format->json)
		print_json(table);
	else if (table->people)
		print_for_people(table, indent);
	else
		scols_print_table(table->scols);
	table_free(table);
}
