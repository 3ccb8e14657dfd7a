/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MEMINFO_H
#define MEMINFO_H

/* Kilobytes, of a line of /proc/meminfo; -1 if there is no such line. */
long meminfo_kb(const char *field);

#endif
