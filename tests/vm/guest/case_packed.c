// SPDX-License-Identifier: GPL-2.0-only
/*
 * A whole Linux as guest, with no parameter of its own: it places the BARs of all devices on one bus
 * close together, whatever its page size. KVM maps a BAR only where the guest has put it on a page
 * of the host. Each register is read through a mapping in the guest (case_guest_reads.c).
 */
#include "cases.h"
#include "image.h"
#include "nested.h"
#include "vfio.h"
#include "zoo.h"

#define DEVICES_MAX 8

static struct zoo_bar bars[ZOO_MAX];
static int count;

/* Of each of the BARs: the guest's slot of its device, and what the guest said. */
static struct nested_device devices[DEVICES_MAX];
static int device_count;

struct said {
	unsigned int slot;
	unsigned long long address, size;
	uint32_t value;
	double ns;
};

static struct said stock[ZOO_MAX], ours[ZOO_MAX];

static int slot_of(const struct zoo_bar *at)
{
	int i;

	for (i = 0; i < device_count; i++)
		if (!strcmp(devices[i].dev.bdf, at->dev.bdf))
			return i + 1;
	return 0;
}

static void list_devices(void)
{
	int i;

	for (i = 0; i < count && device_count < DEVICES_MAX; i++)
		if (!slot_of(&bars[i]))
			devices[device_count++] = (struct nested_device) { bars[i].dev, "" };
}

static void parse(const struct nested *guest, struct said *said)
{
	const char *line = guest->output;

	while (line && (line = strstr(line, "guest-read slot "))) {
		struct said one;
		int bar, i;

		if (sscanf(line, "guest-read slot %u bar %d at %llx size %llu value %x ns %lf", &one.slot, &bar,
			   &one.address, &one.size, &one.value, &one.ns) == 6)
			for (i = 0; i < count; i++)
				if (slot_of(&bars[i]) == (int)one.slot && bars[i].bar == bar)
					said[i] = one;
		line++;
	}
}

static bool host_reads(const struct zoo_bar *at, uint32_t value)
{
	uint32_t host = ~value;
	struct vfio vfio;

	if (vfio_open(&at->dev, &vfio))
		return false;
	vfio_read32(&vfio, at->bar, at->reg, &host);
	vfio_close(&vfio);
	if (host != value)
		diag("the guest has read %#x, the host reads %#x", value, host);
	return host == value;
}

static void run(const char *driver, struct said *said)
{
	const struct nested_linux linux_guest = { .parameters = "run=guest_reads", .trace = true };
	bool is_ours = strcmp(driver, "vfio-pci");
	struct nested guest;
	int i;

	about("%s", driver);
	for (i = 0; i < device_count; i++)
		is_errno(pci_bind(&devices[i].dev, driver), 0, "%s is bound", devices[i].dev.bdf);
	if (!is_errno(nested_run_linux(devices, device_count, &linux_guest, &guest), 0, "a Linux guest runs")) {
		nested_free(&guest);
		return;
	}
	parse(&guest, said);
	for (i = 0; i < count; i++) {
		int reads = nested_reads(&guest, &bars[i].dev, bars[i].bar);

		about("%s BAR %d", bars[i].name, bars[i].bar);
		if (!ok(said[i].slot, "the guest has read it, at %#llx", said[i].address))
			continue;
		ok(host_reads(&bars[i], said[i].value), "the right value");
		if (is_ours)
			is_u64(reads, 0, "no read of it was QEMU's to pass on");
		else
			ok(reads >= 300, "QEMU has passed on %d reads of it", reads);
	}
	if (is_ours)
		is_u64(nested_mapped_reads(&guest), 0, "QEMU had no read to make in its own mappings");
	is_u64(nested_relay(&guest), 1, "the guest runs to its end");
	nested_free(&guest);
}

MODULE_CASE(packed, "")
{
	int packed = 0, i;

	if (!is_errno(image_mount(), 0, "there is a QEMU in the machine"))
		return;
	count = zoo_list(bars);
	list_devices();
	ok(device_count >= 4, "%d devices with a sub-page BAR", device_count);
	run("vfio-pci", stock);
	run("subpage_vfio_pci", ours);
	for (i = 0; i < count; i++)
		packed += stock[i].address % sysconf(_SC_PAGESIZE) != 0;
	ok(packed >= 2, "left to itself the guest puts %d of %d BARs into the middle of a page", packed, count);
	for (i = 0; i < device_count; i++)
		pci_bind(&devices[i].dev, "");
	say("ns per register read in a Linux guest under KVM that places BARs itself:");
	say("  %-12s %3s %6s %12s %18s %12s", "device", "BAR", "bytes", "vfio-pci", "subpage_vfio_pci", "guest's BAR");
	for (i = 0; i < count; i++) {
		ok(ours[i].ns && ours[i].ns * 4 < stock[i].ns, "%s BAR %d: the guest's reads are faster by far",
		   bars[i].name, bars[i].bar);
		say("  %-12s %3d %6llu %12.0f %18.0f %#12llx", bars[i].name, bars[i].bar,
		    (unsigned long long)bars[i].size, stock[i].ns, ours[i].ns, ours[i].address);
	}
}
