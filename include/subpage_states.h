/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of BARs and MSI-X tables, for the driver and for the command: the word that sysfs
 * has for each enumerator of <linux/subpage_vfio_pci.h>, and a sentence. The words are part of
 * the ABI (see doc/ABI-sysfs), the sentences are not.
 *
 * Define SUBPAGE_BAR_STATE(NAME, word, sentence) or SUBPAGE_MSIX_STATE(NAME, word), or both,
 * and include this where the list belongs. NAME is the enumerator without its prefix.
 */
#ifndef SUBPAGE_BAR_STATE
#define SUBPAGE_BAR_STATE(name, word, sentence)
#endif
#ifndef SUBPAGE_MSIX_STATE
#define SUBPAGE_MSIX_STATE(name, word)
#endif

SUBPAGE_BAR_STATE(NONE, "none", "a page or more, nothing to claim")
SUBPAGE_BAR_STATE(IN_PLACE, "in_place", "alone on its page")
SUBPAGE_BAR_STATE(MOVED, "moved", "moved to a page of its own")
SUBPAGE_BAR_STATE(UNASSIGNED, "unassigned", "trapped, it has no address")
SUBPAGE_BAR_STATE(VIRTFN, "virtfn", "trapped, the physical function places it")
SUBPAGE_BAR_STATE(FIXED, "fixed", "trapped, it shares its page and must not be moved")
SUBPAGE_BAR_STATE(BUSY, "busy", "trapped, it shares its page and the kernel is using the device")
SUBPAGE_BAR_STATE(REALIGN_OFF, "realign_off",
		  "trapped, it shares its page and realign=0 forbids moving it")
SUBPAGE_BAR_STATE(TRAP, "trap", "trapped, because of realign=trap")
SUBPAGE_BAR_STATE(NO_SPACE, "no_space",
		  "trapped, it shares its page and the bridge window is full")
SUBPAGE_BAR_STATE(FAILED, "failed", "trapped, it shares its page and could not be moved")
SUBPAGE_BAR_STATE(LOST, "lost", "page lost, the PCI core released the bridge window above it")

/* Why a table is in its state depends on kernel and options: the driver has the sentences. */
SUBPAGE_MSIX_STATE(NONE, "none")
SUBPAGE_MSIX_STATE(HIDDEN, "hidden")
SUBPAGE_MSIX_STATE(EEH, "eeh")
SUBPAGE_MSIX_STATE(ISOLATED, "isolated")
SUBPAGE_MSIX_STATE(ALWAYS, "always")

#undef SUBPAGE_BAR_STATE
#undef SUBPAGE_MSIX_STATE
