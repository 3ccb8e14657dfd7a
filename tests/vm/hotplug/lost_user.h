/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LOST_USER_H
#define LOST_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "window.h"

/* A user who has the device open and mapped while its window goes (window.h). */

/*
 * A write to two registers of config space, each of whose bytes are on a page that the user does not have
 * yet. The first switches memory decode on.
 */
struct writer {
	pid_t pid;	/* 0 on a kernel that has no such pages */
	struct {
		int faults;
		void *page;
	} *its;
};

struct user {
	struct vfio vfio;
	uint32_t line;		/* a register of config space, before it opened the device */
	volatile uint32_t *reg;	/* through a mapping */
	uint32_t value;		/* what it says */
	int event;
	int dmabuf;			/* negative on a kernel that has none */
	struct writer writer;
};

/* The device has this driver and gets this user, which has the others open, too, if it is ours. The window goes. */
bool user_lose(const char *driver, const char *model, int models, struct user *user);
/* The same, and no driver comes to the newcomer, so the PCI core does not tell that it has moved others for it. */
bool user_lose_untold(const char *model, int models, struct user *user);

/* Let the write to config space have its first page, then let it end. Returns 0 or its errno. */
void write_half(struct writer *writer);
int write_end(struct writer *writer);
/* An event: whoever signals it writes to the first register. -1 if it cannot be had. */
int event_to_register(const struct vfio *vfio);
/* Signal the event that writes to a register: a device that has the old address now must not get it. */
void check_event(int event);
/* Whoever has the user's dma-buf wants to use it: the error should be this. */
void check_dmabuf(int dmabuf, int want, const char *text);
/* Does the function decode its memory? */
bool decodes(void);
/* The other functions' mappings are gone, and read() is refused. */
void check_others_revoked(void);
/* One of them is closed and opened again, where it is now; or cannot be, for one of its BARs has no place any more. */
void check_other_opened(void);
void check_other_forgotten(void);
void unbind_others(void);

/* The user gives up what it has mapped. */
void user_forget(struct user *user);
/* Closed, and the window still there: all is as before it was opened, at its new place. */
void check_closed_anew(struct user *user);
/* Bound, and nobody has it open: it sleeps. */
void check_asleep(const char *when);
/* It can be opened again, and its register has this value. */
void check_again(uint32_t value);
/* Bound three times, as the machine may be busy: the quickest, or a second if none is quicker. It stays bound. */
double fastest_bind_ms(const struct pci_dev *dev, const char *driver);

#endif
