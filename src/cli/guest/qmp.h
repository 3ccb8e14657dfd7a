/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_QMP_H
#define CLI_QMP_H

#include <stdbool.h>
#include <stdint.h>

/* What QEMU has laid into its guest's memory, as its monitor says. */

/* A range of the guest's memory that belongs to a BAR of a device. */
struct guest_range {
	char address[16];	/* of the device on the host */
	int bar;
	uint64_t start, size;	/* in the guest */
	uint64_t offset;	/* in what QEMU calls the region or the mapping */
	bool mapped;		/* it is a mapping, not QEMU's own code */
	bool direct;		/* and KVM gives it to the guest */
};

struct guest_map {
	int count;
	struct guest_range *range;
};

/*
 * Ask the monitor at that socket. Returns -errno: -EBUSY if it does not answer, as
 * while another program has it. guest_map_free() in any case.
 */
int guest_map_read(const char *socket, struct guest_map *map);
void guest_map_free(struct guest_map *map);

/* Where the guest has put the BAR. Returns false if nowhere. */
bool guest_bar_address(const struct guest_map *map, const char *address, int bar, uint64_t *start);

/*
 * How many of these bytes of the BAR does the guest reach by itself? direct: through KVM;
 * else through QEMU's mapping.
 */
uint64_t guest_bar_covered(const struct guest_map *map, const char *address, int bar, uint64_t offset,
			   uint64_t size, bool direct);

#endif
