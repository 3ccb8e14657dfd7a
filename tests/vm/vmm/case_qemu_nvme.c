// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's own NVMe driver, unmodified: qemu-img reads a whole drive through nvme://. It maps the
 * controller's BAR and does not start without, whatever the flags say.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "drive.h"
#include "image.h"
#include "zoo.h"

#define COPY "/tmp/copy"
#define IN_IMAGE(path) "/nested" path
#define OUTPUT "/tmp/qemu-img"

#define NVMES_MAX 4

#define SECONDS 120

static struct zoo_bar nvmes[NVMES_MAX];
static bool stock_maps[NVMES_MAX];
static int count;

static void find(void)
{
	static struct zoo_bar bars[ZOO_MAX];
	int all = zoo_list_all(bars), i;

	for (i = 0; i < all && count < NVMES_MAX; i++) {
		if (strcmp(bars[i].name, "nvme") || bars[i].bar)
			continue;
		stock_maps[count] = bars[i].size >= (uint64_t)sysconf(_SC_PAGESIZE) || zoo_stock_maps(&bars[i]);
		diag("%s: BAR 0 has %llu bytes; stock vfio-pci maps it: %s", bars[i].dev.bdf,
		     (unsigned long long)bars[i].size, stock_maps[count] ? "yes" : "no");
		nvmes[count++] = bars[i];
	}
}

/*
 * QEMU's model of an NVMe answers the first commands without an interrupt where MSI-X was off as the controller
 * started (its msix_vector_use()), and QEMU's driver turns it on after that. Unless the answer comes before the
 * driver has looked for the first time, it waits for ever, on top of any driver. So it is woken.
 */
static void wake(pid_t pid)
{
	int process = pidfd_open(pid, 0), fd, event;
	char path[40], what[32];

	for (fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		memset(what, 0, sizeof(what));
		if (readlink(path, what, sizeof(what) - 1) < 0 || strcmp(what, "anon_inode:[eventfd]"))
			continue;
		event = pidfd_getfd(process, fd, 0);
		eventfd_write(event, 1);
		close(event);
	}
	close(process);
}

static int convert(const struct pci_dev *dev)
{
	char source[40];
	char *const argv[] = { "qemu-img", "convert", "-O", "raw", source, COPY, NULL };
	int status, ms, woken = 0;
	pid_t pid;

	snprintf(source, sizeof(source), "nvme://%s/1", dev->bdf);
	unlink(IN_IMAGE(COPY));
	pid = image_start(argv, OUTPUT);
	for (ms = 0; pid > 0 && ms < SECONDS * 1000; ms += 100) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			diag("it was woken %d times", woken);
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		}
		sleep_ms(100);
		/* With a copy begun, all that comes are the device's own interrupts. */
		if (ms >= 1000 && access(IN_IMAGE(COPY), F_OK)) {
			wake(pid);
			woken++;
		}
	}
	if (pid < 0)
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -ETIMEDOUT;
}

static void check(int i, const char *driver, bool works)
{
	const struct pci_dev *dev = &nvmes[i].dev;
	char *said;
	int status;

	about("%s, %s", driver, dev->bdf);
	if (!is_errno(pci_bind(dev, driver), 0, "bound"))
		return;
	status = convert(dev);
	said = file_slurp(OUTPUT, NULL);
	if (works) {
		if (!is_u64(status, 0, "qemu-img reads the drive through nvme://"))
			diag("%s", said ? said : "");
		ok(drive_is_copy(IN_IMAGE(COPY)), "and what it reads is what is on it");
	} else {
		ok(status > 0 && said && strstr(said, "Failed to map BAR region"), "qemu-img cannot map its BAR");
		diag("%s", said ? said : "");
	}
	free(said);
	pci_bind(dev, "");
}

MODULE_CASE(qemu_nvme, "")
{
	int shared = 0, i;

	if (!is_errno(image_mount(), 0, "there is a qemu-img in the machine"))
		return;
	find();
	ok(count == 3, "there are three NVMes");
	for (i = 0; i < count; i++)
		shared += !stock_maps[i];
	ok(shared, "%d of them share their page", shared);
	/* First: once moved, stock vfio-pci maps the BAR too. */
	for (i = 0; i < count; i++)
		check(i, "vfio-pci", stock_maps[i]);
	for (i = 0; i < count; i++)
		check(i, "subpage_vfio_pci", true);
}
