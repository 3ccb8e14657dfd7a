// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's own NVMe driver, unmodified: qemu-img reads a whole drive through nvme://. It maps the
 * controller's BAR and does not start without, whatever the flags say.
 */
#include "cases.h"
#include "drive.h"
#include "image.h"
#include "zoo.h"

#define COPY "/tmp/copy"
#define IN_IMAGE(path) "/nested" path
#define OUTPUT "/tmp/qemu-img"

#define NVMES_MAX 4

/* qemu-img now and then waits for ever for the first interrupt of QEMU's NVMe; so it does with any driver. */
#define SECONDS 40
#define TRIES 6

static struct zoo_bar nvmes[NVMES_MAX];
static bool stock_maps[NVMES_MAX];
static int count;

static void find(void)
{
	static struct zoo_bar bars[ZOO_MAX];
	int all = zoo_list_all(bars), i;

	for (i = 0; i < all && count < NVMES_MAX; i++) {
		if (strcmp(bars[i].name, "nvme") || bars[i].bar)
			continue;
		stock_maps[count] = bars[i].size >= (uint64_t)sysconf(_SC_PAGESIZE) || zoo_stock_maps(&bars[i]);
		diag("%s: BAR 0 has %llu bytes; stock vfio-pci maps it: %s", bars[i].dev.bdf,
		     (unsigned long long)bars[i].size, stock_maps[count] ? "yes" : "no");
		nvmes[count++] = bars[i];
	}
}

static int convert(const struct pci_dev *dev, int tries)
{
	char source[40];
	char *const argv[] = { "qemu-img", "convert", "-O", "raw", source, COPY, NULL };
	int status;

	snprintf(source, sizeof(source), "nvme://%s/1", dev->bdf);
	do {
		unlink(IN_IMAGE(COPY));
		status = image_run(argv, OUTPUT, SECONDS);
	} while (status < 0 && --tries);
	return status;
}

static void check(int i, const char *driver, bool works)
{
	const struct pci_dev *dev = &nvmes[i].dev;
	char *said;
	int status;

	about("%s, %s", driver, dev->bdf);
	if (!is_errno(pci_bind(dev, driver), 0, "bound"))
		return;
	status = convert(dev, TRIES);
	said = file_slurp(OUTPUT, NULL);
	if (works) {
		if (!is_u64(status, 0, "qemu-img reads the drive through nvme://"))
			diag("%s", said ? said : "");
		ok(drive_is_copy(IN_IMAGE(COPY)), "and what it reads is what is on it");
	} else {
		ok(status > 0 && said && strstr(said, "Failed to map BAR region"), "qemu-img cannot map its BAR");
		diag("%s", said ? said : "");
	}
	free(said);
	pci_bind(dev, "");
}

MODULE_CASE(qemu_nvme, "")
{
	int shared = 0, i;

	if (!is_errno(image_mount(), 0, "there is a qemu-img in the machine"))
		return;
	find();
	ok(count == 3, "there are three NVMes");
	for (i = 0; i < count; i++)
		shared += !stock_maps[i];
	ok(shared, "%d of them share their page", shared);
	/* First: once moved, stock vfio-pci maps the BAR too. */
	for (i = 0; i < count; i++)
		check(i, "vfio-pci", stock_maps[i]);
	for (i = 0; i < count; i++)
		check(i, "subpage_vfio_pci", true);
}
