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

#endif
