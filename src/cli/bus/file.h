/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <glob.h>

#include "print/output.h"

/* Small files of /sys and /proc. Each path is a format, and shorter than PATH_MAX. */

/* What it has, without the last newline, "" if it cannot be read. Returns -errno or the length. */
int file_read(char *text, size_t size, const char *path, ...) PRINTF(3, 4);
/* Returns -errno. */
int file_write(const char *text, const char *path, ...) PRINTF(2, 3);
/*
 * Have the file say that and nothing else, from one moment to the next; its directory is made if there is none.
 * Until then the text is in a hidden file beside it, which no program takes for one of its own. Returns -errno.
 */
int file_replace(const char *text, const char *path, ...) PRINTF(2, 3);
bool file_exists(const char *path, ...) PRINTF(1, 2);
/* The last part of what a link points to, "" if there is none or it does not fit. */
void link_read(char *text, size_t size, const char *path, ...) PRINTF(3, 4);

/* Go through a file line by line. Begins as { 0 }; a caller that stops before the end says so. */
struct lines {
	void *file;
	char *line;
	size_t size;
};

bool next_line(struct lines *lines, const char *path, ...) PRINTF(2, 3);	/* in "line", without its end */
void lines_end(struct lines *lines);

/* What stands behind that beginning of a line, in the first that has it. Returns false, and "", if none has. */
bool file_value(char *text, size_t size, const char *beginning, const char *path, ...) PRINTF(4, 5);

/* Go through the paths that match a pattern of glob(3), likewise. NULL: there is no other. */
struct matches {
	glob_t found;
	size_t next;
};

const char *next_match(struct matches *matches, const char *pattern, ...) PRINTF(2, 3);
void matches_end(struct matches *matches);

#endif
