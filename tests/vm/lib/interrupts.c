// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "interrupts.h"

int interrupts_count(const char *name, char *chip, size_t size)
{
	char *text = file_slurp("/proc/interrupts", NULL), *line, *rest;
	int total = -ENOENT;

	/* "NUMBER: COUNT_ON_EACH_CPU CHIP HWIRQ KIND NAME" */
	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		char *at = strchr(line, ':'), *end;

		if (!at || !strstr(at, name))
			continue;
		if (total < 0)
			total = 0;
		for (at++;; at = end) {
			total += strtol(at, &end, 10);
			if (end == at)
				break;
		}
		while (*at == ' ')
			at++;
		if (chip)
			snprintf(chip, size, "%.*s", (int)strcspn(at, " "), at);
	}
	free(text);
	return total;
}
