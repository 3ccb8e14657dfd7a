// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the nested guest, beside its own driver of the NVMe that was passed through to it:
 * each interrupt of the disk comes, one that is masked in the table becomes pending, and a
 * reset by the guest changes nothing of that.
 */
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "cases.h"
#include "drive.h"
#include "interrupts.h"
#include "msix_table.h"

#define REGISTERS 0x4000	/* the BAR as the device has it */
#define VECTORS 3	/* one for each processor, and the first */
#define ENTRY_MASK 3	/* the word of an entry with the mask bit */

static struct pci_dev dev;
static volatile uint32_t *table, *pending;

static int came(int vector)
{
	char name[16];

	snprintf(name, sizeof(name), "nvme0q%d", vector);
	return interrupts_count(name, NULL, 0);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* A command of the first queue. */
static int identify(int fd)
{
	static char data[4096] __attribute__((aligned(4096)));
	struct nvme_admin_cmd command = {
		.opcode = 0x06, .addr = (uintptr_t)data, .data_len = sizeof(data), .cdw10 = 1,
	};

	return ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);
}

static void fire_each(int fd)
{
	int before[VECTORS], i, good = 0;

	for (i = 0; i < VECTORS; i++)
		before[i] = came(i);
	is_u64(identify(fd), 0, "the disk says what it is");
	for (i = 0; i < VECTORS - 1; i++) {
		run_on(i);
		good += drive_read_area(fd, i) == DRIVE_RUNNER;
	}
	is_u64(good, VECTORS - 1, "each processor reads what is on it");
	for (i = 0; i < VECTORS; i++)
		ok(came(i) > before[i], "interrupt %d has come (%d)", i, came(i) - before[i]);
}

static void set_mask(uint32_t mask)
{
	int i;

	for (i = 1; i < VECTORS; i++)
		table[4 * i + ENTRY_MASK] = mask;
}

static void mask_while_it_comes(int fd)
{
	int i, status = -1;
	uint32_t bits = 0;
	pid_t child;

	is_u64(*pending, 0, "nothing is pending");
	set_mask(1);
	child = fork();
	if (!child) {
		run_on(0);
		_exit(drive_read_area(fd, 2) != DRIVE_RUNNER);
	}
	for (i = 0; i < 100 && !bits; i++) {
		sleep_ms(20);
		bits = *pending;
	}
	ok(bits == 2 || bits == 4, "with all others masked the one that should come is pending (%#x)", bits);
	is_u64(waitpid(child, &status, WNOHANG), 0, "who reads still waits");
	set_mask(0);
	ok(waitpid(child, &status, 0) == child && !status, "unmasked, it has read what is on it");
	is_u64(*pending, 0, "nothing is pending any more");
}

static bool map_table(void)
{
	struct msix_table where;
	uint32_t pba;
	char *map;

	if (!is_errno(pci_find(NVME, 0, &dev), 0, "the disk is there") ||
	    !ok(msix_table_find(&dev, &where), "it has a table"))
		return false;
	is_u64(where.size, 16 * VECTORS, "of %d vectors", VECTORS);
	ok(where.bar != 0 || where.offset >= REGISTERS, "which is not with its registers: BAR %d at %#llx", where.bar,
	   (unsigned long long)where.offset);
	pba = pci_config_read(&dev, pci_capability(&dev, 0x11) + 8, 4);
	is_u64(pba, where.offset + where.size + where.bar, "the pending bits follow it");
	map = pci_map(&dev, where.bar, where.offset);
	if (!ok(map != MAP_FAILED, "it is mapped"))
		return false;
	table = (void *)map;
	pending = (void *)(map + where.size);
	return true;
}

CASE(guest_vectors)
{
	static const char * const resets[] = { "", "reset_controller", "device/reset" };
	char path[64];
	size_t i;
	int fd = drive_open(&drives[0]);

	if (!ok(fd >= 0, "%s is there", drives[0].path) || !map_table())
		return;
	for (i = 0; i < sizeof(resets) / sizeof(resets[0]); i++) {
		about(i ? "after a reset, %s" : "at first", resets[i]);
		snprintf(path, sizeof(path), "/sys/class/nvme/nvme0/%s", resets[i]);
		if (i)
			is_errno(file_write(path, "1"), 0, "it is reset");
		fire_each(fd);
		mask_while_it_comes(fd);
	}
	close(fd);
}
