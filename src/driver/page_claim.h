/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_PAGE_CLAIM_H
#define SUBPAGE_PAGE_CLAIM_H

#include <linux/ioport.h>
#include <linux/pci.h>
#include <linux/subpage_vfio_pci.h>

/**
 * struct page_claim - the exclusive page held for one sub-page BAR
 * @state: how the BAR stands; SUBPAGE_BAR_NONE until the claim is made
 * @was: where the BAR was when it was claimed; for a BAR that moved it also
 *	keeps that range reserved, so that the BAR can return, until
 *	page_claim_settle()
 * @rest: what follows the BAR on the page, in the resource tree beside the BAR
 *	while the claim stands: nothing else can be placed there
 * @words: the BAR registers as they were at @was
 * @name: name of @rest in /proc/iomem
 *
 * page_claim_make(), page_claim_settle(), page_claim_undo() and
 * page_claim_drop() are called from probe and remove, under the device lock;
 * page_claim_check() also when a user opens the device, under the device set's
 * lock. VFIO itself keeps the two apart: a device is opened only while it is
 * registered.
 *
 * The PCI core may take a bridge window away, with all that is in it, at any
 * time while a device below it is bound (a hot-added device that does not fit is
 * enough). It does that under pci_lock_rescan_remove(), which cannot be taken
 * here because probe and remove may run below it. So every step tests
 * whether its resource is still in the tree, and leaves it alone if it is not.
 */
struct page_claim {
	enum subpage_bar_state state;
	struct resource was;
	struct resource rest;
	u32 words[2];
	char name[48];
};

/**
 * page_claim_is_candidate() - is there a page to be claimed for a BAR
 * @pdev: the device
 * @bar: number of the BAR, 0 to 5
 *
 * Return: true for a memory BAR that is smaller than a page.
 */
bool page_claim_is_candidate(struct pci_dev *pdev, int bar);

/**
 * page_claim_make() - give a sub-page BAR a page of its own
 * @claim: the claim, zeroed
 * @pdev: the device, bound to no driver but the caller's and not registered with
 *	VFIO yet
 * @bar: number of a BAR for which page_claim_is_candidate() holds
 * @realign: may the BAR be moved
 *
 * A BAR that starts on a page where nothing else lives keeps its address;
 * another one is moved. Either everything succeeds or config space, resource
 * tree and resource flags are as before. One line in the log says which, and
 * @claim->state says it too. A failed claim is no error: the BAR is then trapped,
 * as with stock vfio-pci.
 *
 * A claim that was made ends with page_claim_undo(), or with page_claim_settle()
 * and later page_claim_drop(). For one that was not made these do nothing.
 */
void page_claim_make(struct page_claim *claim, struct pci_dev *pdev, int bar, bool realign);

/**
 * page_claim_settle() - give up the address that a moved BAR came from
 * @claim: the claim
 */
void page_claim_settle(struct page_claim *claim);

/**
 * page_claim_undo() - put a BAR back where page_claim_make() found it
 * @claim: the claim, not settled
 * @pdev: the device
 * @bar: number of the BAR
 */
void page_claim_undo(struct page_claim *claim, struct pci_dev *pdev, int bar);

/**
 * page_claim_drop() - give up the page
 * @claim: the claim, settled
 * @pdev: the device
 * @bar: number of the BAR
 *
 * The BAR stays where it is: page aligned, so the next driver can map it too
 * for as long as nothing else is placed on the page.
 */
void page_claim_drop(struct page_claim *claim, struct pci_dev *pdev, int bar);

/**
 * page_claim_stands() - does the BAR have its page
 * @claim: the claim
 *
 * Return: true when the page was claimed and has not gone with its bridge window.
 */
static inline bool page_claim_stands(const struct page_claim *claim)
{
	return claim->rest.parent;
}

/* The claim's state in lower case, as in sysfs, and as a sentence, as in the log. */
const char *page_claim_state_name(const struct page_claim *claim);
const char *page_claim_reason(const struct page_claim *claim);

/**
 * page_claim_check() - is the claim still there
 * @claim: the claim
 * @pdev: the device
 * @bar: number of the BAR
 *
 * A claim that has gone from the resource tree turns into SUBPAGE_BAR_LOST, with
 * a line in the log.
 */
void page_claim_check(struct page_claim *claim, struct pci_dev *pdev, int bar);

#endif /* SUBPAGE_PAGE_CLAIM_H */
