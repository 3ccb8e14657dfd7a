// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "file.h"
#include "image.h"
#include "kmod.h"
#include "log.h"
#include "nested.h"
#include "tap.h"

/* In the image's own root, which has a /tmp of its own. */
#define FILES "/tmp/guest"
#define TRACE "/tmp/trace"
#define IN_IMAGE(path) "/nested" path
#define OUTPUT "/tmp/nested-output"

/* A busy host makes an emulated machine many times slower. */
#define SECONDS 180
#ifdef __powerpc__
#define LINUX_MEMORY "768"
#define LINUX_APPEND "console=hvc0"
/* An emulated machine in an emulated machine. */
#define LINUX_SECONDS 900
#elif defined(__x86_64__)
#define LINUX_MEMORY "256"
#define LINUX_APPEND "console=ttyS0 mitigations=off no_timer_check tsc=nowatchdog"
#define LINUX_SECONDS 900
#else
#define LINUX_MEMORY "256"
#define LINUX_APPEND "console=ttyAMA0 kpti=off mitigations=off"
#define LINUX_SECONDS 300
#endif
#define GUEST_ARGUMENTS_MAX 10
#define DEVICES_MAX 24

/* Nothing here but what a guest needs: each device of its own makes the start longer. */
static const char * const command[] = {
#if defined(__x86_64__)
	"qemu-system-x86_64", "-M", "q35", "-accel", "kvm", "-accel", "tcg",
#elif defined(__aarch64__)
	"qemu-system-aarch64", "-M", "virt,gic-version=3", "-accel", "kvm", "-cpu", "host",
#elif defined(__powerpc__)
	"qemu-system-ppc64", "-M", "pseries", "-accel", "tcg", "-cpu", "power9",
#endif
	"-nodefaults", "-display", "none", "-serial", "stdio",
};

static const char * const trace_options[] = {
	/* To a file: the console is written byte by byte, and the trace in between. */
	"-trace", "vfio_region_*", "-trace", "memory_region_ram_device_read", "-D", TRACE,
};

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Many a megabyte: QEMU sees what the initial file system has, not a copy. */
static int share_files(void)
{
	if (mkdir(IN_IMAGE(FILES), 0755))
		return errno == EEXIST ? 0 : -errno;
	return mount("/guest", IN_IMAGE(FILES), NULL, MS_BIND, NULL) ? -errno : 0;
}

static void parse(struct nested *nested)
{
	const char *line;

	for (line = nested->output; line; line = strchr(line, '\n')) {
		struct nested_bar *bar = &nested->bars[nested->count];
		unsigned long long size, address, ns, reads;

		line += *line == '\n';
		if (nested->count == LENGTH(nested->bars))
			break;
		bar->write = (struct bench_spread) {};
		if (sscanf(line,
			   "guest 00:%x.0 %*x:%*x bar%d size %llx addr %llx reg %x value %x ns %llu reads %llu from %lf to %lf of %d ns %lf writes %*u from %lf to %lf of %d",
			   &bar->slot, &bar->bar, &size, &address, &bar->reg, &bar->value, &ns,
			   &reads, &bar->read.low, &bar->read.high, &bar->read.n, &bar->write.median,
			   &bar->write.low, &bar->write.high, &bar->write.n) < 11)
			continue;
		bar->size = size;
		bar->address = address;
		bar->ns = ns;
		bar->read.median = ns;
		bar->reads = reads;
		nested->count++;
	}
}

/* The end is where it went wrong. */
static void tell(const char *what, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	diag("%s: %s", what, len ? text + (len > 600 ? len - 600 : 0) : "(nothing)");
}

/* QEMU's command line. */
struct arguments {
	char device[DEVICES_MAX][160];
	const char *argv[LENGTH(command) + GUEST_ARGUMENTS_MAX + LENGTH(trace_options) + 2 * DEVICES_MAX + 1];
};

/* guest: more arguments, up to a NULL. */
static int prepare(const char *const guest[], const struct nested_device *devices, int count, bool trace,
		   struct arguments *arguments)
{
	const char **argv = arguments->argv;
	int argc = 0, i;

	if (count > DEVICES_MAX)
		return -E2BIG;
	for (i = 0; i < LENGTH(command); i++)
		argv[argc++] = command[i];
	for (i = 0; guest[i]; i++)
		argv[argc++] = guest[i];
	for (i = 0; i < LENGTH(trace_options) && trace; i++)
		argv[argc++] = trace_options[i];
	for (i = 0; i < count; i++) {
		snprintf(arguments->device[i], sizeof(arguments->device[i]),
			 "vfio-pci,host=%s,addr=%#x,rombar=0%s", devices[i].dev.bdf, i + 1,
			 devices[i].options);
		argv[argc++] = "-device";
		argv[argc++] = arguments->device[i];
	}
	argv[argc] = NULL;
	return share_files();
}

/* last: what a guest that ran to its end has printed. */
static int run_qemu(const char *const guest[], const char *last, int seconds,
		    const struct nested_device *devices, int count, bool trace,
		    void (*watch)(const char *output), struct nested *nested)
{
	struct arguments arguments;
	int status;

	*nested = (struct nested) { .count = 0 };
	status = prepare(guest, devices, count, trace, &arguments);
	if (status)
		return status;
	status = image_run_watched((char *const *)arguments.argv, OUTPUT, seconds, watch);
	nested->output = file_slurp(OUTPUT, NULL);
	if (trace)
		nested->trace = file_slurp(IN_IMAGE(TRACE), NULL);
	if (status || !nested->output || !strstr(nested->output, last)) {
		diag("%s ended with status %d", arguments.argv[0], status);
		tell("it says", nested->output);
		return status < 0 ? status : -EPROTO;
	}
	return 0;
}

int nested_run(const struct nested_device *devices, int count, bool trace, struct nested *nested)
{
	static const char *const guest[GUEST_ARGUMENTS_MAX + 1] = {
		"-m", "64", "-no-reboot", "-kernel", FILES "/payload.elf",
	};
	int err = run_qemu(guest, "guest done", SECONDS, devices, count, trace, NULL, nested);

	if (!err)
		parse(nested);
	return err;
}

int nested_run_linux(const struct nested_device *devices, int count, const struct nested_linux *linux_guest,
		     struct nested *nested)
{
	const char *name = linux_guest->name ?: ".";
	char append[256], kernel[64], initrd[64], processors[8];
	const char *const guest[GUEST_ARGUMENTS_MAX + 1] = {
		"-m", LINUX_MEMORY, "-smp", processors, "-kernel", kernel, "-initrd", initrd, "-append", append,
	};

	snprintf(processors, sizeof(processors), "%d", linux_guest->processors ?: 1);
	snprintf(kernel, sizeof(kernel), FILES "/%s/vmlinuz", name);
	snprintf(initrd, sizeof(initrd), FILES "/%s/initrd", name);
	/* Each byte on its console is a trap: hear no more of the kernel than must be. */
	snprintf(append, sizeof(append), LINUX_APPEND " loglevel=4 printk.devkmsg=on %s",
		 linux_guest->parameters);
	return run_qemu(guest, "TAP| 1..", LINUX_SECONDS, devices, count, linux_guest->trace,
			linux_guest->watch, nested);
}

pid_t nested_start(const char *payload, const struct nested_device *devices, int count,
		   const char *const more[])
{
	const char *guest[GUEST_ARGUMENTS_MAX + 1] = { "-m", "64", "-kernel", payload };
	struct arguments arguments;
	unsigned int ms;
	pid_t pid;
	int err, i;

	for (i = 0; more[i] && i + 4 < GUEST_ARGUMENTS_MAX; i++)
		guest[i + 4] = more[i];
	err = prepare(guest, devices, count, false, &arguments);
	if (err)
		return err;
	pid = image_start((char *const *)arguments.argv, OUTPUT);
	for (ms = 0; pid > 0 && ms < SECONDS * 1000; ms += 50) {
		if (nested_has_said("guest stays"))
			return pid;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			break;
		sleep_ms(50);
	}
	tell("it says", file_slurp(OUTPUT, NULL));
	if (pid > 0)
		nested_stop(pid);
	return -EPROTO;
}

void nested_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

bool nested_has_said(const char *text)
{
	char *output = file_slurp(OUTPUT, NULL);
	bool said = output && strstr(output, text);

	free(output);
	return said;
}

int nested_relay(struct nested *nested)
{
	int boots = 0, tests = 0;
	char *line, *rest;

	for (line = strtok_r(nested->output, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
		const char *text = strstr(line, "TAP| "), *what;

		if (!text)
			continue;
		text += strlen("TAP| ");
		what = strstr(text, " - ");
		if (!strncmp(text, "1..", 3)) {
			boots += atoi(text + 3) == tests;
			tests = 0;
		} else if (*text == '#') {
			diag("guest %s", text);
		} else {
			ok(!strncmp(text, "ok ", 3), "guest, boot %d: %s", boots, what ? what + 3 : text);
			tests++;
		}
	}
	return boots;
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
