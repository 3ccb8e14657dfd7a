/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMEM_H
#define IOMEM_H

#include <stdbool.h>
#include <stdint.h>

/* A copy of /proc/iomem, in its order: a child follows its parent, one deeper. */
struct iomem_entry {
	uint64_t start;
	uint64_t end;
	int depth;
	char name[80];
};

struct iomem {
	int count;
	struct iomem_entry *entries;
};

void iomem_read(struct iomem *map);
void iomem_free(struct iomem *map);

/* The nth (from 0) entry whose name contains the text, or NULL. */
const struct iomem_entry *iomem_named(const struct iomem *map, const char *text, int nth);
/* The deepest entry with exactly that range, or NULL. */
const struct iomem_entry *iomem_range(const struct iomem *map, uint64_t start, uint64_t end);
/* The nth direct child, or NULL. */
const struct iomem_entry *iomem_child(const struct iomem *map, const struct iomem_entry *of, int nth);
const struct iomem_entry *iomem_parent(const struct iomem *map, const struct iomem_entry *of);

/* Are two copies equal? Says what differs. */
bool iomem_same(const struct iomem *before, const struct iomem *after);

#endif
