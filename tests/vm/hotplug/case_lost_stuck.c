// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI core releases a bridge window under a user who keeps its own mmap_lock for as long as it likes, and
 * before that has begun a call that waits for it (6.1: later kernels take mappings away without).
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cases.h"
#include "log.h"
#include "lost_user.h"

#define CONFIG ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)
#define HELD "/tmp/held"
#define PENDING (-1)

static struct {
	volatile uint64_t reads;	/* of a register, through a mapping */
	volatile bool held;		/* mmap_lock */
	volatile int step, result;	/* of the write */
} *its;

static void *page;

static void answer(int fuse, const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	struct {
		struct fuse_out_header header;
		char data[256];
	} out = { .header = { .len = sizeof(out.header) + size, .error = error, .unique = in->unique } };

	memcpy(out.data, data, size);
	if (write(fuse, &out, out.header.len) < 0)
		_exit(1);
}

/*
 * A file with one page. As its first read fails, the fault is tried again, with the lock held all the
 * time; the second has no answer.
 */
static void serve(int fuse)
{
	static union {
		struct fuse_in_header header;
		char bytes[2 * FUSE_MIN_READ_BUFFER];
	} in;
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096,
	};
	const struct fuse_attr_out attr = { .attr = { .ino = 1, .size = 4096, .mode = S_IFREG | 0600, .nlink = 1 } };
	const struct fuse_open_out open = {};
	bool again = false;

	for (;;) {
		if (read(fuse, &in, sizeof(in)) < 0)
			_exit(1);
		switch (in.header.opcode) {
		case FUSE_INIT:
			answer(fuse, &in.header, 0, &init, sizeof(init));
			break;
		case FUSE_GETATTR:
			answer(fuse, &in.header, 0, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
			answer(fuse, &in.header, 0, &open, sizeof(open));
			break;
		case FUSE_READ:
			if (again)
				its->held = true;
			else
				answer(fuse, &in.header, -EIO, NULL, 0);
			again = true;
			break;
		case FUSE_FORGET:
		case FUSE_INTERRUPT:
			break;
		default:
			answer(fuse, &in.header, -ENOSYS, NULL, 0);
		}
	}
}

/* Killed, it gives the lock back. */
static pid_t begin_to_serve(void)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[64];
	pid_t pid;

	close(open(HELD, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	snprintf(options, sizeof(options), "fd=%d,rootmode=100600,user_id=0,group_id=0", fuse);
	if (!ok(fuse >= 0 && !mount("held", HELD, "fuse", MS_NOSUID | MS_NODEV, options),
		"there is a file to wait for"))
		return -1;
	pid = fork();
	if (!pid)
		serve(fuse);
	close(fuse);
	return pid;
}

static void *read_for_ever(void *reg)
{
	for (;;) {
		(void)*(volatile uint32_t *)reg;
		its->reads++;
	}
	return NULL;
}

static void wait_for(int step)
{
	while (its->step < step)
		usleep(1000);
}

static void *touch(void *unused)
{
	wait_for(1);
	(void)*(volatile char *)page;
	return unused;
}

/* Behind whoever has the lock waits a writer, and so all others do. */
static void *change_mappings(void *unused)
{
	wait_for(2);
	mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return unused;
}

static void wait_to_be_killed(int sig)
{
	(void)sig;
	for (;;)
		pause();
}

static void begin(void *(*run)(void *), void *with)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	if (pthread_create(&thread, &attr, run, with))
		_exit(3);
}

static void be_stuck(const struct vfio *vfio)
{
	uint16_t on = PCI_COMMAND_MEMORY, off = 0;
	int fd = open(HELD, O_RDONLY | O_CLOEXEC);
	struct stat has_a_page;
	void *map;

	signal(SIGBUS, wait_to_be_killed);
	if (fstat(fd, &has_a_page) || vfio_map(vfio, at.bar, 0, 4096, &map))
		_exit(2);
	begin(touch, NULL);
	begin(change_mappings, NULL);
	begin(read_for_ever, (char *)map + at.reg);
	pwrite(vfio->device, &on, sizeof(on), CONFIG + PCI_COMMAND);
	/* Nothing from here on needs a page that is not there yet. */
	mlockall(MCL_CURRENT);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	madvise(page, 4096, MADV_RANDOM);
	its->step = 1;
	while (!its->held)
		usleep(1000);
	its->step = 2;
	usleep(200000);
	its->step = 3;
	/* 6.1 takes all mappings away before it switches memory decode off. */
	its->result = pwrite(vfio->device, &off, sizeof(off), CONFIG + PCI_COMMAND) < 0 ? errno : 0;
	wait_to_be_killed(0);
}

static bool lock_is_held(void)
{
	int i;

	for (i = 0; i < 200 && its->step < 3; i++)
		sleep_ms(100);
	sleep_ms(500);
	return its->step == 3 && its->result == PENDING;
}

static bool reads(void)
{
	uint64_t before = its->reads;

	sleep_ms(500);
	return its->reads != before;
}

static void check_held(const struct pci_dev *port, int event)
{
	int mark = log_mark();
	struct pci_dev other;
	double ms;

	ok(lock_is_held(), "its user holds its mmap_lock, for which a write to config space waits");
	ok(reads(), "and reads the device all the time");
	if (!window_release(port))
		return;
	is_u64(log_lines(mark, "within a second"), 1, "a newcomer waits for a second, once");
	ok(!reads(), "the user reads it no more");
	ok(!decodes(), "the function decodes nothing");
	check_event(event);
	/* A device elsewhere gets a driver. */
	pci_find(IVSHMEM, 0, &other);
	ms = fastest_bind_ms(&other, STOCK);
	pci_bind(&other, "");
	ok(ms < 900, "no other newcomer waits: %s", ms < 900 ? "each is at once" : "a second each");
	ok(its->result == PENDING, "all the while the lock is held");
	close(mark);
}

static void check_given_back(pid_t server, int event)
{
	int mark = log_mark(), i;

	about("given back");
	kill(server, SIGKILL);
	for (i = 0; i < 100 && its->result == PENDING; i++)
		sleep_ms(100);
	sleep_ms(500);
	ok(its->result != PENDING, "the write ends");
	ok(!decodes(), "the function still decodes nothing");
	check_event(event);
	is_u64(log_lines(mark, "access revoked until"), 1, "the log says that the user has lost it");
	close(mark);
}

MODULE_CASE(lost_stuck, "")
{
	struct pci_dev port;
	struct vfio vfio;
	pid_t server, stuck;
	int event;

	its = mmap(NULL, sizeof(*its), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	its->result = PENDING;
	if (!is_errno(kmod_insert("fuse", ""), 0, "user space can have a file system"))
		return;
	server = begin_to_serve();
	if (server < 0 || !window_prepare(LONG, 8, &port) ||
	    !is_errno(pci_bind(&at.dev, OURS), 0, "the device is bound") ||
	    !is_errno(vfio_open(&at.dev, &vfio), 0, "opened"))
		return;
	event = event_to_register(&vfio);
	ok(event >= 0, "an event of its user writes to a register");
	stuck = fork();
	if (!stuck)
		be_stuck(&vfio);
	check_held(&port, event);
	check_given_back(server, event);
	kill(stuck, SIGKILL);
	while (wait(NULL) > 0)
		;
	close(event);
	vfio_close(&vfio);
	is_u64(zoo_register(&at), zoo_address(&at), "closed, its BAR says where it is now");
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(!zoo_any_claim(), "the BAR has its true size again");
	umount(HELD);
	is_errno(kmod_remove("fuse"), 0, "and user space has none any more");
}
