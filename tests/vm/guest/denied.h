/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DENIED_H
#define DENIED_H

#include <stdint.h>

#define INTEL 0x8086

/*
 * Stock vfio-pci's list: QAT's C3xxx, C62x and DH895xCC with their virtual functions,
 * DSA, IAA. The last one is not on it.
 */
static const uint16_t denied[] = {
	0x19e2, 0x19e3, 0x37c8, 0x37c9, 0x0435, 0x0443, 0x0b25, 0x0cfe, 0x0436,
};

#define DENIED ((int)(sizeof(denied) / sizeof(denied[0])))

#endif
