// SPDX-License-Identifier: GPL-2.0-only
/* Config space: whatever a user writes, it is as with stock vfio-pci. */
#include <linux/pci_regs.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "cases.h"
#include "vfio.h"

#define WRITES 1500
#define SHOWN 256

/* A write, what it returned, and what config space looked like then. */
struct written {
	uint16_t at;
	uint16_t count;
	int ret;
	uint8_t config[SHOWN];
};

static uint32_t random_state;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

/* The buffer ends where no memory is: there no write may read on. */
static void write_all(const struct vfio *vfio, uint64_t config, struct written *all)
{
	long page = sysconf(_SC_PAGESIZE);
	uint8_t *end = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec parts[2];
	int i, byte, first;

	end += page;
	munmap(end, page);
	random_state = 24;
	for (i = 0; i < WRITES; i++) {
		struct written *one = &all[i];

		/* Some go on behind the end, or have too short a buffer. */
		one->at = next_random(8) ? next_random(SHOWN) : 4096 - next_random(12);
		one->count = 1 + next_random(11);
		for (byte = 0; byte < 12; byte++)
			end[byte - 12] = next_random(3) ? next_random(256) : 0xff;
		byte = next_random(16) ? one->count : one->count - 1;
		/* Some are of two parts: the second begins where the first ends. */
		first = next_random(4) ? one->count : next_random(one->count);
		parts[0] = (struct iovec){ end - byte, first };
		parts[1] = (struct iovec){ end - byte + first, one->count - first };
		one->ret = pwritev(vfio->device, parts, 2, config + one->at);
		if (one->ret < 0)
			one->ret = -errno;
		if (pread(vfio->device, one->config, SHOWN, config) != SHOWN)
			one->ret = -1000;
	}
	munmap(end - page, page);
}

static bool write_with(const char *driver, const struct pci_dev *dev, struct written *all)
{
	struct vfio_region_info config;
	struct vfio vfio;

	about("%s", driver);
	if (!is_errno(pci_bind(dev, driver), 0, "it has the device") ||
	    !is_errno(vfio_open(dev, &vfio), 0, "which is opened") ||
	    !is_errno(vfio_info(&vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config), 0, "config space"))
		return false;
	write_all(&vfio, config.offset, all);
	vfio_close(&vfio);
	return true;
}

MODULE_CASE(config, "msix_relocate=never")
{
	static struct written stock[WRITES], ours[WRITES];
	int i, byte, good = 0, refused = 0;
	struct wrong wrong = {};
	struct pci_dev dev;

	/* It has no sub-page BAR, so nothing is to be different. What is in no capability it keeps when closed. */
	if (!is_errno(pci_find(E1000E, 0, &dev), 0, "there is a device"))
		return;
	{
		about("before");
		write_with("vfio-pci", &dev, stock);
	}
	if (!write_with("vfio-pci", &dev, stock) || !write_with("subpage_vfio_pci", &dev, ours))
		return;
	for (i = 0; i < WRITES; i++) {
		good += stock[i].ret == stock[i].count;
		refused += stock[i].ret < 0;
		for (byte = 0; byte < SHOWN && stock[i].config[byte] == ours[i].config[byte]; byte++)
			;
		if (byte < SHOWN || stock[i].ret != ours[i].ret)
			wrong_add(&wrong, "write %d, %u bytes to %#x: %d, stock %d; differs at %#x", i, ours[i].count,
				  ours[i].at, ours[i].ret, stock[i].ret, byte);
	}
	ok(good > WRITES / 2 && refused > WRITES / 50, "%d of the writes are taken and %d refused", good, refused);
	none_wrong(&wrong, "each returns what it does with stock, and leaves the same behind");
	is_errno(pci_bind(&dev, ""), 0, "the device is given back");
}
