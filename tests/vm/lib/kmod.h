/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KMOD_H
#define KMOD_H

#include "tap.h"

/* The driver under test, and the one that it is compared with. */
#define OURS "subpage_vfio_pci"
#define STOCK "vfio-pci"

/* All return -errno when they fail. */

/* The module under test, with its parameters as one string ("" for none). */
int module_load(const char *params);
int module_unload(void);
/* One of its parameters. */
int module_set(const char *parameter, const char *fmt, ...) PRINTF(2, 3);

/*
 * A module of the kernel's own and all that it depends on. The scenario must want
 * it ("module:NAME"), or the image lacks it.
 */
int kmod_insert(const char *name, const char *params);
/* A file that needs no other module. */
int kmod_insert_file(const char *path);
int kmod_remove(const char *name);

#endif
