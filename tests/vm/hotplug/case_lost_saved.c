// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI core releases a bridge window under an open device that its user has put into D3hot. VFIO has
 * a copy of its config space from then, with the old addresses, and another one from when it was opened.
 */
#include <linux/pci_regs.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "cases.h"
#include "snapshot.h"
#include "window.h"

/* In src/driver/fault.h, as masks. */
#define STORE "256"
#define OPENED "512"
#define LATE "1024"

#define TRACING "/sys/kernel/tracing/"
#define QUEUED TRACING "events/workqueue/workqueue_queue_work/enable"

#define CONFIG ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)
/* A register that nothing but a reset of the device changes. */
#define LINE 0x5a
/* Its BAR in the window that goes; another one is in another window. */
#define MOVED 1

static struct pci_dev dev;

static uint16_t command(void)
{
	return pci_config_read(&dev, PCI_COMMAND, 2) & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static bool user_writes(const struct vfio *vfio, int at, uint16_t value)
{
	return pwrite(vfio->device, &value, sizeof(value), CONFIG + at) == sizeof(value);
}

static bool sleeps(void)
{
	char status[16] = "";
	int i;

	for (i = 0; i < 50 && strcmp(status, "suspended"); i++) {
		sleep_ms(100);
		pci_attr_read(&dev, "power/runtime_status", status, sizeof(status));
	}
	return !strcmp(status, "suspended");
}

static int reset(const struct vfio *vfio)
{
	return ioctl(vfio->device, VFIO_DEVICE_RESET) ? errno : 0;
}

static int export(const struct vfio *vfio)
{
	return -vfio_dmabuf(vfio, MOVED, 0, sysconf(_SC_PAGESIZE));
}

/* It has been looked at, and goes on when the device has been revoked. */
static pid_t begin(const struct vfio *vfio, int (*call)(const struct vfio *vfio))
{
	pid_t pid = fork();

	if (!pid)
		_exit(call(vfio));
	return pid;
}

static int end(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool open_asleep(struct vfio *vfio)
{
	int pm;

	/* A virtio device: behind a root port it has power management, and forgets in D3hot what it was told. */
	dev = window_other(2);
	pm = pci_capability(&dev, PCI_CAP_ID_PM);
	if (!ok(pm && !(pci_config_read(&dev, pm + PCI_PM_CTRL, 2) & PCI_PM_CTRL_NO_SOFT_RESET),
		"a device of which VFIO makes a copy when it is put into D3hot"))
		return false;
	pci_config_write(&dev, PCI_INTERRUPT_LINE, 1, LINE);
	if (!is_errno(pci_bind(&dev, OURS), 0, "it is bound") || !is_errno(vfio_open(&dev, vfio), 0, "opened"))
		return false;
	ok(user_writes(vfio, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER) &&
	   command() == (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER), "its user makes it a bus master");
	ok(user_writes(vfio, pm + PCI_PM_CTRL, 3) && (pci_config_read(&dev, pm + PCI_PM_CTRL, 2) & 3) == 3,
	   "and puts it into D3hot");
	return true;
}

static void check_closed(struct vfio *vfio)
{
	struct zoo_bar bars[] = { { .dev = dev, .bar = MOVED }, { .dev = dev, .bar = 4 } };
	struct vfio again;
	char *before;
	size_t i;

	vfio_close(vfio);
	module_set("fault_points", "0");
	ok(sleeps(), "closed, it sleeps");
	for (i = 0; i < sizeof(bars) / sizeof(bars[0]); i++)
		is_u64(zoo_register(&bars[i]), zoo_address(&bars[i]), "its BAR %d says where it is now", bars[i].bar);
	is_u64(command(), PCI_COMMAND_MEMORY, "it decodes that, and is no bus master");
	is_u64(pci_config_read(&dev, PCI_INTERRUPT_LINE, 1), LINE, "the rest is as before it was opened");

	before = snapshot();
	module_set("fault_points", OPENED);
	is_errno(vfio_open(&dev, &again), -EIO, "moved as it is opened, it is not");
	module_set("fault_points", "0");
	ok(sleeps(), "it sleeps");
	ok(snapshot_unchanged(before), "and nothing has changed");
	free(before);
	if (is_errno(vfio_open(&dev, &again), 0, "then it is opened"))
		vfio_close(&again);
	ok(sleeps(), "and closed");
}

/* With a reset on its way, which puts it into D0; or closed as it is, and without memory for its state. */
static void check_saved(bool with_reset)
{
	pid_t resetting = 0, exporting = 0;
	struct pci_dev port;
	struct vfio vfio;
	uint32_t value;
	int fd, i;

	about("%s", with_reset ? "with a reset on its way" : "without memory for its state");
	if (!window_prepare(LONG, 8, &port) || !open_asleep(&vfio))
		return;
	fd = vfio_dmabuf(&vfio, MOVED, 0, sysconf(_SC_PAGESIZE));
	module_set("fault_points", LATE);
	if (with_reset)
		resetting = begin(&vfio, reset);
	if (fd >= 0)
		exporting = begin(&vfio, export);
	sleep_ms(500);
	if (!window_release(&port))
		return;
	is_errno(vfio_read32(&vfio, 4, 0, &value), -EIO, "the device is revoked");
	for (i = 0; i < 50 && command(); i++)
		sleep_ms(100);
	is_u64(command(), 0, "it decodes nothing, and is no bus master");
	if (resetting)
		ok(!waitpid(resetting, NULL, WNOHANG), "a reset has begun before and has not ended");
	module_set("fault_points", "%s", with_reset ? "0" : STORE);
	if (resetting)
		diag("the reset says %d", end(resetting));
	is_u64(command(), 0, "what has begun before ends, and it decodes nothing");
	if (fd >= 0) {
		is_u64(end(exporting), EIO, "a dma-buf that was asked for before is not made");
		close(fd);
	} else {
		skip(1, "no dma-bufs in this kernel");
	}
	check_closed(&vfio);
	is_errno(pci_bind(&dev, ""), 0, "it is unbound");
}

/*
 * The look waits for a lock below which a driver that is removed may wait for all work of the system's queue:
 * there both would wait for ever. No driver of a device that QEMU has does so.
 */
static void check_queued(void)
{
	char *trace = file_slurp(TRACING "trace", NULL), *line;

	file_write(QUEUED, "0");
	line = trace ? strstr(trace, "function=scan [" OURS "]") : NULL;
	if (ok(line, "the look has been asked for")) {
		line[strcspn(line, "\n")] = '\0';
		ok(strstr(line, "workqueue=" OURS), "in a queue of the driver's own");
		diag("%s", line);
	}
	free(trace);
}

MODULE_CASE(lost_saved, "")
{
	file_write(QUEUED, "1");
	check_saved(true);
	check_queued();
	check_saved(false);
}
