// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench.h"
#include "file.h"
#include "kmod.h"
#include "log.h"
#include "lost_user.h"
#include "models.h"
#include "peek.h"
#include "tap.h"

#define AUTOPROBE "/sys/bus/pci/drivers_autoprobe"
#define BY_EVENT 0x5a5a1230
#define CHANGED_LINE 0x10

/* The other functions of the slot. The first register of that BAR keeps its value. One is several pages long. */
static struct other {
	int bar;
	size_t size;
	struct pci_dev dev;
	struct vfio vfio;
	void *map;
} others[OTHERS] = {
	{ .bar = 5, .size = 4096 },
	{ .bar = 1, .size = 4096 },
	{ .bar = 4, .size = 16384 },
};

static void write_begin(const struct vfio *vfio, struct writer *writer)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	long page = sysconf(_SC_PAGESIZE);
	struct vfio_region_info config;
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	writer->pid = 0;
	if (fd < 0 && errno == ENOSYS)
		return;
	close(fd);
	writer->its = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	writer->pid = fork();
	if (writer->pid)
		return;
	/* It is for the memory of the process that opens it. */
	fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	writer->its->faults = fd;
	writer->its->page = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)writer->its->page;
	range.range.len = 2 * page;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range) ||
	    vfio_info(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config))
		_exit(2);
	/* Command and status are the last four bytes of the first page. */
	_exit(pwrite(vfio->device, (char *)writer->its->page + page - 4, 8, config.offset + PCI_COMMAND) == 8 ?
	      0 : errno);
}

static void give_page(struct writer *writer, int nth)
{
	long page = sysconf(_SC_PAGESIZE);
	static char buffer[65536];
	struct uffdio_copy copy = {
		.dst = (uintptr_t)writer->its->page + nth * page,
		.src = (uintptr_t)buffer,
		.len = page,
	};
	int pidfd = pidfd_open(writer->pid, 0), fd = pidfd_getfd(pidfd, writer->its->faults, 0);

	memset(buffer, 0, sizeof(buffer));
	if (!nth)
		buffer[page - 4] = PCI_COMMAND_MEMORY;
	if (ioctl(fd, UFFDIO_COPY, &copy))
		kill(writer->pid, SIGKILL);
	close(fd);
	close(pidfd);
	sleep_ms(200);
}

void write_half(struct writer *writer)
{
	give_page(writer, 0);
}

int write_end(struct writer *writer)
{
	int status = -1;

	if (!waitpid(writer->pid, &status, WNOHANG)) {
		give_page(writer, 1);
		waitpid(writer->pid, &status, 0);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * The user changes a register of config space that VFIO lets through, then puts the device to sleep and
 * wakes it up: what the kernel has saved of it last is not what it was.
 */
static void change_config(const struct vfio *vfio)
{
	uint8_t line = CHANGED_LINE;
	struct vfio_region_info config;
	char status[16] = "";
	int i;

	if (!is_errno(vfio_info(vfio, VFIO_PCI_CONFIG_REGION_INDEX, &config), 0, "there is config space"))
		return;
	is_u64(pwrite(vfio->device, &line, sizeof(line), config.offset + PCI_CACHE_LINE_SIZE), sizeof(line),
	       "of which a register is changed");
	is_errno(vfio_feature_set(vfio, VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY), 0, "the device may sleep");
	for (i = 0; i < 50 && strcmp(status, "suspended"); i++) {
		sleep_ms(100);
		pci_attr_read(&at.dev, "power/runtime_status", status, sizeof(status));
	}
	is_str(status, "suspended", "and does");
	is_errno(vfio_feature_set(vfio, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT), 0, "it may no more");
	is_u64(pci_config_read(&at.dev, PCI_CACHE_LINE_SIZE, 1), CHANGED_LINE, "the register is what the user wrote");
}

int event_to_register(const struct vfio *vfio)
{
	struct vfio_device_ioeventfd request = {
		.argsz = sizeof(request),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.offset = (uint64_t)at.bar << 40,
		.data = BY_EVENT,
		.fd = eventfd(0, EFD_CLOEXEC),
	};

	if (!ioctl(vfio->device, VFIO_DEVICE_IOEVENTFD, &request))
		return request.fd;
	close(request.fd);
	return -1;
}

static void signal_event(int event)
{
	uint64_t one = 1;

	if (write(event, &one, sizeof(one)) != sizeof(one))
		diag("the event is not signalled: %s", strerror(errno));
	/* The kernel writes at once, or leaves it to a thread. */
	sleep_ms(50);
}

static uint32_t *last_register(const struct other *other)
{
	return (uint32_t *)((char *)other->map + other->size) - 1;
}

/* VFIO switches memory decode on to look for one. */
static uint64_t rom_size(const struct other *other)
{
	struct vfio_region_info rom;

	return vfio_info(&other->vfio, VFIO_PCI_ROM_REGION_INDEX, &rom) ? ~0ull : rom.size;
}

static bool open_others(void)
{
	uint32_t value = 0;
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		struct other *other = &others[i];

		if (!is_errno(vfio_open(&other->dev, &other->vfio), 0, "%s is opened, too", window_others[i]) ||
		    !is_errno(vfio_map(&other->vfio, other->bar, 0, other->size, &other->map), 0, "%s: mapped",
			      window_others[i]))
			return false;
		is_errno(vfio_read32(&other->vfio, other->bar, 0, &value), 0, "%s: read", window_others[i]);
		is_u64(*(volatile uint32_t *)other->map, value, "%s: and read through the mapping",
		       window_others[i]);
		ok(peek(last_register(other), &value), "%s: so is its last page", window_others[i]);
	}
	ok(rom_size(&others[1]) == 65536, "%s: it has a ROM", window_others[1]);
	return true;
}

void check_dmabuf(int dmabuf, int want, const char *text)
{
	int err = dmabuf < 0 ? -ENOENT : vfio_dmabuf_use(dmabuf, sysconf(_SC_PAGESIZE));

	if (err == -ENOENT)
		skip(1, "no dma-bufs or no iommufd in this kernel");
	else
		is_errno(err, want, "%s", text);
}

void check_others_revoked(void)
{
	uint32_t value;
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		ok(!peek(others[i].map, &value), "%s: its mapping is gone as well", window_others[i]);
		ok(!peek(last_register(&others[i]), &value), "%s: to its last page", window_others[i]);
		is_errno(vfio_read32(&others[i].vfio, others[i].bar, 0, &value), -EIO,
			 "%s: read() is refused", window_others[i]);
	}
	is_u64(rom_size(&others[1]), 0, "%s: nobody looks for its ROM", window_others[1]);
}

void check_other_opened(void)
{
	struct other *other = &others[2];
	uint32_t value;

	about("another one");
	munmap(other->map, other->size);
	vfio_close(&other->vfio);
	if (!is_errno(vfio_open(&other->dev, &other->vfio), 0, "closed, it is opened again") ||
	    !is_errno(vfio_map(&other->vfio, other->bar, 0, other->size, &other->map), 0, "and mapped"))
		return;
	is_errno(vfio_read32(&other->vfio, other->bar, 0, &value), 0, "read");
	is_u64(*(volatile uint32_t *)other->map, value, "and read through the mapping");
}

void check_other_forgotten(void)
{
	const struct other *other = &others[2];
	struct pci_bar lost, kept;
	struct vfio vfio;

	about("another one, which has kept a BAR");
	pci_bar(&other->dev, 1, &lost);
	pci_bar(&other->dev, other->bar, &kept);
	ok(!lost.size && kept.start, "one BAR is forgotten, another has a place");
	is_errno(vfio_open(&other->dev, &vfio), -EIO, "it cannot be opened");
	ok(!(pci_config_read(&other->dev, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY), "and decodes nothing");
}

static void forget_others(void)
{
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		munmap(others[i].map, others[i].size);
		vfio_close(&others[i].vfio);
	}
}

/* Closed: they decode what the PCI core has given them, and go. */
static void check_others_closed(void)
{
	struct pci_bar bar;
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		const struct other *other = &others[i];
		int reg = PCI_BASE_ADDRESS_0 + 4 * other->bar;

		pci_bar(&other->dev, other->bar, &bar);
		is_u64(pci_config_read(&other->dev, reg, 4) & PCI_BASE_ADDRESS_MEM_MASK, (uint32_t)bar.start,
		       "%s: its BAR says where it is now", window_others[i]);
		is_errno(pci_bind(&other->dev, ""), 0, "%s is unbound", window_others[i]);
	}
}

void unbind_others(void)
{
	int i;

	for (i = 0; i < OTHERS; i++)
		is_errno(pci_bind(&others[i].dev, ""), 0, "%s is unbound", window_others[i]);
}

bool user_lose(const char *driver, const char *model, int models, struct user *user)
{
	struct pci_dev port;
	bool ours = !strcmp(driver, OURS);
	uint32_t value = 0;
	void *map;
	size_t i;

	if (!window_prepare(model, models, &port))
		return false;
	for (i = 0; i < OTHERS && ours; i++) {
		others[i].dev = window_other(i);
		is_errno(pci_bind(&others[i].dev, OURS), 0, "%s is bound", window_others[i]);
	}

	user->line = pci_config_read(&at.dev, PCI_CACHE_LINE_SIZE, 1);
	ok(user->line != CHANGED_LINE, "a register of config space has not the value that the user will write");
	/* For stock vfio-pci, too, the BAR is given a page. */
	if (!is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound") ||
	    !is_errno(pci_bind(&at.dev, driver), 0, "%s has it", driver) ||
	    !is_errno(vfio_open(&at.dev, &user->vfio), 0, "opened"))
		return false;
	change_config(&user->vfio);
	is_errno(vfio_map(&user->vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "mapped");
	user->reg = (void *)((char *)map + at.reg);
	is_errno(vfio_read32(&user->vfio, at.bar, at.reg, &user->value), 0, "read");
	is_u64(*user->reg, user->value, "and read through the mapping");
	if (ours && !open_others())
		return false;

	user->dmabuf = ours ? vfio_dmabuf(&user->vfio, at.bar, 0, sysconf(_SC_PAGESIZE)) : -1;
	check_dmabuf(user->dmabuf, 0, "a dma-buf of it can be used");
	user->event = event_to_register(&user->vfio);
	signal_event(user->event);
	is_errno(vfio_read32(&user->vfio, at.bar, 0, &value), 0, "an event is signalled, a register read");
	is_u64(value, BY_EVENT, "which the event has written");

	write_begin(&user->vfio, &user->writer);
	sleep_ms(200);
	if (user->writer.pid)
		ok(!waitpid(user->writer.pid, NULL, WNOHANG), "a write to config space has begun and does not end");
	else
		skip(1, "no userfaultfd in this kernel");
	return window_release(&port);
}

bool user_lose_untold(const char *model, int models, struct user *user)
{
	bool lost;

	file_write(AUTOPROBE, "0");
	lost = user_lose(OURS, model, models, user);
	file_write(AUTOPROBE, "1");
	return lost;
}

/*
 * The old address is somebody else's by now: for a moment a device of the root bus has it, whose
 * first register keeps what is written.
 */
void check_event(int event)
{
	const int bar0 = PCI_BASE_ADDRESS_0;
	uint32_t place, value = 0;
	volatile uint32_t *reg;
	struct pci_dev other;
	void *map;

	if (!is_errno(pci_find(IVSHMEM, 0, &other), 0, "there is a device that can take its old address"))
		return;
	pci_config_write(&other, PCI_COMMAND, 2, pci_config_read(&other, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY);
	map = pci_map(&other, 0, 0);
	if (!ok(map != MAP_FAILED, "whose registers are mapped"))
		return;
	reg = map;
	*reg = 1;
	is_u64(*reg, 1, "its first one keeps what is written");
	place = pci_config_read(&other, bar0, 4);
	pci_config_write(&other, bar0, 4, home);
	signal_event(event);
	pci_config_write(&other, bar0, 4, place);
	value = *reg;
	is_u64(value, 1, "the event that the user has set up before writes nothing there");
	munmap(map, sysconf(_SC_PAGESIZE));
}

void user_forget(struct user *user)
{
	munmap((void *)((uintptr_t)user->reg & -sysconf(_SC_PAGESIZE)), sysconf(_SC_PAGESIZE));
	close(user->event);
	if (user->dmabuf >= 0)
		close(user->dmabuf);
	forget_others();
}

bool decodes(void)
{
	return pci_config_read(&at.dev, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
}

void check_asleep(const char *when)
{
	char status[16] = "";
	int i;

	for (i = 0; i < 50 && strcmp(status, "suspended"); i++) {
		sleep_ms(100);
		pci_attr_read(&at.dev, "power/runtime_status", status, sizeof(status));
	}
	is_str(status, "suspended", "%s the device sleeps", when);
}

void check_again(uint32_t value)
{
	uint32_t again = 0;
	struct vfio vfio;
	void *map;

	if (!ok(zoo_has_page(&at) && zoo_claimed(&at), "closed, the BAR has a page of its own again") ||
	    !is_errno(vfio_open(&at.dev, &vfio), 0, "it is opened again"))
		return;
	is_errno(vfio_read32(&vfio, at.bar, at.reg, &again), 0, "read again");
	is_u64(again, value, "it is the user's own device");
	is_errno(vfio_map(&vfio, at.bar, 0, sysconf(_SC_PAGESIZE), &map), 0, "mapped again");
	ok(peek((void *)((char *)map + at.reg), &again), "the mapping is alive");
	is_u64(again, value, "and so it is there");
	munmap(map, sysconf(_SC_PAGESIZE));
	vfio_close(&vfio);
	check_asleep("closed again,");
}

double fastest_bind_ms(const struct pci_dev *dev, const char *driver)
{
	double ns, fastest = 1e9;
	int i;

	for (i = 0; i < 3; i++) {
		pci_bind(dev, "");
		ns = bench_now_ns();
		pci_bind(dev, driver);
		ns = bench_now_ns() - ns;
		if (ns < fastest)
			fastest = ns;
	}
	return fastest / 1e6;
}

void check_closed_anew(struct user *user)
{
	int mark = log_mark();

	user_forget(user);
	vfio_close(&user->vfio);
	check_asleep("closed,");
	is_u64(log_lines(mark, "usage count underflow"), 0, "it was kept awake as often as it is let go");
	is_u64(zoo_register(&at), zoo_address(&at), "closed, its BAR says where it is now");
	ok(decodes(), "and decodes that");
	check_others_closed();
	is_u64(pci_config_read(&at.dev, PCI_CACHE_LINE_SIZE, 1), user->line, "what the user changed is changed back");
	check_again(user->value);
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(!zoo_any_claim(), "the BAR has its true size again");
	free(log_since(mark));
	window_start_over();
	is_u64(log_lines(mark, "within a second"), 0, "no newcomer waits any longer");
	ok(fastest_bind_ms(&at.dev, OURS) < 1000, "nor is one kept waiting and told nothing");
	close(mark);
	pci_bind(&at.dev, "");
}
