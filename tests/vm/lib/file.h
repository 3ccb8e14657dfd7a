/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>

/* All return -errno when they fail. */

/* Read a small file as text, without its last newline; returns the length. */
int file_read(const char *path, char *text, size_t size);

/* One write of the whole text, as sysfs wants it. */
int file_write(const char *path, const char *text);

/* The whole file, of whatever length, ended by a NUL; free() it. NULL and errno on failure. */
char *file_slurp(const char *path, size_t *len);

void sleep_ms(unsigned int ms);

#endif
