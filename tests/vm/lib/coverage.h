/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef COVERAGE_H
#define COVERAGE_H

/* In a boot of "make coverage": have the kernel count which lines of the module run. Before the module is loaded. */
void coverage_start(void);

/* Print the counts to the console, from where tests/vm/run takes them. */
void coverage_print(void);

#endif
