/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TRACE_H
#define TRACE_H

/* Empty the kernel's trace, and switch the driver's tracepoints on. */
void trace_start(void);

/* Switch them off. Returns what they said; free() it. */
char *trace_end(void);

/* One test: such a trace has the text. */
void trace_has(const char *trace, const char *text);

#endif
