// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <search.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>

#include "tap.h"

/* What all processes of the boot share. */
static struct {
	unsigned int tests;
	/* Of the last one. */
	const char *file;
	int line;
} *shared;

static void *names;
static struct wrong repeated;
static char subject[400];

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

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void remember(const char *name)
{
	char *copy = strdup(name), **node = tsearch(copy, &names, by_name);

	if (*node == copy)
		return;
	wrong_add(&repeated, "%s:%d: %s", shared->file, shared->line, name);
	free(copy);
}

static bool result(const char *file, int line_number, bool good, const char *fmt, va_list args)
{
	char text[800], record[900];
	int len = snprintf(text, sizeof(text), "%s", subject);

	vsnprintf(text + len, sizeof(text) - len, fmt, args);
	shared->file = file;
	shared->line = line_number;
	remember(text);
	snprintf(record, sizeof(record), "%sok %u - %s", good ? "" : "not ", ++shared->tests, text);
	line("TAP", record);
	if (!good)
		diag("at %s:%d", file, line_number);
	return good;
}

#define RESULT(good) ({						\
	va_list args;						\
	bool good_;						\
								\
	va_start(args, fmt);					\
	good_ = result(file, line, good, fmt, args);		\
	va_end(args);						\
	good_; })

bool tap_ok(const char *file, int line, bool good, const char *fmt, ...)
{
	return RESULT(good);
}

bool tap_is_u64(const char *file, int line, uint64_t got, uint64_t want, const char *fmt, ...)
{
	if (RESULT(got == want))
		return true;
	diag("got %#llx, want %#llx", (unsigned long long)got, (unsigned long long)want);
	return false;
}

bool tap_is_errno(const char *file, int line, int got, int want, const char *fmt, ...)
{
	if (RESULT(got == want))
		return true;
	diag("got %d (%s), want %d (%s)", got, got < 0 ? strerror(-got) : "no error",
	     want, want < 0 ? strerror(-want) : "no error");
	return false;
}

bool tap_is_str(const char *file, int line, const char *got, const char *want, const char *fmt, ...)
{
	if (RESULT(got && !strcmp(got, want)))
		return true;
	diag("got \"%s\", want \"%s\"", got ? got : "(nothing)", want);
	return false;
}

void wrong_add(struct wrong *wrong, const char *fmt, ...)
{
	size_t len = strlen(wrong->text);
	va_list args;

	wrong->count++;
	va_start(args, fmt);
	vsnprintf(wrong->text + len, sizeof(wrong->text) - len, fmt, args);
	va_end(args);
	strncat(wrong->text, "\n", sizeof(wrong->text) - strlen(wrong->text) - 1);
}

bool tap_none_wrong(const char *file, int line, const struct wrong *wrong, const char *fmt, ...)
{
	if (RESULT(!wrong->count))
		return true;
	diag("%d wrong:", wrong->count);
	diag("%s", wrong->text);
	return false;
}

int tap_about(const char *fmt, ...)
{
	int len = strlen(subject), room = sizeof(subject) - len;
	va_list args;

	va_start(args, fmt);
	vsnprintf(subject + len, room, fmt, args);
	va_end(args);
	strncat(subject, ": ", sizeof(subject) - strlen(subject) - 1);
	return len;
}

void tap_about_end(const int *len)
{
	subject[*len] = '\0';
}

void skip(int count, const char *fmt, ...)
{
	char why[800], record[900];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	while (count-- > 0) {
		snprintf(record, sizeof(record), "ok %u # SKIP %s", ++shared->tests, why);
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

void tap_line(const char *tag, const char *fmt, ...)
{
	char text[901];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	line(tag, text);
}

void tap_bail(const char *file, int line, const char *fmt, ...)
{
	RESULT(false);
	diag("this boot stops here");
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

void tap_start(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
}

bool tap_case(const char *name, void (*run)(void))
{
	const char *file;
	pid_t child, ended;
	int status, line;

	diag("case %s", name);
	shared->file = "its beginning";
	shared->line = 0;
	child = fork();
	if (!child) {
		setpgid(0, 0);
		run();
		none_wrong(&repeated, "no two tests of case %s have the same name", name);
		_exit(0);
	}
	/* Also what processes of earlier cases have left. */
	do {
		ended = wait(&status);
	} while (ended > 0 && ended != child);
	if (ended == child && WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	kill(-child, SIGKILL);
	file = shared->file;
	line = shared->line;
	ok(false, "case %s comes to its end", name);
	if (ended != child)
		diag("it could not be started");
	else if (WIFSIGNALED(status))
		diag("%s after %s:%d", strsignal(WTERMSIG(status)), file, line);
	else
		diag("exit code %d", WEXITSTATUS(status));
	return false;
}

void tap_plan(void)
{
	char record[32];

	snprintf(record, sizeof(record), "1..%u", shared->tests);
	line("TAP", record);
}
