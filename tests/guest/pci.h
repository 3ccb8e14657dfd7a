/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_DEVFNS	256
#define PCI_BARS	6

struct pci_bar {
	uint64_t size;		/* 0: no memory BAR here */
	uint32_t address;	/* 0: did not fit into the window */
};

struct msix_table {
	unsigned int bar;
	uint32_t start, end;	/* end 0: the function has no MSI-X */
};

/* An endpoint answers at @devfn. Bridges are not endpoints: their BARs are left alone. */
bool pci_endpoint(unsigned int devfn);

/* Takes every BAR of the function off the bus, so that others can be placed without a clash. */
void pci_decode_off(unsigned int devfn);
void pci_decode_on(unsigned int devfn);

/**
 * pci_place_bars() - size all memory BARs of a function and give them addresses
 * @devfn: the function, its decode being off
 * @bars: PCI_BARS entries to fill
 *
 * Successive calls never hand out an address twice.
 */
void pci_place_bars(unsigned int devfn, struct pci_bar *bars);

struct msix_table pci_msix_table(unsigned int devfn);

#endif
