// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/bar.h"
#include "commands/run.h"
#include "guest/hints.h"

enum { COL_ADDRESS, COL_BEFORE, COL_DRIVER, COL_GROUP, COL_CHANGED, COL_CODE, COL_REASON, COL_QEMU, COL_LIBVIRT };

/* To people the commands speak in sentences. */
const struct column run_columns[] = {
	[COL_ADDRESS] = ADDRESS_COLUMN(SHOWN),
	[COL_BEFORE] = { "DRIVER_BEFORE", COLUMN_TEXT, SHOWN, "the driver that had it; empty: none" },
	[COL_DRIVER] = DRIVER_COLUMN(SHOWN),
	[COL_GROUP] = GROUP_COLUMN(HIDDEN),
	[COL_CHANGED] = { "CHANGED", COLUMN_BOOL, SHOWN, "has anything of it been changed?" },
	[COL_CODE] = { "REASON_CODE", COLUMN_TEXT, SHOWN,
		"how it is in use, in a word that stays; a row for each; empty: it is not" },
	[COL_REASON] = { "REASON", COLUMN_TEXT, SHOWN, "the same in words, with its users" },
	[COL_QEMU] = { "QEMU", COLUMN_TEXT, HIDDEN, "QEMU's option for it, with --qemu" },
	[COL_LIBVIRT] = { "LIBVIRT", COLUMN_TEXT, HIDDEN, "libvirt's XML for it, with --libvirt" },
	{ 0 }
};

bool is_ours(const struct device *device)
{
	return !strcmp(device->driver, OURS);
}

bool is_given(const struct device *device)
{
	return is_ours(device) || device_is_held(device);
}

bool saved_is_ours(const struct change *change)
{
	return change->saved && !strcmp(change->saved, OURS);
}

void run_begin(struct run *run, const struct options *options, bool to_bind)
{
	struct transaction *transaction = &run->transaction;
	int i;

	transaction_begin(transaction);
	for (i = 0; i < options->devices; i++) {
		struct device *device = bus_find(&run->bus, options->device[i]);

		device_refresh(device);
		transaction_add(transaction, device, to_bind ? !is_ours(device) : is_given(device));
	}
	for (i = transaction->count - 1; i >= 0; i--)
		group_add(run, transaction->change[i].device, to_bind);
}

/* Look at those that were not looked at before. Returns false, and says why, if one is in use. */
bool run_is_idle(struct run *run)
{
	const struct transaction *transaction = &run->transaction;
	bool idle = true;
	int n;

	while (run->checked < transaction->count) {
		const struct change *change = &transaction->change[run->checked];
		struct obstacles *obstacles = grow(run->obstacles, run->checked);

		if (change->wanted || run->hand_over)
			in_use(&run->machine, change->device, obstacles);
		for (n = 0; n < obstacles->count; n++)
			complain(NULL, run->options->force ? "--force overrides that %s is in use: %s" :
				 "%s is in use: %s", change->device->address,
				 obstacles->obstacle[n].text);
		idle &= !obstacles->count;
	}
	return idle || run->options->force;
}

int log_end(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* What the kernel has said of the device since then. */
void log_print(int fd, const char *address)
{
	char record[2048], *text;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, record, sizeof(record) - 1)) != 0) {
		if (n < 0 && errno == EPIPE)
			continue;
		if (n < 0)
			break;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text || !strstr(text, address))
			continue;
		text[strcspn(text, "\n")] = '\0';
		fprintf(stderr, "  kernel: %s\n", text + 1);
	}
}

static void print_bars(const struct device *device)
{
	char reason[200], original[32];
	int bar;

	for (bar = 0; bar < BARS; bar++) {
		if (device_read_bar(device, bar, "reason", reason, sizeof(reason)) < 0)
			continue;
		printf("  BAR %d at 0x%llx: %s", bar, (unsigned long long)device->resource[bar].start,
		       reason);
		/* Of a BAR that has moved alone. */
		if (device_read_bar(device, bar, "original", original, sizeof(original)) > 0)
			printf(" (was at %s)", original);
		putchar('\n');
	}
	if (device_read(device, OURS "/msix_reason", reason, sizeof(reason)) > 0)
		printf("  MSI-X table: %s\n", reason);
	if (bar_table_is_elsewhere(device) &&
	    device_read(device, OURS "/msix_relocation_reason", reason, sizeof(reason)) > 0)
		printf("  MSI-X table: users see it %s\n", reason);
}

/* What another driver does not say of itself. */
static void print_places(const struct bus *bus, const struct device *device)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	struct verdict verdict;
	int bar;

	for (bar = 0; bar < BARS; bar++) {
		if (!bar_exists(device, bar) || device->resource[bar].size >= page)
			continue;
		bar_judge(bus, device, bar, &verdict);
		printf("  BAR %d at 0x%llx: %s\n", bar, (unsigned long long)device->resource[bar].start,
		       verdict.part[0].why);
		bar_verdict_free(&verdict);
	}
}

/* What a VMM is to be told, as asked for; NULL: nothing. */
struct hints {
	char *qemu, *libvirt;
};

static struct hints hints_for(const struct options *options, const struct device *device)
{
	return (struct hints) {
		.qemu = options->qemu ? hint_qemu(device) : NULL,
		.libvirt = options->libvirt ? hint_libvirt(device) : NULL,
	};
}

static void hints_free(struct hints *hints)
{
	free(hints->qemu);
	free(hints->libvirt);
}

/* A row for each use of the device, or one if there is none. */
static void add_rows(struct table *table, const struct change *change, bool done,
		     const struct obstacles *obstacles, const struct hints *hints)
{
	const struct device *device = change->device;
	int i = 0;

	do {
		table_row(table, device->address, device->driver, device->group);
		table_text(table, COL_BEFORE, change->driver);
		table_bool(table, COL_CHANGED, done ? change->begun : change->stuck);
		if (i < obstacles->count) {
			table_text(table, COL_CODE, reason_code(obstacles->obstacle[i].reason));
			table_text(table, COL_REASON, obstacles->obstacle[i].text);
		}
		table_text(table, COL_QEMU, hints->qemu);
		table_lines(table, COL_LIBVIRT, hints->libvirt);
	} while (++i < obstacles->count);
}

static void tell(const struct run *run, const struct change *change, const struct hints *hints)
{
	const struct device *device = change->device;

	if (strcmp(device->driver, change->driver))
		printf("%s: driver %s, was %s\n", device->address, driver_text(device->driver),
		       driver_text(change->driver));
	else
		printf("%s: driver %s, %s\n", device->address, driver_text(device->driver),
		       change->begun ? "as before" : "nothing to do");
	if (is_ours(device))
		print_bars(device);
	else if (run->hand_over)
		print_places(&run->bus, device);
	if (hints->qemu)
		printf("%s\n", hints->qemu);
	if (hints->libvirt)
		printf("%s\n", hints->libvirt);
}

/* People are told of what was done only; what was not, and why, was said already. */
static void report(const struct run *run, bool done)
{
	bool people = table_is_for_people(&run->options->format);
	struct table *table = people ? NULL : table_new("devices", run_columns, &run->options->format);
	int i;

	progress(NULL);
	for (i = 0; i < run->transaction.count; i++) {
		static const struct obstacles none;
		const struct change *change = &run->transaction.change[i];
		struct hints hints = hints_for(run->options, change->device);

		if (table)
			add_rows(table, change, done, i < run->checked ? &run->obstacles[i] : &none, &hints);
		else if (done)
			tell(run, change, &hints);
		hints_free(&hints);
	}
	if (table)
		table_end(table, "");
}

/* All or nothing: after a failure nothing. */
int run_finish(struct run *run, int code)
{
	bool interrupted = transaction_interrupted(&run->transaction);
	bool done = code == CODE_OK && !interrupted, begun = false;
	int i;

	for (i = 0; i < run->transaction.count; i++)
		begun |= run->transaction.change[i].begun;
	if (interrupted) {
		complain(NULL, "interrupted");
		code = CODE_FAILED;
	}
	if (!done && begun && !transaction_undo(&run->transaction))
		code = CODE_STUCK;
	else if (!done)
		complain(code == CODE_IN_USE ? "stop the user first, or override with --force" : NULL,
			 "nothing was changed: each device has the driver it had");
	report(run, done);
	if (done && fflush(stdout)) {
		complain(NULL, "all was done, but the output could not be written: %s",
			 strerror(errno));
		code = CODE_CHANGED;
	}
	/* An interrupt ends the program here, as whoever has sent it expects. */
	transaction_end(&run->transaction, done || code == CODE_STUCK);
	return code;
}

void run_free(struct run *run)
{
	int i;

	for (i = 0; i < run->checked; i++)
		obstacles_free(&run->obstacles[i]);
	free(run->obstacles);
	machine_free(&run->machine);
	bus_free(&run->bus);
}
