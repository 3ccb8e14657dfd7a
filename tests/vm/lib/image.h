/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IMAGE_H
#define IMAGE_H

#include <sys/types.h>

/*
 * A second root with a QEMU of the machine's own architecture, or with DPDK. The scenario must
 * want "nested". All return -errno when they fail.
 */

/* Mount it at /nested, with /dev, /proc and /sys of the machine, a /tmp and a /run of its own. */
int image_mount(void);

/*
 * Run a program in it, what it prints going to the file (a path outside the
 * image). Returns its exit status, 128 + signal, or -ETIMEDOUT when it had to be
 * killed.
 */
int image_run(char *const argv[], const char *output, unsigned int seconds);
/* The same; watch is called ten times a second with what is in the file until then. */
int image_run_watched(char *const argv[], const char *output, unsigned int seconds,
		      void (*watch)(const char *text));

/* Start it, and go on. Returns its pid, which the caller ends and waits for. */
pid_t image_start(char *const argv[], const char *output);

#endif
