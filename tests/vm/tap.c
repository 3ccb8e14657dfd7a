// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "tap.h"

static unsigned int tests;

/*
 * Lines go through the kernel's log, not straight to the console: printk writes
 * whole records, so that a warning of the kernel cannot tear a line of ours.
 */
static void line(const char *tag, const char *text)
{
	static int kmsg = -1;
	/* printk cuts a record at about 1000 bytes. */
	char record[960];
	int len;

	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	len = snprintf(record, sizeof(record), "<5>%s| %s\n", tag, text);
	if (len >= (int)sizeof(record))
		len = sizeof(record) - 1;
	if (write(kmsg, record, len) < 0)
		dprintf(STDOUT_FILENO, "%s", record + 3);
}

static bool result(bool good, const char *fmt, va_list args)
{
	char text[800], record[900];

	vsnprintf(text, sizeof(text), fmt, args);
	snprintf(record, sizeof(record), "%sok %u - %s", good ? "" : "not ", ++tests, text);
	line("TAP", record);
	return good;
}

#define RESULT(good) ({				\
	va_list args;				\
	bool good_;				\
						\
	va_start(args, fmt);			\
	good_ = result(good, fmt, args);	\
	va_end(args);				\
	good_; })

bool ok(bool good, const char *fmt, ...)
{
	return RESULT(good);
}

bool is_u64(uint64_t got, uint64_t want, const char *fmt, ...)
{
	if (RESULT(got == want))
		return true;
	diag("got %#llx, want %#llx", (unsigned long long)got, (unsigned long long)want);
	return false;
}

bool is_errno(int got, int want, const char *fmt, ...)
{
	if (RESULT(got == want))
		return true;
	diag("got %d (%s), want %d (%s)", got, got < 0 ? strerror(-got) : "no error",
	     want, want < 0 ? strerror(-want) : "no error");
	return false;
}

bool is_str(const char *got, const char *want, const char *fmt, ...)
{
	if (RESULT(got && !strcmp(got, want)))
		return true;
	diag("got \"%s\", want \"%s\"", got ? got : "(nothing)", want);
	return false;
}

void skip(int count, const char *fmt, ...)
{
	char why[800], record[900];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	while (count-- > 0) {
		snprintf(record, sizeof(record), "ok %u # SKIP %s", ++tests, why);
		line("TAP", record);
	}
}

/* A record of the log holds one line. */
static void lines(const char *tag, const char *prefix, const char *fmt, va_list args)
{
	char text[16384], record[900], *at, *rest;

	vsnprintf(text, sizeof(text), fmt, args);
	for (at = strtok_r(text, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
		snprintf(record, sizeof(record), "%s%s", prefix, at);
		line(tag, record);
	}
}

void diag(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	lines("TAP", "# ", fmt, args);
	va_end(args);
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	lines("OUT", "", fmt, args);
	va_end(args);
}

void bail(const char *fmt, ...)
{
	RESULT(false);
	diag("this boot stops here");
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

void tap_plan(void)
{
	char record[32];

	snprintf(record, sizeof(record), "1..%u", tests);
	line("TAP", record);
}
