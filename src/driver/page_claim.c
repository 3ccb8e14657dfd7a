// SPDX-License-Identifier: GPL-2.0-only
#include <linux/aperture.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#include "eeh.h"
#include "fault.h"
#include "page_claim.h"
#include "trace.h"

static const struct {
	const char *name;
	const char *reason;
} state_text[] = {
	[SUBPAGE_BAR_NONE] = { "none", "a page or more, nothing to claim" },
	[SUBPAGE_BAR_IN_PLACE] = { "in_place", "alone on its page" },
	[SUBPAGE_BAR_MOVED] = { "moved", "moved to a page of its own" },
	[SUBPAGE_BAR_UNASSIGNED] = { "unassigned", "trapped, it has no address" },
	[SUBPAGE_BAR_VIRTFN] = { "virtfn", "trapped, the physical function places it" },
	[SUBPAGE_BAR_FIXED] = { "fixed", "trapped, it shares its page and must not be moved" },
	[SUBPAGE_BAR_BUSY] = {
		"busy", "trapped, it shares its page and the kernel is using the device"
	},
	[SUBPAGE_BAR_REALIGN_OFF] = {
		"realign_off", "trapped, it shares its page and realign=0 forbids to move it"
	},
	[SUBPAGE_BAR_TRAP] = { "trap", "trapped, because of realign=trap" },
	[SUBPAGE_BAR_NO_SPACE] = {
		"no_space", "trapped, it shares its page and the bridge window is full"
	},
	[SUBPAGE_BAR_FAILED] = { "failed", "trapped, it shares its page and could not be moved" },
	[SUBPAGE_BAR_LOST] = {
		"lost", "page lost, the PCI core released the bridge window above it"
	},
};

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
 * For a moment of its move a BAR is nowhere; who is bound at the same time must not
 * take its place, or have the rest of the page, before it is there again.
 */
static DEFINE_MUTEX(moving);

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

static int bar_register(int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

/* The words of a BAR's register at the address of a resource; returns how many. */
static int bar_words(struct pci_dev *pdev, struct resource *res, u32 words[2])
{
	struct pci_bus_region region;

	pcibios_resource_to_bus(pdev->bus, &region, res);
	words[0] = lower_32_bits(region.start) |
		   (res->flags & ~(u32)PCI_BASE_ADDRESS_MEM_MASK & 0xf);
	words[1] = upper_32_bits(region.start);

	return res->flags & IORESOURCE_MEM_64 ? 2 : 1;
}

/*
 * The copy of config space is written back whether or not it is marked as saved
 * (pci_restore_state() of 6.12.y and 7.x), so it must be right at any time.
 */
static void save_bar(struct pci_dev *pdev, int bar)
{
	u32 words[2];
	int i, n = bar_words(pdev, &pdev->resource[bar], words);

	for (i = 0; i < n; i++)
		pdev->saved_config_space[bar_register(bar) / 4 + i] = words[i];
}

static u16 decode_off(struct pci_dev *pdev)
{
	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	pci_write_config_word(pdev, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);

	return command;
}

void subpage_bar_decode_off(struct pci_dev *pdev)
{
	decode_off(pdev);
	pdev->saved_config_space[PCI_COMMAND / 4] &= ~PCI_COMMAND_MEMORY;
}

/* Between the two words of a 64-bit BAR the device must not decode an address that is half new. */
static void write_bar(struct pci_dev *pdev, int bar, struct resource *res)
{
	u32 words[2];
	int i, n = bar_words(pdev, res, words);
	u16 command = n > 1 ? decode_off(pdev) : 0;

	for (i = 0; i < n; i++)
		pci_write_config_dword(pdev, bar_register(bar) + 4 * i, words[i]);
	if (n > 1)
		pci_write_config_word(pdev, PCI_COMMAND, command);
}

/* Does the register say what the resource does? */
static bool is_written(struct pci_dev *pdev, int bar)
{
	u32 words[2], value;
	int i, n = bar_words(pdev, &pdev->resource[bar], words);

	for (i = 0; i < n; i++) {
		pci_read_config_dword(pdev, bar_register(bar) + 4 * i, &value);
		if (value != words[i])
			return false;
	}

	return true;
}

void subpage_bar_renew(struct pci_dev *pdev, int bar)
{
	struct resource *res = &pdev->resource[bar];

	/* Their registers are none that could be written. */
	if (pdev->is_virtfn || (res->flags & IORESOURCE_PCI_FIXED))
		return;
	if (!is_written(pdev, bar))
		write_bar(pdev, bar, res);
	save_bar(pdev, bar);
}

/* Whatever else the BAR had: should the PCI core place it anew, then on a page. */
static void align_to_size(struct resource *res)
{
	res->flags &= ~IORESOURCE_STARTALIGN;
	res->flags |= IORESOURCE_SIZEALIGN;
}

/*
 * A BAR without an address, as the PCI core leaves one. What its register says is
 * somebody else's by now, so the function must not decode it, nor after the copy
 * of its config space is restored; pci_enable_device() refuses such a device.
 */
static void unassign(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	subpage_bar_decode_off(pdev);
	set_range(claim->res, 0, subpage_claim_true_size(claim));
	claim->res->flags = claim->was.flags | IORESOURCE_UNSET;
	pci_err(pdev, "BAR %d: its old range %pR is taken; it has no address now and memory decode is off; remove the device and rescan\n",
		bar, &claim->was);
}

/*
 * The BAR leaves its range and @was takes it: beside each other, never
 * one around the other, since the PCI core takes the parent of an assigned BAR for
 * its bridge window (pbus_select_window(), 7.x) and indexes an array with it.
 * In the moment between the two somebody else can take the range; and the window
 * can go before the BAR leaves it. Nothing that a module can call does either
 * in one step.
 *
 * While the BAR is out of the tree its flags are 0: a rescan on another processor
 * assigns whatever has flags and no place.
 *
 * Return: 0, an error with the BAR where it was, or -EADDRNOTAVAIL if it could not
 * get back.
 */
static int set_aside(struct page_claim *claim)
{
	struct resource *res = claim->res, *window = res->parent;
	int ret;

	ret = subpage_fault(FAULT_RELEASE);
	if (ret)
		return ret;
	/* It can have gone since make() looked, and release_resource() does not look. */
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
 * pci_reassign_resource(pdev, bar, PAGE_SIZE - size, PAGE_SIZE) is what this
 * amounts to. The PCI core does not export that function; having
 * pci_assign_resource() place the BAR with the size, and hence the natural
 * alignment, of a page runs the same allocation with the same architecture limits
 * and the same write to the BAR. BARs that "pci=resource_alignment" has touched
 * have no alignment flag left once they are assigned, so it is set.
 *
 * From the flags to the allocation a rescan on another processor can assign it too.
 */
static int reassign_to_page(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = claim->res;

	set_range(res, 0, PAGE_SIZE);
	res->flags = claim->was.flags;
	align_to_size(res);

	/* Whatever stands in the way of an address, there is none to be had. */
	if (subpage_fault(FAULT_ASSIGN) || pci_assign_resource(pdev, bar))
		return -ENOSPC;

	/* With no page free the PCI core falls back to the firmware's address. */
	if (subpage_fault(FAULT_ALIGNMENT) || !PAGE_ALIGNED(res->start))
		return -ENOSPC;

	/* So that it is the comparison that fails: of a 64-bit BAR the upper word. */
	if (subpage_fault(FAULT_READBACK))
		pci_write_config_dword(pdev, bar_register(bar) +
				       (res->flags & IORESOURCE_MEM_64 ? 4 : 0), 0);

	/*
	 * The PCI core reports a BAR register that does not take its new value in the
	 * log only. A page claimed for such a BAR would map somebody else's registers.
	 */
	return is_written(pdev, bar) ? 0 : -EIO;
}

/*
 * The register first, while both ranges are held: what it says is the device's own
 * at any time.
 *
 * Return: 0, or -EADDRNOTAVAIL when the old range is somebody else's by now: it was
 * taken in the moment between @was and BAR, or has gone with its window.
 */
static int put_back(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = claim->res, *window;

	if (claim->was.parent)
		write_bar(pdev, bar, &claim->was);
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
	save_bar(pdev, bar);
	return 0;
}

/*
 * Decode stays on: the register of a 32-bit BAR changes in one write, around that of
 * a 64-bit one the PCI core switches it off itself, and old and new range are both
 * held meanwhile. So the function's other BARs are undisturbed, and so is a console
 * on one of them while the PCI core prints.
 */
static int move(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	int ret;

	ret = set_aside(claim);
	if (ret)
		goto out;

	ret = reassign_to_page(claim, pdev, bar);
	if (ret)
		ret = put_back(claim, pdev, bar) ?: ret;
	else
		save_bar(pdev, bar);
out:
	if (ret == -EADDRNOTAVAIL)
		unassign(claim, pdev, bar);
	else if (!ret)
		subpage_eeh_save_bar(pdev, bar);
	return ret;
}

/* What the PCI core itself would not place: pdev_resources_assignable() and its callers. */
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
 * Who uses a BAR has requested a region of it; a framebuffer of the firmware, too,
 * and its driver goes at a bind of stock vfio-pci all the same. A mapping of sysfs
 * "resourceN" cannot be seen; see revoke_mappings().
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
static enum subpage_bar_state make(struct page_claim *claim, struct pci_dev *pdev, int bar,
				   enum realign_policy realign)
{
	struct resource *res = claim->res;

	if (realign == REALIGN_TRAP)
		return SUBPAGE_BAR_TRAP;
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
	if (realign == REALIGN_OFF)
		return SUBPAGE_BAR_REALIGN_OFF;
	if (in_use(pdev))
		return SUBPAGE_BAR_BUSY;

	switch (move(claim, pdev, bar)) {
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

static void tell(const struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	enum subpage_bar_state state = subpage_claim_state(claim);
	const char *reason = subpage_bar_state_reason(state);
	/* Before another driver's probe the line would carry that driver's name alone. */
	const char *us = strcmp(dev_driver_string(&pdev->dev), KBUILD_MODNAME) ?
			 KBUILD_MODNAME ": " : "";
	u64 size = subpage_claim_true_size(claim);

	trace_subpage_claim(pdev, bar, subpage_bar_state_name(state), claim->was.start,
			    claim->res->start);
	if (state == SUBPAGE_BAR_MOVED)
		pci_info(pdev, "%sBAR %d %pR: %llu bytes, %s, from %pR\n", us, bar, claim->res,
			 size, reason, &claim->was);
	else
		pci_info(pdev, "%sBAR %d: %llu bytes, %s\n", us, bar, size, reason);
}

void subpage_claims_make(struct page_claim *claims, struct pci_dev *pdev,
			 enum realign_policy realign)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		struct resource *res = &pdev->resource[bar];

		if (!is_subpage(res))
			continue;
		claims[bar].res = res;
		set_range(&claims[bar].was, res->start, resource_size(res));
		claims[bar].was.flags = res->flags;
		claims[bar].was.name = res->name;
		mutex_lock(&moving);
		claims[bar].refused = make(&claims[bar], pdev, bar, realign);
		mutex_unlock(&moving);
		tell(&claims[bar], pdev, bar);
	}
}

void subpage_claims_tell_lost(const struct page_claim *claims, struct pci_dev *pdev)
{
	int bar;

	for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
		const struct page_claim *claim = &claims[bar];
		enum subpage_bar_state state = subpage_claim_state(claim);

		if (state != SUBPAGE_BAR_LOST)
			continue;
		trace_subpage_lost(pdev, bar, subpage_bar_state_name(state), claim->was.start,
				   claim->res->start);
		pci_warn(pdev, "BAR %d, at bind %pR: %s; remove the device and rescan to have it placed anew\n",
			 bar, &claim->was, subpage_bar_state_reason(state));
	}
}

/*
 * Who has mapped the BAR's old place, through sysfs "resourceN" or /dev/mem, must not reach
 * what comes there next. Requesting a region takes such mappings away, as it does whenever
 * a driver takes a BAR: revoke_iomem(), of a kernel with CONFIG_IO_STRICT_DEVMEM.
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

		/* The PCI core detaches it when it releases the bridge window above. */
		if (was->parent)
			revoke_mappings(was);
		if (was->parent)
			release_resource(was);
	}
}

/* The size and alignment that the BAR had; its address is what it is. */
static void shrink(struct page_claim *claim, struct pci_dev *pdev, int bar)
{
	struct resource *res = claim->res;

	/* The PCI core forgets all about a BAR that it found no room for. */
	if (!res->flags)
		return;
	/* Nobody has the device open, so no region of it is requested. */
	if (adjust_resource(res, res->start, subpage_claim_true_size(claim)))
		pci_err(pdev, "BAR %d %pR: in use, keeps the size of a page\n", bar, res);
	res->flags &= ~IORESOURCE_SIZEALIGN;
	res->flags |= claim->was.flags & IORESOURCE_SIZEALIGN;
}

bool subpage_claims_undo(struct page_claim *claims, struct pci_dev *pdev)
{
	bool undone = true;
	int bar;

	for (bar = PCI_STD_NUM_BARS - 1; bar >= 0; bar--) {
		struct page_claim *claim = &claims[bar];

		if (!claim->res)
			continue;
		if (claim->refused) {
			undone &= claim->res->start == claim->was.start;
			continue;
		}
		/* Not moved; or the PCI core took the window, and placed it anew if it could. */
		if (!claim->was.parent) {
			shrink(claim, pdev, bar);
			if (claim->res->parent)
				claim->res->flags = claim->was.flags;
			undone &= claim->res->start == claim->was.start;
			continue;
		}
		mutex_lock(&moving);
		if (put_back(claim, pdev, bar)) {
			unassign(claim, pdev, bar);
			undone = false;
		}
		mutex_unlock(&moving);
		subpage_eeh_save_bar(pdev, bar);
		trace_subpage_restore(pdev, bar, "none", claim->was.start, claim->res->start);
	}

	return undone;
}

void subpage_claims_drop(struct page_claim *claims, struct pci_dev *pdev)
{
	int bar;

	subpage_claims_tell_lost(claims, pdev);
	for (bar = PCI_STD_NUM_BARS - 1; bar >= 0; bar--)
		if (claims[bar].res && !claims[bar].refused)
			shrink(&claims[bar], pdev, bar);
}
