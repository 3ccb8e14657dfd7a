/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_TRANSACTION_H
#define CLI_TRANSACTION_H

#include <signal.h>

#include "bus/pci.h"

/* One device that is to change, and all that has to be put back if that fails. */
struct change {
	struct device *device;
	bool wanted;		/* false: it is already as it should be */
	bool begun;
	bool stuck;		/* what was begun could not be put back */
	char driver[64];	/* before; "" if none */
	char override[64];	/* the same */
	char *saved;		/* what driverctl had saved; NULL: nothing */
};

/*
 * Changes of which all are made or none. While there is one, no other instance of this
 * program has one, and signals that would end the program wait.
 */
struct transaction {
	int count;
	struct change *change;
	int lock;
	sigset_t signals;
};

/* Ends the program if another instance does not end in time. */
void transaction_begin(struct transaction *transaction);

bool transaction_has(const struct transaction *transaction, const struct device *device);

/* Take note of how a device is now. Returns false if it is among them already. */
bool transaction_add(struct transaction *transaction, struct device *device, bool wanted);

/* Bring a device to a driver and an override, "" for none. Says why if it fails. */
bool transaction_move(struct change *change, const char *driver, const char *override);

/* Change what driverctl does at each boot; NULL: nothing. Says why if it fails. */
bool transaction_save(struct change *change, const char *driver);

/* Has somebody asked the program to end? */
bool transaction_interrupted(const struct transaction *transaction);

/* Put all back. Returns false, and says which devices are not as they were, if that fails. */
bool transaction_undo(struct transaction *transaction);

/* Signals that have waited end the program now, unless all was done ("kept"). */
void transaction_end(struct transaction *transaction, bool kept);

#endif
