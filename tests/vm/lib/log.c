// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>

#include "log.h"
#include "tap.h"

int log_mark(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	lseek(fd, 0, SEEK_END);
	return fd;
}

char *log_since(int mark)
{
	size_t size = 1, len;
	char *log = calloc(1, 1), record[8192];
	ssize_t n;

	/* EPIPE: the ring buffer has overwritten records; go on with the oldest left. */
	while ((n = read(mark, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		char *text, *end;

		if (n < 0)
			continue;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		if (!strncmp(text, "TAP| ", 5) || !strncmp(text, "OUT| ", 5))
			continue;
		/* Lines after the first are the record's dictionary. */
		end = strchr(text, '\n');
		if (end)
			end[1] = '\0';
		len = strlen(text);
		log = realloc(log, size + len);
		memcpy(log + size - 1, text, len + 1);
		size += len;
	}
	return log;
}

int log_count(const char *log, const char *text)
{
	int count = 0;

	while ((log = strstr(log, text))) {
		count++;
		log = strchr(log, '\n');
		if (!log)
			break;
	}
	return count;
}

double log_time(const char *text)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned long long us = 0;
	char record[8192];
	ssize_t n;

	while ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		record[n < 0 ? 0 : n] = '\0';
		if (strstr(record, text))
			sscanf(record, "%*u,%*u,%llu", &us);
	}
	close(fd);
	return us / 1e6;
}

int log_lines(int mark, const char *text)
{
	char *log = log_since(mark);
	int lines = log_count(log, text);

	free(log);
	return lines;
}

bool log_has(int mark, const char *text)
{
	bool has = log_lines(mark, text);

	if (!has)
		diag("the log has no \"%s\"", text);
	return has;
}
