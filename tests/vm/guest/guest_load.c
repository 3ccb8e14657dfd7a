// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "file.h"
#include "guest_load.h"
#include "interrupts.h"

struct guest_load guest_loads[GUEST_DISK_DEPTHS];

static double kvm_counter(const char *name)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s", name);
	return file_read(path, text, sizeof(text)) > 0 ? atof(text) : 0;
}

struct counters counters_now(void)
{
	struct counters now = {
		.ns = bench_now_ns(),
		.exits = kvm_counter("exits"),
		.to_qemu = kvm_counter("mmio_exit_user"),
		.disk = interrupts_count("vfio-msix", NULL, 0),
	};
	unsigned long long idle = 0, waiting = 0;
	char text[4096];

	/* The idle time, unlike the others, is measured and not sampled. */
	if (file_read("/proc/stat", text, sizeof(text)) > 0)
		sscanf(text, "cpu %*u %*u %*u %llu %llu", &idle, &waiting);
	now.idle_ns = (idle + waiting) * 1e9 / sysconf(_SC_CLK_TCK);
	return now;
}

static void watch(const char *output)
{
	int i;

	for (i = 0; i < GUEST_DISK_DEPTHS; i++) {
		struct guest_load *load = &guest_loads[i];

		load->ended = load->ended || guest_disk_ended(output, guest_disk_depths[i]);
		if (load->ended || !guest_disk_begun(output, guest_disk_depths[i]))
			continue;
		load->to = counters_now();
		/* At the first the guest's console may not be done with the line yet. */
		if (load->looks++ < 2)
			load->from = load->to;
	}
}

bool guest_load_run(const struct nested_device *disk, const char *kernel, unsigned int ms,
		    struct random_read results[GUEST_DISK_DEPTHS])
{
	memset(guest_loads, 0, sizeof(guest_loads));
	return guest_disk_run(disk, kernel, ms, watch, results);
}

double guest_load_reads(int depth, const struct random_read results[GUEST_DISK_DEPTHS])
{
	const struct guest_load *load = &guest_loads[depth];

	return (load->to.ns - load->from.ns) / 1e9 * results[depth].rate.median;
}

double guest_load_to_qemu(const struct random_read results[GUEST_DISK_DEPTHS])
{
	double fewest = -1;
	int i;

	for (i = 0; i < GUEST_DISK_DEPTHS; i++) {
		const struct guest_load *load = &guest_loads[i];
		double reads = guest_load_reads(i, results), exits;

		if (reads <= 0)
			continue;
		exits = (load->to.to_qemu - load->from.to_qemu) / reads;
		if (fewest < 0 || exits < fewest)
			fewest = exits;
	}
	return fewest;
}
