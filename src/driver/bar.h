/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SUBPAGE_BAR_H
#define SUBPAGE_BAR_H

#include <linux/pci_regs.h>
#include <linux/types.h>

struct pci_dev;
struct resource;

/*
 * The register of a memory BAR, the function's memory decode, and the copy of both that
 * the PCI core keeps in saved_config_space[]. The core writes that copy back whether or
 * not it is marked as saved (pci_restore_state() of 6.12.y and 7.x), so it must be right
 * at any time.
 *
 * Context: process context; the device is awake, and nobody else writes its BARs.
 */

/* Offset of the register in config space. */
static inline int subpage_bar_register(int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

/**
 * subpage_bar_write() - make the device decode a BAR at the address of a resource
 * @pdev: the device
 * @bar: number of the BAR
 * @res: the BAR's resource, or a copy of it with another address
 *
 * Memory decode of the function is off while a 64-bit BAR is written.
 */
void subpage_bar_write(struct pci_dev *pdev, int bar, struct resource *res);

/**
 * subpage_bar_is_written() - does the register match the BAR's resource
 * @pdev: the device
 * @bar: number of the BAR
 */
bool subpage_bar_is_written(struct pci_dev *pdev, int bar);

/**
 * subpage_bar_read() - the address in the register
 * @pdev: the device
 * @bar: number of a memory BAR, whose resource the PCI core may have forgotten
 *
 * Return: a bus address, of 32 or 64 bits as the register says.
 */
u64 subpage_bar_read(struct pci_dev *pdev, int bar);

/**
 * subpage_bar_save() - bring the PCI core's copy of the register up to date
 * @pdev: the device
 * @bar: number of the BAR
 */
void subpage_bar_save(struct pci_dev *pdev, int bar);

/**
 * subpage_bar_renew() - make the device decode a BAR where its resource is
 * @pdev: the device
 * @bar: number of a memory BAR that has an address
 *
 * Updates the PCI core's copy, too, for when config space is restored.
 */
void subpage_bar_renew(struct pci_dev *pdev, int bar);

/**
 * subpage_bar_decode_off() - switch the memory decode of the function off
 * @pdev: the device
 *
 * In the PCI core's copy, too, so that it stays off when config space is restored.
 */
void subpage_bar_decode_off(struct pci_dev *pdev);

#endif /* SUBPAGE_BAR_H */
