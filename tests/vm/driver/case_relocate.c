// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MSI-X table is shown elsewhere: what a user reads of config space, at every width
 * and across all edges, against a model that is made from what it reads without; region
 * info, mmap, read() and write() agree with that; and where it must not be so it is not.
 */
#include <linux/vfio.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "cases.h"
#include "eeh.h"
#include "log.h"
#include "msix_table.h"
#include "vfio.h"

#define REGION(bar) ((uint64_t)(bar) << 40)
#define CONFIG REGION(VFIO_PCI_CONFIG_REGION_INDEX)
#define BARS 0x10
#define BARS_END 0x28
#define BAR_64BIT 4
#define IORESOURCE_MEM 0x200
#define IORESOURCE_MEM_64 0x100000

static uint64_t page;

/* Where the table should be seen. */
struct place {
	int bar;		/* -1: where it is */
	bool doubled, is_64bit;
	uint32_t flags;		/* the low bits of the BAR's register */
	uint64_t start, size;
};

/* Where it is: config space as root reads it. */
struct device {
	struct pci_dev dev;
	struct msix_table table;
	int cap, pba_bar;
	uint64_t pba_offset, pba_size, bar_size;
};

/* What a user should read of config space, and which bits of the BARs' registers it can write. */
struct model {
	uint32_t size;
	uint8_t bytes[4096], writable[BARS_END];
};

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool look(const struct pci_dev *dev, struct device *device)
{
	struct pci_bar bar;
	uint32_t pba;

	device->dev = *dev;
	if (!msix_table_find(dev, &device->table) || pci_bar(dev, device->table.bar, &bar))
		return false;
	device->bar_size = bar.size;
	device->cap = pci_capability(dev, 0x11);
	pba = pci_config_read(dev, device->cap + 8, 4);
	device->pba_bar = pba & 7;
	device->pba_offset = pba & ~7u;
	device->pba_size = (device->table.size / 16 + 63) / 64 * 8;
	return true;
}

/* The rule for BAR numbers, by what the kernel says of the device's BARs. */
static struct place expected_place(const struct device *device)
{
	uint64_t needed = device->table.size + device->pba_size;
	struct place place = { .size = page };
	struct pci_bar bar;
	int i, next = 0;

	for (i = 0; i < 6; i++)
		if (!pci_bar(&device->dev, i, &bar) && bar.size)
			next = i + (bar.flags & IORESOURCE_MEM_64 ? 2 : 1);
	if (next < 6) {
		place.bar = next;
		place.is_64bit = next < 5;
		place.flags = next < 5 ? 0xc : 0;
		while (place.size < needed)
			place.size *= 2;
		return place;
	}
	place.bar = device->table.bar;
	place.doubled = true;
	place.start = larger(device->bar_size, page);
	place.size = 2 * place.start;
	pci_bar(&device->dev, place.bar, &bar);
	place.is_64bit = bar.flags & IORESOURCE_MEM_64;
	place.flags = pci_config_read(&device->dev, BARS + 4 * place.bar, 4) & 0xf;
	return place;
}

static int read_all(const struct vfio *vfio, struct model *model)
{
	struct vfio_region_info info;
	int err = vfio_info(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &info);

	if (err)
		return err;
	model->size = info.size;
	return pread(vfio->device, model->bytes, model->size, CONFIG) == (ssize_t)model->size ? 0 : -errno;
}

static void put32(uint8_t *at, uint32_t value)
{
	int i;

	for (i = 0; i < 4; i++)
		at[i] = value >> 8 * i;
}

/* As the device is without it: what it reads, and what it can write. */
static bool learn(const struct device *device, struct model *model)
{
	struct vfio vfio;
	struct model sized;
	uint8_t ones[BARS_END - BARS];
	int i;

	memset(model, 0, sizeof(*model));
	memset(ones, 0xff, sizeof(ones));
	about("msix_relocate=never");
	module_set("msix_relocate", "never");
	if (!is_errno(pci_bind(&device->dev, OURS), 0, "bound") ||
	    !is_errno(vfio_open(&device->dev, &vfio), 0, "opened"))
		return false;
	is_errno(read_all(&vfio, model), 0, "config space is read");
	ok(pwrite(vfio.device, ones, sizeof(ones), CONFIG + BARS) == sizeof(ones), "the BARs are sized");
	read_all(&vfio, &sized);
	memcpy(model->writable + BARS, sized.bytes + BARS, sizeof(ones));
	/* The low bits say what kind of BAR it is, but for an upper half. */
	for (i = BARS; i < BARS_END; i += 4) {
		model->writable[i] &= model->bytes[i] & 1 ? 0xfc : 0xf0;
		if ((model->bytes[i] & 7) == BAR_64BIT)
			i += 4;
	}
	vfio_close(&vfio);
	pci_bind(&device->dev, "");
	return true;
}

/* What is different where the table is seen at that place. */
static void relocate(struct model *model, const struct device *device, const struct place *place)
{
	uint64_t mask = ~(place->size - 1);
	int at = BARS + 4 * place->bar, i;
	uint64_t pba = place->start + device->table.size;

	for (i = 0; i < (place->is_64bit ? 8 : 4); i++) {
		model->writable[at + i] = mask >> 8 * i;
		/* In the upper half it is the device's own address that is shown, as far as the length lets it. */
		model->bytes[at + i] = place->doubled ? model->bytes[at + i] & (mask >> 8 * i) : 0;
	}
	model->bytes[at] |= place->flags;
	put32(model->bytes + device->cap + 4, place->start | place->bar);
	put32(model->bytes + device->cap + 8, pba | place->bar);
}

static void model_write(struct model *model, uint32_t at, const uint8_t *bytes, size_t count)
{
	for (; count--; at++, bytes++)
		if (at >= BARS && at < BARS_END)
			model->bytes[at] = (model->bytes[at] & ~model->writable[at]) |
					   (*bytes & model->writable[at]);
}

/* A read of so many bytes there; beyond the end of config space it is an error. */
static void compare(const struct vfio *vfio, const struct model *model, uint32_t at, size_t count,
		    struct wrong *wrong)
{
	uint8_t got[4096 + 2];
	ssize_t want = at + count > model->size ? -1 : (ssize_t)count, ret, i;

	memset(got, 0xa5, sizeof(got));
	ret = pread(vfio->device, got, count, CONFIG + at);
	if (ret != want || (ret < 0 && errno != EFAULT)) {
		wrong_add(wrong, "%zu bytes at %#x: %zd (%s)", count, at, ret, strerror(errno));
		return;
	}
	for (i = 0; i < ret; i++)
		if (got[i] != model->bytes[at + i])
			wrong_add(wrong, "%zu bytes at %#x: byte %#zx is %#x, not %#x", count, at, at + i,
				  got[i], model->bytes[at + i]);
	if (got[count] != 0xa5)
		wrong_add(wrong, "%zu bytes at %#x: a byte too many", count, at);
}

/* All widths across both ends of each register, and of all of it at once. */
static void compare_all(const struct vfio *vfio, const struct model *model, const struct device *device,
			const struct place *place, const char *when)
{
	static const int widths[] = { 1, 2, 3, 4, 7, 8, 12, 64, 256 };
	int starts[] = { BARS + 4 * place->bar, BARS + 4 * place->bar + 4, device->cap + 4, device->cap + 8 };
	struct wrong wrong = {};
	size_t s, w;
	int at;

	for (s = 0; s < sizeof(starts) / sizeof(starts[0]); s++)
		for (w = 0; w < sizeof(widths) / sizeof(widths[0]); w++)
			for (at = starts[s] - widths[w]; at <= starts[s] + 5; at++)
				if (at >= 0)
					compare(vfio, model, at, widths[w], &wrong);
	compare(vfio, model, 0, 256, &wrong);
	compare(vfio, model, 0, model->size, &wrong);
	compare(vfio, model, 0, model->size + 1, &wrong);
	compare(vfio, model, model->size - 1, 4, &wrong);
	none_wrong(&wrong, "%s config space reads as it should, at every width", when);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Writes of all widths to the BARs' registers; vfio-pci-core has all of them but one. */
static void write_all(const struct vfio *vfio, struct model *model, const struct device *device,
		      const struct place *place)
{
	uint8_t bytes[16];
	struct wrong wrong = {};
	uint32_t random = 22, at;
	size_t count, i;
	int n;

	memset(bytes, 0xff, sizeof(bytes));
	for (at = BARS; at < BARS_END; at += 4) {
		pwrite(vfio->device, bytes, 4, CONFIG + at);
		model_write(model, at, bytes, 4);
	}
	compare_all(vfio, model, device, place, "after sizing");
	for (n = 0; n < 600; n++) {
		count = 1 + next_random(&random) % sizeof(bytes);
		at = BARS + next_random(&random) % (BARS_END - BARS);
		if (at + count > BARS_END)
			count = BARS_END - at;
		for (i = 0; i < count; i++)
			bytes[i] = next_random(&random);
		if (pwrite(vfio->device, bytes, count, CONFIG + at) != (ssize_t)count)
			wrong_add(&wrong, "%zu bytes to %#x: %s", count, at, strerror(errno));
		model_write(model, at, bytes, count);
		compare(vfio, model, BARS, BARS_END - BARS, &wrong);
	}
	none_wrong(&wrong, "600 writes of 1 to 16 bytes end where they should");
	/* The capability says where the table is to whoever reads, and to nobody who writes. */
	memset(bytes, 0x5a, sizeof(bytes));
	ok(pwrite(vfio->device, bytes, 8, CONFIG + device->cap + 4) == 8, "writes to the table's place are taken");
	compare_all(vfio, model, device, place, "after writes");
	ok(pwrite(vfio->device, bytes, 4, CONFIG + model->size - 2) < 0 && errno == EFAULT,
	   "a write across the end of config space is refused");
	is_u64(pwrite(vfio->device, bytes, 0, CONFIG + BARS + 4 * place->bar), 0, "a write of nothing is none");
	is_u64(pread(vfio->device, bytes, 0, CONFIG + BARS + 4 * place->bar), 0, "a read of nothing is none");
}

/* A buffer of which part is not there. */
static void bad_buffers(const struct vfio *vfio, struct model *model, const struct place *place)
{
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at = CONFIG + BARS + 4 * place->bar;
	struct wrong wrong = {};
	int there;

	mprotect(pages + page, page, PROT_NONE);
	memset(pages, 0x77, page);
	for (there = 0; there < 4; there++) {
		if (pread(vfio->device, pages + page - there, 4, at) >= 0 || errno != EFAULT)
			wrong_add(&wrong, "read with %d bytes there: %s", there, strerror(errno));
		if (pwrite(vfio->device, pages + page - there, 4, at) >= 0 || errno != EFAULT)
			wrong_add(&wrong, "write with %d bytes there: %s", there, strerror(errno));
		if (pread(vfio->device, pages + page - there, 4, REGION(place->bar) + place->start) >= 0 ||
		    errno != EFAULT)
			wrong_add(&wrong, "read of the table with %d bytes there: %s", there, strerror(errno));
	}
	none_wrong(&wrong, "a buffer of which part is missing is an error");
	compare(vfio, model, BARS, BARS_END - BARS, &wrong);
	none_wrong(&wrong, "which changes no register");
	munmap(pages, 2 * page);
}

static int try_ioeventfd(const struct vfio *vfio, uint64_t offset)
{
	struct vfio_device_ioeventfd request = {
		.argsz = sizeof(request),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = offset,
		.fd = eventfd(0, 0),
	};
	int err = ioctl(vfio->device, VFIO_DEVICE_IOEVENTFD, &request) ? -errno : 0;

	close(request.fd);
	return err;
}

static int try_dmabuf(const struct vfio *vfio, int bar, uint64_t offset, uint64_t len)
{
	int fd = vfio_dmabuf(vfio, bar, offset, len);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Region info and the doors that it speaks of. */
static void check_regions(const struct vfio *vfio, const struct device *device, const struct place *place)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	uint64_t real = larger(device->bar_size, page);
	struct vfio_region_info *info, bare = { .argsz = sizeof(bare), .index = place->bar };
	int dmabuf = try_dmabuf(vfio, device->table.bar, 0, real);

	if (!is_errno(vfio_region(vfio, place->bar, &info), 0, "region info of the BAR that has the table"))
		return;
	is_u64(info->size, place->size, "it is as long as its register says");
	is_u64(info->flags & ~VFIO_REGION_INFO_FLAG_CAPS,
	       VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
	       (place->doubled ? VFIO_REGION_INFO_FLAG_MMAP : 0), "it can be mapped where the device is behind it");
	sparse = (const void *)vfio_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	ok(!sparse == !place->doubled, "SPARSE_MMAP if part of it can");
	if (sparse) {
		is_u64(sparse->nr_areas, 1, "it names one area");
		is_u64(sparse->areas[0].offset, 0, "from the start");
		is_u64(sparse->areas[0].size, place->start, "as long as the lower half");
	}
	ok(!vfio_cap(info, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE) == !place->doubled, "MSIX_MAPPABLE likewise");
	ok(!vfio_cap(info, 0x5350), "it has no private capability");
	is_errno(ioctl(vfio->device, VFIO_DEVICE_GET_REGION_INFO, &bare) ? -errno : 0, 0,
		 "an answer without room for capabilities");
	is_u64(bare.size, place->size, "has the length");
	is_u64(bare.argsz, info->argsz, "and says how much room there should be");
	free(info);
	if (!place->doubled && is_errno(vfio_region(vfio, device->table.bar, &info), 0,
					"region info of the table's real BAR")) {
		is_u64(info->size, real, "it is as long as it was");
		is_u64(info->flags, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
				    VFIO_REGION_INFO_FLAG_MMAP, "all of it can be mapped, and no capability is left");
		free(info);
	}
	is_errno(vfio_try_map(vfio, device->table.bar, 0, real), 0, "the real BAR can be mapped as a whole");
	is_errno(vfio_try_map(vfio, place->bar, place->start, page), -EINVAL, "mmap of the page that shows the table");
	is_errno(vfio_try_map(vfio, place->bar, place->size - page, page), -EINVAL, "mmap of the last page");
	is_errno(vfio_try_map(vfio, device->table.bar, real - page, 2 * page), -EINVAL,
		 "mmap from the real BAR on to what is behind it");
	is_errno(try_ioeventfd(vfio, REGION(place->bar) + place->start), -EINVAL, "an ioeventfd there");
	if (dmabuf == -ENOTTY)
		return;
	is_errno(dmabuf, 0, "a dma-buf of the real BAR");
	/* What the device does not have at all vfio-pci-core refuses by itself. */
	is_errno(try_dmabuf(vfio, place->bar, place->start, page), place->doubled ? -EINVAL : -ENODEV,
		 "a dma-buf of the page that shows the table");
	is_errno(try_dmabuf(vfio, device->table.bar, real - page, 2 * page), -EINVAL,
		 "a dma-buf from the real BAR on to what is behind it");
}

/* read() and write() there: ones, but for the pending bits, which are the device's. */
static void check_access(const struct vfio *vfio, const struct device *device, const struct place *place)
{
	uint64_t at = REGION(place->bar) + place->start, pba = at + device->table.size;
	uint64_t end = REGION(place->bar) + place->size, length = end - at, i;
	uint8_t *bytes = malloc(length + 1), real[256] = {}, ones[8], one = 0;
	struct wrong wrong = {};
	int width;

	pread(vfio->device, real, device->pba_size, REGION(device->pba_bar) + device->pba_offset);
	memset(bytes, 0xa5, length + 1);
	is_u64(pread(vfio->device, bytes, length + 1, at), length, "all of it is read at once, and no more");
	for (i = 0; i < length; i++) {
		bool pending = i >= device->table.size && i < device->table.size + device->pba_size;
		uint8_t want = pending ? real[i - device->table.size] : 0xff;

		if (bytes[i] != want)
			wrong_add(&wrong, "byte %#llx is %#x, not %#x", (unsigned long long)i, bytes[i], want);
	}
	none_wrong(&wrong, "ones, but for the pending bits");
	is_u64(bytes[length], 0xa5, "nothing is written behind the answer");
	memset(ones, 0xff, sizeof(ones));
	for (width = 1; width <= 8; width++) {
		int whole = width / 4 * 4;

		memset(bytes, 0xa5, 16);
		is_u64(pread(vfio->device, bytes, width, pba), width, "pending bits, %d bytes at once", width);
		/* Nobody may read less of them than 32, and a device may do anything then. */
		ok(!memcmp(bytes, real, whole) && !memcmp(bytes + whole, ones, width - whole) && bytes[width] == 0xa5,
		   "as the device has them, %d bytes at once", width);
	}
	is_u64(pread(vfio->device, bytes, 6, pba + 2), 6, "pending bits from the middle of a word");
	ok(!memcmp(bytes, ones, 2) && !memcmp(bytes + 2, real + 4, 4), "are those of the next one");
	memset(bytes, 0xa5, 16);
	is_u64(pread(vfio->device, bytes, 16, pba - 8), 16, "a read from the table into the pending bits");
	ok(bytes[7] == 0xff && !memcmp(bytes + 8, real, 8), "has both");
	is_u64(pwrite(vfio->device, real, sizeof(real), at), sizeof(real), "writes are taken");
	is_u64(pread(vfio->device, &one, 1, at), 1, "and read again");
	is_u64(one, 0xff, "forgotten");
	is_u64(pwrite(vfio->device, real, 16, end - 8), 8, "a write ends with the BAR");
	is_u64(pread(vfio->device, bytes, 16, end - 8), 8, "so does a read");
	is_errno(pread(vfio->device, bytes, 1, end) < 0 ? -errno : 0, -EINVAL, "a read behind it");
	is_errno(pwrite(vfio->device, bytes, 1, end) < 0 ? -errno : 0, -EINVAL, "a write behind it");
	is_errno(pread(vfio->device, bytes, 1, REGION(place->bar + 1) - 1) < 0 ? -errno : 0, -EINVAL,
		 "a read at the end of its range of the file");
	is_u64(pread(vfio->device, bytes, 0, at), 0, "a read of nothing");
	is_u64(pread(vfio->device, bytes, 4, REGION(device->table.bar) + device->table.offset), 4,
	       "the table's real place is read");
	ok(bytes[0] == 0xff && bytes[3] == 0xff, "and shows nothing, as with vfio-pci-core");
	if (place->doubled)
		ok(pread(vfio->device, bytes, 8, at - 4) <= 4, "a read from the registers on ends with them");
	free(bytes);
}

struct writer {
	const struct vfio *vfio;
	uint64_t at;
	uint8_t byte;
	bool stop;
};

static void *write_on(void *arg)
{
	struct writer *writer = arg;
	uint8_t bytes[8];

	memset(bytes, writer->byte, sizeof(bytes));
	while (!__atomic_load_n(&writer->stop, __ATOMIC_RELAXED))
		pwrite(writer->vfio->device, bytes, sizeof(bytes), writer->at);
	return NULL;
}

/* Two writers at once: each byte is one's or the other's, and what cannot be written is not. */
static void race(const struct vfio *vfio, struct model *model, const struct place *place)
{
	uint64_t at = CONFIG + BARS + 4 * place->bar;
	struct writer writers[2] = { { vfio, at, 0x00, false }, { vfio, at, 0xff, false } };
	struct wrong wrong = {};
	pthread_t threads[2];
	uint8_t bytes[8];
	int i, n, from = BARS + 4 * place->bar;

	/* No farther than the register: what is behind it is another BAR's. */
	if (!place->is_64bit)
		return;
	memset(bytes, 0, sizeof(bytes));
	pwrite(vfio->device, bytes, sizeof(bytes), at);
	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, write_on, &writers[i]))
			bail("no thread");
	for (n = 0; n < 5000; n++) {
		if (pread(vfio->device, bytes, 8, at) != 8)
			wrong_add(&wrong, "read: %s", strerror(errno));
		for (i = 0; i < 8; i++) {
			uint8_t mask = model->writable[from + i], kept = bytes[i] & ~mask;

			if (kept != (model->bytes[from + i] & (uint8_t)~mask) ||
			    ((bytes[i] & mask) && (bytes[i] & mask) != mask))
				wrong_add(&wrong, "byte %d is %#x", i, bytes[i]);
		}
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&writers[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(threads[i], NULL);
	}
	none_wrong(&wrong, "two writers at once leave a BAR of the right length");
}

static void check_shown(const struct device *device, const struct place *place, struct model *model)
{
	const struct model fresh = *model;
	struct vfio vfio;
	int turn;

	for (turn = 0; turn < 2; turn++) {
		about(turn ? "opened again" : "opened");
		*model = fresh;
		if (!is_errno(vfio_open(&device->dev, &vfio), 0, "by a user"))
			return;
		compare_all(&vfio, model, device, place, "at first");
		if (!turn) {
			check_regions(&vfio, device, place);
			check_access(&vfio, device, place);
		}
		write_all(&vfio, model, device, place);
		bad_buffers(&vfio, model, place);
		race(&vfio, model, place);
		vfio_close(&vfio);
	}
}

static void check_sysfs(const struct device *device, const struct place *place, const char *log)
{
	char want[160], got[160], line[256];
	unsigned long long end = place->start + device->table.size - 1;

	snprintf(want, sizeof(want), "bar%d%s", place->bar, place->doubled ? "-upper" : "");
	pci_attr_read(&device->dev, "subpage_vfio_pci/msix_relocation", got, sizeof(got));
	is_str(got, want, "sysfs says so");
	snprintf(want, sizeof(want), place->start ? "in BAR %d [%#llx-%#llx], %s" : "in BAR %d [0x%llx-%#llx], %s",
		 place->bar, (unsigned long long)place->start, end,
		 place->doubled ? "which is shown twice as long" : "which the device does not have");
	pci_attr_read(&device->dev, "subpage_vfio_pci/msix_relocation_reason", got, sizeof(got));
	is_str(got, want, "and where");
	snprintf(line, sizeof(line), "MSI-X table: users see it %s\n", want);
	if (!is_u64(log_count(log, line), 1, "one line of the log, too"))
		diag("%s", log);
}

static void check_not_shown(const struct device *device, const char *options, const char *why)
{
	char got[200], want[200];

	about("%s, %s", device->dev.bdf, options);
	is_errno(pci_bind(&device->dev, OURS), 0, "bound");
	pci_attr_read(&device->dev, "subpage_vfio_pci/msix_relocation", got, sizeof(got));
	is_str(got, "none", "the table is seen where it is");
	snprintf(want, sizeof(want), "where it is, %s", why);
	pci_attr_read(&device->dev, "subpage_vfio_pci/msix_relocation_reason", got, sizeof(got));
	is_str(got, want, "and sysfs says why");
	pci_bind(&device->dev, "");
}

/* Whatever else it is, on a machine that isolates MSIs. */
static void check_refused(const struct device *device, const struct place *place)
{
	module_set("msix_relocate", "never");
	check_not_shown(device, "never", "msix_relocate=never");
	module_set("msix_relocate", "always");
	module_set("msix_mmap", "never");
	check_not_shown(device, "hidden", "as it is hidden from mmap");
	module_set("msix_mmap", "isolated");
	if (device->bar_size < page) {
		module_set("realign", "trap");
		check_not_shown(device, "trapped", "as its BAR cannot be mapped");
		module_set("realign", "1");
	}
	if (place->doubled) {
		module_set("bar_size", "exact");
		check_not_shown(device, "exact", "as no higher BAR is free, and bar_size=exact keeps its own size");
		module_set("bar_size", "page");
	}
	is_errno(module_set("msix_relocate", "auto,never@%.15s", device->dev.bdf), 0,
		 "%s: the option takes an exception", device->dev.bdf);
	check_not_shown(device, "an exception", "msix_relocate=never");
	module_set("msix_relocate", "auto");
}

static void check_device(const struct pci_dev *dev)
{
	struct device device;
	struct place place;
	struct model model;
	char state[32];
	int mark;
	char *log;

	about("%s, %04x:%04x", dev->bdf, dev->vendor, dev->device);
	if (!ok(look(dev, &device), "it has a table"))
		return;
	place = expected_place(&device);
	if (!learn(&device, &model))
		return;
	module_set("msix_relocate", "auto");
	mark = log_mark();
	if (!is_errno(pci_bind(dev, OURS), 0, "bound"))
		return;
	log = log_since(mark);
	pci_attr_read(dev, "subpage_vfio_pci/msix_state", state, sizeof(state));
	if (!is_str(state, "isolated", "the IOMMU isolates its MSIs"))
		return;
	check_sysfs(&device, &place, log);
	free(log);
	relocate(&model, &device, &place);
	check_shown(&device, &place, &model);
	is_u64(log_lines(mark, "users see it"), 0, "to open it says nothing more");
	close(mark);
	pci_bind(dev, "");
	check_refused(&device, &place);
}

/* Nothing shares its pages, so that it hinders no mapping: only whoever asks for that sees it elsewhere. */
static void check_alone(const struct pci_dev *dev)
{
	struct device device;
	char got[32];

	if (!ok(look(dev, &device) && device.table.size == page && !(device.table.offset % page),
		"a disk whose table is a page"))
		return;
	check_not_shown(&device, "auto", "as it is alone on its pages (msix_relocate=always overrides)");
	module_set("msix_relocate", "always");
	is_errno(pci_bind(dev, OURS), 0, "msix_relocate=always: bound");
	pci_attr_read(dev, OURS "/msix_relocation", got, sizeof(got));
	is_str(got, "bar2", "users see it elsewhere");
	pci_bind(dev, "");
	module_set("msix_relocate", "auto");
}

/* Nothing is gained by showing it elsewhere. */
static void check_filled(void)
{
	struct device device;
	struct pci_dev dev;

	if (!is_errno(pci_find(NVME, 3, &dev), 0, "there is another NVMe") ||
	    !ok(look(&dev, &device), "with a table"))
		return;
	is_u64(device.pba_offset + device.pba_size, device.bar_size, "its pending bits end with the BAR");
	module_set("msix_relocate", "always");
	check_not_shown(&device, "filled", "as its BAR holds nothing else");
	module_set("msix_relocate", "auto");
}

MODULE_CASE(relocate, "")
{
	static const struct { uint16_t vendor, device; int nth; const char *what; } models[] = {
		{ NVME, 0, "registers and table in BAR 0" },
		{ XHCI, 0, "likewise, the table at the end" },
		{ E1000E, 0, "a BAR for table and pending bits, after one for ports" },
		{ NVME, 1, "none is free: the upper half of 64 bits" },
		{ NVME, 2, "one number is free: a BAR of 32 bits" },
		{ VIRTIO_NET, 0, "none is free: the upper half of 32 bits" },
	};
	struct pci_dev dev;
	char text[32];
	size_t m;

	page = sysconf(_SC_PAGESIZE);
	file_read("/sys/module/" OURS "/parameters/msix_relocate", text, sizeof(text));
	is_str(text, "auto", "the default is auto");
	for (m = 0; m < sizeof(models) / sizeof(models[0]); m++)
		if (is_errno(pci_find(models[m].vendor, models[m].device, models[m].nth, &dev), 0, "%s: is there",
			     models[m].what))
			check_device(&dev);
	check_filled();
	/* No disk has a table as long as a page of the others. */
	if (page == 4096 && is_errno(pci_find(NVME, 4, &dev), 0, "there is one more disk"))
		check_alone(&dev);
}

/* Where nothing isolates MSIs a guest must not reach the table, and under EEH it must. */
MODULE_CASE(relocate_refused, "msix_relocate=always")
{
	static const struct { const char *policy, *state, *why; } rows[] = {
		{ "isolated", "hidden", "as it is hidden from mmap" },
		{ "always", "always", "as nothing isolates the device's MSIs, so a guest must not reach it" },
		{ "isolated", "eeh", "as guests under EEH use the device's own table" },
		{ "always", "eeh", "as guests under EEH use the device's own table" },
	};
	struct device device;
	struct pci_dev dev;
	char state[32];
	size_t i;

	page = sysconf(_SC_PAGESIZE);
	if (!is_errno(pci_find(NVME, 0, &dev), 0, "there is an NVMe") || !ok(look(&dev, &device), "with a table"))
		return;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (eeh_enabled() != !strcmp(rows[i].state, "eeh"))
			continue;
		module_set("msix_mmap", "%s", rows[i].policy);
		check_not_shown(&device, rows[i].policy, rows[i].why);
		pci_bind(&dev, OURS);
		pci_attr_read(&dev, OURS "/msix_state", state, sizeof(state));
		is_str(state, rows[i].state, "msix_mmap=%s: the table's state", rows[i].policy);
		pci_bind(&dev, "");
	}
}
