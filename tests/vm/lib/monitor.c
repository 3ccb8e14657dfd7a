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

#include "monitor.h"

#define REPLY_MS 60000

static int send_text(int fd, const char *text)
{
	size_t len = strlen(text);

	return write(fd, text, len) == (ssize_t)len ? 0 : -EIO;
}

/* Read until a whole line has the text; what came before is of no interest. */
static int read_line_with(int fd, const char *want, char *line, size_t size)
{
	size_t got = 0;

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		char c;

		if (poll(&wait, 1, REPLY_MS) <= 0)
			return -ETIMEDOUT;
		if (read(fd, &c, 1) != 1)
			return -EPIPE;
		if (c == '\r')
			continue;
		if (c != '\n') {
			if (got < size - 1)
				line[got++] = c;
			continue;
		}
		line[got] = '\0';
		got = 0;
		if (strstr(line, want))
			return 0;
	}
}

static int open_monitor(void)
{
	static int fd = -1;
	const char *tty = getenv("monitor");
	struct termios raw;
	char line[4096];
	int err;

	if (fd >= 0)
		return fd;
	if (!tty)
		return -ENODEV;
	/* Nothing on this line says that there is a carrier. */
	fd = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (!tcgetattr(fd, &raw)) {
		cfmakeraw(&raw);
		raw.c_cflag |= CLOCAL | CREAD;
		tcsetattr(fd, TCSANOW, &raw);
	}
	fcntl(fd, F_SETFL, 0);
	/* Until now the line echoed the monitor's greeting back to it: this byte makes it forget that. */
	err = send_text(fd, "\xff\n{\"execute\": \"qmp_capabilities\", \"id\": \"start\"}\n");
	if (!err)
		err = read_line_with(fd, "\"id\": \"start\"", line, sizeof(line));
	if (err) {
		close(fd);
		fd = -1;
		return err;
	}
	return fd;
}

/* The text of a JSON string, up to its closing quote. */
static void unescape(const char *in, char *out, size_t size)
{
	char *first = out, *end = out + size - 1;

	for (; *in && *in != '"' && out < end; in++) {
		if (*in == '\\' && in[1]) {
			in++;
			if (*in == 'r')
				continue;
			*out++ = *in == 'n' ? '\n' : *in;
		} else {
			*out++ = *in;
		}
	}
	while (out > first && out[-1] == '\n')
		out--;
	*out = '\0';
}

int monitor_cmd(char *reply, size_t size, const char *fmt, ...)
{
	static const char returned[] = "\"return\": \"";
	static int count;
	char command[512], text[768], id[32];
	static char line[65536];
	int fd = open_monitor(), err;
	char *start;
	va_list args;

	if (fd < 0)
		return fd;
	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	snprintf(id, sizeof(id), "\"id\": \"%d\"", ++count);
	snprintf(text, sizeof(text),
		 "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"%s\"}, %s}\n",
		 command, id);
	/* Another process would take the reply to this one's command for its own. */
	lockf(fd, F_LOCK, 0);
	err = send_text(fd, text);
	if (!err)
		err = read_line_with(fd, id, line, sizeof(line));
	lockf(fd, F_ULOCK, 0);
	if (err)
		return err;
	start = strstr(line, returned);
	if (!start)
		return -EPROTO;
	unescape(start + strlen(returned), reply, size);
	return 0;
}
