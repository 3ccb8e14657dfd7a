/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_USES_H
#define CLI_USES_H

#include "use/in_use.h"

/*
 * What an operator knows the device by, to free(): "interface eth0, disk nvme0n1, 4
 * virtual functions"; "" if there is nothing of that kind.
 */
char *uses_text(const struct machine *machine, const struct device *device);

/*
 * What uses it, to free(): "its interface eth0 is up; process 812 (qemu) has it
 * open through VFIO"; "" if nothing does. The same as "bind" refuses, but that without
 * root what cannot be found out is left out.
 */
char *uses_now_text(const struct machine *machine, const struct device *device);

#endif
