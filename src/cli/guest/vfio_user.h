/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_VFIO_USER_H
#define CLI_VFIO_USER_H

#include <sys/types.h>

#include "bus/pci.h"
#include "use/holder.h"

/* A process that holds VFIO devices, as /proc shows it. */

/* A part of a region that it has mapped. */
struct mapping {
	unsigned int region;
	uint64_t offset, size;
	const struct device *device;	/* NULL: more than one could be meant */
};

struct held {
	const struct device *device;
	bool sure;		/* it has the device itself open, not just its group */
};

struct vfio_user {
	pid_t pid;
	char name[48];		/* as valid_text() has it */
	int vm;			/* file descriptor of its KVM machine; -1: it has none */
	char *command_line;	/* its words, each ended by a 0, and one more 0; NULL: not read */
	int devices;
	struct held *held;
	int mappings;
	struct mapping *mapping;
};

/* Look at a process that the walk has seen. Returns false if it holds no VFIO device. vfio_user_free() in any case. */
bool vfio_user_read(const struct bus *bus, const struct holders *holders, pid_t pid, struct vfio_user *user);
void vfio_user_free(struct vfio_user *user);

/* Has it mapped these bytes of the BAR? */
enum mapped { MAPPED_NO, MAPPED_UNSURE, MAPPED_YES };
enum mapped vfio_user_has_mapped(const struct bus *bus, const struct vfio_user *user,
				 const struct device *device, int bar, uint64_t offset, uint64_t size);

/* The word of its command line that names the device, or that follows another; NULL if there is none. */
const char *vfio_user_word_of(const struct vfio_user *user, const struct device *device);
const char *vfio_user_next_word(const struct vfio_user *user, const char *after);

/*
 * A counter of its KVM machine in debugfs: accesses that left the guest for memory-mapped I/O. Or -errno:
 * ENOENT: debugfs is not mounted; EPERM: the kernel is locked down; EACCES; ENODATA: there is no such counter.
 */
int64_t vfio_user_mmio_exits(const struct vfio_user *user);

#endif
