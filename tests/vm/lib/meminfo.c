// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "meminfo.h"

long meminfo_kb(const char *field)
{
	char *text = file_slurp("/proc/meminfo", NULL), *at = text ? strstr(text, field) : NULL;
	long kb = at ? strtol(strchr(at, ':') + 1, NULL, 10) : -1;

	free(text);
	return kb;
}
