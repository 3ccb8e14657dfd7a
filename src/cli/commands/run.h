/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "change/transaction.h"
#include "commands/commands.h"
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

/* What the kernel says of a device between the two goes to stderr. */
int log_end(void);
void log_print(int fd, const char *address);

#endif
