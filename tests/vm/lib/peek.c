// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include "peek.h"

static sigjmp_buf no_page;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(no_page, 1);
}

bool peek(const volatile uint32_t *reg, uint32_t *value)
{
	struct sigaction catch = { .sa_handler = on_sigbus }, before;
	bool there = false;

	sigaction(SIGBUS, &catch, &before);
	/* An access without end ends the case. */
	alarm(60);
	if (!sigsetjmp(no_page, 1)) {
		*value = *reg;
		there = true;
	}
	alarm(0);
	sigaction(SIGBUS, &before, NULL);
	return there;
}
