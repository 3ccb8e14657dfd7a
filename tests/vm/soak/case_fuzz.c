// SPDX-License-Identifier: GPL-2.0-only
/*
 * One process makes random VFIO calls, mappings and accesses at a device of its own. Another, as root, has put
 * values nobody else knows into what that process must never see or change: the registers of
 * devices beside it, with whose BARs its own shared a page, and a hidden MSI-X table. The two
 * take turns, so that a run can be repeated with its seed.
 */
#include <endian.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cases.h"
#include "msix_table.h"
#include "soak.h"

#define FEATURE_DMA_BUF 11
#define SECRETS 8
#define MAPS 12
#define BATCHES 20

/* A register or a word of a table, as root has it mapped. */
struct secret {
	volatile uint32_t *word;
	uint32_t value;
	char where[48];
};

static struct fuzz {
	struct wrong wrong;
	unsigned int calls, good, mapped, faults, sessions, hidden, shown, cdev, batches, runs;
} *fuzz;

static struct secret secrets[SECRETS];
static int secret_count;

static struct pci_dev target;
static struct msix_table table;
static bool hidden;
static int shown;		/* the BAR that only users see, with the table; -1 */
static uint64_t page;

static struct rng rng;
static struct vfio vfio;
static struct vfio_region_info regions[VFIO_PCI_NUM_REGIONS];
static struct {
	char *at;
	size_t len;
} maps[MAPS];

static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

static uint32_t below(uint32_t n)
{
	return rng_below(&rng, n);
}

static bool chance(uint32_t n)
{
	return !below(n);
}

/* Of the BAR that shows the table: it reads as ones, and what it is does not change. */
static void check_shown(uint32_t region, uint64_t offset, const uint8_t *bytes, size_t len)
{
	uint32_t at = 0x10 + 4 * shown, value;
	size_t i;

	if (shown < 0)
		return;
	for (i = 0; (int)region == shown && i < len && offset + i < table.size; i++)
		if (bytes[i] != 0xff)
			wrong_add(&fuzz->wrong, "the table of %s, shown in BAR %d, has %#x", target.bdf, shown,
				  bytes[i]);
	if (region != VFIO_PCI_CONFIG_REGION_INDEX || offset > at || offset + len < at + 4)
		return;
	memcpy(&value, bytes + (at - offset), 4);
	if ((le32toh(value) & (regions[shown].size - 1)) != 0xc)
		wrong_add(&fuzz->wrong, "the register of BAR %d of %s has %#x", shown, target.bdf, le32toh(value));
}

static void saw(uint32_t value, const char *how)
{
	int i;

	for (i = 0; i < secret_count; i++)
		if (secrets[i].value == value)
			wrong_add(&fuzz->wrong, "%s of %s shows %s", how, target.bdf, secrets[i].where);
}

static bool over_table(uint32_t region, uint64_t offset, uint64_t len)
{
	return hidden && (int)region == table.bar && offset < table.hole_end && offset + len > table.hole_start;
}

/* Registers of a disk that it is not to act on; all others keep or ignore what is written. */
static bool may_write(void)
{
	return target.vendor == 0x1af4;
}

static bool look_at(char *at)
{
	if (sigsetjmp(fault, 1)) {
		fuzz->faults++;
		return false;
	}
	saw(le32toh(*(volatile uint32_t *)at), "a mapping");
	if (may_write() && chance(3))
		*(volatile uint32_t *)at = htole32(below(~0u));
	return true;
}

static uint32_t any_region(void)
{
	return chance(8) ? below(~0u) : below(VFIO_PCI_NUM_REGIONS + 1);
}

/* Somewhere in a region, at its edges, or anywhere. */
static uint64_t any_offset(uint32_t region)
{
	uint64_t size = region < VFIO_PCI_NUM_REGIONS ? regions[region].size : page;

	switch (below(8)) {
	case 0:
		return size;
	case 1:
		return size - page;
	case 2:
		return (uint64_t)below(~0u) << below(32);
	case 3:
		return 0;
	default:
		return size ? below(size) : 0;
	}
}

static uint64_t file_offset(uint32_t region, uint64_t offset)
{
	return (region < VFIO_PCI_NUM_REGIONS ? regions[region].offset : (uint64_t)region << 40) + offset;
}

/* May there be one? */
static void check_mapping(const char *how, uint64_t position, size_t len)
{
	/* A wrapped or far offset may be another region's. */
	uint32_t region = position >> 40;
	uint64_t offset = position & ((1ull << 40) - 1);

	if (region >= VFIO_PCI_ROM_REGION_INDEX || !(regions[region].flags & VFIO_REGION_INFO_FLAG_MMAP) ||
	    offset + len > (regions[region].size + page - 1) / page * page || over_table(region, offset, len))
		wrong_add(&fuzz->wrong, "%s of %s region %u, %#zx bytes at %#llx succeeded", how, target.bdf, region,
			  len, (unsigned long long)offset);
}

static void do_mmap(void)
{
	static const int kinds[] = { MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_PRIVATE, MAP_SHARED | MAP_POPULATE };
	uint32_t region = any_region(), i = below(MAPS);
	uint64_t offset = any_offset(region) & (chance(10) ? ~0ull : ~(page - 1));
	size_t len = page * (1 + below(6)) - (chance(4) ? below(page) : 0);
	void *at;

	if (maps[i].at)
		munmap(maps[i].at, maps[i].len);
	maps[i].at = NULL;
	at = mmap(NULL, len, PROT_READ | (below(4) ? PROT_WRITE : 0), kinds[below(5)], vfio.device,
		  file_offset(region, offset));
	if (at == MAP_FAILED)
		return;
	fuzz->mapped++;
	maps[i].at = at;
	maps[i].len = (len + page - 1) / page * page;
	check_mapping("mmap", file_offset(region, offset), maps[i].len);
}

static void do_mremap(void)
{
	uint32_t i = below(MAPS);
	size_t len = page * (1 + below(8)), old = chance(4) ? 0 : maps[i].len;
	void *at;

	if (!maps[i].at)
		return;
	/* Of no length: a second mapping of the same, as long as one likes. */
	at = mremap(maps[i].at, old, len, !old || below(2) ? MREMAP_MAYMOVE : 0);
	if (at == MAP_FAILED)
		return;
	if (len > old)
		wrong_add(&fuzz->wrong, "mremap of %s from %#zx to %#zx bytes succeeded", target.bdf, old, len);
	maps[i].at = at;
	maps[i].len = len;
}

/* What a process can do to a mapping besides. */
static void do_change(void)
{
	static const int protections[] = { PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC };
	static const int advice[] = { MADV_DONTNEED, MADV_REMOVE, MADV_DOFORK, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE };
	uint32_t i = below(MAPS), region = any_region();
	uint64_t position = file_offset(region, any_offset(region)) & ~(page - 1);
	char *at = maps[i].at;

	if (!at)
		return;
	at += page * below(maps[i].len / page);
	switch (below(4)) {
	case 0:
		madvise(at, page, advice[below(5)]);
		break;
	case 1:
		/* The same mapping with another part of the file. */
		if (syscall(SYS_remap_file_pages, at, page, 0, position / page, 0))
			return;
		check_mapping("remap_file_pages", position, page);
		break;
	default:
		if (mprotect(at, page, protections[below(5)]))
			return;
	}
	fuzz->good++;
}

static void do_read_write(void)
{
	uint32_t region = any_region(), data[4] = {}, i;
	uint64_t offset = any_offset(region) & (chance(4) ? ~0ull : ~3ull);
	size_t len = 1u << below(4);
	bool config = region == VFIO_PCI_CONFIG_REGION_INDEX;

	if (chance(10))
		len = 1 + below(sizeof(data));
	/* Config space that no standard describes is the device's own, and would stay changed. */
	if (below(2) && may_write() && !config) {
		for (i = 0; i < 4; i++)
			data[i] = below(~0u);
		if (pwrite(vfio.device, data, len, file_offset(region, offset)) > 0)
			fuzz->good++;
		return;
	}
	if (pread(vfio.device, data, len, file_offset(region, offset)) != (ssize_t)len)
		return;
	fuzz->good++;
	check_shown(region, offset, (const uint8_t *)data, len);
	if (!config && len >= 4)
		saw(le32toh(data[0]), "read()");
}

/* BARs, COMMAND, power states, MSI-X: what a guest writes, and what it should not. */
static void do_config(void)
{
	static const uint8_t capabilities[] = { 0x01, 0x05, 0x10, 0x11 };
	uint64_t base = regions[VFIO_PCI_CONFIG_REGION_INDEX].offset;
	uint32_t value = chance(3) ? ~0u : below(~0u);
	int at;

	switch (below(4)) {
	case 0:
		at = 0x10 + 4 * below(6);
		break;
	case 1:
		at = 0x04;
		value = below(8);
		break;
	default:
		at = pci_capability(&target, capabilities[below(4)]);
		if (!at)
			return;
		at += 2 + 2 * below(3);
	}
	if (pwrite(vfio.device, &value, at >= 0x10 && at < 0x28 ? 4 : 2, base + at) > 0)
		fuzz->good++;
}

/* COMMAND to the BARs in one go; some of it is on a page that the user does not have at that moment. */
static void do_config_run(void)
{
	uint64_t base = regions[VFIO_PCI_CONFIG_REGION_INDEX].offset;
	uint32_t from = 0x04 + below(0x20), len = 2 + below(0x28 - from - 1), i;
	static uint8_t *pages;
	uint8_t *bytes;

	if (!pages)
		pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bytes = pages + page - below(len + 1);
	if (pages == MAP_FAILED || pread(vfio.device, bytes, len, base + from) != (ssize_t)len)
		return;
	for (i = 0; i < len; i++)
		if (from + i == 0x04)
			bytes[i] = below(8);
		else if (from + i >= 0x10)
			bytes[i] = below(256);
	madvise(pages + page * below(2), page, MADV_DONTNEED);
	if (pwrite(vfio.device, bytes, len, base + from) == (ssize_t)len)
		fuzz->runs++;
}

static void do_irqs(void)
{
	struct {
		struct vfio_irq_set set;
		int32_t fds[32];
	} request = { .set = {
		.argsz = sizeof(request),
		.flags = 1u << below(3) | 8u << below(3),
		.index = below(6),
		.start = chance(4) ? below(40) : 0,
		.count = below(32),
	} };
	int i, n = 0;

	for (i = 0; i < 32; i++)
		request.fds[i] = -1;
	if ((request.set.flags & VFIO_IRQ_SET_DATA_EVENTFD) && below(3))
		for (n = 0; n < 4; n++)
			request.fds[n] = eventfd(0, EFD_CLOEXEC);
	if (!ioctl(vfio.device, VFIO_DEVICE_SET_IRQS, &request))
		fuzz->good++;
	for (i = 0; i < n; i++)
		close(request.fds[i]);
}

static void do_dma_buf(void)
{
	struct {
		struct vfio_device_feature feature;
		uint32_t region, open_flags, flags, count;
		struct {
			uint64_t offset, length;
		} ranges[3];
	} request = {
		.feature = { .argsz = sizeof(request), .flags = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF },
		.region = below(7), .open_flags = O_RDWR | O_CLOEXEC, .count = 1 + below(3),
	};
	uint32_t i;
	int fd;

	for (i = 0; i < request.count; i++) {
		request.ranges[i].offset = any_offset(request.region) & ~(page - 1);
		request.ranges[i].length = page * (1 + below(4));
	}
	fd = ioctl(vfio.device, VFIO_DEVICE_FEATURE, &request);
	if (fd < 0)
		return;
	fuzz->good++;
	for (i = 0; i < request.count; i++)
		if (request.region > 5 || (int)request.region == shown ||
		    over_table(request.region, request.ranges[i].offset,
			       request.ranges[i].length) ||
		    request.ranges[i].offset + request.ranges[i].length >
			    (regions[request.region].size + page - 1) / page * page)
			wrong_add(&fuzz->wrong, "a dma-buf of %s BAR %u, %#llx bytes at %#llx",
				  target.bdf, request.region,
				  (unsigned long long)request.ranges[i].length,
				  (unsigned long long)request.ranges[i].offset);
	close(fd);
}

static void do_ioeventfd(void)
{
	uint32_t region = any_region();
	struct vfio_device_ioeventfd request = {
		.argsz = sizeof(request), .flags = 1u << below(4), .data = 0,
		.fd = chance(4) ? -1 : eventfd(0, EFD_CLOEXEC),
	};
	uint64_t offset = any_offset(region);

	request.offset = file_offset(region, offset);
	if (!ioctl(vfio.device, VFIO_DEVICE_IOEVENTFD, &request)) {
		fuzz->good++;
		if (request.fd >= 0 && (((int)region == table.bar && table.size && offset >= table.offset &&
					 offset < table.offset + table.size) || (int)region == shown))
			wrong_add(&fuzz->wrong, "an ioeventfd on the MSI-X table of %s", target.bdf);
	}
	if (request.fd >= 0)
		close(request.fd);
}

/* What nobody would ask, of any length. */
static void do_ioctl(void)
{
	uint32_t data[64], i;

	for (i = 0; i < 64; i++)
		data[i] = chance(3) ? below(~0u) : below(16);
	data[0] = chance(4) ? below(~0u) : below(sizeof(data));
	/* A feature: some switch the device's power. */
	if (chance(2))
		data[1] = below(14) | 1u << (16 + below(3));
	if (!ioctl(vfio.device, _IO(VFIO_TYPE, VFIO_BASE + 7 + below(14)), data))
		fuzz->good++;
}

static void do_region_info(void)
{
	uint32_t data[64] = {}, i;

	data[0] = below(sizeof(data));
	data[2] = any_region();
	for (i = 8; i < 64; i++)
		data[i] = 0xa5a5a5a5;
	if (ioctl(vfio.device, VFIO_DEVICE_GET_REGION_INFO, data))
		return;
	fuzz->good++;
	for (i = 8; i < 64; i++)
		saw(data[i], "region info");
}

static bool open_target(void)
{
	int i, err = vfio_open(&target, &vfio);

	if (err) {
		wrong_add(&fuzz->wrong, "%s: open: %s", target.bdf, strerror(-err));
		return false;
	}
	for (i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		regions[i] = (struct vfio_region_info){ .argsz = sizeof(regions[i]), .index = i };
		if (ioctl(vfio.device, VFIO_DEVICE_GET_REGION_INFO, &regions[i]))
			regions[i].size = 0;
	}
	return true;
}

static void any_call(void)
{
	static void (*const calls[])(void) = {
		do_mmap, do_mmap, do_mmap, do_mremap, do_change, do_change, do_read_write, do_read_write, do_config,
		do_config, do_config_run,
		do_irqs, do_dma_buf, do_ioeventfd, do_ioctl, do_region_info,
	};
	uint32_t i = below(sizeof(calls) / sizeof(calls[0]) + 1);

	fuzz->calls++;
	if (i < sizeof(calls) / sizeof(calls[0]))
		calls[i]();
	else if (chance(3))
		ioctl(vfio.device, VFIO_DEVICE_RESET);
}

static void look_at_all(void)
{
	size_t at;
	int i;

	for (i = 0; i < MAPS; i++)
		for (at = 0; maps[i].at && at < maps[i].len; at += 4)
			/* A hidden word is at the end of a table, a device's at its start. */
			if ((at % 256 < 16 || (at % 4096 >= 960 && at % 4096 < 1040)) && !look_at(maps[i].at + at))
				at = at / page * page + page - 4;
}

static void be_random(int turn, int done)
{
	int batch, i;
	char c;

	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	if (!open_target())
		return;
	for (batch = 0; batch < BATCHES; batch++) {
		for (i = 0; i < 30; i++)
			any_call();
		look_at_all();
		if (write(done, "", 1) != 1 || read(turn, &c, 1) != 1)
			return;
		if (chance(20)) {
			for (i = 0; i < MAPS; i++) {
				if (maps[i].at)
					munmap(maps[i].at, maps[i].len);
				maps[i].at = NULL;
			}
			vfio_close(&vfio);
			if (!open_target())
				return;
		}
	}
}

/* As root sees it while the other waits. */
static void check(void)
{
	struct pci_bar bar;
	uint32_t value;
	int i;

	fuzz->batches++;
	for (i = 0; i < secret_count; i++) {
		bool of_table = i == secret_count - 1 && table.size;

		value = le32toh(*secrets[i].word);
		if (!of_table && value != secrets[i].value)
			wrong_add(&fuzz->wrong, "%s has become %#x", secrets[i].where, value);
		/* A reset clears it, and a device asleep shows nothing of it. */
		if (of_table && hidden && value && value != ~0u && value != secrets[i].value)
			wrong_add(&fuzz->wrong, "%s has become %#x", secrets[i].where, value);
		*secrets[i].word = htole32(secrets[i].value);
	}
	for (i = 0; i < 6; i++) {
		value = pci_config_read(&target, 0x10 + 4 * i, 4);
		/* Asleep it answers nothing. */
		if (!pci_bar(&target, i, &bar) && (bar.flags & 0x200) && value != ~0u &&
		    (value & ~0xfu) != (uint32_t)bar.start)
			wrong_add(&fuzz->wrong,
				  "%s BAR %d: the register says %#x, the kernel %#llx", target.bdf,
				  i, value, (unsigned long long)bar.start);
	}
}

static void add_secret(const struct pci_dev *dev, int bar, uint64_t offset, const char *what)
{
	struct secret *secret = &secrets[secret_count];
	struct pci_bar place = {};
	char path[64];
	char *map;
	int fd;

	/* The file shows the page that a small BAR is on, whatever else is there. */
	pci_bar(dev, bar, &place);
	offset += place.start % page;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%d", dev->bdf, bar);
	fd = open(path, O_RDWR | O_CLOEXEC);
	map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset / page * page);
	close(fd);
	if (!ok(fd >= 0 && map != MAP_FAILED, "root has %s of %s", what, dev->bdf))
		bail("without it nothing is proved");
	secret->word = (void *)(map + offset % page);
	secret->value = 0xca000000u | below(0xffffff);
	*secret->word = htole32(secret->value);
	/* A device that nobody has opened yet does not decode. */
	if (!*pci_driver(dev))
		is_u64(le32toh(*secret->word), secret->value, "%s keeps what root writes", dev->bdf);
	snprintf(secret->where, sizeof(secret->where), "%s of %s", what, dev->bdf);
	secret_count++;
}

/* One user's whole visit, with whatever it finds to do. */
static void session(const struct pci_dev *dev, unsigned int targets)
{
	int turn[2], done[2], status, err, kept = secret_count;
	struct zoo_bar bars[ZOO_MAX];
	struct wrong *wrong = &fuzz->wrong;
	const char *door;
	char text[32];
	pid_t child;
	char c;

	rng_start(&rng, 1000 + fuzz->sessions);
	target = *dev;
	memset(&table, 0, sizeof(table));
	hidden = msix_table_find(&target, &table) && (fuzz->sessions / targets) % 2 == 0;
	module_set("msix_mmap", "%s", hidden ? "never" : "isolated");
	module_set("bar_size", "%s", below(2) ? "page" : "exact");
	err = pci_bind(&target, OURS);
	if (err)
		wrong_add(wrong, "%s: bind: %s", target.bdf, strerror(-err));
	soak_claimed(&target, bars, zoo_list(bars), wrong);
	shown = -1;
	if (table.size && !hidden && pci_attr_read(&target, OURS "/msix_relocation", text, sizeof(text)) > 0)
		sscanf(text, "bar%d", &shown);
	fuzz->shown += shown >= 0;
	if (hidden) {
		about("session %u", fuzz->sessions);
		add_secret(&target, table.bar, table.offset + 16 * 60 + 8, "the MSI-X table");
		fuzz->hidden++;
	}
	if (pipe(turn) || pipe(done))
		bail("no pipe");
	/* By turns through groups and through its own file; each kind of device through both. */
	door = (fuzz->sessions + fuzz->sessions / targets) % 2 ? "cdev" : "group";
	fuzz->cdev += *door == 'c';
	child = fork();
	if (!child) {
		setenv("vfio", door, 1);
		close(turn[1]);
		close(done[0]);
		be_random(turn[0], done[1]);
		_exit(0);
	}
	close(turn[0]);
	close(done[1]);
	while (read(done[0], &c, 1) == 1) {
		check();
		if (write(turn[1], "", 1) != 1)
			break;
	}
	if (waitpid(child, &status, 0) != child || status)
		wrong_add(wrong, "%s: its user ended with %#x", target.bdf, status);
	close(turn[1]);
	close(done[0]);
	if (secret_count > kept) {
		munmap((void *)((uintptr_t)secrets[kept].word & ~(page - 1)), page);
		secret_count = kept;
	}
	err = pci_bind(&target, "");
	if (err)
		wrong_add(wrong, "%s: unbind: %s", target.bdf, strerror(-err));
	fuzz->sessions++;
}

MODULE_CASE(fuzz, "")
{
	double end;
	struct pci_dev targets[8], dev;
	int count = 0, i;
	char *before;

	page = sysconf(_SC_PAGESIZE);
	fuzz = soak_shared(sizeof(*fuzz));
	rng_start(&rng, 7);
	signal(SIGPIPE, SIG_IGN);
	before = soak_begin();
	/* The first is in the user's hands, the others beside it are root's. */
	if (!is_errno(pci_find(IVSHMEM, 0, &targets[count++]), 0,
		      "there is a device whose registers keep what is written") ||
	    !is_errno(pci_find(NVME, 0, &targets[count++]), 0, "there is one with an MSI-X table"))
		return;
	for (i = 0; count < 4 && !pci_find(SDHCI, i, &dev); i++)
		targets[count++] = dev;
	for (i = 1; !pci_find(IVSHMEM, i, &dev) && i < SECRETS; i++) {
		pci_attr_write(&dev, "enable", "1");
		add_secret(&dev, 0, 0, "a register");
	}
	ok(secret_count >= 3, "%d registers that nobody may see or change", secret_count);
	/* Each kind of device twice at least: with its table hidden, and not. */
	end = soak_now() + soak_share(25);
	while ((soak_now() < end || fuzz->sessions < 2u * count) && fuzz->wrong.count < 20)
		session(&targets[fuzz->sessions % count], count);
	none_wrong(&fuzz->wrong, "no call reaches what is not the device's own, nor a hidden table");
	diag("%u sessions, %u with a hidden table, %u with one shown elsewhere, %u through the device's own file",
	     fuzz->sessions, fuzz->hidden, fuzz->shown, fuzz->cdev);
	diag("looked at %u times", fuzz->batches);
	diag("%u calls, %u of them good, %u mappings, %u faults, %u writes of several registers", fuzz->calls,
	     fuzz->good, fuzz->mapped, fuzz->faults, fuzz->runs);
	ok(fuzz->cdev && fuzz->sessions > fuzz->cdev && fuzz->hidden && fuzz->shown && fuzz->mapped && fuzz->runs &&
	   fuzz->good > 100,
	   "there was something to see");
	for (i = 0; i < secret_count; i++)
		*secrets[i].word = 0;
	for (i = 1; !pci_find(IVSHMEM, i, &dev) && i < SECRETS; i++)
		pci_attr_write(&dev, "enable", "0");
	soak_end(before);
}
