/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMAND_H
#define COMMAND_H

/* The command subpage-vfio in the test machine; the scenario must have called command_line(). */

/* subpage-vfio(8) promises these. */
enum { OK = 0, FAILED = 1, USAGE = 2, NO_DEVICE = 3, PERMISSION = 4, IN_USE = 5, HOST = 6 };

/* Put what the command needs where it looks for it. modprobe knows no module ... */
void cli_set_up(void);
/* ... until now: ours. */
void cli_install_module(void);

/* Run it with these arguments, blanks between them; what it prints is then in "out" and "err". */
extern char out[1 << 17], err[1 << 14];
int cli(const char *fmt, ...);
int cli_unprivileged(const char *fmt, ...);
/* The same for doc/examples/read_capability.c. */
int example(const char *fmt, ...);

/* Test an exit code; where it is wrong, show what was said. */
void exits(int got, int want, const char *what);
/* Test that it printed this, as an error or as its answer. */
void says(const char *text, const char *what);
void shows(const char *text, const char *what);

#endif
