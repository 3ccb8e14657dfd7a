/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CONSUMER_H
#define CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include "kvm.h"
#include "ranges.h"
#include "vfio.h"

/*
 * VMMs and user-space drivers, by the rules by which they map what VFIO offers. The
 * rules are written after their sources, which consumer.c names, in words of our own.
 */

/* Where a BAR holds the MSI-X table or the pending bits; BAR -1 without. */
struct consumer_msix {
	int bar;
	uint64_t start, end;
};

/* All that any of them looks at before it maps a BAR. */
struct consumer_bar {
	int index;
	bool is_64bit;
	enum consumer_device { ANY_DEVICE, NVME_DEVICE, VIRTIO_BLK_DEVICE } device;
	bool beside_ports;	/* the device has a BAR of I/O ports */
	struct consumer_msix table, pba;
	struct ranges virtio;	/* of virtio's structures, those in this BAR */
	uint64_t sized;		/* as config space answers to all ones */

	/* The answer of VFIO_DEVICE_GET_REGION_INFO. */
	uint64_t size;
	uint32_t flags;
	bool longer;		/* than the struct alone */
	bool msix_mappable;
	bool sparse;
	struct ranges areas;	/* of SPARSE_MMAP */
};

/* Ask an open device for that BAR; -errno. */
int consumer_bar_read(const struct vfio *vfio, int index, struct consumer_bar *bar);
/* The best answer that a driver can give for it: a page at least, all of it mappable, and no MSI-X table. */
struct consumer_bar consumer_bar_best(const struct consumer_bar *bar);

struct consumer_plan {
	const char *fails;	/* before it maps anything: why */
	uint64_t guest_address;
	struct ranges maps;	/* each an mmap() */
	struct ranges slots;	/* each a slot of KVM, in one of the maps */
};

struct consumer {
	const char *name;
	bool vfio_pci_only;	/* takes no driver of another name */
	bool has_guest;
	enum consumer_device only;
	/*
	 * Known, and said in doc/consumers.md: it may not start with a BAR that it traps or maps with stock
	 * vfio-pci. "longer": with one smaller than a page once that may be mapped, for which realign=trap
	 * is the cure; "exact": with bar_size=exact; "hidden": where the MSI-X table is hidden.
	 */
	bool fails_longer, fails_exact, fails_hidden;
	bool shuns_table;	/* traps a BAR that shows the MSI-X table, wherever in it that is */
	/* What it does when it is refused an mmap(), or KVM refuses a slot: fail, or trap this BAR. */
	bool needs_maps, needs_slots;
	void (*plan)(const struct consumer_bar *bar, struct consumer_plan *plan);
};

extern const struct consumer consumers[];
extern const int consumer_count;

struct consumer_result {
	bool failed;
	char why[64];		/* if it failed or was refused something */
	uint64_t direct;	/* of the BAR's true size: bytes that no access traps on */
	bool wrong;		/* a register reads otherwise than through read() */
};

/*
 * Do what it does. reg: a register of the BAR, below true_size, that reads the same each
 * time. vfio NULL: nothing is opened or mapped; every whole page of the BAR can be.
 */
struct consumer_result consumer_play(const struct consumer *consumer, const struct consumer_bar *bar,
				     const struct vfio *vfio, struct kvm *kvm, uint64_t true_size,
				     uint32_t reg);

#endif
