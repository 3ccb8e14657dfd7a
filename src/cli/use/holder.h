/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_HOLDER_H
#define CLI_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

/* A process that has a device node, or a file of sysfs, open or mapped. */
struct holder {
	pid_t pid;
	char *name;		/* "process 812 (qemu-system-x86)" */
	mode_t type;		/* S_IFBLK, S_IFCHR or S_IFREG */
	dev_t device;		/* the node's number; 0 for a file of sysfs */
	char *path;		/* as the process knows it */
};

struct holders {
	int count;
	struct holder *holder;
	char *unknown;		/* why there may be more, or NULL */
};

/* Look at all processes of this machine. */
void holders_scan(struct holders *holders);
void holders_free(struct holders *holders);

/* Who has that node open; the first, or the next one after "from". NULL: nobody else. */
const struct holder *holder_of(const struct holders *holders, mode_t type, dev_t device,
			       const struct holder *from);
/* The same for a file of sysfs whose path begins so. */
const struct holder *holder_of_file(const struct holders *holders, const char *beginning,
				    const struct holder *from);

/* "process 812 (qemu-system-x86)"; free() it. */
char *process_name(pid_t pid);

#endif
