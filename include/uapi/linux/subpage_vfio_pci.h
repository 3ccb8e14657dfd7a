/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What subpage_vfio_pci tells user space about a BAR, beyond what
 * <linux/vfio.h> can say.
 */
#ifndef _UAPI_LINUX_SUBPAGE_VFIO_PCI_H
#define _UAPI_LINUX_SUBPAGE_VFIO_PCI_H

#include <linux/types.h>
#include <linux/vfio.h>

/*
 * Id of the capability below in the chain that VFIO_DEVICE_GET_REGION_INFO
 * returns. VFIO numbers its own capabilities upwards from 1; this one is far
 * above them so that the two cannot meet.
 */
#define VFIO_REGION_INFO_CAP_SUBPAGE		0x5350
#define VFIO_REGION_INFO_CAP_SUBPAGE_VERSION	2

/**
 * enum subpage_bar_state - the state of a memory BAR smaller than a page
 * @SUBPAGE_BAR_NONE: nothing to claim: the BAR is a page or more
 * @SUBPAGE_BAR_IN_PLACE: it was alone on its page and has that page
 * @SUBPAGE_BAR_MOVED: it has a page of its own, elsewhere than at bind
 * @SUBPAGE_BAR_UNASSIGNED: it has no address
 * @SUBPAGE_BAR_VIRTFN: it belongs to an SR-IOV virtual function, whose
 *	address is given by the physical function
 * @SUBPAGE_BAR_FIXED: it shares its page, and the PCI core, the firmware or the
 *	device forbids moving it (fixed resource, PCI_PROBE_ONLY, preserved host
 *	bridge set-up, memory decode that cannot be switched off, a device that the
 *	PCI core never places)
 * @SUBPAGE_BAR_BUSY: it shares its page, and something in the kernel uses a
 *	memory BAR of the function
 * @SUBPAGE_BAR_REALIGN_OFF: moving is switched off (module parameter realign=0)
 * @SUBPAGE_BAR_TRAP: the administrator wants it trapped (realign=trap)
 * @SUBPAGE_BAR_NO_SPACE: the bridge window has no free page
 * @SUBPAGE_BAR_FAILED: the move failed and was undone; the kernel log says why
 * @SUBPAGE_BAR_LOST: it had its page, but the PCI core has since released the
 *	bridge window above it
 *
 * The first three can be mapped, but for pages that hold a hidden MSI-X table; a BAR
 * in any other state is as stock vfio-pci would have it, which for most of them means
 * trapped. SUBPAGE_BAR_TRAP and SUBPAGE_BAR_LOST are never mapped.
 */
enum subpage_bar_state {
	SUBPAGE_BAR_NONE,
	SUBPAGE_BAR_IN_PLACE,
	SUBPAGE_BAR_MOVED,
	SUBPAGE_BAR_UNASSIGNED,
	SUBPAGE_BAR_VIRTFN,
	SUBPAGE_BAR_FIXED,
	SUBPAGE_BAR_BUSY,
	SUBPAGE_BAR_REALIGN_OFF,
	SUBPAGE_BAR_TRAP,
	SUBPAGE_BAR_NO_SPACE,
	SUBPAGE_BAR_FAILED,
	SUBPAGE_BAR_LOST,
};

/**
 * enum subpage_msix_state - may the MSI-X table in this BAR be mapped, and why
 * @SUBPAGE_MSIX_NONE: the BAR holds no MSI-X table
 * @SUBPAGE_MSIX_HIDDEN: no; the pages that hold the table cannot be mapped
 * @SUBPAGE_MSIX_EEH: yes; EEH keeps the device to MSIs of its own PE
 * @SUBPAGE_MSIX_ISOLATED: yes; the IOMMU keeps the device to its own MSIs
 * @SUBPAGE_MSIX_ALWAYS: yes; the administrator said so (msix_mmap=always)
 */
enum subpage_msix_state {
	SUBPAGE_MSIX_NONE,
	SUBPAGE_MSIX_HIDDEN,
	SUBPAGE_MSIX_EEH,
	SUBPAGE_MSIX_ISOLATED,
	SUBPAGE_MSIX_ALWAYS,
};

/**
 * struct vfio_region_info_cap_subpage - what was done for a BAR
 * @header: id VFIO_REGION_INFO_CAP_SUBPAGE, version
 *	VFIO_REGION_INFO_CAP_SUBPAGE_VERSION
 * @bar_state: enum subpage_bar_state
 * @msix_state: enum subpage_msix_state
 * @bar_size: what the device decodes, bytes; the region of a BAR that has its page
 *	may be longer, to the end of the page. There read() gives all ones, and
 *	write() does nothing
 * @page_size: page size of the host, bytes; the unit of every mapping
 * @msix_offset: start of the MSI-X table in this BAR, bytes; 0 without table
 * @msix_size: length of the MSI-X table, bytes; 0 without table
 * @reserved: 0
 *
 * Present where there is something to explain: on a memory BAR smaller than a
 * page that cannot be mapped, and on the BAR that holds the MSI-X table. Some
 * VMMs map no region with a capability that they do not know; a BAR that simply
 * can be mapped therefore has none. New fields go to the end and raise the
 * version; a reader accepts any version from the one it knows upwards. Version 1
 * is not to be read: releases before 0.3.0 had it for two layouts, of which the
 * older lacked @bar_size, and other numbers from SUBPAGE_BAR_TRAP on.
 */
struct vfio_region_info_cap_subpage {
	struct vfio_info_cap_header header;
	__u32	bar_state;
	__u32	msix_state;
	__u64	bar_size;
	__u32	page_size;
	__u32	msix_offset;
	__u32	msix_size;
	__u32	reserved;
};

#endif /* _UAPI_LINUX_SUBPAGE_VFIO_PCI_H */
