// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pci_regs.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "false_alarm.h"
#include "file.h"
#include "kmod.h"
#include "log.h"
#include "models.h"
#include "monitor.h"
#include "soak.h"

/*
 * The port is all that its host bridge has, so nobody else takes the place that is free for a moment.
 * Behind it are function 0, a bridge, and function 1, a device with a single BAR, as long as the bridge's
 * window gets. Of two that are aligned alike, the PCI core places that first which it has found first.
 */
static const struct pci_dev port = { "0000:80:00.0", 0x8086, 0x3420 };
static const struct pci_dev room = { "0000:80:01.0", 0x8086, 0x3420 };
static const struct pci_dev bridge = { "0000:81:00.0", PCIE_PCI_BRIDGE };
static const struct pci_dev dev = { "0000:81:00.1", EDU };
#define SLOT_POWER "/sys/bus/pci/slots/80/power"
/* Of this host bridge alone: a bus of another one may be in the middle of a reset. */
#define RESCAN "/sys/class/pci_bus/0000:80/rescan"

/* It reads what was written to it, inverted. */
#define REG 4
#define WRITTEN 0x5a5a1234u

#define PRINTK_DELAY "/proc/sys/kernel/printk_delay"

static bool wrong_if(struct false_alarms *alarms, int err, const char *what)
{
	if (err)
		wrong_add(&alarms->wrong, "%s: %s", what, strerror(-err));
	return err;
}

static void monitor(struct false_alarms *alarms, const char *command)
{
	char reply[512] = "";
	int err = monitor_cmd(reply, sizeof(reply), "%s", command);

	if (err || *reply)
		wrong_add(&alarms->wrong, "%s: %d %s", command, err, reply);
}

/* Kernels before 7.2 leave windows as long as they find them. */
static void forget_windows(const struct pci_dev *bridge)
{
	pci_config_write(bridge, PCI_MEMORY_BASE, 4, 0x0000fff0);
	pci_config_write(bridge, PCI_PREF_MEMORY_BASE, 4, 0x0000fff0);
}

void false_alarm_start_over(struct false_alarms *alarms)
{
	forget_windows(&bridge);
	forget_windows(&port);
	forget_windows(&room);
	wrong_if(alarms, pci_remove(&port), "the port is not removed");
	wrong_if(alarms, pci_remove(&room), "the port beside it is not removed");
	if (alarms->plugged)
		monitor(alarms, "device_del newcomer");
	alarms->plugged = false;
	wrong_if(alarms, file_write(RESCAN, "1"), "rescan");
}

void false_alarm_prepare(struct false_alarms *alarms)
{
	false_alarm_start_over(alarms);
	wrong_if(alarms, file_write(SLOT_POWER, "0"), "the slot is not switched off");
	wrong_if(alarms, file_write(RESCAN, "1"), "rescan");
	/* A reset of the slot, as the device is opened, would bring them back, and QEMU would keep the newcomer. */
	wrong_if(alarms, pci_attr_write(&dev, "reset_method", "\n"), "it can be reset");
	forget_windows(&bridge);
	wrong_if(alarms, pci_remove(&bridge), "the bridge is not removed");
}

/* What the kernel says between release and assignment takes 5 ms a line, and so long the BAR is away. */
static void grow(struct false_alarms *alarms)
{
	monitor(alarms, "device_add edu,id=newcomer,bus=alarmbridge,addr=1");
	alarms->plugged = true;
	file_write(PRINTK_DELAY, "5");
	wrong_if(alarms, file_write(SLOT_POWER, "1"), "the slot is not switched on");
	false_alarm_ended();
}

static pid_t keep_reading(const struct vfio *vfio, struct false_alarms *alarms)
{
	pid_t pid = fork();
	uint32_t value;

	while (!pid) {
		if (vfio_read32(vfio, 0, REG, &value))
			alarms->refused++;
		alarms->reads++;
		usleep(300);
	}
	return pid;
}

static uint32_t bar_register(void)
{
	return pci_config_read(&dev, PCI_BASE_ADDRESS_0, 4) & PCI_BASE_ADDRESS_MEM_MASK;
}

static void use(struct false_alarms *alarms, const struct vfio *vfio, volatile uint32_t *reg)
{
	uint32_t value = 0;
	pid_t reader;

	*reg = WRITTEN;
	reader = keep_reading(vfio, alarms);
	grow(alarms);
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
	if (vfio_read32(vfio, 0, REG, &value))
		alarms->refused++;
	else if (value != ~WRITTEN || *reg != ~WRITTEN)
		wrong_add(&alarms->wrong, "read: %#x, and through the mapping: %#x", value, *reg);
}

/* Of what the kernel has said since, and of its place. */
static void check(struct false_alarms *alarms, const struct pci_bar *before, int mark)
{
	char text[96], *log = log_since(mark);
	struct pci_bar after;

	snprintf(text, sizeof(text), "%s: BAR 0 [mem %#010jx-%#010jx]: assigned", dev.bdf,
		 (uintmax_t)before->start, (uintmax_t)before->start + before->size - 1);
	alarms->raised += log_count(log, text);
	snprintf(text, sizeof(text), "%s: the PCI core has moved its BARs", dev.bdf);
	if (log_count(log, text))
		wrong_add(&alarms->wrong, "it was taken for true");
	free(log);
	pci_bar(&dev, 0, &after);
	if (after.start != before->start || bar_register() != (uint32_t)before->start)
		wrong_add(&alarms->wrong, "the BAR was at %#jx, is at %#jx, and its register says %#x",
			  (uintmax_t)before->start, (uintmax_t)after.start, bar_register());
}

void false_alarm_raise(struct false_alarms *alarms)
{
	unsigned int refused = alarms->refused;
	int mark = log_mark();
	struct pci_bar before;
	struct vfio vfio;
	void *map;

	pci_bar(&dev, 0, &before);
	if (wrong_if(alarms, pci_bind(&dev, OURS), "bind") || wrong_if(alarms, vfio_open(&dev, &vfio), "open"))
		return;
	if (!wrong_if(alarms, vfio_map(&vfio, 0, 0, sysconf(_SC_PAGESIZE), &map), "map")) {
		use(alarms, &vfio, (void *)((char *)map + REG));
		munmap(map, sysconf(_SC_PAGESIZE));
	}
	vfio_close(&vfio);
	check(alarms, &before, mark);
	close(mark);
	if (alarms->refused != refused)
		wrong_add(&alarms->wrong, "%u reads were refused", alarms->refused - refused);
	wrong_if(alarms, pci_bind(&dev, ""), "unbind");
}

void false_alarm_ended(void)
{
	file_write(PRINTK_DELAY, "0");
}
