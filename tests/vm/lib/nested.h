/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NESTED_H
#define NESTED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench.h"
#include "pci.h"

/*
 * QEMU inside the test machine, unmodified, with devices passed through to a
 * guest. The scenario must want "nested"; image_mount() comes first.
 */

/* A device to pass on. The guest finds device N of a run in slot N + 1. */
struct nested_device {
	struct pci_dev dev;
	const char *options;	/* for -device vfio-pci, starting with a comma; or "" */
};

/* What the guest said of a BAR. */
struct nested_bar {
	unsigned int slot;
	int bar;
	uint64_t size, address;
	uint32_t reg, value;
	uint64_t ns;		/* of one read, in the guest's time */
	uint64_t reads;
	/* Both in ns; of writes only where it knows a register that may be written. */
	struct bench_spread read, write;
};

struct nested {
	struct nested_bar bars[64];
	int count;
	char *output, *trace;
};

/*
 * Run the payload of tests/guest until it switches itself off; the scenario must
 * have it as /guest/payload.elf. With trace QEMU notes each access that it makes in
 * the guest's place, which makes these much slower. Returns 0 or -errno; -EPROTO,
 * after telling why, when the guest or QEMU failed. nested_free() in any case.
 */
int nested_run(const struct nested_device *devices, int count, bool trace, struct nested *nested);
/*
 * A guest that is a Linux with this machine's PID 1. On arm64 and ppc64le; the
 * scenario must want "linux", or "guest:NAME".
 */
struct nested_linux {
	const char *name;	/* of the guest; NULL: it is this machine once more */
	const char *parameters;	/* more of its kernel command line, "run=CASE" among them */
	int processors;			/* 0: one */
	bool trace;
	/* Called ten times a second, with all that the guest has printed until then. */
	void (*watch)(const char *output);
};

/* The same for such a guest. */
int nested_run_linux(const struct nested_device *devices, int count, const struct nested_linux *linux_guest,
		     struct nested *nested);
void nested_free(struct nested *nested);

/*
 * Run a payload that stays, reading registers for ever: a file of the guest's
 * directory, "/tmp/guest/NAME" in the image. Returns QEMU's pid when it is at that, or
 * -errno after telling why. more: arguments up to a NULL. nested_stop() ends it.
 */
pid_t nested_start(const char *payload, const struct nested_device *devices, int count,
		   const char *const more[]);
void nested_stop(pid_t pid);

/* While a guest runs, for another process: has the guest, or QEMU, printed that yet? */
bool nested_has_said(const char *text);
/*
 * Each result of a Linux guest becomes one of ours; uses nested->output up. Returns
 * how many boots ran to their end.
 */
int nested_relay(struct nested *nested);

/* What the guest said of that BAR of device N, or NULL. */
const struct nested_bar *nested_bar(const struct nested *nested, int n, int bar);

/* In the trace: reads that QEMU passed on with read(), mappings of the BAR that it made ... */
int nested_reads(const struct nested *nested, const struct pci_dev *dev, int bar);
int nested_mmaps(const struct nested *nested, const struct pci_dev *dev, int bar);
/* ... and reads that it made in its own mapping (of any BAR), as KVM could not use that. */
int nested_mapped_reads(const struct nested *nested);

#endif
