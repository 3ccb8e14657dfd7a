// SPDX-License-Identifier: GPL-2.0-only
#include "file.h"
#include "tap.h"
#include "trace.h"

#define TRACE "/sys/kernel/tracing/trace"
#define ENABLE "/sys/kernel/tracing/events/subpage_vfio_pci/enable"

void trace_start(void)
{
	file_write(TRACE, "\n");
	is_errno(file_write(ENABLE, "1"), 0, "the tracepoints are on");
}

char *trace_end(void)
{
	char *trace = file_slurp(TRACE, NULL);

	file_write(ENABLE, "0");
	return trace ? trace : strdup("");
}

void trace_has(const char *trace, const char *text)
{
	if (!ok(strstr(trace, text), "the trace has \"%s\"", text))
		diag("%s", trace);
}
