/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LINK_H
#define LINK_H

#include <stdint.h>

#include "pci.h"

/*
 * The network interface that a NIC's own driver has made of it, on a network
 * 10.0.N.0/24 of QEMU's, whose gateway .2 answers to a ping. All return -errno
 * when they fail.
 */

/* Configure it and wait for the link. */
int link_up(const struct pci_dev *nic, uint8_t network);

/* A ping through this interface: DMA both ways, and an interrupt. */
int link_ping(const struct pci_dev *nic, uint8_t network);

#endif
