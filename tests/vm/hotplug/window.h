/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "zoo.h"

/*
 * A bridge window that becomes too small for what is behind it, so that the PCI core releases
 * all of it, under a small device behind the same port. The scenario must want "monitor".
 */

/* The device's sub-page BAR, and the bridge beside it. */
extern struct zoo_bar at;
extern struct pci_dev bridge;
/* Where the BAR was before the window was released. */
extern uint64_t home;

/* Models whose BAR is much longer than the windows of the firmware's: 1 MiB, or 512 MiB. */
#define LONG "edu"
#define LONGEST "secondary-vga,vgamem_mb=512"

/* The nth SD controller is the device. Returns whether it has a sub-page BAR. */
bool window_find(int nth);

/* Plug a device in: as QEMU's -device names it, or a long one behind a bus. */
void window_plug(const char *device);
void window_add(const char *model, const char *bus, int slot);

/* As QEMU's -device names them: what is beside it in the slot, from function 2 on. */
#define OTHERS 3
extern const char *const window_others[OTHERS];
struct pci_dev window_other(int nth);

/*
 * In the next port that has nothing behind it: the device, the others, and function 0, a bridge
 * with so many long devices behind it, of which the kernel does not know yet. Then let the kernel
 * find the bridge: the window is gone.
 */
bool window_prepare(const char *model, int models, struct pci_dev *port);
bool window_release(const struct pci_dev *port);

/*
 * Another way: in the nth port, whose window is just long enough, this device as function 1, and
 * function 0, a bridge ("bridge0" in the first), of which the kernel does not know yet. What is plugged in
 * behind that is found as the window grows. The ports before it have been filled before.
 */
bool window_fill(const char *device, int nth, struct pci_dev *port);
void window_grow(void);

/* Wait until the BAR is not where it was, and the PCI core is done. */
bool window_wait(uint64_t home, unsigned int ms);

/* The bridge's driver lets go of the group. */
void window_free_bridge(void);

/* Remove the port and rescan: all that was behind it finds room elsewhere. The device is bound then. */
void window_start_over(void);

#endif
