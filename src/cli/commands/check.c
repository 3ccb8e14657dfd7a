// SPDX-License-Identifier: GPL-2.0-only
#include "bus/bar.h"
#include "bus/file.h"
#include "commands/options.h"
#include "guest/qmp.h"
#include "guest/vfio_user.h"
#include "print/output.h"

enum {
	COL_PID, COL_COMMAND, COL_VM, COL_EXITS, COL_MONITOR, COL_HELD, COL_DRIVER, COL_CODE, COL_HELP,
	COL_GUEST_START,
	/* From here on what people see; the last one is a sentence. */
	COL_ADDRESS, COL_BAR, COL_OFFSET, COL_SIZE, COL_MAPPED, COL_DIRECT, COL_REASON,
};

static const struct column columns[] = {
	[COL_PID] = { "PID", COLUMN_NUMBER, SHOWN_IF_FLAT, "the process" },
	[COL_COMMAND] = { "COMMAND", COLUMN_TEXT, HIDDEN, "its name" },
	[COL_VM] = { "KVM", COLUMN_BOOL, HIDDEN, "does it run a guest under KVM?" },
	[COL_EXITS] = { "MMIO_EXITS", COLUMN_NUMBER, HIDDEN,
		"accesses a second that left this guest for its VMM; empty: KVM does not tell" },
	[COL_MONITOR] = { "MONITOR", COLUMN_BOOL, HIDDEN, "has QEMU's monitor told where the guest has its BARs?" },
	[COL_HELD] = { "HELD", COLUMN_TEXT, HIDDEN, "yes, or unsure: its group is open, and there are others in it" },
	[COL_DRIVER] = DRIVER_COLUMN(HIDDEN),
	[COL_CODE] = CODE_COLUMN(HIDDEN),
	[COL_HELP] = HELP_COLUMN(HIDDEN),
	[COL_GUEST_START] = { "GUEST_START", COLUMN_HEX, HIDDEN,
		"where the guest has put the BAR; empty: nowhere, or unknown" },
	[COL_ADDRESS] = ADDRESS_COLUMN(SHOWN),
	[COL_BAR] = BAR_COLUMN(SHOWN),
	[COL_OFFSET] = PART_OFFSET_COLUMN(SHOWN),
	[COL_SIZE] = PART_SIZE_COLUMN(SHOWN),
	[COL_MAPPED] = { "MAPPED", COLUMN_TEXT, SHOWN, "has the process mapped it: yes, no or unsure" },
	[COL_DIRECT] = { "DIRECT", COLUMN_TEXT, SHOWN,
		"is an access a load or a store, without exit and system call: yes, no or unsure" },
	[COL_REASON] = REASON_COLUMN(SHOWN),
	{ 0 }
};

/* The answer for one part of a BAR in one process. */
struct answer {
	enum mapped mapped, direct;
	enum reason reason;
	char *why, *help;
};

static const char * const answer_text[] = { [MAPPED_NO] = "no", [MAPPED_UNSURE] = "unsure", [MAPPED_YES] = "yes" };
static const enum colour answer_colour[] = { [MAPPED_NO] = BAD, [MAPPED_UNSURE] = BETTER, [MAPPED_YES] = GOOD };

/* What is known of one process. */
struct look {
	const struct bus *bus;
	struct vfio_user user;
	struct monitor *monitor;
	char *no_monitor;	/* why the monitor has told nothing; NULL: it has */
	int64_t exits;		/* a second; or why they are unknown, as -errno */
};

static void say(struct answer *answer, enum mapped direct, enum reason reason, char *why, char *help)
{
	answer->direct = direct;
	answer->reason = reason;
	answer->why = why;
	answer->help = help;
}

static bool is_qemu(const struct vfio_user *user)
{
	return !strncmp(user->name, "qemu", 4) || !strncmp(user->name, "kvm", 3);
}

/* Did the operator ask QEMU to put the MSI-X table of this device elsewhere? */
static bool is_relocated(const struct vfio_user *user, const struct device *device)
{
	const char *word = vfio_user_word_of(user, device), *option;

	option = word ? strstr(word, "x-msix-relocation") : NULL;
	return option && !strstr(option, "=off") && !strstr(option, ": \"off\"") &&
	       !strstr(option, ":\"off\"");
}

static bool holds_table(const struct device *device, int bar, const struct part *part)
{
	return device->msix == MSIX_PRESENT && device->msix_size && device->msix_bar == bar &&
	       !bar_table_is_elsewhere(device) && device->msix_offset < part->offset + part->size &&
	       device->msix_offset + (uint64_t)device->msix_size > part->offset;
}

/* A remedy takes effect only once nobody has the device open. */
static char *first_stop(const struct look *look, const char *help)
{
	return help ? format("stop process %d (%s) first; %s", look->user.pid, look->user.name, help) : NULL;
}

static char *table_help(const struct look *look, const struct device *device)
{
	char *help = bar_table_help(look->bus, device), *all = first_stop(look, help);

	free(help);
	return all;
}

#define OWN_PORT "put the device behind a pcie-root-port of its own"

static char *guest_help(const struct device *device)
{
	int order = __builtin_ctzll(sysconf(_SC_PAGESIZE));
	const char *also = "";

	if (strcmp(device->driver, OURS))
		also = "; subpage-vfio bind makes the BAR a page long";
	return format("boot the guest with pci=resource_alignment=%d@pci:0:0, or " OWN_PORT "%s", order, also);
}

/* The process has mapped it, and QEMU's monitor tells what the guest sees. */
static void answer_from_monitor(const struct look *look, const struct device *device, int bar,
				const struct part *part, struct answer *answer)
{
	uint64_t page = sysconf(_SC_PAGESIZE), start, covered;
	bool kvm = look->user.vm >= 0;

	if (!guest_bar_address(&look->monitor->map, device->address, bar, &start)) {
		say(answer, MAPPED_NO, REASON_GUEST_OFF, format("the guest has not switched this BAR on"), NULL);
		return;
	}
	covered = guest_bar_covered(&look->monitor->map, device->address, bar, part->offset, part->size, kvm);
	if (covered >= part->size)
		say(answer, MAPPED_YES, REASON_DIRECT, format("the guest reaches it by itself"), NULL);
	else if (holds_table(device, bar, part))
		say(answer, MAPPED_NO, REASON_MSIX_EMULATED,
		    format("QEMU has laid its own MSI-X table over part of this page, and KVM maps only whole pages"),
		    table_help(look, device));
	else if ((start + part->offset) % page)
		say(answer, MAPPED_NO, REASON_GUEST_NOT_ON_PAGE,
		    format("the guest has put this BAR at 0x%llx, not on a page of the host, so KVM cannot map it",
			   (unsigned long long)start), guest_help(device));
	else
		say(answer, MAPPED_NO, REASON_GUEST_COVERED,
		    format("in the guest something else lies over part of this page"),
		    device->resource[bar].size < page ? guest_help(device) : NULL);
}

/* Is a BAR a page long for the guest, too? A guest puts it on a multiple of its size. */
static bool is_page_for_guest(const struct device *device, int bar)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	char own[24], option[256];

	if (device->resource[bar].size >= page || device->resource[bar].held)
		return true;
	return device_read_bar(device, bar, "size", own, sizeof(own)) > 0 &&
	       file_read(option, sizeof(option), "/sys/module/" OURS "/parameters/bar_size") > 0 &&
	       !strstr(option, "exact");
}

/* The same without a monitor: what is sure, and what is likely. */
static void answer_from_outside(const struct look *look, const struct device *device, int bar,
				const struct part *part, struct answer *answer)
{
	const struct vfio_user *user = &look->user;

	if (user->vm < 0)
		say(answer, MAPPED_YES, REASON_DIRECT, format("the process reaches it by loads and stores"), NULL);
	else if (holds_table(device, bar, part) && is_qemu(user) && !is_relocated(user, device))
		say(answer, MAPPED_NO, REASON_MSIX_EMULATED,
		    format("QEMU lays its own MSI-X table over part of this page, and KVM maps only whole pages"),
		    table_help(look, device));
	else if (!is_page_for_guest(device, bar))
		say(answer, MAPPED_UNSURE, REASON_GUEST_UNKNOWN,
		    format("only where the guest has put this BAR on a page of the host; %s",
			   look->no_monitor), guest_help(device));
	else if (holds_table(device, bar, part) && !is_qemu(user))
		say(answer, MAPPED_UNSURE, REASON_GUEST_UNKNOWN,
		    format("only if the VMM has its own MSI-X table elsewhere"), NULL);
	else
		say(answer, MAPPED_YES, REASON_LIKELY_DIRECT,
		    format("it is mapped and fills whole pages; %s", look->no_monitor), NULL);
}

static enum mapped has_mapped(const struct bus *bus, const struct look *look, const struct device *device,
			      int bar, const struct part *part)
{
	uint64_t start;

	/* QEMU knows whose mapping it is, as long as the guest has the BAR on. */
	if (!look->no_monitor && guest_bar_address(&look->monitor->map, device->address, bar, &start))
		return guest_bar_covered(&look->monitor->map, device->address, bar, part->offset, part->size,
					 false) ? MAPPED_YES : MAPPED_NO;
	return vfio_user_has_mapped(bus, &look->user, device, bar, part->offset, part->size);
}

static void find_answer(const struct bus *bus, const struct look *look, const struct device *device, int bar,
			const struct part *part, struct answer *answer)
{
	*answer = (struct answer) { .mapped = has_mapped(bus, look, device, bar, part) };
	if (part->mappable == MAPPABLE_NOT_NEEDED)
		say(answer, MAPPED_NO, part->reason, format("%s", part->why), NULL);
	else if (answer->mapped == MAPPED_UNSURE)
		say(answer, MAPPED_UNSURE, REASON_WHICH_DEVICE,
		    format("the process has mapped such a BAR, but of which of its devices this kernel does not tell"),
		    NULL);
	else if (answer->mapped == MAPPED_YES && !look->no_monitor)
		answer_from_monitor(look, device, bar, part, answer);
	else if (answer->mapped == MAPPED_YES)
		answer_from_outside(look, device, bar, part, answer);
	else if (part->mapped)
		say(answer, MAPPED_NO, REASON_VMM_DOES_NOT_MAP,
		    format("VFIO lets it be mapped (%s), but this process has not done so", part->why),
		    first_stop(look, part->help));
	else
		say(answer, MAPPED_NO, part->reason, format("VFIO does not allow it to be mapped: %s", part->why),
		    first_stop(look, part->help));
}

static void add_row(struct table *table, const struct look *look, const struct held *held, int bar,
		    const struct part *part, const struct answer *answer)
{
	uint64_t start;

	table_row(table, held->device->address, held->device->driver, held->device->group);
	table_number(table, COL_PID, look->user.pid);
	table_text(table, COL_COMMAND, look->user.name);
	table_bool(table, COL_VM, look->user.vm >= 0);
	if (look->exits >= 0)
		table_number(table, COL_EXITS, look->exits);
	table_bool(table, COL_MONITOR, !look->no_monitor);
	table_text(table, COL_HELD, held->sure ? "yes" : "unsure");
	table_number(table, COL_BAR, bar);
	table_hex(table, COL_OFFSET, part->offset);
	table_number(table, COL_SIZE, part->size);
	if (!look->no_monitor && guest_bar_address(&look->monitor->map, held->device->address, bar, &start))
		table_hex(table, COL_GUEST_START, start);
	table_text(table, COL_MAPPED, answer_text[answer->mapped]);
	table_text(table, COL_DIRECT, answer_text[answer->direct]);
	table_colour(table, COL_DIRECT, part->mappable == MAPPABLE_NOT_NEEDED ? PLAIN : answer_colour[answer->direct]);
	table_text(table, COL_CODE, reason_code(answer->reason));
	table_text(table, COL_REASON, answer->why);
	table_text(table, COL_HELP, answer->help);
}

static void print_heading(const struct look *look)
{
	const struct vfio_user *user = &look->user;

	printf("%sprocess %d%s (%s)", colour_on(STRONG), user->pid, colour_off(), user->name);
	if (user->vm < 0)
		printf(", no KVM guest\n");
	else if (look->exits >= 0)
		printf(", a KVM guest: %lld MMIO exits a second\n", (long long)look->exits);
	else
		printf(", a KVM guest; its MMIO exits are unknown: %s\n",
		       look->exits == -EACCES ? "only root sees them" :
		       look->exits == -EPERM ? "the kernel is locked down, which hides debugfs" :
		       look->exits == -ENOENT ? "mount -t debugfs none /sys/kernel/debug" :
		       "KVM shows no counter for it");
}

static void show(const struct bus *bus, const struct look *look, struct table *all, const struct options *options)
{
	struct table *table = all ? all : table_new("checks", columns, &options->format);
	const struct part *part;
	const struct held *held;
	char *helps = NULL;
	int bar;

	for_each(held, look->user.held, look->user.devices)
		for (bar = 0; bar < BARS; bar++) {
			struct verdict verdict = { 0 };

			if (bar_exists(held->device, bar))
				bar_judge(bus, held->device, bar, &verdict);
			for_each(part, verdict.part, verdict.parts) {
				struct answer answer;

				find_answer(bus, look, held->device, bar, part, &answer);
				add_row(table, look, held, bar, part, &answer);
				add_help(&helps, "  ", answer.help);
				free(answer.why);
				free(answer.help);
			}
			bar_verdict_free(&verdict);
		}
	if (!all) {
		print_heading(look);
		table_end(table, "  ");
		printf("%s\n", helps ? helps : "");
	}
	free(helps);
}

/* Ask the monitors of all, or that of --qmp. */
static void ask_monitors(const struct bus *bus, struct look *look, struct monitor *monitor, int count,
			 const struct options *options)
{
	int i;

	for (i = 0; i < count; i++) {
		look[i].bus = bus;
		look[i].monitor = &monitor[i];
		if (options->qmp)
			monitor[i].path = format("%s", options->qmp);
		else
			monitor[i] = (struct monitor) { .pid = look[i].user.pid, .path = monitor_path(&look[i].user) };
	}
	monitors_ask(monitor, count);
	for (i = 0; i < count; i++) {
		int err = monitor[i].error;
		const char *why = err == -EBUSY ? "another program has it" :
				  err == -EPERM ? "another process listens there" : strerror(-err);

		if (err && options->qmp)
			fail(CODE_FAILED, err == -EBUSY ? "another program has it, as libvirt does; leave --qmp out" :
			     NULL, "QEMU's monitor does not answer at %s: %s", options->qmp, strerror(-err));
		if (!monitor[i].path)
			look[i].no_monitor = format(look[i].user.vm < 0 ? "no KVM guest" :
						    "QEMU's monitor would tell (--qmp SOCKET)");
		else if (err)
			look[i].no_monitor = format("QEMU's monitor at %s would tell, but %s", monitor[i].path, why);
	}
}

/* Look at that process, or at all (0). Returns how many could not be looked at. */
static int look_at(const struct bus *bus, pid_t pid, struct look **looks, int *count)
{
	const struct holder *holder;
	struct holders holders;
	struct vfio_user user;
	pid_t last = 0;

	holders_scan(&holders, pid);
	for_each(holder, holders.holder, holders.count) {
		if (holder->pid == last)
			continue;
		last = holder->pid;
		if (vfio_user_read(bus, &holders, last, &user))
			grow(*looks, *count)->user = user;
		else
			vfio_user_free(&user);
	}
	holders_free(&holders);
	return holders.hidden;
}

static int look_at_named(const struct bus *bus, const struct options *options, struct look **looks)
{
	int count = 0, i;

	for (i = 0; i < options->devices; i++) {
		int64_t pid = read_number(options->device[i], INT32_MAX);
		int before = count;

		if (pid <= 0)
			fail(CODE_USAGE, "\"subpage-vfio check\" without any looks at all processes",
			     "\"%s\" is no process id", options->device[i]);
		if (look_at(bus, pid, looks, &count))
			fail(CODE_PERMISSION, "run it as root, or as the owner of the process",
			     "no permission to look at process %d", (int)pid);
		if (!file_exists("/proc/%d", (int)pid))
			fail(CODE_NO_DEVICE, NULL, "there is no process %d", (int)pid);
		if (count == before)
			fail(CODE_NO_DEVICE, "\"subpage-vfio check\" without any finds those that do",
			     "%s holds no VFIO device", process_name(pid));
	}
	return count;
}

/* Exits of each guest in one second, all guests in the same. */
static void count_exits(struct look *looks, int count)
{
	struct look *look;
	bool any = false;
	int64_t after;

	for_each(look, looks, count) {
		look->exits = vfio_user_mmio_exits(&look->user);
		any |= look->exits >= 0;
	}
	if (any) {
		progress("counting exits for a second");
		sleep(1);
		progress(NULL);
	}
	for_each(look, looks, count) {
		after = vfio_user_mmio_exits(&look->user);
		if (look->exits >= 0)
			look->exits = after < 0 ? after : after - look->exits;
	}
}

static int check_once(const struct options *options)
{
	struct monitor *monitors;
	struct look *looks = NULL;
	int count = 0, i, hidden = 0;
	struct table *table;
	struct bus bus;

	bus_scan(&bus, NULL, NULL);
	if (options->devices)
		count = look_at_named(&bus, options, &looks);
	else
		hidden = look_at(&bus, 0, &looks, &count);
	if (hidden)
		complain("run it as root to see all", "%d process%s of other users not looked at", hidden,
			 hidden == 1 ? "" : "es");
	monitors = allocate(NULL, (count + 1) * sizeof(*monitors));
	memset(monitors, 0, (count + 1) * sizeof(*monitors));
	ask_monitors(&bus, looks, monitors, count, options);
	count_exits(looks, count);
	table = table_is_for_people(&options->format) ? NULL : table_new("checks", columns, &options->format);
	if (options->watch && table_is_for_people(&options->format) && isatty(STDOUT_FILENO))
		printf("\033[H\033[J");
	for (i = 0; i < count; i++) {
		show(&bus, &looks[i], table, options);
		vfio_user_free(&looks[i].user);
		free(looks[i].no_monitor);
		monitor_free(&monitors[i]);
	}
	if (table)
		table_end(table, "");
	else if (!count && !hidden)
		printf("No process holds a VFIO device.\n");
	free(monitors);
	free(looks);
	bus_free(&bus);
	return hidden && !count ? CODE_PERMISSION : CODE_OK;
}

static int check_run(const struct options *options)
{
	int code;

	if (options->qmp && options->devices != 1)
		fail(CODE_USAGE, "subpage-vfio check --qmp SOCKET PID", "--qmp goes with one process");
	do {
		code = check_once(options);
		fflush(stdout);
		if (options->watch)
			sleep(1);
	} while (options->watch && !ferror(stdout));
	return code;
}

const struct command check_command = {
	.name = "check", .run = check_run,
	.summary = "say which registers of running guests are slow, why, and what helps",
	.arguments = "[PID...]", .min_arguments = 0, .max_arguments = ANY_NUMBER,
	.description =
		"Look at the processes that hold VFIO devices, or at those given: which parts of\n"
		"which BAR each has mapped, whether its guest reaches them without an exit, how\n"
		"many MMIO exits the guest has in a second, and what helps. It reads /proc, sysfs\n"
		"and debugfs, and asks the monitor that QEMU's command line names.\n",
	.option = {
		['q'] = "ask QEMU's monitor (QMP) at this socket",
		['w'] = "look again every other second",
	},
	.columns = columns,
	.first_reason = REASON_WHOLE_PAGES, .last_reason = REASON_VMM_DOES_NOT_MAP,
	.examples = "  subpage-vfio check --watch 4711\n"
		"  subpage-vfio check --qmp /run/guest.qmp 4711\n"
		"  subpage-vfio check --json | jq '.checks[] | select(.direct != \"yes\")'\n",
};
