/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOLDER_H
#define HOLDER_H

#include <sys/types.h>

/*
 * A child that holds something until it is ended. Where the parent has to do its part in
 * the middle, hold() says by ready() when.
 */
pid_t start_holder(int (*hold)(const char *), void (*middle)(pid_t, const char *),
		   const char *argument, const char *what);
void end_holder(pid_t pid);
void ready(void);

#endif
