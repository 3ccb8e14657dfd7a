/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TAP_H
#define TAP_H

/* The headers of the C library that nearly all tests need. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * Each is one test; the text says what holds when it passes, and no two tests of a
 * case have the same. One that fails says where in the source it stands. All return
 * whether it passed.
 *
 *	ok(good, text, ...)
 *	is_u64(got, want, text, ...)
 *	is_errno(got, want, text, ...)		0 or -errno
 *	is_str(got, want, text, ...)
 */
#define ok(good, ...) tap_ok(__FILE_NAME__, __LINE__, good, __VA_ARGS__)
#define is_u64(got, want, ...) tap_is_u64(__FILE_NAME__, __LINE__, got, want, __VA_ARGS__)
#define is_errno(got, want, ...) tap_is_errno(__FILE_NAME__, __LINE__, got, want, __VA_ARGS__)
#define is_str(got, want, ...) tap_is_str(__FILE_NAME__, __LINE__, got, want, __VA_ARGS__)

/* Of many things at once: note each that is wrong; then one test that none was, which names them. */
struct wrong {
	int count;
	char text[2048];
};

void wrong_add(struct wrong *wrong, const char *fmt, ...) PRINTF(2, 3);
#define none_wrong(wrong, ...) tap_none_wrong(__FILE_NAME__, __LINE__, wrong, __VA_ARGS__)

/*
 * about("with %s", name): to the end of the block the names of tests begin with this,
 * those of the functions that are called too.
 */
#define about(...) ABOUT_HERE(__COUNTER__, __VA_ARGS__)
#define ABOUT_HERE(n, ...) ABOUT_NAMED(n, __VA_ARGS__)
#define ABOUT_NAMED(n, ...) \
	int about_##n __attribute__((cleanup(tap_about_end), unused)) = tap_about(__VA_ARGS__)

/* That many tests are left out. */
void skip(int tests, const char *fmt, ...) PRINTF(2, 3);

/* For whoever reads a failure. */
void diag(const char *fmt, ...) PRINTF(1, 2);

/* For a person who watches: one line of text, no test. */
void say(const char *fmt, ...) PRINTF(1, 2);

/* For tests/vm/run: one line with a tag of its own, of up to 900 characters. */
void tap_line(const char *tag, const char *fmt, ...) PRINTF(2, 3);

/* One failed test, and the end of this boot: the rest would have no meaning. */
#define bail(...) tap_bail(__FILE_NAME__, __LINE__, __VA_ARGS__)

/* What the macros call. */
bool tap_ok(const char *file, int line, bool good, const char *fmt, ...) PRINTF(4, 5);
bool tap_is_u64(const char *file, int line, uint64_t got, uint64_t want, const char *fmt, ...)
	PRINTF(5, 6);
bool tap_is_errno(const char *file, int line, int got, int want, const char *fmt, ...) PRINTF(5, 6);
bool tap_is_str(const char *file, int line, const char *got, const char *want, const char *fmt, ...)
	PRINTF(5, 6);
bool tap_none_wrong(const char *file, int line, const struct wrong *wrong, const char *fmt, ...)
	PRINTF(4, 5);
void tap_bail(const char *file, int line, const char *fmt, ...) PRINTF(3, 4) __attribute__((noreturn));
int tap_about(const char *fmt, ...) PRINTF(1, 2);
void tap_about_end(const int *len);

/* Before all tests. They may run in children of the caller; the numbers go on. */
void tap_start(void);

/* Run it in a child. A crash is one failed test, and the boot goes on. Returns whether it came to its end. */
bool tap_case(const char *name, void (*run)(void));

/* The closing line. Without it the boot counts as failed. */
void tap_plan(void);

#endif
