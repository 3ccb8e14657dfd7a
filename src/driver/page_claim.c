// SPDX-License-Identifier: GPL-2.0-only
#include <linux/aperture.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#include "bar.h"
#include "eeh.h"
#include "fault.h"
#include "page_claim.h"
#include "trace.h"

#define SUBPAGE_BAR_STATE(_name, _word, _reason) \
	[SUBPAGE_BAR_ ## _name] = { _word, _reason },

static const struct {
	const char *name;
	const char *reason;
} state_text[] = {
#include "subpage_states.h"
};

static_assert(ARRAY_SIZE(state_text) == SUBPAGE_BAR_LOST + 1);

const char *subpage_bar_state_name(enum subpage_bar_state state)
{
	return state_text[state].name;
}

const char *subpage_bar_state_reason(enum subpage_bar_state state)
{
	return state_text[state].reason;
}

enum subpage_bar_state subpage_claim_state(const struct page_claim *claim)
{
	const struct resource *res = claim->res;

	if (!res || claim->refused)
		return claim->refused;
	/* With no page free the PCI core falls back to the firmware's address, aligned or not. */
	if (!res->parent || !PAGE_ALIGNED(res->start) || resource_size(res) != PAGE_SIZE)
		return SUBPAGE_BAR_LOST;

	return res->start == claim->was.start ? SUBPAGE_BAR_IN_PLACE : SUBPAGE_BAR_MOVED;
}

/*
 * While a BAR is being moved it is briefly out of the resource tree. Moves are
 * serialized, so that a concurrent bind cannot take its old range or the rest of its page.
 */
static DEFINE_MUTEX(move_lock);

static bool is_subpage(const struct resource *res)
{
	return (res->flags & IORESOURCE_MEM) && resource_size(res) &&
	       resource_size(res) < PAGE_SIZE;
}

static void set_range(struct resource *res, resource_size_t start, resource_size_t size)
{
	res->start = start;
	res->end = start + size - 1;
}

/* So that the PCI core, if it places the BAR again, puts it on a page. */
static void align_to_size(struct resource *res)
{
	res->flags &= ~IORESOURCE_STARTALIGN;
	res->flags |= IORESOURCE_SIZEALIGN;
}

/*
 * Leave the BAR without an address, as the PCI core does when it finds no room. The address in
 * the register belongs to something else by now, so memory decode goes off, in the copy of
 * config space, too; pci_enable_device() refuses such a device.
 */
static void unassign(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	subpage_bar_decode_off(pdev);
	set_range(claim->res, 0, subpage_claim_true_size(claim));
	claim->res->flags = claim->was.flags | IORESOURCE_UNSET;
	pci_err(pdev, "BAR %d has lost its address: its old range %pR is taken, memory decode is off; remove the device and rescan\n",
		bar, &claim->was);
}

/*
 * Take the BAR out of its range, and put @was there as a placeholder. The BAR never lies inside
 * the placeholder, since the PCI core takes the parent of an assigned BAR for its bridge window
 * (pbus_select_window(), 7.x) and indexes an array with it. Between the two steps something
 * else can take the range, and before the first the window can be released. No function that a
 * module can call does this in one step.
 *
 * While the BAR is out of the tree its flags are 0: a rescan on another processor would assign
 * any resource that has flags but no parent.
 *
 * Return: 0, an error with the BAR where it was, or -EADDRNOTAVAIL if it could not be put back.
 */
static int set_aside(struct page_claim *claim)
{
	struct resource *res = claim->res, *window = res->parent;
	int ret;

	ret = subpage_fault(FAULT_RELEASE);
	if (ret)
		return ret;
	/*
	 * The window can be released after claim_page() looked; release_resource() does not
	 * check.
	 */
	if (!window)
		return -ENXIO;

	res->flags = 0;
	ret = release_resource(res);
	if (ret)
		goto out_flags;

	ret = subpage_fault(FAULT_PLACEHOLDER) ?: request_resource(window, &claim->was);
	if (!ret)
		return 0;
	if (subpage_fault(FAULT_PUT_BACK) || request_resource(window, res))
		ret = -EADDRNOTAVAIL;
out_flags:
	res->flags = claim->was.flags;
	return ret;
}

/*
 * This amounts to pci_reassign_resource(pdev, bar, PAGE_SIZE - size, PAGE_SIZE), which the PCI
 * core does not export. pci_assign_resource(), for a BAR with the size and hence the natural
 * alignment of a page, runs the same allocation with the same architecture limits and writes
 * the BAR the same way. The alignment flag is set since a BAR that "pci=resource_alignment" has
 * touched loses its own once it is assigned.
 *
 * Between flags and allocation a rescan on another processor can assign the BAR, too.
 */
static int reassign_to_page(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = claim->res;

	set_range(res, 0, PAGE_SIZE);
	res->flags = claim->was.flags;
	align_to_size(res);

	/* Any failure here means that there is no space. */
	if (subpage_fault(FAULT_ASSIGN) || pci_assign_resource(pdev, bar))
		return -ENOSPC;

	/* With no page free the PCI core falls back to the firmware's address. */
	if (subpage_fault(FAULT_ALIGNMENT) || !PAGE_ALIGNED(res->start))
		return -ENOSPC;

	subpage_fault_readback(pdev, bar);

	/*
	 * If the BAR register does not take its new value, the PCI core only logs that. A page
	 * claimed for such a BAR would map another device's registers.
	 */
	return subpage_bar_is_written(pdev, bar) ? 0 : -EIO;
}

/*
 * Write the register first, while both ranges are held: the address in it is the device's own
 * at any time.
 *
 * Return: 0, or -EADDRNOTAVAIL when the old range is gone: taken by something else between the
 * release of @was and the request for the BAR, or released with its window.
 */
static int put_back(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = claim->res, *window;

	if (claim->was.parent)
		subpage_bar_write(pdev, bar, &claim->was);
	res->flags = 0;
	if (res->parent)
		release_resource(res);
	set_range(res, claim->was.start, subpage_claim_true_size(claim));
	window = claim->was.parent;
	if (window)
		release_resource(&claim->was);
	if (!window || subpage_fault(FAULT_PUT_BACK) || request_resource(window, res))
		return -EADDRNOTAVAIL;

	res->flags = claim->was.flags;
	subpage_bar_save(pdev, bar);
	return 0;
}

/*
 * Memory decode stays on: a 32-bit BAR changes in one write, the PCI core itself switches
 * decode off around a 64-bit one, and both ranges are held meanwhile. So the function's other
 * BARs keep working, and so does a console on one of them while the PCI core prints.
 */
static int move_to_page(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	int ret;

	ret = set_aside(claim);
	if (ret)
		goto out;

	ret = reassign_to_page(claim, pdev, bar);
	if (ret)
		ret = put_back(claim, pdev, bar) ?: ret;
	else
		subpage_bar_save(pdev, bar);
out:
	if (ret == -EADDRNOTAVAIL)
		unassign(claim, pdev, bar);
	else if (!ret)
		subpage_eeh_save_bar(pdev, bar);
	return ret;
}

/* What the PCI core itself would not place: see pdev_resources_assignable() and its callers. */
static bool must_stay(struct pci_dev *pdev, struct resource *res)
{
	u16 class = pdev->class >> 8, command;

	if (class == PCI_CLASS_NOT_DEFINED || class == PCI_CLASS_BRIDGE_HOST)
		return true;
	/* An interrupt controller that the firmware left switched on is in use. */
	if (class == PCI_CLASS_SYSTEM_PIC) {
		pci_read_config_word(pdev, PCI_COMMAND, &command);
		if (command & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY))
			return true;
	}

	return (res->flags & IORESOURCE_PCI_FIXED) || pdev->mmio_always_on ||
	       pci_has_flag(PCI_PROBE_ONLY) || pci_find_host_bridge(pdev->bus)->preserve_config ||
	       pci_find_parent_resource(pdev, res) != res->parent;
}

/*
 * Whatever uses a BAR has requested a region of it. So has the firmware's framebuffer, whose
 * driver is removed here, as by a bind of stock vfio-pci. A mapping of sysfs "resourceN" cannot
 * be seen; see revoke_mappings().
 */
static bool in_use(struct pci_dev *pdev)
{
	int bar;

	if (pdev->class >> 8 == PCI_CLASS_DISPLAY_VGA)
		aperture_remove_conflicting_pci_devices(pdev, KBUILD_MODNAME);

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
		if ((pci_resource_flags(pdev, bar) & IORESOURCE_MEM) && pdev->resource[bar].child)
			return true;

	return false;
}

/* Return: SUBPAGE_BAR_NONE when the BAR has its page. */
static enum subpage_bar_state claim_page(struct page_claim *claim, struct pci_dev *pdev, int bar,
					 enum realign_policy realign)
{
	struct resource *res = claim->res;

	if (pdev->is_virtfn)
		return SUBPAGE_BAR_VIRTFN;
	if (!res->parent || (res->flags & (IORESOURCE_UNSET | IORESOURCE_DISABLED)))
		return SUBPAGE_BAR_UNASSIGNED;
	/* Fails where anything else lies on the page. */
	if (PAGE_ALIGNED(res->start) && !adjust_resource(res, res->start, PAGE_SIZE)) {
		align_to_size(res);
		return SUBPAGE_BAR_NONE;
	}
	if (must_stay(pdev, res))
		return SUBPAGE_BAR_FIXED;
	if (realign != REALIGN_ON)
		return SUBPAGE_BAR_REALIGN_OFF;
	if (in_use(pdev))
		return SUBPAGE_BAR_BUSY;

	switch (move_to_page(claim, pdev, bar)) {
	case 0:
		return SUBPAGE_BAR_NONE;
	case -ENOSPC:
		return SUBPAGE_BAR_NO_SPACE;
	case -EADDRNOTAVAIL:
		return SUBPAGE_BAR_UNASSIGNED;
	default:
		return SUBPAGE_BAR_FAILED;
	}
}

/* The log line of another driver's device would bear only that driver's name, or none. */
static const char *us(const struct pci_dev *pdev)
{
	return strcmp(dev_driver_string(&pdev->dev), KBUILD_MODNAME) ? KBUILD_MODNAME ": " : "";
}

static void log_claim(const struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	enum subpage_bar_state state = subpage_claim_state(claim);
	const char *reason = subpage_bar_state_reason(state);
	u64 size = subpage_claim_true_size(claim);

	trace_subpage_claim(pdev, bar, subpage_bar_state_name(state), claim->was.start,
			    claim->res->start);
	if (state == SUBPAGE_BAR_MOVED)
		pci_info(pdev, "%sBAR %d %pR: %llu bytes, %s, from %pR\n", us(pdev), bar,
			 claim->res, size, reason, &claim->was);
	else
		pci_info(pdev, "%sBAR %d: %llu bytes, %s\n", us(pdev), bar, size, reason);
}

void subpage_claims_make(struct page_claim *claims, struct pci_dev *pdev,
			 enum realign_policy realign)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		struct resource *res = &pdev->resource[bar];
		enum subpage_bar_state refused;

		if (!is_subpage(res))
			continue;
		claims[bar].res = res;
		set_range(&claims[bar].was, res->start, resource_size(res));
		claims[bar].was.flags = res->flags;
		claims[bar].was.name = res->name;
		mutex_lock(&move_lock);
		refused = claim_page(&claims[bar], pdev, bar, realign);
		mutex_unlock(&move_lock);
		claims[bar].refused = realign == REALIGN_TRAP ? SUBPAGE_BAR_TRAP : refused;
		log_claim(&claims[bar], pdev, bar);
	}
}

void subpage_claims_log_lost(const struct page_claim *claims, struct pci_dev *pdev)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		const struct page_claim *claim = &claims[bar];
		enum subpage_bar_state state = subpage_claim_state(claim);

		if (state != SUBPAGE_BAR_LOST)
			continue;
		trace_subpage_lost(pdev, bar, subpage_bar_state_name(state), claim->was.start,
				   claim->res->start);
		pci_warn(pdev, "%sBAR %d, at bind %pR: %s; remove the device and rescan\n",
			 us(pdev), bar, &claim->was, subpage_bar_state_reason(state));
	}
}

/*
 * Whoever has mapped the BAR's old range, through sysfs "resourceN" or /dev/mem, must not reach
 * what is placed there next. Requesting the region revokes such mappings, as it does whenever a
 * driver requests a BAR: revoke_iomem(), on kernels with CONFIG_IO_STRICT_DEVMEM.
 */
static void revoke_mappings(const struct resource *range)
{
	if (request_mem_region(range->start, resource_size(range), KBUILD_MODNAME))
		release_mem_region(range->start, resource_size(range));
}

void subpage_claims_settle(struct page_claim *claims)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		struct resource *was = &claims[bar].was;

		/*
		 * The PCI core detaches the placeholder when it releases the bridge window
		 * above.
		 */
		if (was->parent)
			revoke_mappings(was);
		if (was->parent)
			release_resource(was);
	}
}

/* Restore the size and alignment that the BAR had; its address stays as it is. */
static void restore_size(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = claim->res;

	/* The PCI core clears the resource of a BAR that it found no room for. */
	if (!res->flags)
		return;
	/* Nobody has the device open, so no region of it is requested. */
	if (adjust_resource(res, res->start, subpage_claim_true_size(claim)))
		pci_err(pdev, "%sBAR %d %pR keeps its page, since it is in use; remove the device and rescan\n",
			us(pdev), bar, res);
	res->flags &= ~IORESOURCE_SIZEALIGN;
	res->flags |= claim->was.flags & IORESOURCE_SIZEALIGN;
}

/* A BAR that is trapped because of realign=trap can be a page long, too. */
static bool is_page_long(const struct page_claim *claim)
{
	return claim->res && resource_size(claim->res) != subpage_claim_true_size(claim);
}

bool subpage_claims_undo(struct page_claim *claims, struct pci_dev *pdev)
{
	bool undone = true;
	int bar;

	for (bar = PCI_STD_NUM_BARS - 1; bar >= 0; bar--) {
		struct page_claim *claim = &claims[bar];

		if (!claim->res)
			continue;
		if (!is_page_long(claim)) {
			undone &= claim->res->start == claim->was.start;
			continue;
		}
		/*
		 * Not moved; or the PCI core released the window, and placed the BAR again if
		 * it could.
		 */
		if (!claim->was.parent) {
			restore_size(claim, pdev, bar);
			if (claim->res->parent)
				claim->res->flags = claim->was.flags;
			undone &= claim->res->start == claim->was.start;
			continue;
		}
		mutex_lock(&move_lock);
		if (put_back(claim, pdev, bar)) {
			unassign(claim, pdev, bar);
			undone = false;
		}
		mutex_unlock(&move_lock);
		subpage_eeh_save_bar(pdev, bar);
		trace_subpage_restore(pdev, bar, "none", claim->was.start, claim->res->start);
	}

	return undone;
}

void subpage_claims_drop(struct page_claim *claims, struct pci_dev *pdev)
{
	int bar;

	subpage_claims_log_lost(claims, pdev);
	for (bar = PCI_STD_NUM_BARS - 1; bar >= 0; bar--)
		if (is_page_long(&claims[bar]))
			restore_size(&claims[bar], pdev, bar);
}
