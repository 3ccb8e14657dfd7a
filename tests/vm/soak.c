// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "snapshot.h"
#include "soak.h"

double soak_share(int percent)
{
	const char *text = getenv("soak_s");

	return (text ? atof(text) : 300) * percent / 100;
}

double soak_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

void rng_start(struct rng *rng, unsigned int who)
{
	static uint64_t seed;
	const char *text = getenv("soak_seed");
	struct timespec t;

	if (!seed) {
		clock_gettime(CLOCK_REALTIME, &t);
		seed = text && *text ? strtoull(text, NULL, 0) : (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
		diag("SOAK_SEED=%llu makes the same choices again", (unsigned long long)seed);
	}
	rng->state = (seed + who * 0x9e3779b9ull) * 0xff51afd7ed558ccdull | 1;
}

uint32_t rng_below(struct rng *rng, uint32_t below)
{
	rng->state ^= rng->state << 13;
	rng->state ^= rng->state >> 7;
	rng->state ^= rng->state << 17;
	return (rng->state >> 32) % below;
}

void *soak_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bail("no memory");
	return memory;
}

int soak_claimed(const struct pci_dev *dev, const struct zoo_bar *bars, int count, struct wrong *wrong)
{
	int i, moved = 0;

	for (i = 0; i < count; i++) {
		const struct zoo_bar *at = &bars[i];

		if (strcmp(at->dev.bdf, dev->bdf))
			continue;
		if (!zoo_has_page(at) || !zoo_claimed(at))
			wrong_add(wrong, "%s BAR %d: %s, not alone on a page", dev->bdf, at->bar,
				  zoo_sysfs(at, "state"));
		moved += !strcmp(zoo_sysfs(at, "state"), "moved");
	}
	return moved;
}

static void compare(const struct vfio *vfio, const struct zoo_bar *at, struct wrong *wrong)
{
	volatile uint32_t *reg;
	uint32_t value = 0, mapped;
	void *map;
	int err = vfio_map(vfio, at->bar, 0, sysconf(_SC_PAGESIZE), &map);

	if (err) {
		if (zoo_has_page(at))
			wrong_add(wrong, "%s BAR %d: mmap: %s", at->dev.bdf, at->bar, strerror(-err));
		return;
	}
	reg = (void *)((char *)map + at->reg);
	if (at->writable)
		*reg = htole32(0x5a5a0000 | getpid());
	err = vfio_read32(vfio, at->bar, at->reg, &value);
	mapped = le32toh(*reg);
	if (err || mapped != value || (at->writable && value != (0x5a5a0000u | getpid())))
		wrong_add(wrong, "%s BAR %d: mapped %#x, read %#x (%d)", at->dev.bdf, at->bar, mapped, value, err);
	munmap(map, sysconf(_SC_PAGESIZE));
}

static void compare_all(const struct vfio *vfio, const struct pci_dev *dev, const struct zoo_bar *bars, int count,
			struct wrong *wrong)
{
	int i;

	for (i = 0; i < count; i++)
		if (!strcmp(bars[i].dev.bdf, dev->bdf))
			compare(vfio, &bars[i], wrong);
}

static int hot_reset(const struct vfio *vfio)
{
	struct {
		struct vfio_pci_hot_reset reset;
		int32_t group;
	} request = { .reset = { .argsz = sizeof(request), .count = 1 }, .group = vfio->group };

	return ioctl(vfio->device, VFIO_DEVICE_PCI_HOT_RESET, &request) ? -errno : 0;
}

void soak_use(const struct pci_dev *dev, const struct pci_dev *second, const struct zoo_bar *bars, int count,
	      struct rng *rng, struct wrong *wrong)
{
	struct vfio vfio, other = { .container = -1, .group = -1, .device = -1 };
	int err = vfio_open(dev, &vfio);

	if (err) {
		wrong_add(wrong, "%s: open: %s", dev->bdf, strerror(-err));
		return;
	}
	if (second && rng_below(rng, 2)) {
		other.device = vfio_device(&vfio, second);
		if (other.device < 0)
			wrong_add(wrong, "%s: open: %s", second->bdf, strerror(-other.device));
	}
	compare_all(&vfio, dev, bars, count, wrong);
	switch (rng_below(rng, 4)) {
	case 0:
		err = ioctl(vfio.device, VFIO_DEVICE_RESET) ? -errno : 0;
		break;
	case 1:
		err = hot_reset(&vfio);
		break;
	case 2:
		err = pci_attr_write(dev, "reset", "1");
		break;
	}
	/* On the root bus, and where another function is in the slot, some of these cannot be. */
	if (err && err != -ENOTTY && err != -EINVAL && err != -ENODEV && err != -EACCES && err != -ENOENT)
		wrong_add(wrong, "%s: reset: %s", dev->bdf, strerror(-err));
	compare_all(&vfio, dev, bars, count, wrong);
	if (other.device >= 0) {
		compare_all(&other, second, bars, count, wrong);
		close(other.device);
	}
	vfio_close(&vfio);
}

bool soak_slot_off(const struct pci_dev *port)
{
	int at = pci_capability(port, PCI_CAP_ID_EXP) + PCI_EXP_SLTCTL, waited;

	for (waited = 0; waited < 30000; waited += 100) {
		uint16_t control = pci_config_read(port, at, 2);

		sleep_ms(100);
		if ((control & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_OFF)
			return true;
	}
	return false;
}

static void first_user(const struct pci_dev *dev)
{
	struct vfio vfio;

	pci_bind(dev, "vfio-pci");
	if (!vfio_open(dev, &vfio))
		vfio_close(&vfio);
	pci_bind(dev, "");
}

char *soak_begin(void)
{
	static struct zoo_bar bars[ZOO_MAX];
	int count = zoo_list(bars), i;
	struct pci_dev nvme;

	/* What a first user of stock vfio-pci changes for good, such as the state that the firmware left. */
	for (i = 0; i < count; i++)
		first_user(&bars[i].dev);
	if (!pci_find(0x1b36, 0x0010, 0, &nvme))
		first_user(&nvme);
	zoo_repack(bars, count);
	return snapshot();
}

void soak_end(char *before)
{
	static struct zoo_bar bars[ZOO_MAX];
	int count = zoo_list(bars), i;

	for (i = 0; i < count; i++)
		pci_bind(&bars[i].dev, "");
	ok(!zoo_any_claim(), "no BAR is longer than it was");
	zoo_repack(bars, count);
	ok(snapshot_unchanged(before), "config space and /proc/iomem are as at the start");
	free(before);
}
