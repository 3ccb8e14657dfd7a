// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver of an NVMe in user space whose MSI-X table is shown elsewhere: each of its vectors
 * fires, by the table that the kernel programs where it really is; one that is masked there
 * becomes pending where the user is shown the pending bits; resets, of the function and of the
 * bus, change nothing of that, nor does the host's sleep.
 */
#include <endian.h>
#include <linux/vfio.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "cases.h"
#include "host_sleep.h"
#include "msix_table.h"
#include "vfio.h"

#define VECTORS 65
#define MASKED 5
/* A virtual function's. */
#define VF_VECTORS 2
#define TOKEN "00112233-4455-6677-8899-aabbccddeeff"
#define NVME_PAGE 4096
#define IOVA 0x100000ull
#define DEPTH 4
#define ADMIN_CREATE_SQ 0x01
#define ADMIN_CREATE_CQ 0x05
#define ADMIN_IDENTIFY 0x06
#define ADMIN_VIRTUALIZATION 0x1c
#define IO_READ 0x02

/*
 * Queue n: its submissions and completions on a page each; data behind them all. A virtual function is one more
 * controller.
 */
static struct nvme {
	int vectors, masked;
	struct vfio vfio;
	struct msix_table table;
	uint64_t bar_size, pba;
	volatile uint32_t *bar;
	uint8_t *memory;
	size_t length;
	int event[VECTORS];
	struct queue {
		int tail, head, phase;
	} queue[VECTORS];
} function = { .vectors = VECTORS, .masked = MASKED };

static struct nvme virtual_function = { .vectors = VF_VECTORS, .masked = VF_VECTORS - 1 };
static struct nvme *nvme = &function;

static uint64_t iova_sq(int n)
{
	return IOVA + (uint64_t)n * 2 * NVME_PAGE;
}

static uint64_t iova_data(void)
{
	return iova_sq(nvme->vectors);
}

static void *at(uint64_t iova)
{
	return nvme->memory + (iova - IOVA);
}

static volatile uint32_t *doorbell(int n, bool completion)
{
	return &nvme->bar[(0x1000 + 8 * n + (completion ? 4 : 0)) / 4];
}

static void submit(int n, uint8_t opcode, uint32_t nsid, uint64_t data, uint32_t dw10, uint32_t dw11)
{
	struct queue *queue = &nvme->queue[n];
	uint32_t command[16] = {
		[0] = htole32(opcode),
		[1] = htole32(nsid),
		[6] = htole32((uint32_t)data),
		[7] = htole32(data >> 32),
		[10] = htole32(dw10),
		[11] = htole32(dw11),
	};

	memcpy((char *)at(iova_sq(n)) + 64 * queue->tail, command, sizeof(command));
	queue->tail = (queue->tail + 1) % DEPTH;
	__sync_synchronize();
	*doorbell(n, false) = htole32(queue->tail);
}

/* Its status, or -1 when it does not come within five seconds. */
static int complete(int n)
{
	struct queue *queue = &nvme->queue[n];
	volatile uint32_t *entry = (void *)((char *)at(iova_sq(n) + NVME_PAGE) + 16 * queue->head);
	int i, status;

	for (i = 0; i < 5000 && (le32toh(entry[3]) >> 16 & 1) != (uint32_t)queue->phase; i++)
		sleep_ms(1);
	if (i == 5000)
		return -1;
	status = le32toh(entry[3]) >> 17;
	queue->head = (queue->head + 1) % DEPTH;
	queue->phase ^= !queue->head;
	*doorbell(n, true) = htole32(queue->head);
	return status;
}

/* How often it has fired since it was asked last; waits so long for the first time. */
static int fired(int vector, int ms)
{
	struct pollfd poll_fd = { .fd = nvme->event[vector], .events = POLLIN };
	uint64_t count = 0;

	if (poll(&poll_fd, 1, ms) != 1 || read(nvme->event[vector], &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

static bool wait_ready(bool ready)
{
	int i;

	for (i = 0; i < 5000 && (le32toh(nvme->bar[0x1c / 4]) & 1) != ready; i++)
		sleep_ms(1);
	return i < 5000;
}

static bool start(void)
{
	int i;

	nvme->bar[0x14 / 4] = 0;
	if (!ok(wait_ready(false), "the controller stops"))
		return false;
	memset(nvme->memory, 0, nvme->length);
	for (i = 0; i < nvme->vectors; i++)
		nvme->queue[i] = (struct queue){ 0, 0, 1 };
	nvme->bar[0x24 / 4] = htole32((DEPTH - 1) << 16 | (DEPTH - 1));
	nvme->bar[0x28 / 4] = htole32((uint32_t)iova_sq(0));
	nvme->bar[0x2c / 4] = htole32(iova_sq(0) >> 32);
	nvme->bar[0x30 / 4] = htole32((uint32_t)iova_sq(0) + NVME_PAGE);
	nvme->bar[0x34 / 4] = htole32((iova_sq(0) + NVME_PAGE) >> 32);
	/* Enabled; entries of 64 and 16 bytes. */
	nvme->bar[0x14 / 4] = htole32(4 << 20 | 6 << 16 | 1);
	return ok(wait_ready(true), "the controller starts");
}

/* A queue for each vector but the first, which is that of the queue that makes them. */
static void make_queues(void)
{
	struct wrong wrong = {};
	int n, status, count = 0;

	for (n = 1; n < nvme->vectors; n++) {
		submit(0, ADMIN_CREATE_CQ, 0, iova_sq(n) + NVME_PAGE, (DEPTH - 1) << 16 | n, n << 16 | 3);
		status = complete(0);
		if (status)
			wrong_add(&wrong, "completions %d: %#x", n, status);
		submit(0, ADMIN_CREATE_SQ, 0, iova_sq(n), (DEPTH - 1) << 16 | n, n << 16 | 1);
		status = complete(0);
		if (status)
			wrong_add(&wrong, "submissions %d: %#x", n, status);
	}
	none_wrong(&wrong, "%d queues are made", nvme->vectors - 1);
	/* Those that came together are counted, too. */
	for (; count < 2 * (nvme->vectors - 1); count += n) {
		n = fired(0, 2000);
		if (!n)
			break;
	}
	is_u64(count, 2 * (nvme->vectors - 1), "vector 0 has fired for each command");
}

static void check_data(int n, struct wrong *wrong)
{
	char want[32];

	snprintf(want, sizeof(want), "line %010d\n", 0);
	if (memcmp(at(iova_data()), want, 16))
		wrong_add(wrong, "queue %d: it has read something else", n);
}

static void fire_each(void)
{
	struct wrong wrong = {};
	int n, other, status, count;

	for (n = 1; n < nvme->vectors; n++) {
		memset(at(iova_data()), 0, NVME_PAGE);
		submit(n, IO_READ, 1, iova_data(), 0, 0);
		status = complete(n);
		count = fired(n, 2000);
		if (status || count != 1)
			wrong_add(&wrong, "queue %d: status %#x, fired %d times", n, status, count);
		check_data(n, &wrong);
		for (other = 0; other < nvme->vectors; other++)
			if (other != n && fired(other, 0))
				wrong_add(&wrong, "queue %d: vector %d has fired", n, other);
	}
	none_wrong(&wrong, "each of %d vectors fires once, by itself, for a read that is right", nvme->vectors - 1);
}

static uint64_t pending(void)
{
	uint64_t bits = 0;

	return pread(nvme->vfio.device, &bits, sizeof(bits), nvme->pba) == sizeof(bits) ? le64toh(bits) : ~0ull;
}

/* The user masks it in the real table, which is mapped with the registers. */
static void mask_one(void)
{
	volatile uint32_t *control = &nvme->bar[(nvme->table.offset + 16 * nvme->masked + 12) / 4];
	struct wrong wrong = {};

	about("vector %d masked", nvme->masked);
	is_u64(pending(), 0, "nothing is pending before");
	*control = htole32(1);
	submit(nvme->masked, IO_READ, 1, iova_data(), 0, 0);
	is_u64(complete(nvme->masked), 0, "a command ends");
	is_u64(fired(nvme->masked, 100), 0, "without an interrupt");
	is_u64(pending(), 1ull << nvme->masked, "which is pending, where the user is shown the pending bits");
	*control = 0;
	is_u64(fired(nvme->masked, 2000), 1, "unmasked, it comes");
	is_u64(pending(), 0, "and is pending no more");
	check_data(nvme->masked, &wrong);
	none_wrong(&wrong, "what was read is right");
}

static bool enable_vectors(void)
{
	struct {
		struct vfio_irq_set set;
		int32_t fds[VECTORS];
	} irqs = {
		.set = {
			.argsz = sizeof(irqs),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.count = nvme->vectors,
		},
	};
	int i;

	for (i = 0; i < nvme->vectors; i++)
		irqs.fds[i] = nvme->event[i];
	return is_errno(ioctl(nvme->vfio.device, VFIO_DEVICE_SET_IRQS, &irqs) ? -errno : 0, 0,
			"%d vectors are set up", nvme->vectors);
}

static void close_nvme(void)
{
	int i;

	munmap((void *)nvme->bar, nvme->bar_size);
	for (i = 0; i < nvme->vectors; i++)
		close(nvme->event[i]);
	vfio_close(&nvme->vfio);
	munmap(nvme->memory, nvme->length);
}

static bool open_nvme(const struct pci_dev *dev, const char *token)
{
	uint32_t command, location;
	struct vfio_region_info info;
	void *map;
	int i;

	nvme->length = (2 * nvme->vectors + 1) * NVME_PAGE;
	nvme->length = (nvme->length + 65535) / 65536 * 65536;
	nvme->memory = mmap(NULL, nvme->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
			    -1, 0);
	for (i = 0; i < nvme->vectors; i++)
		nvme->event[i] = eventfd(0, EFD_NONBLOCK);
	if (!is_errno(vfio_open_vf(dev, token, &nvme->vfio), 0, "opened") ||
	    !is_errno(vfio_info(&nvme->vfio, 0, &info), 0, "region info"))
		return false;
	nvme->bar_size = info.size;
	vfio_read32(&nvme->vfio, VFIO_PCI_CONFIG_REGION_INDEX, pci_capability(dev, 0x11) + 8, &location);
	nvme->pba = (uint64_t)(location & 7) << 40 | (location & ~7u);
	ok((location & 7) != 0, "the pending bits are in BAR %u", location & 7);
	if (!is_errno(vfio_map(&nvme->vfio, 0, 0, nvme->bar_size, &map), 0, "all of BAR 0 is mapped") ||
	    !is_errno(vfio_map_dma(&nvme->vfio, IOVA, nvme->memory, nvme->length), 0, "memory for queues"))
		return false;
	nvme->bar = map;
	/* Memory decode and bus master. */
	vfio_read32(&nvme->vfio, VFIO_PCI_CONFIG_REGION_INDEX, 4, &command);
	return is_errno(vfio_write32(&nvme->vfio, VFIO_PCI_CONFIG_REGION_INDEX, 4, (command & 0xffff) | 6), 0,
			"it may write to memory");
}

static void use(void)
{
	if (!start())
		return;
	make_queues();
	fire_each();
	mask_one();
}

static bool has_vectors(const struct pci_dev *dev)
{
	return ok(msix_table_find(dev, &nvme->table) && nvme->table.size == 16u * nvme->vectors, "it has %d vectors",
		  nvme->vectors);
}

static bool begin(struct pci_dev *dev)
{
	int n;

	/* The last one is the one that is behind a port, if there is a port. */
	for (n = 0; !pci_find(NVME, n, dev); n++)
		;
	if (!is_errno(pci_find(NVME, n - 1, dev), 0, "there is an NVMe") || !has_vectors(dev) ||
	    !is_errno(pci_bind(dev, OURS), 0, "bound") || !open_nvme(dev, "") || !enable_vectors())
		return false;
	use();
	return true;
}

MODULE_CASE(vectors, "")
{
	struct pci_dev dev;

	if (!begin(&dev))
		return;
	is_errno(ioctl(nvme->vfio.device, VFIO_DEVICE_RESET) ? -errno : 0, 0, "it is reset");
	{
		about("after a reset");
		use();
	}
	is_errno(vfio_hot_reset(&nvme->vfio), 0, "its bus is reset");
	{
		about("after a reset of its bus");
		use();
	}
	close_nvme();
	is_errno(pci_bind(&dev, ""), 0, "given back");
}

MODULE_CASE(vectors_asleep, "")
{
	struct pci_dev dev;

	if (!begin(&dev))
		return;
	host_sleeps();
	{
		about("after the host has slept");
		is_u64(le32toh(nvme->bar[0x14 / 4]), 0, "it has lost what it was told");
		use();
	}
	close_nvme();
	is_errno(pci_bind(&dev, ""), 0, "given back");
}

/* To the secondary controller of that number: so many queues or interrupts of the primary's, or the word to begin. */
enum { QUEUES, INTERRUPTS };
enum { ASSIGN = 8, BEGIN = 9 };

static int manage(uint16_t controller, int kind, int what, int count)
{
	submit(0, ADMIN_VIRTUALIZATION, 0, 0, (uint32_t)controller << 16 | kind << 8 | what, count);
	return complete(0);
}

static bool begin_virtual(void)
{
	uint16_t controller;

	/* The list of secondary controllers begins with the number of its entries, which follow after 32 bytes. */
	submit(0, ADMIN_IDENTIFY, 0, iova_data(), 0x15, 0);
	if (!ok(!complete(0) && *(uint8_t *)at(iova_data()), "it has secondary controllers"))
		return false;
	controller = le16toh(*(uint16_t *)at(iova_data() + 32));
	is_u64(manage(controller, QUEUES, ASSIGN, VF_VECTORS), 0, "the first gets %d queues", VF_VECTORS);
	is_u64(manage(controller, INTERRUPTS, ASSIGN, VF_VECTORS), 0, "and as many interrupts");
	return is_u64(manage(controller, 0, BEGIN, 0), 0, "it may begin");
}

/* Its BAR holds registers and table alike, and config space has no register for it. */
MODULE_CASE(vectors_vf, "enable_sriov=1")
{
	struct pci_dev pf, vf;

	if (!is_errno(pci_find(NVME, 0, &pf), 0, "there is an NVMe") || !is_errno(pci_bind(&pf, OURS), 0, "bound") ||
	    !open_nvme(&pf, "") || !start() || !is_errno(vfio_set_token(&nvme->vfio, TOKEN), 0, "a token") ||
	    !is_errno(pci_attr_write(&pf, "sriov_numvfs", "1"), 0, "a virtual function is made") ||
	    !is_errno(pci_virtfn(&pf, 0, &vf), 0, "and is there") || !begin_virtual())
		return;
	nvme = &virtual_function;
	{
		about("virtual function");
		if (has_vectors(&vf) && open_nvme(&vf, TOKEN) && enable_vectors())
			use();
		close_nvme();
	}
	nvme = &function;
	is_errno(pci_attr_write(&pf, "sriov_numvfs", "0"), 0, "it goes");
	close_nvme();
	is_errno(pci_bind(&pf, ""), 0, "given back");
}
