// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices passed through to a guest, with stock vfio-pci and with this driver in
 * the same boot: what serves the guest's reads, and how long does one take?
 */
#include <inttypes.h>

#include "cases.h"
#include "image.h"
#include "nested.h"
#include "vfio.h"
#include "zoo.h"

#define POLICY "/sys/module/subpage_vfio_pci/parameters/msix_mmap"

#ifdef __aarch64__
#define A_GUEST "a KVM guest"
#else
#define A_GUEST "an emulated guest"
#endif

static struct zoo_bar bars[ZOO_MAX];
static int count;

/* Each BAR's device, once. at[i] is the place of that of bars[i]. */
static struct nested_device devices[ZOO_MAX];
static int device_count, at[ZOO_MAX];

static void list_devices(void)
{
	int i;

	device_count = 0;
	for (i = 0; i < count; i++) {
		for (at[i] = 0; at[i] < device_count; at[i]++)
			if (!strcmp(devices[at[i]].dev.bdf, bars[i].dev.bdf))
				break;
		if (at[i] == device_count)
			devices[device_count++] = (struct nested_device) { bars[i].dev, "" };
	}
}

static void bind_all(const char *driver)
{
	int i;

	for (i = 0; i < device_count; i++)
		is_errno(pci_bind(&devices[i].dev, driver), 0, "%s: %s", devices[i].dev.bdf,
			 *driver ? driver : "unbound");
}

/* No device here can be reset: a register holds what the guest left in it. */
static bool host_agrees(const struct pci_dev *dev, const struct nested_bar *bar)
{
	struct vfio vfio;
	uint32_t value = 0;
	bool agrees = false;

	if (vfio_open(dev, &vfio))
		return false;
	if (!vfio_read32(&vfio, bar->bar, bar->reg, &value))
		agrees = value == bar->value;
	if (!agrees)
		diag("the guest has read %#x, the host reads %#x", bar->value, value);
	vfio_close(&vfio);
	return agrees;
}

/* What the trace and the host say of one run, BAR by BAR. */
static void check_access(const struct nested *nested, const char *driver, bool ours, uint64_t *ns)
{
	int i;

	for (i = 0; i < count; i++) {
		const struct zoo_bar *zoo = &bars[i];
		const struct nested_bar *bar = nested_bar(nested, at[i], zoo->bar);
		bool mapped = ours || zoo_stock_maps(zoo);
		int reads = nested_reads(nested, &zoo->dev, zoo->bar);
		int mmaps = nested_mmaps(nested, &zoo->dev, zoo->bar);

		about("%s, %s %s BAR %d", driver, zoo->dev.bdf, zoo->name, zoo->bar);
		if (!ok(bar, "the guest has read it"))
			continue;
		is_u64(mmaps, mapped, "QEMU has %smapped it", mapped ? "" : "not ");
		if (mapped)
			is_u64(reads, 0, "and passed on none of the guest's %" PRIu64 " reads",
			       bar->reads);
		else
			ok(reads >= (int)bar->reads, "and passed on all of the guest's %" PRIu64 " reads (%d)",
			   bar->reads, reads);
		ok(host_agrees(&zoo->dev, bar), "and the guest's value is the host's");
		ns[i] = bar->ns;
	}
}

/* The trace slows down what it traces: what a trapped read takes, a run without it tells. */
static void time_access(uint64_t *ns)
{
	struct nested nested;
	int i;

	is_errno(nested_run(devices, device_count, false, &nested), 0, STOCK ": the guest runs, untraced");
	for (i = 0; i < count; i++) {
		const struct nested_bar *bar = nested_bar(&nested, at[i], bars[i].bar);

		if (bar)
			ns[i] = bar->ns;
	}
	nested_free(&nested);
}

static void print_table(const uint64_t *stock, const uint64_t *ours)
{
	int i;

	say("ns per register read in " A_GUEST ", devices passed through:");
	say("  %-12s %3s %6s %12s %18s %7s", "device", "BAR", "bytes", STOCK, OURS, "ratio");
	for (i = 0; i < count; i++)
		say("  %-12s %3d %6" PRIu64 " %12" PRIu64 " %18" PRIu64 " %7" PRIu64, bars[i].name,
		    bars[i].bar, bars[i].size, stock[i], ours[i], ours[i] ? stock[i] / ours[i] : 0);
}

MODULE_CASE(nested, "")
{
	uint64_t stock[ZOO_MAX] = { 0 }, ours[ZOO_MAX] = { 0 };
	struct nested nested;
	bool shared[ZOO_MAX];
	int trapped = 0, i;

	if (!is_errno(image_mount(), 0, "there is a QEMU in the machine"))
		return;
	count = zoo_list_packed(bars);
	list_devices();
	for (i = 0; i < count; i++) {
		/* Asked now: once moved, stock vfio-pci maps them too. */
		shared[i] = !zoo_stock_maps(&bars[i]);
		trapped += shared[i];
	}
	if (!ok(trapped >= 2, "%d of %d sub-page BARs share their page", trapped, count))
		return;

	bind_all(STOCK);
	is_errno(nested_run(devices, device_count, true, &nested), 0, STOCK ": the guest runs");
	check_access(&nested, STOCK, false, stock);
	nested_free(&nested);
	time_access(stock);

	bind_all(OURS);
	is_errno(nested_run(devices, device_count, true, &nested), 0, OURS ": the guest runs");
	check_access(&nested, OURS, true, ours);
	/* As it has to where a mapping does not fill whole pages of the guest. */
	is_u64(nested_mapped_reads(&nested), 0, "QEMU has made no read in the guest's place");
	nested_free(&nested);
	bind_all("");

	for (i = 0; i < count; i++)
		if (shared[i])
			ok(ours[i] && ours[i] * 4 < stock[i], "%s BAR %d: the guest's reads are faster by far",
			   bars[i].name, bars[i].bar);
	print_table(stock, ours);
}

/*
 * A BAR that holds the device's registers and its MSI-X table, all on one large page.
 * QEMU lays its own table over part of the page, and KVM can map only whole pages:
 * the kernel's mapping alone does not help the guest, QEMU must put its table
 * elsewhere as well.
 */
static const struct relocation_row {
	const char *driver, *policy, *options;
	bool mapped;	/* the kernel lets QEMU map it, if it is alone on its page */
	bool direct;	/* and the guest reads it without an exit */
} rows[] = {
	{ STOCK, "", "", true, false },
	{ STOCK, "", ",x-msix-relocation=bar2", true, true },
	{ OURS, "eeh", "", false, false },
	{ OURS, "isolated", "", true, false },
	{ OURS, "isolated", ",x-msix-relocation=bar2", true, true },
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static const struct {
	uint16_t vendor, device;
	const char *name;
} models[] = {
	{ NVME, "nvme" },
	{ XHCI, "qemu-xhci" },
};

#define MODELS ((int)(sizeof(models) / sizeof(models[0])))

static void check_relocation(const struct relocation_row *row, uint64_t *ns)
{
	bool ours = !strcmp(row->driver, OURS), mapped[MODELS];
	struct nested nested;
	int mapped_reads, i;

	about("%s %s%s", row->driver, row->policy, row->options);
	/* A BAR that we have moved stays alone: the rows of stock vfio-pci come first. */
	for (i = 0; i < MODELS; i++)
		mapped[i] = row->mapped && (ours || zoo_stock_maps_bar(&devices[i].dev, 0));
	if (*row->policy)
		is_errno(file_write(POLICY, row->policy), 0, "msix_mmap=%s", row->policy);
	bind_all(row->driver);
	for (i = 0; i < MODELS; i++)
		devices[i].options = row->options;
	if (!is_errno(nested_run(devices, device_count, true, &nested), 0, "the guest runs"))
		return;

	mapped_reads = nested_mapped_reads(&nested);
	for (i = 0; i < MODELS; i++) {
		const struct pci_dev *dev = &devices[i].dev;
		const struct nested_bar *bar = nested_bar(&nested, i, 0);

		about("%s", models[i].name);
		if (!ok(bar, "the guest has read BAR 0"))
			continue;
		ok(!!nested_mmaps(&nested, dev, 0) == mapped[i], "QEMU has %smapped it",
		   mapped[i] ? "" : "not ");
		ok(!!nested_reads(&nested, dev, 0) == !mapped[i], "and passed on %s of its reads",
		   mapped[i] ? "none" : "all");
		if (mapped[i] && !row->direct)
			ok(mapped_reads >= (int)bar->reads, "but had to make them in the guest's place");
		ok(host_agrees(dev, bar), "the guest's value is the host's");
	}
	if (row->direct)
		is_u64(mapped_reads, 0, "QEMU has made no read in the guest's place");
	nested_free(&nested);

	is_errno(nested_run(devices, device_count, false, &nested), 0, "the guest runs, untraced");
	for (i = 0; i < MODELS; i++) {
		const struct nested_bar *bar = nested_bar(&nested, i, 0);

		ns[i] = bar ? bar->ns : 0;
	}
	nested_free(&nested);
	bind_all("");
}

/* QEMU has an empty list of devices for which it would choose a BAR by itself. */
static void check_auto(void)
{
	struct nested nested;
	int i, err;

	about("x-msix-relocation=auto");
	bind_all(OURS);
	for (i = 0; i < MODELS; i++)
		devices[i].options = ",x-msix-relocation=auto";
	err = nested_run(devices, device_count, false, &nested);
	ok(err == -EPROTO && nested.output && strstr(nested.output, "No automatic MSI-X relocation"),
	   "QEMU does not start, and says that it knows no BAR");
	nested_free(&nested);
	bind_all("");
}

MODULE_CASE(relocation, "msix_relocate=never")
{
	uint64_t ns[ROWS][MODELS] = { 0 };
	int row, i;

	if (!is_errno(image_mount(), 0, "there is a QEMU in the machine"))
		return;
	for (i = 0; i < MODELS; i++)
		if (!is_errno(pci_find(models[i].vendor, models[i].device, 0, &devices[i].dev), 0,
			      "there is the %s", models[i].name))
			return;
	device_count = MODELS;
	for (row = 0; row < ROWS; row++)
		check_relocation(&rows[row], ns[row]);
	check_auto();

	say("ns per register read in " A_GUEST ", MSI-X table on the same page:");
	say("  %-17s %-9s %-23s %8s %10s", "driver", "msix_mmap", "QEMU option", models[0].name,
	    models[1].name);
	for (row = 0; row < ROWS; row++)
		say("  %-17s %-9s %-23s %8" PRIu64 " %10" PRIu64, rows[row].driver, rows[row].policy,
		    *rows[row].options ? rows[row].options + 1 : "", ns[row][0], ns[row][1]);
	/* The last two rows differ in that alone. */
	for (i = 0; i < MODELS; i++)
		ok(ns[ROWS - 1][i] && ns[ROWS - 1][i] * 4 < ns[ROWS - 2][i],
		   "%s: the relocation makes the guest's reads faster by far", models[i].name);
}
