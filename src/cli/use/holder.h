/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_HOLDER_H
#define CLI_HOLDER_H

#include <sys/types.h>

#include "print/output.h"

/* What the processes of this machine have open or mapped, and which namespaces they are in: one walk over /proc. */

#define VFIO_FILE "anon_inode:[vfio-device]"
#define VM_FILE "anon_inode:kvm-vm"

/* A process that has a device node, a file of a device, or one of the two above, open or mapped. */
struct holder {
	pid_t pid;
	pid_t thread;		/* whose file it is: its own number, or that of the process */
	int fd;			/* -1: it is mapped */
	char *name;		/* "process 812 (qemu-system-x86)" */
	mode_t type;		/* S_IFBLK, S_IFCHR, S_IFREG; 0: one of the two above */
	dev_t device;		/* the node's number, else 0 */
	char *path;		/* as the process knows it */
};

/* A namespace that is not our own. */
struct namespace {
	bool network;		/* else one of mounts */
	ino_t number;
	char *path;		/* of a file that is the namespace, or that lists its mounts */
	char *whose;		/* ", in the mount namespace of process 12 (x)" */
};

struct holders {
	int count;
	struct holder *holder;
	ino_t own[2];		/* namespaces of our own: of mounts, of the network */
	int namespaces;
	struct namespace *namespace;
	int hidden;		/* processes that could not be looked at */
	char *unknown;		/* why there may be more, or NULL */
};

/* Look at all processes, or at that one (0: all). */
void holders_scan(struct holders *holders, pid_t only);
void holders_free(struct holders *holders);

/* Take note of a namespace, if it is new and not our own; takes the last two. */
void holders_add_namespace(struct holders *holders, bool network, ino_t number, char *path, char *whose);

/* The first process that has that node open, or the next one after "from". NULL: no other has. */
const struct holder *holder_of(const struct holders *holders, mode_t type, dev_t device, const struct holder *from);
/* The same for a file whose path begins so. */
const struct holder *holder_of_file(const struct holders *holders, const char *beginning, const struct holder *from);

/* "process 812 (qemu-system-x86)"; free() it. */
char *process_name(pid_t pid);

#endif
