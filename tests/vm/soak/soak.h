/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SOAK_H
#define SOAK_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"
#include "tap.h"
#include "vfio.h"
#include "zoo.h"

/*
 * What the cases of the scenarios "soak" share. The kernel command line has
 * soak_s=SECONDS for all of a boot, and soak_seed=NUMBER or none; the seed is printed, and
 * the same one makes the same choices.
 */

/* How long a case that has this part (of 100) of the boot may go on. */
double soak_share(int percent);
double soak_now(void);

/* Choices: each process that makes some has its own. */
struct rng {
	uint64_t state;
};

/* The seed is printed with the first. */
void rng_start(struct rng *rng, unsigned int who);
/* From 0 to below. */
uint32_t rng_below(struct rng *rng, uint32_t below);

/* Memory that the children have in common with the caller; never freed. */
void *soak_shared(size_t size);

/* The ways a visit has to reset the device. QEMU has no small BAR on a device that PM resets. */
enum soak_reset {
	SOAK_RESET_IOCTL,	/* VFIO_DEVICE_RESET */
	SOAK_RESET_HOT,		/* VFIO_DEVICE_PCI_HOT_RESET */
	SOAK_RESET_FLR,		/* as root, beside the user, through sysfs: where the kernel knows a way of that name */
	SOAK_RESET_BUS,
	SOAK_RESETS,
};

struct soak_resets {
	unsigned int tried[SOAK_RESETS], done[SOAK_RESETS];
	unsigned int slept, tenants;
};

const char *soak_reset_name(enum soak_reset reset);

/*
 * One visit of a user: open the device through VFIO, map each of its sub-page BARs that has its page and
 * compare what mapping and read() show, let it sleep, reset it in whatever ways there are, close it. Wrong
 * is what differs.
 *
 * second	a function of the same slot, or NULL, which another process can have meanwhile; a hot reset takes both
 * resets	those of this device: the next is one of the least tried; NULL: it neither sleeps nor is reset
 */
void soak_use(const struct pci_dev *dev, const struct pci_dev *second, const struct zoo_bar *bars, int count,
	      struct rng *rng, struct wrong *wrong, struct soak_resets *resets);

/* Is each sub-page BAR of this device on a page of its own, this driver's or held? Returns how many it has moved. */
int soak_claimed(const struct pci_dev *dev, const struct zoo_bar *bars, int count, struct wrong *wrong);

/* Wait until a device is there, or until it is not. */
bool soak_present(const struct pci_dev *dev, bool present);

/* Wait until pciehp has switched off the light of an empty slot, and has nothing left to do there. */
bool soak_slot_off(const struct pci_dev *port);

/* All that is tested has no driver, and all BARs are packed anew: as soak_begin() left it? */
char *soak_begin(void);
/* Then the native drivers of disk and NIC work, where the scenario has them. */
void soak_end(char *before);

#endif
