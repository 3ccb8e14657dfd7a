/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_REVOKE_H
#define SUBPAGE_REVOKE_H

#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/workqueue.h>

struct subpage_device;

/*
 * What the PCI core does to a device while a user has it open.
 *
 * The core can release a bridge window under a device that is open and mapped: a
 * hot-added device that does not fit is enough. Where the window was, another
 * device's registers may be next, and the user's mapping would reach them. So
 * before any device of the system gets a driver, all open devices are looked at;
 * one whose BARs are not where they were is revoked: its mappings go, and what would
 * reach the device gives an error until it is closed. A newcomer without a driver is
 * noticed at the next bind or at the user's next system call.
 */

/**
 * struct revocation - what becomes of a device's user when the PCI core moves BARs
 * @open: in the list of open devices; under that list's lock
 * @placed: where its memory BARs were when it was opened; parent NULL for others
 * @revoked: the PCI core has moved one of them since; set once, for as long as
 *	the device is open
 * @lock: the device is being revoked, or something of its user's runs that must not
 *	go on after that
 * @work: takes a user's mappings away
 */
struct revocation {
	struct list_head open;
	struct {
		resource_size_t start;
		struct resource *parent;
	} placed[PCI_STD_NUM_BARS];
	atomic_t revoked;
	struct mutex lock;
	struct work_struct work;
};

/**
 * subpage_revoke_register() - begin to watch the PCI bus
 *
 * Return: 0 or a negative error.
 */
int subpage_revoke_register(void);
void subpage_revoke_unregister(void);

/* A device that is not open yet. */
void subpage_revoke_init(struct subpage_device *sdev);

/**
 * subpage_revoke_opening() - remember where the BARs of a device are, and have it decode them there
 * @sdev: the device, before vfio_pci_core_enable(); it may be asleep
 */
void subpage_revoke_opening(struct subpage_device *sdev);

/**
 * subpage_revoke_opened() - watch a device from now on
 * @sdev: the device, after vfio_pci_core_finish_enable()
 */
void subpage_revoke_opened(struct subpage_device *sdev);

/**
 * subpage_revoke_closing() - do so no more
 * @sdev: the device, before vfio_pci_core_close_device()
 *
 * If its BARs are not where they were, what VFIO saved as it opened the device, and
 * is going to restore, is brought up to date.
 */
void subpage_revoke_closing(struct subpage_device *sdev);

/* After vfio_pci_core_close_device(). */
void subpage_revoke_closed(struct subpage_device *sdev);

/**
 * subpage_revoke_intact() - are the BARs of an open device where they were
 * @sdev: the device
 *
 * If not, the device is revoked.
 *
 * Context: any in which one may sleep; takes no lock.
 *
 * Return: false when the user must not get at the device any more.
 */
bool subpage_revoke_intact(struct subpage_device *sdev);

/**
 * subpage_revoke_lock() - keep an open device from being revoked, for a moment
 * @sdev: the device
 *
 * For what could undo a revocation. Nothing in between may wait for the user, whose
 * page faults it must not handle: the rest of the machine waits for the revocation.
 *
 * Return: true, until subpage_revoke_unlock(); false, and then there is nothing to
 * unlock, when the user must not get at the device any more.
 */
bool subpage_revoke_lock(struct subpage_device *sdev);
void subpage_revoke_unlock(struct subpage_device *sdev);

#endif /* SUBPAGE_REVOKE_H */
