/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "change/transaction.h"
#include "commands/options.h"
#include "use/in_use.h"

/* What bind, unbind and align have in common. */

/* One run of a command. */
struct run {
	const struct options *options;
	const char *hand_over;		/* the driver that gets the devices from ours; NULL: none */
	struct bus bus;
	struct machine machine;
	struct transaction transaction;
	struct obstacles *obstacles;	/* of each change, as far as they were looked for */
	int checked;
};

extern const struct column run_columns[];

bool is_ours(const struct device *device);
/* Or does our driver hold pages for the one to which "align" has handed it? */
bool is_given(const struct device *device);
bool saved_is_ours(const struct change *change);

/* Begin the transaction with the devices that were named and, as asked, those of their groups. */
void run_begin(struct run *run, const struct options *options, bool to_bind);
/* Look at those that were not looked at before. Returns false, and says why, if one is in use. */
bool run_is_idle(struct run *run);
/* All or nothing: after a failure nothing. Prints what was done, and returns the code for it. */
int run_finish(struct run *run, int code);
void run_free(struct run *run);

/* Give all devices to our driver, and from there to another one (NULL: none). Returns a code. */
int run_bind(const struct options *options, const char *driver);

/* What the kernel says of a device between the two goes to stderr; NULL: of none. */
int log_open(void);
void log_close(int log, const char *address);

/* What a change of drivers needs. Each ends the program, with nothing changed, where it is missing. */

void need_root(const struct device *device);
void need_driver(void);
void need_other_driver(const char *driver);
void need_driverctl(void);
void need_no_bridges(const struct transaction *transaction);
void need_iommu(const struct transaction *transaction);
/* That no other driver keeps one of their groups, where that can be known before. */
void need_groups(const struct run *run);

/* VFIO's mode without an IOMMU may be an option in modprobe.d that waits for the module. */
bool lacks_iommu(const struct device *device);

/* The other devices of IOMMU groups; on some machines a group shows once a driver has looked at its device. */

/* --group: those that have to be together with the device join the transaction. */
void group_add(struct run *run, const struct device *device, bool to_bind);
/* May others turn out to be of its group once it is bound? */
bool group_is_late(const struct run *run, const struct device *device);
/* Give them to our driver, too. Returns a code. */
int group_take_late(struct run *run, const struct device *device);
/* Can the devices be given to user space now? Says why not. */
bool group_is_usable(struct run *run);

/* Give one device to our driver. Says why if it fails. */
bool take(struct change *change);

#endif
