// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "commands/report.h"

/* "model name	: AMD EPYC" */
static bool value_of(const char *line, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len) || !strchr("\t :", line[len]))
		return false;
	line = strchr(line, ':');
	if (!line)
		return false;
	snprintf(value, size, "%s", line + 1 + strspn(line + 1, " \t"));
	value[strcspn(value, "\n")] = '\0';
	return true;
}

/* arm64 has numbers in place of a name, and tells of no machine whether it is a virtual one. */
static void print_processor(void)
{
	char line[8192], name[128] = "", implementer[32] = "", part[32] = "", flags[8192] = "";
	FILE *file = fopen("/proc/cpuinfo", "re");

	/* The first processor's will do. */
	while (file && fgets(line, sizeof(line), file)) {
		if (!*name && !value_of(line, "model name", name, sizeof(name)))
			value_of(line, "cpu", name, sizeof(name));
		if (!*implementer)
			value_of(line, "CPU implementer", implementer, sizeof(implementer));
		if (!*part)
			value_of(line, "CPU part", part, sizeof(part));
		if (!*flags)
			value_of(line, "flags", flags, sizeof(flags));
	}
	if (file)
		fclose(file);
	printf("processor  ");
	if (*name)
		printf("%s", name);
	else if (*part)
		printf("implementer %s, part %s", implementer, part);
	else
		printf("unknown");
	printf(", %ld online%s\n", sysconf(_SC_NPROCESSORS_ONLN),
	       strstr(flags, "hypervisor") ? ", a virtual machine" : "");
}

void report_print(const struct report *report)
{
	const struct device *device = report->device;
	struct utsname kernel;

	uname(&kernel);
	printf("subpage-vfio " VERSION "\n");
	printf("kernel     %s %s, pages of %ldK\n", kernel.release, kernel.machine,
	       sysconf(_SC_PAGESIZE) / 1024);
	print_processor();
	printf("device     %04x:%04x %s, driver %s\n", device->vendor, device->device,
	       device->name ? device->name : "", device->driver);
	printf("register   BAR %d of %llu bytes, offset 0x%llx, 32 bits\n", report->bar,
	       (unsigned long long)device->resource[report->bar].size,
	       (unsigned long long)report->offset);
	printf("trapped    %.0f ns a read, median\n", report->trapped);
	if (report->mapped)
		printf("mapped     %.0f ns a read, median: 1/%.1f\n", report->mapped,
		       report->trapped / report->mapped);
	else
		printf("mapped     not possible\n");
}
