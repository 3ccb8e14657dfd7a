// SPDX-License-Identifier: GPL-2.0-only
/*
 * The third door to a BAR: a dma-buf of it (VFIO_DEVICE_FEATURE_DMA_BUF, 6.19 and
 * newer). What is hidden from mmap must not leave through it; all else is as with
 * stock vfio-pci.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "cases.h"
#include "msix_table.h"
#include "vfio.h"

#define PARAMETER "/sys/module/subpage_vfio_pci/parameters/msix_mmap"
#define FEATURE_DMA_BUF 11	/* the headers of Debian 12 do not have it */
#define MAX_PAGES 16
#define BEYOND (~0ull / 65536 * 65536)	/* its end wraps around */

static uint64_t page;

struct range {
	uint64_t offset, length;
};

struct request {
	struct vfio_device_feature feature;
	uint32_t region, open_flags, flags, count;
	struct range ranges[2];
};

/* A dma-buf of these ranges; closed again. */
static int try_dmabuf(const struct vfio *vfio, uint32_t bar, int count, struct range first,
		      struct range second)
{
	struct request request = {
		.feature.argsz = sizeof(request),
		.feature.flags = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF,
		.region = bar,
		.open_flags = O_RDWR | O_CLOEXEC,
		.count = count,
		.ranges = { first, second },
	};
	int fd = ioctl(vfio->device, VFIO_DEVICE_FEATURE, &request);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* What one driver answers for a BAR: each run of pages, and a page with each other page. */
struct answers {
	int run[MAX_PAGES][MAX_PAGES + 2];
	int pair[MAX_PAGES][MAX_PAGES];
	int part, beyond;
};

static void ask(const struct vfio *vfio, int bar, int pages, struct answers *answers)
{
	const struct range none = {};
	int i, j;

	for (i = 0; i < pages; i++) {
		for (j = 1; i + j <= pages + 1; j++)
			answers->run[i][j] = try_dmabuf(vfio, bar, 1,
							(struct range){ i * page, j * page }, none);
		for (j = 0; j < pages; j++)
			answers->pair[i][j] = try_dmabuf(vfio, bar, 2, (struct range){ i * page, page },
							 (struct range){ j * page, page });
	}
	answers->part = try_dmabuf(vfio, bar, 1, (struct range){ 0, page / 2 }, none);
	answers->beyond = try_dmabuf(vfio, bar, 1, (struct range){ BEYOND, 2 * 65536 }, none);
}

static bool answers_of(const struct pci_dev *dev, const char *driver, int bar, int pages,
		       struct answers *answers)
{
	struct vfio vfio;
	bool opened;

	memset(answers, 0, sizeof(*answers));
	about("%s", driver);
	opened = is_errno(pci_bind(dev, driver), 0, "bound") &&
		 is_errno(vfio_open(dev, &vfio), 0, "opened");
	if (opened) {
		ask(&vfio, bar, pages, answers);
		vfio_close(&vfio);
	}
	pci_bind(dev, "");
	return opened;
}

/*
 * A dma-buf is of whole pages, and ends with the BAR: a claimed one has a page to
 * export, unless the MSI-X table on it is hidden.
 */
static void check_subpage(const struct pci_dev *dev, int bar, bool hidden)
{
	struct answers ours, stock;

	if (!answers_of(dev, "vfio-pci", bar, 1, &stock) ||
	    !answers_of(dev, "subpage_vfio_pci", bar, 1, &ours))
		return;
	is_errno(stock.run[0][1], -EINVAL, "stock vfio-pci exports nothing of a BAR smaller than a page");
	is_errno(ours.run[0][1], hidden ? -EINVAL : 0, "with a page of its own it is exported, unless hidden");
	is_errno(ours.run[0][2], -EINVAL, "that page and no more");
	is_errno(ours.part, stock.part, "part of a page: as stock vfio-pci, too");
}

static void check_table(const struct pci_dev *dev, const char *policy)
{
	struct answers ours, stock;
	struct msix_table table;
	struct pci_bar bar;
	bool hidden = !strcmp(policy, "never");
	struct wrong wrong = {};
	int pages, i, j, refused = 0, exported = 0;

	about("%s, msix_mmap=%s", dev->bdf, policy);
	if (!ok(msix_table_find(dev, &table) && !pci_bar(dev, table.bar, &bar), "it has a table"))
		return;
	file_write(PARAMETER, policy);
	if (bar.size < page) {
		check_subpage(dev, table.bar, hidden);
		return;
	}
	pages = bar.size / page < MAX_PAGES ? bar.size / page : MAX_PAGES;
	if (!answers_of(dev, "vfio-pci", table.bar, pages, &stock) ||
	    !answers_of(dev, "subpage_vfio_pci", table.bar, pages, &ours))
		return;

	for (i = 0; i < pages; i++) {
		for (j = 1; i + j <= pages + 1; j++) {
			bool hole = hidden && i * page < table.hole_end && (i + j) * page > table.hole_start;

			if (ours.run[i][j] != (hole ? -EINVAL : stock.run[i][j]))
				wrong_add(&wrong, "%d pages from page %d: %d, stock vfio-pci %d", j, i,
					  ours.run[i][j], stock.run[i][j]);
			refused += hole;
			exported += !ours.run[i][j];
		}
		for (j = 0; j < pages; j++) {
			bool hole = hidden &&
				    ((i * page < table.hole_end && (i + 1) * page > table.hole_start) ||
				     (j * page < table.hole_end && (j + 1) * page > table.hole_start));

			if (ours.pair[i][j] != (hole ? -EINVAL : stock.pair[i][j]))
				wrong_add(&wrong, "pages %d and %d: %d, stock vfio-pci %d", i, j,
					  ours.pair[i][j], stock.pair[i][j]);
		}
	}
	none_wrong(&wrong, "BAR %d of %d pages, table on %llu to %llu: none over a hidden page, else as stock",
		   table.bar, pages, (unsigned long long)(table.hole_start / page),
		   (unsigned long long)(table.hole_end / page - 1));
	is_u64(!!refused, hidden, "some are refused if it is hidden");
	is_u64(!!exported, !hidden || table.hole_start || table.hole_end < bar.size,
	       "some are exported if anything is left");
	is_errno(stock.run[0][pages], 0, "stock vfio-pci exports all of the BAR");
	is_errno(ours.run[0][pages + 1], -EINVAL, "a page more than the BAR is refused");
	is_errno(ours.part, stock.part, "part of a page: as stock");
	ok(ours.beyond < 0, "a range that wraps around is refused");
}

MODULE_CASE(dmabuf, "msix_relocate=never")
{
	static const struct { uint16_t vendor, device; } models[] = {
		{ NVME },
		{ E1000E },	/* nothing but table and PBA */
		{ XHCI },
	};
	struct pci_dev dev;
	size_t m;

	page = sysconf(_SC_PAGESIZE);
	for (m = 0; m < sizeof(models) / sizeof(models[0]); m++) {
		if (!is_errno(pci_find(models[m].vendor, models[m].device, 0, &dev), 0,
			      "there is %04x:%04x", models[m].vendor, models[m].device))
			continue;
		check_table(&dev, "never");
		check_table(&dev, "always");
	}
	if (is_errno(pci_find(SDHCI, 0, &dev), 0, "sdhci is there"))
		check_subpage(&dev, 0, false);
}
