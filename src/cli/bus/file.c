// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/file.h"

/* What "fmt" and the arguments behind it say. */
#define DECLARE_PATH \
	char path[PATH_MAX]; \
	va_list args; \
	va_start(args, fmt); \
	vsnprintf(path, sizeof(path), fmt, args); \
	va_end(args)

int file_read(char *text, size_t size, const char *fmt, ...)
{
	ssize_t n = -1;
	int fd, err;

	DECLARE_PATH;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, text, size - 1);
	err = errno;
	if (fd >= 0)
		close(fd);
	if (n > 0 && text[n - 1] == '\n')
		n--;
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -err : n;
}

int file_write(const char *text, const char *fmt, ...)
{
	int fd, err = 0;
	ssize_t n;

	DECLARE_PATH;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n != (ssize_t)strlen(text))
		err = n < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

bool file_exists(const char *fmt, ...)
{
	DECLARE_PATH;
	return !access(path, F_OK);
}

void link_read(char *text, size_t size, const char *fmt, ...)
{
	char target[PATH_MAX], *last;
	ssize_t n;

	DECLARE_PATH;
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (strlen(last) < size)
		strcpy(text, last);
	else
		*text = '\0';
}

void lines_end(struct lines *lines)
{
	if (lines->file)
		fclose(lines->file);
	free(lines->line);
	*lines = (struct lines) { 0 };
}

bool next_line(struct lines *lines, const char *fmt, ...)
{
	ssize_t n = -1;

	DECLARE_PATH;
	if (!lines->file)
		lines->file = fopen(path, "re");
	if (lines->file)
		n = getline(&lines->line, &lines->size, lines->file);
	if (n >= 0) {
		lines->line[strcspn(lines->line, "\n")] = '\0';
		return true;
	}
	lines_end(lines);
	return false;
}
