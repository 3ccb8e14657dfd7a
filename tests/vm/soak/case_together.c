// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices whose BARs share a page are bound at the same time, again and again. For a
 * moment of its move the one's BAR is nowhere; the other must not get the page then, nor
 * in the moment when the BAR returns because the bind fails.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "kmod.h"
#include "snapshot.h"
#include "soak.h"

#define SECONDS 15
/* In src/driver/fault.h: VFIO does not take the device, so the BAR returns. */
#define FAILS "fault_points=32"

static struct zoo_bar bars[ZOO_MAX];
static unsigned int *binds;

static void bind_on(int which, double until)
{
	while (soak_now() < until) {
		pci_bind(&bars[which].dev, OURS);
		binds[which]++;
	}
}

CASE(together)
{
	int count = zoo_list_packed(bars), child, i, status;
	double until = soak_now() + SECONDS;
	char *before, stays[96];

	/* The first starts on the page, and can have it in place if it is alone there. */
	if (!ok(count == 2 && zoo_other_device(&bars[0]) && !(zoo_address(&bars[0]) % (unsigned int)getpagesize()),
		"two devices on one page"))
		return;
	snprintf(stays, sizeof(stays), FAILS " realign=1,0@%s", bars[0].dev.bdf);
	if (!is_errno(module_load(stays), 0, "the module loads"))
		return;
	binds = soak_shared(2 * sizeof(*binds));
	before = snapshot();
	for (i = 0; i < 2; i++) {
		child = fork();
		if (!child) {
			bind_on(i, until);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		;
	diag("%u and %u binds", binds[0], binds[1]);
	ok(binds[0] > 100 && binds[1] > 100, "both were bound, and failed, many times");
	ok(snapshot_unchanged(before), "nothing has changed");
	free(before);
	is_errno(module_unload(), 0, "the module unloads");
}
