// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "image.h"
#include "log.h"
#include "nested.h"
#include "tap.h"

/* In the image's own root, which has a /tmp of its own. */
#define PAYLOAD "/tmp/guest.elf"
#define TRACE "/tmp/trace"
#define IN_IMAGE(path) "/nested" path
#define OUTPUT "/tmp/nested-output"

#define SECONDS 60
#define DEVICES_MAX 24

/* Nothing here but what the payload needs: each device of its own makes the start longer. */
static const char * const command[] = {
#if defined(__x86_64__)
	"qemu-system-x86_64", "-M", "q35", "-accel", "tcg",
#elif defined(__aarch64__)
	"qemu-system-aarch64", "-M", "virt,gic-version=3", "-accel", "kvm", "-cpu", "host",
#else
	"qemu-system-ppc64",
#endif
	"-m", "64", "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
	"-kernel", PAYLOAD,
};

static const char * const trace_options[] = {
	/* To a file: the console is written byte by byte, and the trace in between. */
	"-trace", "vfio_region_*", "-trace", "memory_region_ram_device_read", "-D", TRACE,
};

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

static int copy_payload(void)
{
	size_t len, written;
	char *data = file_slurp("/guest.elf", &len);
	FILE *out;

	if (!data)
		return -errno;
	out = fopen(IN_IMAGE(PAYLOAD), "w");
	if (!out) {
		free(data);
		return -errno;
	}
	written = fwrite(data, 1, len, out);
	free(data);
	return fclose(out) || written != len ? -EIO : 0;
}

static void parse(struct nested *nested)
{
	const char *line;

	for (line = nested->output; line; line = strchr(line, '\n')) {
		struct nested_bar *bar = &nested->bars[nested->count];
		unsigned long long size, address, ns, reads;

		line += *line == '\n';
		if (nested->count < LENGTH(nested->bars) &&
		    sscanf(line, "guest 00:%x.0 %*x:%*x bar%d size %llx addr %llx reg %x value %x ns %llu reads %llu",
			   &bar->slot, &bar->bar, &size, &address, &bar->reg, &bar->value, &ns,
			   &reads) == 8) {
			bar->size = size;
			bar->address = address;
			bar->ns = ns;
			bar->reads = reads;
			nested->count++;
		}
	}
}

static void tell(const char *what, const char *text)
{
	diag("%s: %.600s", what, text && *text ? text : "(nothing)");
}

int nested_run(const struct nested_device *devices, int count, bool trace, struct nested *nested)
{
	char arguments[DEVICES_MAX][160];
	const char *argv[LENGTH(command) + LENGTH(trace_options) + 2 * DEVICES_MAX + 1];
	int argc = 0, i, status;

	*nested = (struct nested) { .count = 0 };
	if (count > DEVICES_MAX)
		return -E2BIG;
	status = copy_payload();
	if (status)
		return status;

	for (i = 0; i < LENGTH(command); i++)
		argv[argc++] = command[i];
	for (i = 0; i < LENGTH(trace_options) && trace; i++)
		argv[argc++] = trace_options[i];
	for (i = 0; i < count; i++) {
		snprintf(arguments[i], sizeof(arguments[i]), "vfio-pci,host=%s,addr=%#x,rombar=0%s",
			 devices[i].dev.bdf, i + 1, devices[i].options);
		argv[argc++] = "-device";
		argv[argc++] = arguments[i];
	}
	argv[argc] = NULL;

	status = image_run((char *const *)argv, OUTPUT, SECONDS);
	nested->output = file_slurp(OUTPUT, NULL);
	if (trace)
		nested->trace = file_slurp(IN_IMAGE(TRACE), NULL);
	if (status || !nested->output || !strstr(nested->output, "guest done")) {
		diag("%s ended with status %d", argv[0], status);
		tell("it says", nested->output);
		return status < 0 ? status : -EPROTO;
	}
	parse(nested);
	return 0;
}

void nested_free(struct nested *nested)
{
	free(nested->output);
	free(nested->trace);
	*nested = (struct nested) { .count = 0 };
}

const struct nested_bar *nested_bar(const struct nested *nested, int n, int bar)
{
	int i;

	for (i = 0; i < nested->count; i++)
		if (nested->bars[i].slot == (unsigned int)n + 1 && nested->bars[i].bar == bar)
			return &nested->bars[i];
	return NULL;
}

static int count_trace(const struct nested *nested, const char *text)
{
	return nested->trace ? log_count(nested->trace, text) : 0;
}

int nested_reads(const struct nested *nested, const struct pci_dev *dev, int bar)
{
	char text[64];

	snprintf(text, sizeof(text), "vfio_region_read  (%s:region%d+", dev->bdf, bar);
	return count_trace(nested, text);
}

int nested_mmaps(const struct nested *nested, const struct pci_dev *dev, int bar)
{
	char text[64];

	snprintf(text, sizeof(text), "vfio_region_mmap Region %s BAR %d ", dev->bdf, bar);
	return count_trace(nested, text);
}

int nested_mapped_reads(const struct nested *nested)
{
	return count_trace(nested, "memory_region_ram_device_read ");
}
