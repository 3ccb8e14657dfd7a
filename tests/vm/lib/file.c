// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "file.h"

int file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, text, size - 1);
	err = errno;
	close(fd);
	if (len < 0)
		return -err;
	if (len && text[len - 1] == '\n')
		len--;
	text[len] = '\0';
	return len;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err;
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	return len < 0 ? -err : 0;
}

char *file_slurp(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 65536, got = 0;
	char *text;
	ssize_t n;

	if (fd < 0)
		return NULL;
	text = malloc(size);
	while ((n = read(fd, text + got, size - got - 1)) > 0) {
		got += n;
		if (got == size - 1)
			text = realloc(text, size *= 2);
	}
	close(fd);
	text[got] = '\0';
	if (len)
		*len = got;
	return text;
}

void sleep_ms(unsigned int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}
