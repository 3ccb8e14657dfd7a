// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/bar.h"
#include "commands/shared.h"
#include "print/output.h"
#include "print/table.h"

/*
 * A page is what the kernel maps. Who is given one device of such a page can be
 * given, by whatever maps carelessly, the registers of the other.
 */

enum { COL_PAGE, COL_ADDRESS, COL_BAR, COL_START, COL_SIZE, COL_GROUP, COL_DRIVER };

static const struct column columns[] = {
	[COL_PAGE] = { "PAGE", COLUMN_HEX, SHOWN, "address of the page" },
	[COL_ADDRESS] = ADDRESS_COLUMN(SHOWN),
	[COL_BAR] = BAR_COLUMN(SHOWN),
	[COL_START] = { "START", COLUMN_HEX, SHOWN, "where the BAR starts" },
	[COL_SIZE] = { "SIZE", COLUMN_BYTES, SHOWN, "of the BAR" },
	[COL_GROUP] = GROUP_COLUMN(SHOWN),
	[COL_DRIVER] = DRIVER_COLUMN(SHOWN),
	{ 0 }
};

/* A BAR on the page where it starts, or on the one where it ends. */
struct piece {
	uint64_t page;
	const struct device *device;
	int bar;
};

static int by_page(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return x->device != y->device ? (x->device < y->device ? -1 : 1) : x->bar - y->bar;
}

static void add(struct piece **pieces, int *count, uint64_t page, const struct device *device, int bar)
{
	*pieces = allocate(*pieces, (*count + 1) * sizeof(**pieces));
	(*pieces)[(*count)++] = (struct piece) { page, device, bar };
}

static int find_pieces(const struct bus *bus, struct piece **pieces)
{
	uint64_t mask = sysconf(_SC_PAGESIZE) - 1;
	int i, bar, count = 0;

	for (i = 0; i < bus->count; i++)
		for (bar = 0; bar < BARS; bar++) {
			const struct device *device = &bus->device[i];
			const struct resource *res = &device->resource[bar];
			uint64_t last = res->start + res->size - 1;

			if (!bar_exists(device, bar) || !bar_has_address(device, bar))
				continue;
			add(pieces, &count, res->start & ~mask, device, bar);
			if ((last & ~mask) != (res->start & ~mask))
				add(pieces, &count, last & ~mask, device, bar);
		}
	qsort(*pieces, count, sizeof(**pieces), by_page);
	return count;
}

/* Two devices without a group are not kept apart from each other either. */
static bool are_apart(const struct device *a, const struct device *b)
{
	return a != b && (a->group < 0 || a->group != b->group);
}

static void add_rows(struct table *table, const struct piece *piece, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		const struct device *device = piece[i].device;

		table_row(table, device);
		table_hex(table, COL_PAGE, piece[i].page);
		table_number(table, COL_BAR, piece[i].bar);
		table_hex(table, COL_START, device->resource[piece[i].bar].start);
		table_number(table, COL_SIZE, device->resource[piece[i].bar].size);
	}
}

void shared_print(const struct bus *bus, const bool *chosen, const struct options *options)
{
	struct table *table;
	struct piece *piece = NULL;
	int count, first, n, pages = 0;

	table_check_columns(columns, options->columns);
	table = table_new("shared_pages", columns, options);
	count = find_pieces(bus, &piece);
	for (first = 0; first < count; first += n) {
		bool apart = false, wanted = false;

		for (n = 0; first + n < count && piece[first + n].page == piece[first].page; n++) {
			apart |= are_apart(piece[first].device, piece[first + n].device);
			wanted |= chosen[piece[first + n].device - bus->device];
		}
		if (!apart || !wanted)
			continue;
		add_rows(table, &piece[first], n);
		pages++;
	}
	table_end(table, "");
	if (table_is_for_people(options))
		printf("%d page%s shared by devices of different IOMMU groups%s\n", pages, pages == 1 ? "" : "s",
		       pages ? "; \"subpage-vfio bind\" or \"align\" gives a BAR a page of its own" : "");
	free(piece);
}
