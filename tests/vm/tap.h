/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stdint.h>

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Each is one test; the text says what holds when it passes. */
bool ok(bool good, const char *fmt, ...) PRINTF(2, 3);
bool is_u64(uint64_t got, uint64_t want, const char *fmt, ...) PRINTF(3, 4);
bool is_errno(int got, int want, const char *fmt, ...) PRINTF(3, 4);
bool is_str(const char *got, const char *want, const char *fmt, ...) PRINTF(3, 4);
void skip(int tests, const char *fmt, ...) PRINTF(2, 3);

/* For whoever reads a failure. */
void diag(const char *fmt, ...) PRINTF(1, 2);

/* For a person who watches: one line of text, no test. */
void say(const char *fmt, ...) PRINTF(1, 2);

/* One failed test, and the end of this boot: the rest would have no meaning. */
void bail(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

/* The closing line. Without it the boot counts as failed. */
void tap_plan(void);

#endif
