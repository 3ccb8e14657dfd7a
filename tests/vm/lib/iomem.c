// SPDX-License-Identifier: GPL-2.0-only
#include "file.h"
#include "iomem.h"
#include "tap.h"

void iomem_read(struct iomem *map)
{
	char *text = file_slurp("/proc/iomem", NULL), *line, *rest;

	map->count = 0;
	map->entries = NULL;
	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct iomem_entry entry = { .depth = strspn(line, " ") / 2 };
		unsigned long long start, end;

		if (sscanf(line, " %llx-%llx : %79[^\n]", &start, &end, entry.name) != 3)
			continue;
		entry.start = start;
		entry.end = end;
		map->entries = realloc(map->entries, (map->count + 1) * sizeof(entry));
		map->entries[map->count++] = entry;
	}
	free(text);
}

void iomem_free(struct iomem *map)
{
	free(map->entries);
	map->entries = NULL;
	map->count = 0;
}

const struct iomem_entry *iomem_named(const struct iomem *map, const char *text, int nth)
{
	int i;

	for (i = 0; i < map->count; i++)
		if (strstr(map->entries[i].name, text) && nth-- == 0)
			return &map->entries[i];
	return NULL;
}

const struct iomem_entry *iomem_range(const struct iomem *map, uint64_t start, uint64_t end)
{
	const struct iomem_entry *found = NULL;
	int i;

	for (i = 0; i < map->count; i++)
		if (map->entries[i].start == start && map->entries[i].end == end)
			found = &map->entries[i];
	return found;
}

const struct iomem_entry *iomem_child(const struct iomem *map, const struct iomem_entry *of, int nth)
{
	const struct iomem_entry *entry;

	for (entry = of + 1; entry < map->entries + map->count && entry->depth > of->depth; entry++)
		if (entry->depth == of->depth + 1 && nth-- == 0)
			return entry;
	return NULL;
}

const struct iomem_entry *iomem_parent(const struct iomem *map, const struct iomem_entry *of)
{
	const struct iomem_entry *entry = of;

	while (entry-- > map->entries)
		if (entry->depth < of->depth)
			return entry;
	return NULL;
}

static bool entry_same(const struct iomem_entry *a, const struct iomem_entry *b)
{
	return a->start == b->start && a->end == b->end && a->depth == b->depth &&
	       !strcmp(a->name, b->name);
}

static bool has(const struct iomem *map, const struct iomem_entry *entry)
{
	int i;

	for (i = 0; i < map->count; i++)
		if (entry_same(&map->entries[i], entry))
			return true;
	return false;
}

static void diag_missing(const struct iomem *from, const struct iomem *in, const char *what)
{
	int i;

	for (i = 0; i < from->count; i++) {
		const struct iomem_entry *entry = &from->entries[i];

		if (!has(in, entry))
			diag("%s: %*s%llx-%llx %s", what, entry->depth * 2, "",
			     (unsigned long long)entry->start,
			     (unsigned long long)entry->end, entry->name);
	}
}

bool iomem_same(const struct iomem *before, const struct iomem *after)
{
	int i;

	if (before->count == after->count) {
		for (i = 0; i < before->count; i++)
			if (!entry_same(&before->entries[i], &after->entries[i]))
				break;
		if (i == before->count)
			return true;
	}
	diag_missing(before, after, "only before");
	diag_missing(after, before, "only after");
	return false;
}
