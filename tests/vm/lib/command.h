/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COMMAND_H
#define COMMAND_H

#include <sys/types.h>

#include "tap.h"

/* The command subpage-vfio in the test machine; the scenario must have called command_line(). */

/* subpage-vfio(8) promises these. */
enum {
	OK = 0, FAILED = 1, USAGE = 2, NO_DEVICE = 3, PERMISSION = 4, IN_USE = 5, HOST = 6, STUCK = 7,
	CHANGED = 8,
};

/* Put what the command needs where it looks for it. modprobe knows no module ... */
void cli_set_up(void);
/* ... until now: ours. */
void cli_install_module(void);
/* A module of the kernel's own, from that file. */
void cli_install(const char *name, const char *file);
/* Where it then is, as far as libkmod knows. */
void cli_module_path(const char *name, char *path, size_t size);

/* Run it with these arguments, blanks between them; what it prints is then in "out" and "err". */
extern char out[1 << 17], err[1 << 14];
int cli(const char *fmt, ...);
int cli_unprivileged(const char *fmt, ...);
/* Start it, with those of files 0, 1 and 2 closed whose numbers are in "closed". */
pid_t cli_start(const char *closed, const char *fmt, ...);
int cli_wait(pid_t pid);
/* What it has printed until now, and goes on. */
void cli_so_far(pid_t pid);
/* The same for doc/examples/read_capability.c. */
int example(const char *fmt, ...);

/*
 * A bind that is refused, for that reason, and has not touched the device; "list" says of
 * it that it is in use for all the reasons that "bind" gives, and for no others.
 */
struct pci_dev;
void cli_refused(const struct pci_dev *dev, const char *why, const char *code, const char *what);

/* --force overrides that; once the user has let it go, the device returns to the driver that it had. */
void cli_forced(const struct pci_dev *dev, const char *why, const char *what, void (*let_go)(void));

/* Test that the device has this driver, and this driver_override. */
void cli_state(const struct pci_dev *dev, const char *driver, const char *override, const char *what);

/* Run a line of busybox's shell. Returns its status. */
int shell(const char *fmt, ...);

/*
 * Test that a file comes to be, in half a minute, and that one of /dev can be opened: a disk has
 * its file a moment before that, since device_add_disk() makes the file first.
 */
bool wait_for(const char *path);

/* With the module's test build: has each bind fail at its last step. */
void cli_fail_last_step(bool fail);

/* Test an exit code; where it is wrong, show what was said. */
#define exits(got, want, what) command_exits(__FILE_NAME__, __LINE__, got, want, what)
/* Test that it printed this, as an error or as its answer. */
#define says(text, what) command_says(__FILE_NAME__, __LINE__, text, what)
#define shows(text, what) command_shows(__FILE_NAME__, __LINE__, what, "%s", text)
#define shows_text(what, ...) command_shows(__FILE_NAME__, __LINE__, what, __VA_ARGS__)

/* What the macros call. */
void command_exits(const char *file, int line, int got, int want, const char *what);
void command_says(const char *file, int line, const char *text, const char *what);
void command_shows(const char *file, int line, const char *what, const char *fmt, ...) PRINTF(4, 5);

#endif
