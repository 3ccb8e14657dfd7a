// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "file.h"
#include "monitor.h"

#define PROMPT "(qemu) "
#define REPLY_MS 10000

static int open_monitor(void)
{
	static int fd = -1;
	const char *tty = getenv("monitor");
	struct termios raw;

	if (fd >= 0)
		return fd;
	if (!tty)
		return -ENODEV;
	fd = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!tcgetattr(fd, &raw)) {
		cfmakeraw(&raw);
		tcsetattr(fd, TCSANOW, &raw);
	}
	/* Until now the line echoed the monitor's greeting back to it: end that "command". */
	if (write(fd, "\n", 1) != 1)
		return -errno;
	return fd;
}

/*
 * The monitor echoes each key as a terminal's line editor does: it steps back and
 * writes the whole line again. Leave what a terminal would show.
 */
static void show(const char *in, char *out)
{
	char *first = out;

	for (; *in; in++) {
		if (in[0] == '\033' && in[1] == '[') {
			in += 2;
			if (*in == 'D' && out > first)
				out--;
		} else if (*in != '\r') {
			*out++ = *in;
		}
	}
	*out = '\0';
}

int monitor_cmd(char *reply, size_t size, const char *fmt, ...)
{
	static char text[65536], shown[65536];
	int empty = 0;
	size_t got = 0;
	char command[512], *start, *end;
	int fd = open_monitor(), len;
	va_list args;

	if (fd < 0)
		return fd;
	va_start(args, fmt);
	len = vsnprintf(command, sizeof(command) - 1, fmt, args);
	va_end(args);
	if (len >= (int)sizeof(command) - 1)
		return -E2BIG;
	command[len++] = '\n';
	command[len] = '\0';
	if (write(fd, command, len) != len)
		return -errno;
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&wait, 1, REPLY_MS) <= 0)
			return -ETIMEDOUT;
		n = read(fd, text + got, sizeof(text) - 1 - got);
		if (n < 0)
			return -errno;
		/* Seen once, right after the tty was made raw. */
		if (!n && empty++ < REPLY_MS / 10) {
			sleep_ms(10);
			continue;
		}
		if (!n)
			return -EPIPE;
		got += n;
		text[got] = '\0';
		show(text, shown);
		/* The reply is between the echo, before which may be a greeting, and the next prompt. */
		start = strstr(shown, command);
		if (!start)
			continue;
		start += len;
		end = strstr(start, PROMPT);
		if (end)
			break;
	}
	while (end > start && end[-1] == '\n')
		end--;
	*end = '\0';
	snprintf(reply, size, "%s", start);
	return 0;
}
