/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ZOO_H
#define ZOO_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"
#include "vfio.h"

/* A sub-page BAR on this machine, and the register of it that tests use. */
struct zoo_bar {
	struct pci_dev dev;
	const char *name;	/* of QEMU's device model */
	int bar;
	uint64_t size;
	uint32_t reg;		/* its value stays what it is while nobody writes */
	bool writable;		/* it keeps any 32 bits that are written */
};

#define ZOO_MAX 64

/*
 * All memory BARs below a page, of the devices known here, with the addresses
 * that they have now in the order of those. Returns how many; never more than
 * ZOO_MAX.
 */
int zoo_list(struct zoo_bar *bars);
/* Those of a page and more too. */
int zoo_list_all(struct zoo_bar *bars);

/*
 * Place the devices of these BARs anew, close together: remove them all, rescan
 * once. The firmware of a PC gives each BAR a page.
 */
void zoo_repack(const struct zoo_bar *bars, int count);

/* Both: the list of those that share pages as far as the machine lets them. */
int zoo_list_packed(struct zoo_bar *bars);

/* The first of a device model in such a list, or NULL. */
const struct zoo_bar *zoo_named(const struct zoo_bar *bars, int count, const char *name);

/* A device can have several of them: is the nth of such a list the first of its device? */
bool zoo_first_of_device(const struct zoo_bar *bars, int nth);

uint64_t zoo_address(const struct zoo_bar *at);
/* The address that the BAR's register has, of 64 bits where it has them. */
uint64_t zoo_register(const struct zoo_bar *at);

/* Does no other BAR of any device lie on the page where this one starts? */
bool zoo_alone(const struct zoo_bar *at);

/* Does a BAR of another device lie on that page? */
bool zoo_other_device(const struct zoo_bar *at);

/* Would stock vfio-pci map it: does it start on a page, alone? */
bool zoo_stock_maps(const struct zoo_bar *at);
/* The same for a BAR of any size, which is in no list if it is a page or more. */
bool zoo_stock_maps_bar(const struct pci_dev *dev, int bar);

/* Is it on a page of its own, as /proc/iomem shows it to a person: one page long, and alone there? */
bool zoo_claimed(const struct zoo_bar *at);
/* Does the driver say so (state in_place or moved)? */
bool zoo_has_page(const struct zoo_bar *at);
/* Is any BAR of this machine longer than it was when its device was found? */
bool zoo_any_claim(void);

/*
 * The line that this driver's file "held" has of this BAR: "SIZE DRIVER", its true size and the driver
 * for which it is a page long; "" if it has none.
 */
const char *zoo_held(const struct zoo_bar *at);
/* How many BARs does it list? */
int zoo_held_count(void);

/* sysfs value "barN_NAME" of this BAR, "" if there is none. */
const char *zoo_sysfs(const struct zoo_bar *at, const char *name);

/* Does user space get the MMAP flag, with the size of the page, or the true size of a BAR without? */
bool zoo_reported_mmap(const struct zoo_bar *at, const struct vfio *vfio);

/* ns per read of the register, median of batches: through read(), or by loads from a mapping. */
double zoo_time_trapped(const struct zoo_bar *at, const struct vfio *vfio);
double zoo_time_mapped(const volatile uint32_t *reg);

#endif
