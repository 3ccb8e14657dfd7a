// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>

#include "bus/bar.h"
#include "commands/run.h"

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

bool run_is_idle(struct run *run)
{
	const struct transaction *transaction = &run->transaction;
	const struct obstacle *one;
	bool idle = true;

	while (run->checked < transaction->count) {
		const struct change *change = &transaction->change[run->checked];
		struct obstacles *obstacles = grow(run->obstacles, run->checked);

		if (change->wanted || run->hand_over)
			in_use(&run->machine, change->device, obstacles);
		for_each(one, obstacles->obstacle, obstacles->count)
			complain(NULL, run->options->force ? "--force overrides that %s is in use: %s" :
				 "%s is in use: %s", change->device->address, one->text);
		idle &= !obstacles->count;
	}
	return idle || run->options->force;
}

int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

void log_close(int fd, const char *address)
{
	char record[2048], *text;
	ssize_t n;

	/* A record that the log has lost meanwhile is EPIPE. */
	while (address && ((n = read(fd, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE))) {
		record[n > 0 ? n : 0] = '\0';
		text = strchr(record, ';');
		if (!text || !strstr(text, address))
			continue;
		text[strcspn(text, "\n")] = '\0';
		fprintf(stderr, "  kernel: %s\n", text + 1);
	}
	if (fd >= 0)
		close(fd);
}

/* What has become of the BARs that are smaller than a page. */
static void print_bars(const struct bus *bus, const struct device *device)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	char reason[200], original[32];
	struct verdict verdict;
	int bar;

	for (bar = 0; bar < BARS; bar++) {
		if (!bar_exists(device, bar) || device->resource[bar].size >= page)
			continue;
		bar_judge(bus, device, bar, &verdict);
		/* The latter of a BAR that our driver has moved alone. */
		device_read_bar(device, bar, "original", original, sizeof(original));
		printf("  BAR %d at 0x%llx: %s%s%s%s\n", bar, (unsigned long long)device->resource[bar].start,
		       verdict.part[0].why, *original ? " (was at " : "", original, *original ? ")" : "");
		bar_verdict_free(&verdict);
	}
	if (device_read(device, OURS "/msix_reason", reason, sizeof(reason)) > 0)
		printf("  MSI-X table: %s\n", reason);
	if (bar_table_is_elsewhere(device) &&
	    device_read(device, OURS "/msix_relocation_reason", reason, sizeof(reason)) > 0)
		printf("  MSI-X table: users see it %s\n", reason);
}

/* What a VMM has to be told so that its guest reaches the device's registers; both to free(). */
static char *hint_qemu(const struct device *device)
{
	char *elsewhere = bar_needs_relocation(device) ? bar_relocation(device) : NULL;

	return elsewhere ? elsewhere : format("-device vfio-pci,host=%s", device->address);
}

/* libvirt has no word for the relocation: QEMU's own is set behind its back, by the alias. */
static char *relocation_for_libvirt(const char *alias, int bar)
{
	if (bar < 0)
		return format("%s", "");
	return format("\n<!-- and at the end of <domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'> -->\n"
		      "<qemu:override>\n"
		      "  <qemu:device alias='%s'>\n"
		      "    <qemu:frontend>\n"
		      "      <qemu:property name='x-msix-relocation' type='string' value='bar%d'/>\n"
		      "    </qemu:frontend>\n"
		      "  </qemu:device>\n"
		      "</qemu:override>", alias, bar);
}

static char *hint_libvirt(const struct device *device)
{
	unsigned int domain = 0, bus = 0, slot = 0, function = 0;
	char alias[32], *behind, *text;

	sscanf(device->address, "%x:%x:%x.%x", &domain, &bus, &slot, &function);
	snprintf(alias, sizeof(alias), "ua-%04x-%02x-%02x-%x", domain, bus, slot, function);
	behind = relocation_for_libvirt(alias, bar_needs_relocation(device) ? bar_for_msix(device) : -1);
	/*
	 * It is bound already: nothing to manage. Older versions know no driver but vfio-pci, and hand it over to that.
	 */
	text = format("<hostdev mode='subsystem' type='pci' managed='no'>\n"
		      "  <!-- libvirt before 10.0 wants managed='yes' -->\n"
		      "  <source>\n"
		      "    <address domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>\n"
		      "  </source>\n"
		      "  <alias name='%s'/>\n"
		      "</hostdev>%s", domain, bus, slot, function, alias, behind);
	free(behind);
	return text;
}

/* As asked for; NULL: nothing. */
static void find_hints(const struct run *run, const struct device *device, char **qemu, char **libvirt)
{
	*qemu = run->options->qemu ? hint_qemu(device) : NULL;
	*libvirt = run->options->libvirt ? hint_libvirt(device) : NULL;
}

/* A row for each use of the device, or one if there is none. */
static void add_rows(const struct run *run, struct table *table, int which, bool done)
{
	static const struct obstacles none;
	const struct obstacles *obstacles = which < run->checked ? &run->obstacles[which] : &none;
	const struct change *change = &run->transaction.change[which];
	const struct device *device = change->device;
	char *qemu, *libvirt;
	int i = 0;

	find_hints(run, device, &qemu, &libvirt);

	do {
		table_row(table, device->address, device->driver, device->group);
		table_text(table, COL_BEFORE, change->driver);
		table_bool(table, COL_CHANGED, done ? change->begun : change->stuck);
		if (i < obstacles->count) {
			table_text(table, COL_CODE, reason_code(obstacles->obstacle[i].reason));
			table_text(table, COL_REASON, obstacles->obstacle[i].text);
		}
		table_text(table, COL_QEMU, qemu);
		table_lines(table, COL_LIBVIRT, libvirt);
	} while (++i < obstacles->count);
	free(qemu);
	free(libvirt);
}

static void tell(const struct run *run, const struct change *change)
{
	const struct device *device = change->device;
	char *qemu, *libvirt;

	if (strcmp(device->driver, change->driver))
		printf("%s: driver %s, was %s\n", device->address, driver_text(device->driver),
		       driver_text(change->driver));
	else
		printf("%s: driver %s, %s\n", device->address, driver_text(device->driver),
		       change->begun ? "as before" : "nothing to do");
	if (is_ours(device) || run->hand_over)
		print_bars(&run->bus, device);
	find_hints(run, device, &qemu, &libvirt);
	if (qemu)
		puts(qemu);
	if (libvirt)
		puts(libvirt);
	free(qemu);
	free(libvirt);
}

/* People are told of what was done only; what was not, and why, was said already. */
static void report(const struct run *run, bool done)
{
	bool people = table_is_for_people(&run->options->format);
	struct table *table = people ? NULL : table_new("devices", run_columns, &run->options->format);
	int i;

	progress(NULL);
	for (i = 0; i < run->transaction.count; i++)
		if (table)
			add_rows(run, table, i, done);
		else if (done)
			tell(run, &run->transaction.change[i]);
	if (table)
		table_end(table, "");
}

int run_finish(struct run *run, int code)
{
	bool interrupted = transaction_interrupted(&run->transaction);
	bool done = code == CODE_OK && !interrupted, begun = false;
	const struct change *change;

	for_each(change, run->transaction.change, run->transaction.count)
		begun |= change->begun;
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
		complain(NULL, "all was done, but the output could not be written: %s", strerror(errno));
		code = CODE_CHANGED;
	}
	/* An interrupt ends the program here, as whoever has sent it expects. */
	transaction_end(&run->transaction, done || code == CODE_STUCK);
	return code;
}

void run_free(struct run *run)
{
	struct obstacles *obstacles;

	for_each(obstacles, run->obstacles, run->checked)
		obstacles_free(obstacles);
	free(run->obstacles);
	machine_free(&run->machine);
	bus_free(&run->bus);
}
