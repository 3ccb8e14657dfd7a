// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Linux guest on POWER gets a device whose BAR was moved. The PE freezes under
 * it; the guest resets the PE and goes on. What the guest does is in
 * case_guest_eeh.c.
 */
#include <sys/wait.h>

#include "cases.h"
#include "eeh.h"
#include "image.h"
#include "nested.h"
#include "vfio.h"
#include "zoo.h"

#define SECONDS 900

/* Beside the guest: freeze the PE when it is ready, and watch the host bridge thaw. */
static int freeze_when_ready(const struct pci_dev *dev)
{
	int ms;

	for (ms = 0; !nested_has_said("ready to be frozen"); ms += 1000) {
		if (ms > SECONDS * 1000)
			return -ETIMEDOUT;
		sleep_ms(1000);
	}
	return eeh_freeze(dev) ?: eeh_wait_thawed(dev, 300000);
}

static uint32_t bar_word(const struct pci_dev *dev)
{
	return pci_config_read(dev, 0x10, 4);
}

MODULE_CASE(pseries, "")
{
	const struct nested_linux linux_guest = { .parameters = "run=guest_eeh", .trace = true };
	struct nested_device device = { .options = "" };
	struct pci_dev *dev = &device.dev;
	struct pci_bar before, after;
	struct nested nested;
	uint32_t word;
	char state[16];
	int status = 0;
	pid_t pid;

	if (!is_errno(image_mount(), 0, "the image is mounted") ||
	    !ok(eeh_enabled(), "EEH is enabled") ||
	    !is_errno(pci_find(SDHCI, 0, dev), 0, "the device is there") ||
	    !is_errno(pci_bind(dev, "subpage_vfio_pci"), 0, "the driver takes it"))
		return;
	pci_attr_read(dev, "subpage_vfio_pci/bar0_state", state, sizeof(state));
	is_str(state, "moved", "its BAR was moved");
	pci_bar(dev, 0, &before);
	word = bar_word(dev);

	pid = fork();
	if (!pid)
		_exit(-freeze_when_ready(dev));
	if (is_errno(nested_run_linux(&device, 1, &linux_guest, &nested), 0, "a Linux guest runs"))
		is_u64(nested_relay(&nested), 1, "to its end");
	is_u64(nested_mmaps(&nested, dev, 0), 1, "QEMU mapped the BAR");
	nested_free(&nested);
	waitpid(pid, &status, 0);
	is_errno(-WEXITSTATUS(status), 0, "the PE was frozen, and thawed for the guest");

	pci_bar(dev, 0, &after);
	is_u64(bar_word(dev), word, "the BAR register is as before");
	is_u64(after.start, before.start, "and so is the resource");
	is_errno(pci_bind(dev, ""), 0, "the device is given back");
}
