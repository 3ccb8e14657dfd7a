// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>

#include "eeh.h"
#include "fault.h"
#include "page_claim.h"
#include "trace.h"

bool page_claim_is_candidate(struct pci_dev *pdev, int bar)
{
	return (pci_resource_flags(pdev, bar) & IORESOURCE_MEM) &&
	       pci_resource_len(pdev, bar) &&
	       pci_resource_len(pdev, bar) < PAGE_SIZE;
}

static void set_range(struct resource *res, resource_size_t start, resource_size_t size)
{
	res->start = start;
	res->end = start + size - 1;
}

/* The PCI core detaches a resource when it releases the bridge window above. */
static void leave_tree(struct resource *res)
{
	if (res->parent)
		remove_resource(res);
}

static int bar_register(int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

static bool bar_is_64(const struct resource *res)
{
	return res->flags & IORESOURCE_MEM_64;
}

static void read_bar(struct pci_dev *pdev, int bar, u32 words[2])
{
	pci_read_config_dword(pdev, bar_register(bar), &words[0]);
	if (bar_is_64(&pdev->resource[bar]))
		pci_read_config_dword(pdev, bar_register(bar) + 4, &words[1]);
}

static void write_bar(struct pci_dev *pdev, int bar, const u32 words[2])
{
	pci_write_config_dword(pdev, bar_register(bar), words[0]);
	if (bar_is_64(&pdev->resource[bar]))
		pci_write_config_dword(pdev, bar_register(bar) + 4, words[1]);
}

/*
 * The PCI core reports a BAR register that does not take its new value in the
 * log only. A page claimed for such a BAR would map somebody else's registers.
 */
static int check_bar_register(struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];
	struct pci_bus_region region;
	u32 words[2] = {};
	u64 address;

	pcibios_resource_to_bus(pdev->bus, &region, res);
	read_bar(pdev, bar, words);
	address = (u64)words[1] << 32 | (words[0] & PCI_BASE_ADDRESS_MEM_MASK);

	return address == region.start ? fault(FAULT_READBACK) : -EIO;
}

/*
 * Two copies of config space outlive the move: the PCI core's, which it takes
 * when it adds the device (7.0 and newer) and which a native driver restores
 * after an error, and EEH's.
 */
static void refresh_saved_bar(struct pci_dev *pdev, int bar)
{
	if (pdev->state_saved)
		pci_save_state(pdev);
	eeh_save_bar(pdev, bar);
}

/*
 * Hold what follows the BAR on its page. This fails where anything else lies there.
 *
 * The claim lies beside the BAR, not around it: the PCI core takes the parent of
 * an assigned BAR for its bridge window (pbus_select_window(), 7.x) and indexes
 * an array with it.
 */
static int hold_rest(struct page_claim *claim, struct resource *res)
{
	claim->rest = (struct resource) {
		.name = claim->name,
		.start = res->end + 1,
		.end = res->start + PAGE_SIZE - 1,
		.flags = IORESOURCE_MEM,
	};

	return request_resource(res->parent, &claim->rest);
}

/*
 * pci_reassign_resource(pdev, bar, PAGE_SIZE - size, PAGE_SIZE) is what this
 * amounts to. The PCI core does not export that function; releasing the
 * resource and having pci_assign_resource() place it with the size, and hence
 * the natural alignment, of a page runs the same allocation with the same
 * architecture limits and the same write to the BAR. The caller has set the
 * old range aside and switched memory decode off.
 *
 * BARs that the "pci=resource_alignment" option has touched have no alignment
 * flag left once they are assigned, so it is set for the occasion.
 */
static int reassign_to_page(struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];
	int ret;

	ret = fault(FAULT_RELEASE) ?: release_resource(res);
	if (ret)
		return ret;

	set_range(res, 0, PAGE_SIZE);
	res->flags &= ~IORESOURCE_STARTALIGN;
	res->flags |= IORESOURCE_SIZEALIGN;

	/* Whatever stands in the way of an address, there is none to be had. */
	if (fault(FAULT_ASSIGN) || pci_assign_resource(pdev, bar))
		return -ENOSPC;

	/* With no page free the PCI core falls back to the firmware's address. */
	if (fault(FAULT_ALIGNMENT) || !PAGE_ALIGNED(res->start))
		return -ENOSPC;

	return check_bar_register(pdev, bar);
}

static void put_back(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];

	/* Gone with its bridge window, and so is the BAR's place. */
	if (!claim->was.parent)
		return;

	if (res->parent != &claim->was) {
		if (res->parent)
			release_resource(res);
		set_range(res, claim->was.start, resource_size(&claim->was));
		/* Cannot fail: nothing else gets into the range set aside. */
		request_resource(&claim->was, res);
		write_bar(pdev, bar, claim->words);
	}
	res->flags = claim->was.flags;
	remove_resource(&claim->was);
}

static u16 decode_off(struct pci_dev *pdev)
{
	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	pci_write_config_word(pdev, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);

	return command;
}

static int move(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];
	u16 command = decode_off(pdev);
	int ret;

	read_bar(pdev, bar, claim->words);

	/* Insert, not request: the placeholder goes around the BAR, which then leaves it. */
	ret = fault(FAULT_PLACEHOLDER) ?: insert_resource(res->parent, &claim->was);
	if (ret)
		goto out_decode;

	ret = reassign_to_page(pdev, bar);
	if (ret)
		goto err_put_back;

	/* The BAR is as long as it ever was; its page is longer. */
	ret = fault(FAULT_SHRINK) ?:
	      adjust_resource(res, res->start, resource_size(&claim->was));
	if (ret)
		goto err_put_back;

	/* Somebody may have been quick and taken it: then all goes back. */
	ret = fault(FAULT_REST) ?: hold_rest(claim, res);
	if (ret)
		goto err_put_back;

	res->flags = claim->was.flags & ~IORESOURCE_STARTALIGN;
	goto out_decode;

err_put_back:
	put_back(claim, pdev, bar);
out_decode:
	pci_write_config_word(pdev, PCI_COMMAND, command);
	if (ret)
		return ret;

	refresh_saved_bar(pdev, bar);
	trace_subpage_move(pdev, bar, claim);
	return 0;
}

static bool must_stay(struct pci_dev *pdev, int bar)
{
	return (pci_resource_flags(pdev, bar) & IORESOURCE_PCI_FIXED) ||
	       pdev->mmio_always_on || pci_has_flag(PCI_PROBE_ONLY) ||
	       pci_find_host_bridge(pdev->bus)->preserve_config;
}

static enum subpage_bar_state make(struct page_claim *claim, struct pci_dev *pdev,
				   int bar, bool realign)
{
	struct resource *res = &pdev->resource[bar];

	if (pdev->is_virtfn)
		return SUBPAGE_BAR_VIRTFN;
	if (!res->parent || (res->flags & (IORESOURCE_UNSET | IORESOURCE_DISABLED)))
		return SUBPAGE_BAR_UNASSIGNED;
	if (PAGE_ALIGNED(res->start) && !hold_rest(claim, res))
		return SUBPAGE_BAR_IN_PLACE;
	if (must_stay(pdev, bar))
		return SUBPAGE_BAR_FIXED;
	if (res->child)
		return SUBPAGE_BAR_BUSY;
	if (!realign)
		return SUBPAGE_BAR_REALIGN_OFF;

	switch (move(claim, pdev, bar)) {
	case 0:
		return SUBPAGE_BAR_MOVED;
	case -ENOSPC:
		return SUBPAGE_BAR_NO_SPACE;
	default:
		return SUBPAGE_BAR_FAILED;
	}
}

static const struct {
	const char *name;
	const char *reason;
} state_text[] = {
	[SUBPAGE_BAR_NONE] = { "none", "not claimed" },
	[SUBPAGE_BAR_IN_PLACE] = { "in_place", "alone on its page, claimed in place" },
	[SUBPAGE_BAR_MOVED] = { "moved", "moved to a page of its own" },
	[SUBPAGE_BAR_UNASSIGNED] = { "unassigned", "trapped, it has no address" },
	[SUBPAGE_BAR_VIRTFN] = { "virtfn", "trapped, the physical function places it" },
	[SUBPAGE_BAR_FIXED] = { "fixed", "trapped, it shares its page and must not be moved" },
	[SUBPAGE_BAR_BUSY] = { "busy", "trapped, it shares its page and the kernel is using it" },
	[SUBPAGE_BAR_REALIGN_OFF] = {
		"realign_off", "trapped, it shares its page and realign=0 forbids to move it"
	},
	[SUBPAGE_BAR_NO_SPACE] = {
		"no_space", "trapped, it shares its page and the bridge window is full"
	},
	[SUBPAGE_BAR_FAILED] = { "failed", "trapped, it shares its page and could not be moved" },
	[SUBPAGE_BAR_LOST] = {
		"lost", "page lost, the PCI core released the bridge window above it"
	},
};

const char *page_claim_state_name(const struct page_claim *claim)
{
	return state_text[claim->state].name;
}

const char *page_claim_reason(const struct page_claim *claim)
{
	return state_text[claim->state].reason;
}

static void log_claim(const struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];

	if (claim->state == SUBPAGE_BAR_MOVED)
		pci_info(pdev, "BAR %d %pR: %s, from %pR\n", bar, res,
			 page_claim_reason(claim), &claim->was);
	else
		pci_info(pdev, "BAR %d %pR: %s\n", bar, res, page_claim_reason(claim));
}

void page_claim_make(struct page_claim *claim, struct pci_dev *pdev, int bar, bool realign)
{
	struct resource *res = &pdev->resource[bar];

	snprintf(claim->name, sizeof(claim->name), "%s %s BAR %d",
		 KBUILD_MODNAME, pci_name(pdev), bar);
	set_range(&claim->was, res->start, resource_size(res));
	claim->was.flags = res->flags;
	claim->was.name = claim->name;

	claim->state = make(claim, pdev, bar, realign);
	trace_subpage_claim(pdev, bar, claim);
	log_claim(claim, pdev, bar);
}

void page_claim_settle(struct page_claim *claim)
{
	leave_tree(&claim->was);
}

void page_claim_undo(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	u16 command;

	leave_tree(&claim->rest);
	if (claim->state == SUBPAGE_BAR_MOVED) {
		command = decode_off(pdev);
		put_back(claim, pdev, bar);
		pci_write_config_word(pdev, PCI_COMMAND, command);
		refresh_saved_bar(pdev, bar);
		trace_subpage_restore(pdev, bar, claim);
	}
	claim->state = SUBPAGE_BAR_NONE;
}

void page_claim_check(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];

	if (claim->state != SUBPAGE_BAR_IN_PLACE && claim->state != SUBPAGE_BAR_MOVED)
		return;
	if (page_claim_stands(claim) && res->parent == claim->rest.parent &&
	    res->end + 1 == claim->rest.start)
		return;

	leave_tree(&claim->rest);
	claim->state = SUBPAGE_BAR_LOST;
	trace_subpage_lost(pdev, bar, claim);
	pci_warn(pdev, "BAR %d %pR: %s; remove the device and rescan to have it placed anew\n",
		 bar, res, page_claim_reason(claim));
}

void page_claim_drop(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	page_claim_check(claim, pdev, bar);
	leave_tree(&claim->rest);
}
