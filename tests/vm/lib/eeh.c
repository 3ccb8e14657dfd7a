// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eeh.h"
#include "file.h"

/* Of the host bridge (PHB4): which table, and an entry of it through a window. */
#define IODA_ADDRESS 0x220
#define IODA_DATA 0x228
#define TABLE_PESTA 7ull	/* a PE's loads and stores are stopped */
#define TABLE_PESTB 8ull	/* its DMA is stopped */
#define TABLE_PEEV 20ull	/* the PEs with an error, one bit each */
#define STOPPED (1ull << 63)
#define WINDOW 0x10000

bool eeh_enabled(void)
{
	char *text = file_slurp("/proc/powerpc/eeh", NULL);
	bool on = text && strstr(text, "is enabled");

	free(text);
	return on;
}

int eeh_op(const struct vfio *vfio, int op)
{
	struct vfio_eeh_pe_op pe_op = { .argsz = sizeof(pe_op), .op = op };
	int ret = ioctl(vfio->container, VFIO_EEH_PE_OP, &pe_op);

	return ret < 0 ? -errno : ret;
}

struct bridge {
	volatile uint64_t *regs;
	unsigned int pe;
};

static int bridge_open(const struct pci_dev *dev, struct bridge *bridge)
{
	char path[64], text[32];
	uint64_t reg;
	int fd, err;

	/* eeh_pe_state would tell more, but marks a frozen PE as known without an event. */
	err = pci_attr_read(dev, "eeh_pe_config_addr", text, sizeof(text));
	if (err < 0)
		return err;
	bridge->pe = strtoul(text, NULL, 16);

	snprintf(path, sizeof(path), "/sys/class/pci_bus/%.4s:00/of_node/reg", dev->bdf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &reg, sizeof(reg)) != sizeof(reg))
		return -ENODEV;
	close(fd);

	fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	bridge->regs = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, fd, be64toh(reg));
	err = errno;
	close(fd);
	return bridge->regs == MAP_FAILED ? -err : 0;
}

static void bridge_close(struct bridge *bridge)
{
	munmap((void *)bridge->regs, WINDOW);
}

static void table_write(const struct bridge *bridge, uint64_t table, uint64_t index, uint64_t value)
{
	bridge->regs[IODA_ADDRESS / 8] = htobe64(table << 48 | index);
	bridge->regs[IODA_DATA / 8] = htobe64(value);
}

static uint64_t table_read(const struct bridge *bridge, uint64_t table, uint64_t index)
{
	bridge->regs[IODA_ADDRESS / 8] = htobe64(table << 48 | index);
	return be64toh(bridge->regs[IODA_DATA / 8]);
}

int eeh_freeze(const struct pci_dev *dev)
{
	struct bridge bridge;
	int err = bridge_open(dev, &bridge);

	if (err)
		return err;
	table_write(&bridge, TABLE_PESTA, bridge.pe, STOPPED);
	table_write(&bridge, TABLE_PESTB, bridge.pe, STOPPED);
	table_write(&bridge, TABLE_PEEV, bridge.pe / 64, STOPPED >> bridge.pe % 64);
	bridge_close(&bridge);
	return 0;
}

int eeh_wait_thawed(const struct pci_dev *dev, unsigned int ms)
{
	struct bridge bridge;
	bool stopped = true;
	int err = bridge_open(dev, &bridge);

	if (err)
		return err;
	for (;;) {
		stopped = table_read(&bridge, TABLE_PESTA, bridge.pe) & STOPPED ||
			  table_read(&bridge, TABLE_PESTB, bridge.pe) & STOPPED;
		if (!stopped || ms < 50)
			break;
		sleep_ms(50);
		ms -= 50;
	}
	table_write(&bridge, TABLE_PEEV, bridge.pe / 64, 0);
	bridge_close(&bridge);
	return stopped ? -ETIMEDOUT : 0;
}

int eeh_check(const struct pci_dev *dev)
{
	return file_write("/sys/kernel/debug/powerpc/eeh_dev_check", dev->bdf);
}
