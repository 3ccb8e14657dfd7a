/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_FAULT_H
#define SUBPAGE_FAULT_H

/**
 * enum fault_point - a step of the bind that a test build can make fail
 *
 * @FAULT_PLACEHOLDER: the old range is set aside
 * @FAULT_RELEASE: the BAR leaves it
 * @FAULT_ASSIGN: the PCI core finds it a page
 * @FAULT_ALIGNMENT: that page is one
 * @FAULT_READBACK: the BAR register took the address
 * @FAULT_SHRINK: the BAR gets its true size back
 * @FAULT_REST: the rest of the page is held
 * @FAULT_REGISTER: VFIO takes the device
 *
 * In the order in which a bind takes them; the values are those of the module
 * parameter fault_point, which only a build with SUBPAGE_FAULT_POINTS=y has.
 */
enum fault_point {
	FAULT_PLACEHOLDER = 1,
	FAULT_RELEASE,
	FAULT_ASSIGN,
	FAULT_ALIGNMENT,
	FAULT_READBACK,
	FAULT_SHRINK,
	FAULT_REST,
	FAULT_REGISTER,
};

#ifdef SUBPAGE_FAULT_POINTS
/**
 * fault() - should this step fail
 * @point: the step about to be taken
 *
 * Return: 0, or -EIO when the module parameter fault_point names @point.
 */
int fault(enum fault_point point);
#else
static inline int fault(enum fault_point point)
{
	return 0;
}
#endif

#endif /* SUBPAGE_FAULT_H */
