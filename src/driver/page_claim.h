/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_PAGE_CLAIM_H
#define SUBPAGE_PAGE_CLAIM_H

#include <linux/ioport.h>
#include <linux/pci.h>
#include <linux/subpage_vfio_pci.h>

/**
 * enum realign_policy - what may be done for a sub-page BAR (parameter realign)
 * @REALIGN_OFF: only a BAR that is alone on its page gets that page
 * @REALIGN_ON: one that shares its page is moved
 * @REALIGN_TRAP: as REALIGN_OFF, and a BAR that has its page is not mapped either. (If it were
 * not claimed, vfio-pci-core would reserve the rest of the page, and would not survive the loss
 * of the window.)
 */
enum realign_policy {
	REALIGN_OFF,
	REALIGN_ON,
	REALIGN_TRAP,
};

/**
 * struct page_claim - the page held for one sub-page BAR
 * @res: the BAR's own resource; NULL if there is no such BAR, or it is a page or more
 * @was: a copy of @res from before the claim: true size, address, flags; after a move it holds
 *	the old range in the resource tree until subpage_claims_settle(), so that the BAR can
 *	return
 * @refused: why there is no page, or none to be mapped; SUBPAGE_BAR_NONE otherwise
 *
 * The claim is the BAR's own resource: while it stands, that is a page long. So
 * the PCI core counts the page when it sizes a window and gives the BAR a page
 * again when it places it anew, and VFIO sizes, maps and exports the page by its
 * own rules.
 *
 * The functions below are called under the device lock of a device that has no
 * user; subpage_claim_state() also while it is open.
 *
 * The PCI core may take a bridge window away, with all that is in it, at any
 * time while a device below it is bound (a hot-added device that does not fit is
 * enough). It does that under pci_lock_rescan_remove(), which cannot be taken here because
 * probe and remove may run with it held. So a claim is never taken for granted:
 * subpage_claim_state() looks at the resource itself. The races that remain are named in
 * page_claim.c.
 */
struct page_claim {
	struct resource *res;
	struct resource was;
	enum subpage_bar_state refused;
};

/**
 * subpage_claims_make() - give each sub-page BAR of a device a page of its own
 * @claims: PCI_STD_NUM_BARS of them, zeroed
 * @pdev: the device, used by no driver and not registered with VFIO yet
 * @realign: the administrator's choice
 *
 * A BAR that starts a page on which nothing else lies keeps its address; any other is moved. If
 * the move fails, config space, its copies, the resource tree and the resource flags are as
 * before, unless something else took the old range meanwhile: then the BAR has no address. One
 * line in the log says which.
 * A claim that fails is no error: the BAR is then as with stock vfio-pci.
 *
 * Ends with subpage_claims_undo(), or with subpage_claims_settle() and later
 * subpage_claims_drop().
 */
void subpage_claims_make(struct page_claim *claims, struct pci_dev *pdev,
			 enum realign_policy realign);

/**
 * subpage_claims_settle() - give up the addresses that moved BARs came from
 * @claims: the device's claims
 *
 * Whoever has mapped one of them through sysfs or /dev/mem loses that mapping.
 */
void subpage_claims_settle(struct page_claim *claims);

/**
 * subpage_claims_undo() - put the BARs back where subpage_claims_make() found them
 * @claims: the device's claims, not settled
 * @pdev: the device, awake
 *
 * Return: true when all are back. The log says what became of one that is not.
 */
bool subpage_claims_undo(struct page_claim *claims, struct pci_dev *pdev);

/**
 * subpage_claims_drop() - give up the pages
 * @claims: the device's claims, settled
 * @pdev: the device
 *
 * Each BAR has its true size again, and stays where it is: page aligned, so the
 * next driver can map it too for as long as nothing else is placed on the page.
 */
void subpage_claims_drop(struct page_claim *claims, struct pci_dev *pdev);

/**
 * subpage_claims_log_lost() - say in the log which pages have gone
 * @claims: the device's claims
 * @pdev: the device
 */
void subpage_claims_log_lost(const struct page_claim *claims, struct pci_dev *pdev);

/**
 * subpage_claim_state() - the state that a BAR is in now
 * @claim: the claim
 */
enum subpage_bar_state subpage_claim_state(const struct page_claim *claim);

/* A state as a word, as in sysfs, and as a sentence. */
const char *subpage_bar_state_name(enum subpage_bar_state state);
const char *subpage_bar_state_reason(enum subpage_bar_state state);

/* Has the BAR a page of its own, to be mapped? */
static inline bool subpage_claim_stands(const struct page_claim *claim)
{
	enum subpage_bar_state state = subpage_claim_state(claim);

	return state == SUBPAGE_BAR_IN_PLACE || state == SUBPAGE_BAR_MOVED;
}

/* What the device decodes of it, bytes; of a BAR with @claim->res. */
static inline resource_size_t subpage_claim_true_size(const struct page_claim *claim)
{
	return resource_size(&claim->was);
}

#endif /* SUBPAGE_PAGE_CLAIM_H */
