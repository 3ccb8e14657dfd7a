/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

/* What nearly each file needs of the C library comes with this one. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Part of the interface: subpage-vfio(8) lists them. */
enum exit_code {
	CODE_OK = 0,
	/* From here to 6 nothing was changed. */
	CODE_FAILED = 1,	/* the kernel refused */
	CODE_USAGE = 2,		/* usage error */
	CODE_NO_DEVICE = 3,
	CODE_PERMISSION = 4,
	CODE_IN_USE = 5,
	CODE_HOST = 6,		/* the machine lacks something: module, IOMMU, VFIO */
	CODE_STUCK = 7,		/* what was begun could not be put back */
	CODE_CHANGED = 8,	/* done, but the devices cannot be used yet, or it could not be told */
};

enum colour { PLAIN, GOOD, BETTER, BAD, STRONG };

/*
 * Before anything else is opened: no file of a device may become number 0, 1 or 2, or
 * a message would be written into its registers. From then on a program that has not
 * been able to print all ends with CODE_FAILED, unless with another error.
 */
void output_begin(void);

/* Say on stderr what is wrong and, unless NULL, what to do next. */
void complain(const char *next, const char *fmt, ...) PRINTF(2, 3);
/* The same, and end the program. */
void fail(enum exit_code code, const char *next, const char *fmt, ...)
	PRINTF(3, 4) __attribute__((noreturn));

/* What is being waited for; seen only by a person at a terminal. NULL: done. */
void progress(const char *fmt, ...) PRINTF(1, 2);

/* Memory or the end of the program. */
void *allocate(void *old, size_t size);
char *format(const char *fmt, ...) PRINTF(1, 2);
/* Go through an array with a pointer. */
#define for_each(item, array, count) for ((item) = (array); (item) < (array) + (count); (item)++)
/* Room for one more behind the others, all 0: a pointer to it. */
#define grow(array, count) ((typeof(array))one_more(&(array), &(count), sizeof((array)[0])))
void *one_more(void *array, int *count, size_t size);
/* Put "helps: " and that (NULL: nothing) on a line of its own behind the others, unless it is there already. */
void add_help(char **lines, const char *before, const char *help);
/* Put one more text behind a list of texts (NULL: none yet), and that between them. */
void add_text(char **list, const char *between, const char *fmt, ...) PRINTF(3, 4);

/*
 * The text, to free(), as JSON and terminals want it: what is no UTF-8, or a control
 * character, is replaced. A label in sysfs is whatever its device or its writer put there.
 */
char *valid_text(const char *text);

bool colours_wanted(void);
/* Text between these is coloured if a terminal shows it. */
const char *colour_on(enum colour colour);
const char *colour_off(void);

#endif
