// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linux guests under KVM use a disk whose MSI-X table is shown elsewhere; QEMU gets no option.
 * The guest's side is case_guest_vectors.c.
 */
#include "cases.h"
#include "image.h"
#include "nested.h"

#ifdef __x86_64__
/* All pages are. */
#define SMALL_PAGES NULL
#else
#define SMALL_PAGES "arm64-4k-6.12"
#endif

static void run(const struct pci_dev *dev, const char *relocation, const char *kernel, const char *options)
{
	const struct nested_linux linux_guest = {
		/* The guest's kernel lets nobody map what a driver has. */
		.name = kernel, .parameters = "run=guest_vectors iomem=relaxed", .processors = 2, .trace = true,
	};
	const struct nested_device device = { .dev = *dev, .options = options };
	struct nested guest;

	about("table in %s, guest pages of %s%s%s", relocation, kernel ? "4K" : "the host", *options ? ", " : "",
	      options);
	if (is_errno(nested_run_linux(&device, 1, &linux_guest, &guest), 0, "a Linux guest runs"))
		is_u64(nested_relay(&guest), 1, "to its end");
	is_u64(nested_mmaps(&guest, dev, 0), 1, "QEMU has mapped BAR 0");
	/* In the upper half of BAR 0 the guest looks for pending bits, a few times. */
	ok(nested_reads(&guest, dev, 0) <= (strcmp(relocation, "bar2") ? 30 : 0),
	   "and had no register to read for the guest (%d)", nested_reads(&guest, dev, 0));
	is_u64(nested_mapped_reads(&guest), 0, "nor in its own mapping");
	nested_free(&guest);
}

MODULE_CASE(relocated, "")
{
	static const struct {
		int disk;
		const char *place, *kernel, *options;
	} rows[] = {
		{ 0, "bar2", SMALL_PAGES, "" },
#ifndef __x86_64__
		{ 0, "bar2", NULL, "" },
		/* For users who still type what helped before. */
		{ 0, "bar2", NULL, ",x-msix-relocation=bar2" },
#endif
		{ 1, "bar0-upper", SMALL_PAGES, "" },
	};
	struct pci_dev dev;
	char text[32];
	size_t i;

	if (!is_errno(image_mount(), 0, "the image is mounted"))
		return;
#ifdef __x86_64__
	is_errno(kmod_insert("kvm-amd", ""), 0, "the emulated processor can run guests");
#endif
	if (!ok(!access("/dev/kvm", R_OK | W_OK), "under KVM"))
		return;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!is_errno(pci_find(NVME, rows[i].disk, &dev), 0, "guest %zu: its disk is there", i) ||
		    !is_errno(pci_bind(&dev, OURS), 0, "guest %zu: its disk is bound", i))
			continue;
		pci_attr_read(&dev, OURS "/msix_relocation", text, sizeof(text));
		is_str(text, rows[i].place, "guest %zu: where its table is seen", i);
		run(&dev, rows[i].place, rows[i].kernel, rows[i].options);
		pci_bind(&dev, "");
	}
}
