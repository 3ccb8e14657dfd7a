// SPDX-License-Identifier: GPL-2.0-only
#include "print/output.h"
#include "print/reason.h"

static const struct {
	const char *code, *meaning;
} reasons[] = {
	[REASON_WHOLE_PAGES] = { "whole_pages", "the BAR is a page or more" },
	[REASON_OWN_PAGE] = { "own_page", "the driver has given it a page of its own" },
	[REASON_ALONE] = { "alone", "nothing else is on its page, as long as nothing is placed there" },
	[REASON_SHARED_PAGE] = { "shared_page", "something else is on its page; bind or align helps" },
	[REASON_NOT_ON_A_PAGE] = { "not_on_a_page", "it does not start on a page; bind or align helps" },
	[REASON_MSIX_HIDDEN] = { "msix_hidden",
		"the MSI-X table is on the page, and the driver hides it; msix_mmap= helps" },
	[REASON_MSIX_EMULATED] = { "msix_emulated",
		"a VMM lays its own MSI-X table over part of the page; x-msix-relocation= helps" },
	[REASON_MSIX_ALONE] = { "msix_alone", "the MSI-X table has the pages for itself; nothing is lost" },
	[REASON_UNASSIGNED] = { "unassigned", "it has no address" },
	[REASON_VIRTFN] = { "virtfn", "a virtual function's BAR is where the physical function has it" },
	[REASON_FIXED] = { "fixed", "firmware or the device keep it where it is" },
	[REASON_BUSY] = { "busy", "the kernel uses its addresses" },
	[REASON_REALIGN_OFF] = { "realign_off", "the driver's option realign=0 keeps it where it is" },
	[REASON_TRAP] = { "trap", "the driver's option realign=trap wants it trapped" },
	[REASON_NO_SPACE] = { "no_space", "the bridge window above it has no free page" },
	[REASON_FAILED] = { "failed", "it could not be moved; the kernel log says why" },
	[REASON_LOST] = { "lost", "the PCI core has taken its page away since" },
	[REASON_UNKNOWN_STATE] = { "unknown_state", "the driver says something that this program does not know" },
	[REASON_BRIDGE] = { "bridge", "VFIO does not support bridges" },
	[REASON_DIRECT] = { "direct", "the process, or its guest, reaches it by itself" },
	[REASON_LIKELY_DIRECT] = { "likely_direct", "mapped, and whole pages; the monitor would confirm it" },
	[REASON_GUEST_OFF] = { "guest_off", "the guest has not switched the BAR on" },
	[REASON_GUEST_NOT_ON_PAGE] = { "guest_not_on_page", "the guest has not put it on a page of the host" },
	[REASON_GUEST_COVERED] = { "guest_covered", "in the guest, something else lies over part of the page" },
	[REASON_GUEST_UNKNOWN] = { "guest_unknown", "it depends on where the guest or the VMM has put things" },
	[REASON_WHICH_DEVICE] = { "which_device",
		"mapped for one of several like devices; this kernel does not tell which" },
	[REASON_VMM_DOES_NOT_MAP] = { "vmm_does_not_map", "VFIO lets it be mapped, the process does not do so" },
	[REASON_DISK_MOUNTED] = { "disk_mounted", "a disk of it is mounted, in whatever namespace" },
	[REASON_DISK_SWAP] = { "disk_swap", "a disk of it is swap space" },
	[REASON_DISK_PART] = { "disk_part", "a disk of it is part of what device mapper or md have made" },
	[REASON_DISK_LOOP] = { "disk_loop", "a disk of it is behind a loop device" },
	[REASON_DISK_TARGET] = { "disk_target", "a disk of it is offered to other machines" },
	[REASON_DISK_OPEN] = { "disk_open", "a process has a disk of it open" },
	[REASON_DISK_HELD] = { "disk_held", "the kernel uses a disk of it" },
	[REASON_INTERFACE_UP] = { "interface_up", "an interface of it is up, in whatever namespace" },
	[REASON_INTERFACE_MEMBER] = { "interface_member", "an interface of it belongs to a bridge or bond" },
	[REASON_INTERFACE_BELOW] = { "interface_below", "another interface is made from one of it" },
	[REASON_INTERFACE_HIDDEN] = { "interface_hidden",
		"it is a network device, and no interface of it can be found" },
	[REASON_VIRTUAL_FUNCTION] = { "virtual_function", "its virtual functions would go with its driver" },
	[REASON_DISPLAY_BOOT] = { "display_boot", "it is the boot display, or has the firmware's picture" },
	[REASON_DISPLAY_SCREEN] = { "display_screen", "it draws on a screen" },
	[REASON_FRAMEBUFFER] = { "framebuffer", "the console draws on its framebuffer" },
	[REASON_CONSOLE] = { "console", "a port of it is the console" },
	[REASON_KEYBOARD] = { "keyboard", "the console takes keys from below it" },
	[REASON_RDMA_ACTIVE] = { "rdma_active", "a port of its RDMA device is active" },
	[REASON_MDEV] = { "mdev", "it is the parent of a mediated device" },
	[REASON_PROCESS_OPEN] = { "process_open", "a process has one of its files open or mapped" },
	[REASON_VFIO_OPEN] = { "vfio_open", "a process has it open through VFIO" },
	[REASON_UNKNOWN] = { "unknown", "whether it is in use cannot be found out" },
};

const char *reason_code(enum reason reason)
{
	return reasons[reason].code;
}

/* Each state of a BAR but for "none", "in_place" and "moved" is a reason. */
enum { STATES = 0
#define SUBPAGE_BAR_STATE(name, word, sentence) + 1
#include "subpage_states.h"
};

_Static_assert(REASON_UNKNOWN_STATE - REASON_UNASSIGNED == STATES - 3, "a state of a BAR is no reason");

enum reason reason_of_state(const char *state)
{
	int i;

	for (i = REASON_UNASSIGNED; i < REASON_UNKNOWN_STATE; i++)
		if (!strcmp(reasons[i].code, state))
			return i;
	return REASON_UNKNOWN_STATE;
}

void reason_print_help(enum reason first, enum reason last)
{
	int i;

	printf("\nReason codes:\n");
	for (i = first; i <= (int)last; i++)
		printf("  %-18s %s\n", reasons[i].code, reasons[i].meaning);
}
