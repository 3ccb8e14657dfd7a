// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices whose BARs share a page are bound at the same time, again and again. For a
 * moment of its move the one's BAR is nowhere; the other must not get the page then, nor
 * in the moment when the BAR returns because the bind fails.
 */
#include <sys/wait.h>

#include "cases.h"
#include "snapshot.h"
#include "soak.h"

#define SECONDS 15
/* In src/driver/fault.h: VFIO registration fails, so the BAR returns. */
#define FAILS "fault_points=32"

static struct zoo_bar bars[ZOO_MAX];
static struct tries {
	unsigned int failed;
	struct wrong wrong;
} *tries;

static void bind_on(int which, double until)
{
	struct tries *mine = &tries[which];

	while (soak_now() < until) {
		int err = pci_bind(&bars[which].dev, OURS);

		if (err == -EIO)
			mine->failed++;
		else
			wrong_add(&mine->wrong, "%s", err ? strerror(-err) : "bound");
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
	tries = soak_shared(2 * sizeof(*tries));
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
	diag("%u and %u binds", tries[0].failed, tries[1].failed);
	ok(tries[0].failed > 100 && tries[1].failed > 100, "both were bound, and failed, many times");
	for (i = 0; i < 2; i++)
		none_wrong(&tries[i].wrong, "%s fails as it is told to, each time", bars[i].dev.bdf);
	ok(snapshot_unchanged(before), "nothing has changed");
	free(before);
	is_errno(module_unload(), 0, "the module unloads");
}
