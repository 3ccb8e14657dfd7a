/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "print/output.h"

/*
 * What a command answers, as rows of named columns. Text for people, --raw, --pairs, --json and -o all print the same
 * rows. In JSON a key is its column's name in lower case, and each value is of its column's type or null.
 */

enum column_type {
	COLUMN_TEXT,
	COLUMN_HEX,	/* text: "0x1000" */
	COLUMN_NUMBER,
	COLUMN_BYTES,	/* a number; people see 16K */
	COLUMN_BOOL,	/* people see yes and no */
};

enum shown {
	HIDDEN,
	SHOWN,
	SHOWN_IF_FLAT,	/* to people a heading says it */
};

struct column {
	const char *name;	/* NULL ends a command's columns */
	enum column_type type;
	enum shown shown;	/* without -o */
	const char *help;
};

/* How rows are printed. */
struct format {
	bool json, raw, pairs, noheadings;
	const char *columns;	/* NULL: not chosen */
};

/* Columns that more than one command has. */
#define ADDRESS_COLUMN(shown) { "ADDRESS", COLUMN_TEXT, shown, "PCI address of the device" }
#define DRIVER_COLUMN(shown) { "DRIVER", COLUMN_TEXT, shown, "the driver that has it" }
#define GROUP_COLUMN(shown) { "IOMMU_GROUP", COLUMN_NUMBER, shown, "number of its IOMMU group" }
#define BAR_COLUMN(shown) { "BAR", COLUMN_NUMBER, shown, "number of the BAR" }
#define PART_OFFSET_COLUMN(shown) { "OFFSET", COLUMN_HEX, shown, "where the part that this row is about starts in it" }
#define PART_SIZE_COLUMN(shown) { "SIZE", COLUMN_BYTES, shown, "of that part" }
#define CODE_COLUMN(shown) { "REASON_CODE", COLUMN_TEXT, shown, "why, in a word that stays" }
#define REASON_COLUMN(shown) { "REASON", COLUMN_TEXT, shown, "why" }
#define HELP_COLUMN(shown) { "HELP", COLUMN_TEXT, shown, "commands and options that help, with \"; \" between" }

struct table;

/* The name is the key of the rows in JSON. */
struct table *table_new(const char *name, const struct column *columns, const struct format *format);
void table_free(struct table *table);

/*
 * Start a row about a device: those of the columns ADDRESS, DRIVER and IOMMU_GROUP that there are have their values (a
 * group of -1: none). The other cells are empty, which is null in JSON, until one of these sets them.
 */
void table_row(struct table *table, const char *address, const char *driver, int group);
void table_text(struct table *table, int column, const char *text);	/* NULL or "": leave it empty */
/* the same, our own, with line ends */
void table_lines(struct table *table, int column, const char *text);
void table_hex(struct table *table, int column, uint64_t value);
void table_number(struct table *table, int column, int64_t value);	/* also for COLUMN_BYTES */
void table_real(struct table *table, int column, double value);
void table_bool(struct table *table, int column, bool value);
void table_colour(struct table *table, int column, enum colour colour);

int table_rows(const struct table *table);

/* Print all rows, for people each line behind an indent, and free the table. */
void table_end(struct table *table, const char *indent);

/* Do people read it, as opposed to a program or somebody who chose columns? */
bool table_is_for_people(const struct format *format);

/* End the program if the list of -o (NULL: none) names a column that there is not. */
void table_check_columns(const struct column *columns, const char *list);
void table_print_help(const struct column *columns);

#endif
