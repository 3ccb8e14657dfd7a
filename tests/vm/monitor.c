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
	/* The monitor greeted an end that nobody had opened yet. */
	tcflush(fd, TCIOFLUSH);
	return fd;
}

/* The monitor edits its line as for a terminal: drop escape sequences and returns. */
static void plain(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\033' && text[1] == '[') {
			text += 2;
			while (*text && (*text < '@' || *text > '~'))
				text++;
			if (*text)
				text++;
		} else if (*text == '\r') {
			text++;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

int monitor_cmd(char *reply, size_t size, const char *fmt, ...)
{
	static char text[65536];
	size_t got = 0;
	char command[512], *start, *end;
	int fd = open_monitor(), len;
	va_list args;

	if (fd < 0)
		return fd;
	va_start(args, fmt);
	len = vsnprintf(command, sizeof(command) - 1, fmt, args);
	va_end(args);
	command[len++] = '\n';
	if (write(fd, command, len) != len)
		return -errno;
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&wait, 1, REPLY_MS) <= 0)
			return -ETIMEDOUT;
		n = read(fd, text + got, sizeof(text) - 1 - got);
		if (n <= 0)
			return n ? -errno : -EPIPE;
		got += n;
		text[got] = '\0';
		/* The reply starts after the echoed line and ends with the next prompt. */
		start = strchr(text, '\n');
		if (start && strstr(start, PROMPT))
			break;
	}
	plain(++start);
	end = strstr(start, PROMPT);
	while (end > start && end[-1] == '\n')
		end--;
	*end = '\0';
	snprintf(reply, size, "%s", start);
	return 0;
}
