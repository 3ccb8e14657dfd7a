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

/* Of 16 MiB: longer, and so aligned to more, than anything that comes. */
#define DEVICE "pci-testdev,membar=16M"
#define BAR 2

#define PRINTK_DELAY "/proc/sys/kernel/printk_delay"

struct reads {
	int good, refused;
	double longest;	/* ns */
	int mapped, unmapped, other;
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
			if (!maps[i] || !peek(maps[i], &seen))
				reads->unmapped++;
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

MODULE_CASE(lost_false, "")
{
	struct reads *reads = mmap(NULL, sizeof(*reads), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pci_dev port, dev, newcomer, elsewhere;
	struct pci_bar before, after;
	struct vfio vfio;
	uint32_t value;
	int mark, i;
	char *log;
	pid_t reader, mapper, binder;
	void *map;

	if (!window_fill(DEVICE, &port) ||
	    !is_errno(pci_find(TESTDEV, 0, &dev), 0, "the device is there") ||
	    !is_errno(pci_find(AHCI, 0, &elsewhere), 0, "and the board's own disk controller"))
		return;
	pci_bar(&dev, BAR, &before);
	if (!ok(before.start && before.size == 16 << 20, "its BAR has a place") ||
	    !is_errno(pci_bind(&dev, OURS), 0, "it is bound") || !is_errno(vfio_open(&dev, &vfio), 0, "opened") ||
	    !is_errno(vfio_map(&vfio, BAR, 0, sysconf(_SC_PAGESIZE), &map), 0, "mapped"))
		return;
	ok(peek(map, &value), "read through the mapping");
	reader = keep_reading(&vfio, reads);
	mapper = keep_mapping(&vfio, reads, value);
	binder = keep_binding(&elsewhere);
	for (i = 0; i < 100 && (reads->good < 100 || reads->mapped < 10); i++)
		sleep_ms(100);
	ok(reads->good >= 100 && reads->mapped >= 10, "somebody reads it all the time, and somebody maps it");

	window_add("ivshmem-plain,memdev=shared1", "bridge0", 1);
	window_add("ivshmem-plain,memdev=shared2", "bridge0", 2);
	mark = log_mark();
	/* What the kernel says between release and assignment takes 5 ms a line, and so long the BAR is away. */
	file_write(PRINTK_DELAY, "5");
	window_grow();
	is_errno(pci_wait(IVSHMEM, 1, &newcomer, BUTTON_MS), 0, "two devices are found that do not fit");
	/* A rescan waits until the PCI core is done. */
	pci_rescan();
	file_write(PRINTK_DELAY, "0");
	sleep_ms(1500);
	kill(reader, SIGKILL);
	kill(mapper, SIGKILL);
	kill(binder, SIGKILL);
	while (wait(NULL) > 0)
		;
	pci_bind(&elsewhere, "");
	log = log_since(mark);
	ok(strstr(log, "released"), "for which the window was released");
	is_u64(log_count(log, "access revoked until"), 0, "nothing is said of the device");
	free(log);
	close(mark);
	pci_bar(&dev, BAR, &after);
	is_u64(after.start, before.start, "the BAR is where it was");
	diag("%d reads, the longest %.1f ms", reads->good, reads->longest / 1e6);
	is_u64(reads->refused, 0, "no read was refused");
	diag("%d mappings of %#x, %d refused", reads->mapped, value, reads->unmapped);
	is_u64(reads->other, 0, "no mapping was of anything else");
	is_errno(vfio_read32(&vfio, BAR, 0, &value), 0, "it can be read");
	ok(peek(map, &value), "and through the mapping");
	munmap(map, sysconf(_SC_PAGESIZE));
	vfio_close(&vfio);
	is_u64(pci_config_read(&dev, PCI_BASE_ADDRESS_0 + 4 * BAR, 4) & PCI_BASE_ADDRESS_MEM_MASK,
	       (uint32_t)before.start, "closed, its register says so");
	is_errno(pci_bind(&dev, ""), 0, "it is unbound");
}
