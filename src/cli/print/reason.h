/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_REASON_H
#define CLI_REASON_H

/*
 * Why a guest has a part of a BAR directly, or not, and why a device is not taken: part of the
 * interface, listed in subpage-vfio(8).
 */
enum reason {
	/* It can have it. */
	REASON_WHOLE_PAGES, REASON_OWN_PAGE, REASON_ALONE,
	/* Something helps. */
	REASON_SHARED_PAGE, REASON_NOT_ON_A_PAGE, REASON_MSIX_HIDDEN, REASON_MSIX_EMULATED,
	REASON_MSIX_ALONE,
	/* The driver's states, by the driver's own words. */
	REASON_UNASSIGNED, REASON_VIRTFN, REASON_FIXED, REASON_BUSY, REASON_REALIGN_OFF, REASON_TRAP,
	REASON_NO_SPACE, REASON_FAILED, REASON_LOST, REASON_UNKNOWN_STATE,
	REASON_BRIDGE,
	/* Of a program that has the device. */
	REASON_DIRECT, REASON_LIKELY_DIRECT, REASON_GUEST_OFF, REASON_GUEST_NOT_ON_PAGE,
	REASON_GUEST_COVERED, REASON_GUEST_UNKNOWN, REASON_WHICH_DEVICE, REASON_VMM_DOES_NOT_MAP,
	/* What uses a device, so that it is not taken. */
	REASON_DISK_MOUNTED, REASON_DISK_SWAP, REASON_DISK_PART, REASON_DISK_LOOP, REASON_DISK_TARGET,
	REASON_DISK_OPEN, REASON_DISK_HELD, REASON_INTERFACE_UP, REASON_INTERFACE_MEMBER,
	REASON_INTERFACE_BELOW, REASON_INTERFACE_HIDDEN, REASON_VIRTUAL_FUNCTION,
	REASON_DISPLAY_BOOT, REASON_DISPLAY_SCREEN, REASON_FRAMEBUFFER, REASON_CONSOLE,
	REASON_KEYBOARD, REASON_RDMA_ACTIVE, REASON_MDEV, REASON_PROCESS_OPEN, REASON_VFIO_OPEN,
	REASON_UNKNOWN,
	REASONS
};

/* The word that programs see. */
const char *reason_code(enum reason reason);

/* What the driver means by that state; REASON_UNKNOWN_STATE if it is a newer driver. */
enum reason reason_of_state(const char *state);

/* Print first to last, one a line, with what they mean. */
void reason_print_help(enum reason first, enum reason last);

#endif
