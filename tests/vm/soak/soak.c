// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"
#include "file.h"
#include "kmod.h"
#include "link.h"
#include "models.h"
#include "monitor.h"
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

/* A page of its own: this driver's, or held for another one. */
static bool has_page(const struct zoo_bar *at)
{
	return zoo_has_page(at) != !!*zoo_held(at);
}

int soak_claimed(const struct pci_dev *dev, const struct zoo_bar *bars, int count, struct wrong *wrong)
{
	int i, moved = 0;

	for (i = 0; i < count; i++) {
		const struct zoo_bar *at = &bars[i];

		if (strcmp(at->dev.bdf, dev->bdf))
			continue;
		if (!has_page(at) || !zoo_claimed(at))
			wrong_add(wrong, "%s BAR %d: %s, held \"%s\", not alone on a page", dev->bdf, at->bar,
				  zoo_sysfs(at, "state"), zoo_held(at));
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
		if (has_page(at))
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

static const char * const reset_names[SOAK_RESETS] = {
	[SOAK_RESET_IOCTL] = "VFIO_DEVICE_RESET",
	[SOAK_RESET_HOT] = "hot reset",
	[SOAK_RESET_FLR] = "flr",
	[SOAK_RESET_BUS] = "bus",
};

const char *soak_reset_name(enum soak_reset reset)
{
	return reset_names[reset];
}

/* Random among those that were tried least, and that there are. */
static enum soak_reset next_reset(const struct pci_dev *dev, struct rng *rng, const struct soak_resets *resets)
{
	enum soak_reset reset, next = SOAK_RESET_IOCTL;
	uint32_t same = 0;
	char known[128];

	if (pci_attr_read(dev, "reset_method", known, sizeof(known)) < 0)
		*known = '\0';
	for (reset = 0; reset < SOAK_RESETS; reset++) {
		if (reset >= SOAK_RESET_FLR && !strstr(known, reset_names[reset]))
			continue;
		if (resets->tried[reset] < resets->tried[next]) {
			next = reset;
			same = 1;
		} else if (resets->tried[reset] == resets->tried[next] && !rng_below(rng, ++same)) {
			next = reset;
		}
	}
	return next;
}

/* The kernel's way of that name alone. */
static int sysfs_reset(const struct pci_dev *dev, const char *method)
{
	int err = pci_attr_write(dev, "reset_method", method);

	if (err)
		return err;
	err = pci_attr_write(dev, "reset", "1");
	pci_attr_write(dev, "reset_method", "default");
	return err;
}

static int do_reset(const struct vfio *vfio, const struct pci_dev *dev, enum soak_reset reset)
{
	switch (reset) {
	case SOAK_RESET_IOCTL:
		return ioctl(vfio->device, VFIO_DEVICE_RESET) ? -errno : 0;
	case SOAK_RESET_HOT:
		return vfio_hot_reset(vfio);
	default:
		return sysfs_reset(dev, reset_names[reset]);
	}
}

static void reset_once(const struct vfio *vfio, const struct pci_dev *dev, struct rng *rng, struct wrong *wrong,
		       struct soak_resets *resets)
{
	enum soak_reset reset = next_reset(dev, rng, resets);
	int err = do_reset(vfio, dev, reset);

	resets->tried[reset]++;
	if (!err)
		resets->done[reset]++;
	/*
	 * On the root bus, and where another function is in the slot, some of these cannot be. And VFIO does not wait
	 * for a read of that function: then a hot reset is busy.
	 */
	if (err == -EBUSY && reset == SOAK_RESET_HOT)
		return;
	if (err && err != -ENOTTY && err != -EINVAL && err != -ENODEV && err != -EACCES && err != -ENOENT)
		wrong_add(wrong, "%s: %s: %s", dev->bdf, reset_names[reset], strerror(-err));
}

/* It is asleep, or about to be, as its user goes on; it is not asked what it reads then. */
static void sleep_once(const struct vfio *vfio, struct rng *rng, struct wrong *wrong, struct soak_resets *resets)
{
	int err = vfio_feature_set(vfio, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY);

	sleep_ms(rng_below(rng, 150));
	if (!err)
		err = vfio_feature_set(vfio, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT);
	if (err)
		wrong_add(wrong, "sleep: %s", strerror(-err));
	resets->slept += !err;
}

/* Another process with another function of the slot, for as long as its neighbour is used; what it reads is its own. */
static pid_t second_tenant(const struct vfio *vfio, const struct pci_dev *dev, const struct zoo_bar *bars, int count)
{
	pid_t pid = fork();
	uint32_t value;
	void *map;
	int i = 0;

	while (!pid) {
		const struct zoo_bar *at = &bars[i++ % count];

		if (strcmp(at->dev.bdf, dev->bdf) || vfio_map(vfio, at->bar, 0, sysconf(_SC_PAGESIZE), &map))
			continue;
		vfio_read32(vfio, at->bar, at->reg, &value);
		munmap(map, sysconf(_SC_PAGESIZE));
	}
	return pid;
}

void soak_use(const struct pci_dev *dev, const struct pci_dev *second, const struct zoo_bar *bars, int count,
	      struct rng *rng, struct wrong *wrong, struct soak_resets *resets)
{
	struct vfio vfio, other = { .container = -1, .group = -1, .device = -1 };
	int err = vfio_open(dev, &vfio);
	pid_t tenant = 0;

	if (err) {
		wrong_add(wrong, "%s: open: %s", dev->bdf, strerror(-err));
		return;
	}
	if (second && rng_below(rng, 2)) {
		other.device = vfio_device(&vfio, second);
		if (other.device < 0)
			wrong_add(wrong, "%s: open: %s", second->bdf, strerror(-other.device));
	}
	if (other.device >= 0 && rng_below(rng, 2))
		tenant = second_tenant(&other, second, bars, count);
	compare_all(&vfio, dev, bars, count, wrong);
	if (resets && !rng_below(rng, 3))
		sleep_once(&vfio, rng, wrong, resets);
	if (resets)
		reset_once(&vfio, dev, rng, wrong, resets);
	compare_all(&vfio, dev, bars, count, wrong);
	if (tenant > 0) {
		kill(tenant, SIGKILL);
		waitpid(tenant, NULL, 0);
		resets->tenants++;
	}
	if (other.device >= 0) {
		compare_all(&other, second, bars, count, wrong);
		close(other.device);
	}
	vfio_close(&vfio);
}

/* Whoever resets a slot keeps its button waiting; with eight of them, on a busy host, for more than a minute. */
bool soak_present(const struct pci_dev *dev, bool present)
{
	int waited;

	for (waited = 0; pci_present(dev) != present && waited < 5 * BUTTON_MS; waited += 50)
		sleep_ms(50);
	return pci_present(dev) == present;
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
	if (!pci_find(NVME, 0, &nvme))
		first_user(&nvme);
	zoo_repack(bars, count);
	return snapshot();
}

static void check_disk(void)
{
	const struct drive *drive = &drives[0];
	int fd, area, writer = DRIVE_RUNNER;
	struct pci_dev dev;

	if (!is_errno(pci_find(drive->vendor, drive->device, 0, &dev), 0, "there is a disk"))
		return;
	fd = drive_open(drive);
	if (ok(fd >= 0, "the kernel's own driver takes the disk")) {
		for (area = 0; area < DRIVE_AREAS && writer == DRIVE_RUNNER; area++)
			writer = drive_read_area(fd, area);
		is_u64(writer, DRIVE_RUNNER, "what is read from it is what was put on it");
		close(fd);
	}
	pci_bind(&dev, "");
	is_errno(kmod_remove(drive->modules[0]), 0, "that driver goes again");
}

static void check_nic(void)
{
	struct pci_dev dev;

	if (!is_errno(pci_find(RTL8139, 0, &dev), 0, "there is a NIC") ||
	    !is_errno(kmod_insert("8139cp", ""), 0, "the kernel's own driver takes the NIC"))
		return;
	is_errno(link_up(&dev, 2), 0, "its link is up");
	is_errno(link_ping(&dev, 2), 0, "the gateway answers");
	pci_bind(&dev, "");
	is_errno(kmod_remove("8139cp"), 0, "the NIC's driver goes again");
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
	check_disk();
	check_nic();
}
