/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_FAULT_H
#define SUBPAGE_FAULT_H

/**
 * enum fault_point - a step that a test build can make fail
 *
 * @FAULT_RELEASE: the BAR leaves its range
 * @FAULT_PLACEHOLDER: that range is set aside
 * @FAULT_ASSIGN: the PCI core finds it a page
 * @FAULT_ALIGNMENT: that page is one
 * @FAULT_READBACK: the BAR register took the address; made to fail, it really holds another one
 * @FAULT_REGISTER: VFIO registration
 * @FAULT_PUT_BACK: the BAR gets its old range again, after another step failed
 * @FAULT_TABLE: no step of a bind: at open, the MSI-X table lies within its BAR; made to fail,
 *	the device says that it lies far behind it
 * @FAULT_STORE: no step of a bind: when a device whose BARs have moved is closed, there is
 *	memory for its state
 * @FAULT_OPENED: no step of a bind: once a device has been reset for an open, its BARs are still
 *	where they were
 * @FAULT_LATE: no step of a bind: a reset or a dma-buf that a user asks for, or a page that it
 *	touches, is made at once; made to fail, it waits until the mask no longer holds this
 * @FAULT_TOLD: no step of a bind: the PCI core tells of newcomers
 *
 * In the order in which a bind takes them. The module parameter fault_points, which
 * only a build with SUBPAGE_FAULT_POINTS=y has, is a mask: 1 << value.
 */
enum fault_point {
	FAULT_RELEASE,
	FAULT_PLACEHOLDER,
	FAULT_ASSIGN,
	FAULT_ALIGNMENT,
	FAULT_READBACK,
	FAULT_REGISTER,
	FAULT_PUT_BACK,
	FAULT_TABLE,
	FAULT_STORE,
	FAULT_OPENED,
	FAULT_LATE,
	FAULT_TOLD,
};

struct msix_table;
struct pci_dev;

#ifdef SUBPAGE_FAULT_POINTS
/**
 * subpage_fault() - should this step fail
 * @point: the step about to be taken
 *
 * Return: 0, or -EIO when the module parameter fault_points holds @point.
 */
int subpage_fault(enum fault_point point);

/**
 * subpage_fault_readback() - FAULT_READBACK: have a BAR register say another address
 * @pdev: the device
 * @bar: number of the BAR; of one with 64 bits the upper word goes wrong
 */
void subpage_fault_readback(struct pci_dev *pdev, int bar);

/**
 * subpage_fault_table() - FAULT_TABLE: have the MSI-X table be far behind its BAR
 * @table: the device's table
 * @pdev: the device
 */
void subpage_fault_table(struct msix_table *table, struct pci_dev *pdev);

/* FAULT_LATE: between the look whether a device is revoked and what relies on that. */
void subpage_fault_late(void);
#else
static inline int subpage_fault(enum fault_point point)
{
	return 0;
}

static inline void subpage_fault_readback(struct pci_dev *pdev, int bar) { }

static inline void subpage_fault_table(struct msix_table *table, struct pci_dev *pdev) { }

static inline void subpage_fault_late(void) { }
#endif

#endif /* SUBPAGE_FAULT_H */
