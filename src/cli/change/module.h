/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_MODULE_H
#define CLI_MODULE_H

#include "print/output.h"

/* Load a module and what it needs, as modprobe does. Returns -errno; -ENOENT: there is none. */
int module_load(const char *name);

/* Is there such a module, in the kernel or to be loaded? "signer", unless NULL, gets whose signature it has, if any. */
bool module_exists(const char *name, char *signer, size_t size);

/* What an operator has to do if our module is missing for that kernel. */
const char *module_cure(const char *release);

/*
 * Load all modules that have drivers for such a device and are not blacklisted. Returns how many there are, with their
 * names, to free(), in "names"; or the -errno of one that cannot be loaded, with its name.
 */
int module_load_for(const char *modalias, char **names);

#endif
