/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_REVOKE_H
#define SUBPAGE_REVOKE_H

#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/workqueue.h>

struct address_space;
struct subpage_device;

/*
 * What happens to bound devices, and to their users, when the PCI core moves BARs.
 *
 * The core can release a bridge window under a device that is open and mapped: a
 * hot-added device that does not fit is enough. Where the window was, another
 * device's registers may be next, and the user's mapping would reach them. A device
 * whose BARs are not where they were when it was opened is revoked: its mappings go, and
 * what would reach it gives an error until it is closed.
 *
 * All bound devices are checked after a device has been added to the system, with or without a
 * driver, once the core is done with it; and, because that can take a while, before any device
 * gets a driver, and before one of ours is opened.
 *
 * While the core moves a BAR, it is briefly out of the resource tree, and may yet return to
 * where it was. Until that is settled the user waits and nothing is revoked, unless a device
 * that is about to be used lies there already.
 *
 * A device that nobody has open may be asleep. Then the state that it restores on waking up is
 * brought up to date. One that is awake decodes nothing any more if a BAR of it is lost.
 */

/**
 * enum revocation_state - does a device have a user, and may that user reach it
 * @REVOCATION_CLOSED: it has no user
 * @REVOCATION_OPEN: the BARs were where they were at the last look
 * @REVOCATION_PENDING: they are not; the user's mappings are being taken away
 * @REVOCATION_OVERDUE: likewise, for longer than anybody waits
 * @REVOCATION_DONE: the user can reach nothing any more
 */
enum revocation_state {
	REVOCATION_CLOSED,
	REVOCATION_OPEN,
	REVOCATION_PENDING,
	REVOCATION_OVERDUE,
	REVOCATION_DONE,
};

/**
 * struct placed_bar - where a memory BAR was when the device was bound or, since, opened
 * @start: its address
 * @size: its length
 * @parent: the window; NULL for a BAR that had no address, or is none for memory
 */
struct placed_bar {
	resource_size_t start;
	resource_size_t size;
	struct resource *parent;
};

/**
 * struct revocation - what becomes of a device and its user when the PCI core moves BARs
 * @bound: entry in the list of bound devices, whose lock protects @placed and @state, too;
 *	@state is also read without it, and @placed does not change while the device is open
 * @placed: where its memory BARs were
 * @at_bind: those that had an address when the device was bound
 * @state: see above
 * @mapping: of the user's mappings; NULL until there is one
 * @lock: held while the device is revoked, and by subpage_revoke_call()
 * @work: revokes
 */
struct revocation {
	struct list_head bound;
	struct placed_bar placed[PCI_STD_NUM_BARS];
	u8 at_bind;
	enum revocation_state state;
	struct address_space *mapping;
	struct mutex lock;	/* around a revocation, and around subpage_revoke_call() */
	struct work_struct work;
};

/**
 * subpage_revoke_register() - begin to watch the PCI bus
 *
 * Return: 0 or a negative error.
 */
int subpage_revoke_register(void);
void subpage_revoke_unregister(void);

/**
 * subpage_revoke_bound() - watch a device from now on
 * @sdev: the device, awake, its BARs where they are to be
 */
void subpage_revoke_bound(struct subpage_device *sdev);

/**
 * subpage_revoke_unbound() - watch it no more
 * @sdev: the device, awake; nobody has it open
 *
 * The next driver finds in its registers what its resources say.
 */
void subpage_revoke_unbound(struct subpage_device *sdev);

/**
 * subpage_revoke_opening() - remember where the BARs of a device are, and have it decode them there
 * @sdev: the device, before vfio_pci_core_enable(); it may be asleep
 *
 * First, other open devices whose BARs have moved are revoked: this one may lie there now.
 *
 * Return: 0, or -EIO if the device would decode an address that is not its own any more.
 */
int subpage_revoke_opening(struct subpage_device *sdev);

/**
 * subpage_revoke_opened() - has nothing moved while vfio_pci_core_enable() reset the device
 * @sdev: the device; from here on it can be revoked
 *
 * vfio_pci_core_finish_enable() dereferences the parent of a small BAR, without a look: where
 * that BAR has none, the kernel oopses.
 *
 * Return: false when the device has to be closed again.
 */
bool subpage_revoke_opened(struct subpage_device *sdev);

/**
 * subpage_revoke_closing() - the device is about to be closed
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
 * If not, the device is revoked. Waits, up to a second, while the PCI core is about to
 * place one of them.
 *
 * Context: any in which one may sleep, but for pci_lock_rescan_remove().
 *
 * Return: false when the user must not get at the device.
 */
bool subpage_revoke_intact(struct subpage_device *sdev);

/* Does the device have a user that has not lost access? */
bool subpage_revoke_is_open(const struct subpage_device *sdev);

/* Is what a fault has just mapped still right? */
bool subpage_revoke_may_fault(const struct subpage_device *sdev);

/**
 * subpage_revoke_call() - have vfio-pci-core do what could undo a revocation
 * @sdev: the device, open
 * @function: does it, either completely before the device is revoked or not at all
 * @call: for @function
 * @from: the user's memory that it reads
 * @size: bytes
 *
 * @function runs with page faults disabled: if a page of the user's is missing it fails, and is
 * called again once all are there. So a user can neither choose when it goes on nor hold up a
 * revocation.
 *
 * Return: what @function returns, or -EIO when the user must not get at the device.
 */
long subpage_revoke_call(struct subpage_device *sdev,
			 long (*function)(struct subpage_device *sdev, const void *call),
			 const void *call, const void __user *from, size_t size);

#endif /* SUBPAGE_REVOKE_H */
