/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EEH_H
#define EEH_H

#include <stdbool.h>

#include "pci.h"
#include "vfio.h"

/* Is EEH there and switched on, as the kernel says? */
bool eeh_enabled(void);

/*
 * VFIO_EEH_PE_OP on the PE of the group that the device is in. Returns what the
 * operation does (a state, or 0), or -errno.
 */
int eeh_op(const struct vfio *vfio, int op);

/*
 * Freeze the PE of a device, as its host bridge does after an error. QEMU's model
 * of the bridge keeps the state and shows it to the firmware, but goes on passing
 * loads and stores. Returns -errno when it fails.
 */
int eeh_freeze(const struct pci_dev *dev);

/*
 * Wait until the firmware has thawed the PE, then do the part of the bridge that
 * QEMU leaves out: report it no more. -ETIMEDOUT when the PE stays frozen.
 */
int eeh_wait_thawed(const struct pci_dev *dev, unsigned int ms);

/* Have the kernel look at the PE, as it does when a read returns all ones. */
int eeh_check(const struct pci_dev *dev);

#endif
