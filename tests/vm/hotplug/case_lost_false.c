// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI core releases a bridge window under an open device, and the BAR comes back to where it was:
 * its user notices nothing.
 */
#include <linux/pci_regs.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "bench.h"
#include "cases.h"
#include "log.h"
#include "lost_user.h"
#include "monitor.h"
#include "peek.h"

/* Of 16 MiB: longer, and so aligned to more, than anything that comes. */
#define DEVICE "pci-testdev,membar=16M"
#define BAR 2
/* Of I/O, which is left as vfio-pci has it. */
#define PORTS 1

/* FAULT_LATE of src/driver/fault.h. */
#define LATE "1024"

#define PRINTK_DELAY "/proc/sys/kernel/printk_delay"

struct reads {
	int good, refused;
	double longest;	/* ns */
	int mapped, unmapped, other, killed;
};

/* As fast as it can, until it is killed. */
static pid_t keep_reading(const struct vfio *vfio, struct reads *reads)
{
	pid_t pid = fork();
	uint32_t value;

	while (!pid) {
		double before = bench_now_ns();

		if (vfio_read32(vfio, BAR, 0, &value))
			reads->refused++;
		else
			reads->good++;
		if (bench_now_ns() - before > reads->longest)
			reads->longest = bench_now_ns() - before;
	}
	return pid;
}

/* Mapped a while before it is touched: with the BAR away that could be the start of memory, which is not empty. */
static pid_t keep_mapping(const struct vfio *vfio, struct reads *reads, uint32_t value)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	pid_t pid = fork();
	void *maps[50];
	uint32_t seen;
	size_t i;

	while (!pid) {
		for (i = 0; i < 50; i++)
			if (vfio_map(vfio, BAR, 0, page, &maps[i]))
				maps[i] = NULL;
		for (i = 0; i < 50; i++) {
			usleep(500);
			if (!maps[i])
				reads->unmapped++;
			else if (!peek(maps[i], &seen))
				reads->killed++;
			else if (seen != value)
				reads->other++;
			else
				reads->mapped++;
		}
		for (i = 0; i < 50; i++)
			if (maps[i])
				munmap(maps[i], page);
	}
	return pid;
}

/* Elsewhere a device gets a driver, and loses it again, all the time: each time all that are open are looked at. */
static pid_t keep_binding(const struct pci_dev *dev)
{
	pid_t pid = fork();

	while (!pid) {
		pci_bind(dev, STOCK);
		pci_bind(dev, "");
	}
	return pid;
}

/* Bound, opened and mapped; devices come that do not fit. */
static bool begin(int nth, struct pci_dev *dev, struct vfio *vfio, void **map, uint32_t *value)
{
	struct pci_dev port;
	struct pci_bar bar;
	char text[64], bus[16];
	int i;

	if (!window_fill(DEVICE, nth, &port) || !is_errno(pci_find(TESTDEV, nth, dev), 0, "the device is there"))
		return false;
	pci_bar(dev, BAR, &bar);
	if (!ok(bar.start && bar.size == 16 << 20, "its BAR has a place") ||
	    !is_errno(pci_bind(dev, OURS), 0, "it is bound") || !is_errno(vfio_open(dev, vfio), 0, "opened") ||
	    !is_errno(vfio_map(vfio, BAR, 0, sysconf(_SC_PAGESIZE), map), 0, "mapped"))
		return false;
	ok(peek(*map, value), "read through the mapping");
	snprintf(bus, sizeof(bus), "bridge%d", nth);
	for (i = 1; i <= 2; i++) {
		snprintf(text, sizeof(text), "ivshmem-plain,memdev=shared%d", 2 * nth + i);
		window_add(text, bus, i);
	}
	/* The first window for I/O is too small for these as well. */
	for (; !nth && i <= 6; i++)
		window_add("AC97", bus, i);
	return true;
}

/* The BAR was away, and is where it was. */
static void check_back(const struct pci_dev *dev, const struct pci_bar *before, int mark)
{
	char *log = log_since(mark);
	struct pci_bar after;

	ok(strstr(log, "released"), "for which the window was released");
	is_u64(log_count(log, "access revoked until"), 0, "nothing is said of the device");
	free(log);
	close(mark);
	pci_bar(dev, BAR, &after);
	is_u64(after.start, before->start, "the BAR is where it was");
}

static void wait_for(int mark, const char *line)
{
	while (!log_lines(mark, line))
		usleep(1000);
}

/*
 * The window grows. From its release until the BAR is back each line of the kernel's takes so long; and a fault
 * that has been looked at before the BAR left goes on while it is away. Returns for how many seconds it was.
 */
static double grow(const struct pci_dev *dev, const struct pci_bar *bar, int ms)
{
	int marks[3] = { log_mark(), log_mark(), log_mark() }, i;
	char left[96], back[64], text[16];
	pid_t pid;

	snprintf(text, sizeof(text), "%d", ms);
	snprintf(left, sizeof(left), "release child resource [mem %#llx-%#llx 64bit pref]",
		 (unsigned long long)bar->start, (unsigned long long)bar->start + bar->size - 1);
	snprintf(back, sizeof(back), OURS " %s: BAR %d", dev->bdf, BAR);
	/* So that the other process hears each line in time. */
	file_write(PRINTK_DELAY, "5");
	pid = fork();
	if (!pid) {
		alarm(60);
		wait_for(marks[0], "try to assign unassigned res");
		file_write(PRINTK_DELAY, text);
		wait_for(marks[1], left);
		module_set("fault_points", "0");
		wait_for(marks[2], back);
		file_write(PRINTK_DELAY, "0");
		_exit(0);
	}
	window_grow();
	for (i = 0; i < 3; i++)
		close(marks[i]);
	waitpid(pid, NULL, 0);
	/* That line comes after the BAR. */
	return log_time(back) - log_time(left) - ms / 1e3;
}

static void end(const struct pci_dev *dev, struct vfio *vfio, void *map)
{
	munmap(map, sysconf(_SC_PAGESIZE));
	vfio_close(vfio);
	is_errno(pci_bind(dev, ""), 0, "it is unbound");
}

static void check_moment(struct reads *reads)
{
	struct pci_dev dev, newcomer, elsewhere;
	struct pci_bar before, ports, ports_after;
	pid_t reader, mapper, binder;
	struct vfio vfio;
	uint32_t value;
	double away, took;
	int mark, i;
	void *map;

	about("for a moment");
	if (!is_errno(pci_find(AHCI, 0, &elsewhere), 0, "there is the board's own disk controller") ||
	    !begin(0, &dev, &vfio, &map, &value))
		return;
	pci_bar(&dev, BAR, &before);
	pci_bar(&dev, PORTS, &ports);
	reader = keep_reading(&vfio, reads);
	mapper = keep_mapping(&vfio, reads, value);
	binder = keep_binding(&elsewhere);
	for (i = 0; i < 100 && (reads->good < 100 || reads->mapped < 10); i++)
		sleep_ms(100);
	ok(reads->good >= 100 && reads->mapped >= 10, "somebody reads it all the time, and somebody maps it");

	mark = log_mark();
	away = grow(&dev, &before, 50);
	is_errno(pci_wait(IVSHMEM, 1, &newcomer, BUTTON_MS), 0, "two devices are found that do not fit");
	/* A rescan waits until the PCI core is done. */
	pci_rescan();
	sleep_ms(1500);
	kill(reader, SIGKILL);
	kill(mapper, SIGKILL);
	kill(binder, SIGKILL);
	while (wait(NULL) > 0)
		;
	pci_bind(&elsewhere, "");
	check_back(&dev, &before, mark);
	pci_bar(&dev, PORTS, &ports_after);
	ok(ports.start != ports_after.start, "its BAR of I/O is not, which is no matter");
	took = log_time("device attach failed") - log_time("release child resource");
	diag("away for %.0f ms; %d reads, the longest %.0f ms; the PCI core took %.0f", away * 1e3, reads->good,
	     reads->longest / 1e6, took * 1e3);
	is_u64(reads->refused, 0, "no read was refused");
	/* A second is as long as it may. On a machine that busy it may have to. */
	ok(reads->longest < 0.98e9 || took > 0.7, "nor did one wait any longer than for the PCI core");
	diag("%d mappings of %#x, %d refused", reads->mapped, value, reads->unmapped);
	is_u64(reads->other, 0, "no mapping was of anything else");
	is_errno(vfio_read32(&vfio, BAR, 0, &value), 0, "it can be read");
	ok(peek(map, &value), "and through the mapping");
	end(&dev, &vfio, map);
	is_u64(pci_config_read(&dev, PCI_BASE_ADDRESS_0 + 4 * BAR, 4) & PCI_BASE_ADDRESS_MEM_MASK,
	       (uint32_t)before.start, "closed, its register says so");
}

/* Longer than a read waits, which is then refused. Whoever reads through a mapping waits on. */
static void check_long(struct reads *reads)
{
	struct pci_dev dev, newcomer;
	struct pci_bar before;
	struct vfio vfio;
	uint32_t value;
	double away;
	pid_t mapper;
	int mark, i;
	void *map;

	about("for long");
	if (!begin(1, &dev, &vfio, &map, &value))
		return;
	pci_bar(&dev, BAR, &before);
	mapper = keep_mapping(&vfio, reads, value);
	for (i = 0; i < 100 && reads->mapped < 10; i++)
		sleep_ms(100);
	mark = log_mark();
	module_set("fault_points", LATE);
	away = grow(&dev, &before, 500);
	is_errno(pci_wait(IVSHMEM, 3, &newcomer, BUTTON_MS), 0, "two more are found");
	pci_rescan();
	sleep_ms(100);
	kill(mapper, SIGKILL);
	waitpid(mapper, NULL, 0);
	check_back(&dev, &before, mark);
	ok(away > 1.3, "for more than a second it was away");
	diag("%.1f s; %d mappings of %#x, %d refused", away, reads->mapped, value, reads->unmapped);
	is_u64(reads->killed, 0, "nobody dies who reads through a mapping");
	is_u64(reads->other, 0, "or reads anything else there");
	ok(peek(map, &value), "the mapping is alive");
	end(&dev, &vfio, map);
}

MODULE_CASE(lost_false, "")
{
	struct reads *reads = mmap(NULL, sizeof(*reads), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check_moment(reads);
	memset(reads, 0, sizeof(*reads));
	check_long(reads);
}
