/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOST_SLEEP_H
#define HOST_SLEEP_H

/* Suspend this machine to RAM, until its clock wakes it up; some tests. The scenario wants "packed". */
void host_sleeps(void);

#endif
