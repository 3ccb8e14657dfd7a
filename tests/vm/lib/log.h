/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

/* Remember where the kernel's log ends now; close() it. */
int log_mark(void);

/*
 * What the kernel has logged since the mark, a line per record, without the
 * tests' own lines; moves the mark. free() it.
 */
char *log_since(int mark);

/* How many lines contain the text. */
int log_count(const char *log, const char *text);

/* When the kernel has last logged the text, in seconds by its own clock. */
double log_time(const char *text);

/* The same of what the kernel has logged since the mark; moves the mark. */
int log_lines(int mark, const char *text);
/* Has it logged the text since the mark? Moves the mark, and shows when it has not. */
bool log_has(int mark, const char *text);

#endif
