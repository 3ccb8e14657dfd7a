/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM subpage_vfio_pci

#if !defined(SUBPAGE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SUBPAGE_TRACE_H

#include <linux/pci.h>
#include <linux/tracepoint.h>

/*
 * Events of bind, of unbind and of a user's set-up. Nothing here runs when a
 * register is accessed. state: as in sysfs; was: address at bind; now: address.
 */
DECLARE_EVENT_CLASS(subpage_bar,
		    TP_PROTO(struct pci_dev *pdev, int bar, const char *state, u64 was, u64 now),
		    TP_ARGS(pdev, bar, state, was, now),
		    TP_STRUCT__entry(__field(int, domain)
				     __field(int, bus)
				     __field(int, devfn)
				     __field(int, bar)
				     __array(char, state, 16)
				     __field(u64, was)
				     __field(u64, now)),
		    TP_fast_assign(__entry->domain = pci_domain_nr(pdev->bus);
				   __entry->bus = pdev->bus->number;
				   __entry->devfn = pdev->devfn;
				   __entry->bar = bar;
				   strscpy(__entry->state, state, sizeof(__entry->state));
				   __entry->was = was;
				   __entry->now = now;),
		    TP_printk("%04x:%02x:%02x.%d bar=%d state=%s was=%#llx now=%#llx",
			      __entry->domain, __entry->bus, PCI_SLOT(__entry->devfn),
			      PCI_FUNC(__entry->devfn), __entry->bar, __entry->state,
			      __entry->was, __entry->now)
);

#define SUBPAGE_BAR_EVENT(name) \
	DEFINE_EVENT(subpage_bar, name, \
		     TP_PROTO(struct pci_dev *pdev, int bar, const char *state, u64 was, u64 now), \
		     TP_ARGS(pdev, bar, state, was, now))

/* A claim was made or refused. */
SUBPAGE_BAR_EVENT(subpage_claim);
/* A BAR went back to its old address. */
SUBPAGE_BAR_EVENT(subpage_restore);
/* A page was found to be lost. */
SUBPAGE_BAR_EVENT(subpage_lost);

DECLARE_EVENT_CLASS(subpage_region,
		    TP_PROTO(struct pci_dev *pdev, int bar, u64 offset, u64 length, u32 flags),
		    TP_ARGS(pdev, bar, offset, length, flags),
		    TP_STRUCT__entry(__field(int, domain)
				     __field(int, bus)
				     __field(int, devfn)
				     __field(int, bar)
				     __field(u64, offset)
				     __field(u64, length)
				     __field(u32, flags)),
		    TP_fast_assign(__entry->domain = pci_domain_nr(pdev->bus);
				   __entry->bus = pdev->bus->number;
				   __entry->devfn = pdev->devfn;
				   __entry->bar = bar;
				   __entry->offset = offset;
				   __entry->length = length;
				   __entry->flags = flags;),
		    TP_printk("%04x:%02x:%02x.%d bar=%d offset=%#llx length=%#llx flags=%#x",
			      __entry->domain, __entry->bus, PCI_SLOT(__entry->devfn),
			      PCI_FUNC(__entry->devfn), __entry->bar, __entry->offset,
			      __entry->length, __entry->flags)
);

#define SUBPAGE_REGION_EVENT(name) \
	DEFINE_EVENT(subpage_region, name, \
		     TP_PROTO(struct pci_dev *pdev, int bar, u64 offset, u64 length, u32 flags), \
		     TP_ARGS(pdev, bar, offset, length, flags))

/* A user was told what of a BAR can be mapped: flags are VFIO_REGION_INFO_FLAG_*. */
SUBPAGE_REGION_EVENT(subpage_region_info);
/* A mapping was refused because it would have shown a hidden MSI-X table. */
SUBPAGE_REGION_EVENT(subpage_mmap_refused);

#endif /* SUBPAGE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
