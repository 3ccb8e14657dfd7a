// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

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

int file_replace(const char *text, const char *fmt, ...)
{
	FILE *file = NULL;
	char *last, *new;
	int err = 0;

	DECLARE_PATH;
	last = strrchr(path, '/');
	new = format("%.*s/.%s.new", (int)(last - path), path, last + 1);
	*last = '\0';
	if (mkdir(path, 0755) && errno != EEXIST)
		err = -errno;
	*last = '/';
	if (!err)
		file = fopen(new, "we");
	if (!err && (!file || fputs(text, file) < 0 || fflush(file) || fsync(fileno(file))))
		err = -errno;
	if (file)
		fclose(file);
	if (!err && rename(new, path))
		err = -errno;
	if (err)
		unlink(new);
	free(new);
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

bool file_value(char *text, size_t size, const char *beginning, const char *fmt, ...)
{
	size_t length = strlen(beginning);
	struct lines lines = { 0 };
	bool found = false;

	DECLARE_PATH;
	*text = '\0';
	while (!found && next_line(&lines, "%s", path)) {
		found = !strncmp(lines.line, beginning, length);
		if (found)
			snprintf(text, size, "%s", lines.line + length);
	}
	lines_end(&lines);
	return found;
}

void matches_end(struct matches *matches)
{
	globfree(&matches->found);
	*matches = (struct matches) { 0 };
}

const char *next_match(struct matches *matches, const char *fmt, ...)
{
	DECLARE_PATH;
	/* Where nothing matches the list is empty. */
	if (!matches->next)
		glob(path, 0, NULL, &matches->found);
	if (matches->next < matches->found.gl_pathc)
		return matches->found.gl_pathv[matches->next++];
	matches_end(matches);
	return NULL;
}
