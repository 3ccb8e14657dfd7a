// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bus/file.h"
#include "bus/bar.h"
#include "change/always.h"
#include "change/module.h"
#include "change/saved.h"
#include "change/transaction.h"
#include "commands/bind.h"
#include "guest/hints.h"
#include "print/output.h"
#include "print/table.h"
#include "use/in_use.h"

static const struct option_use bind_options[] = {
	{ 'g', "also all other devices of their IOMMU groups, but for bridges" },
	{ 'f', "even if something uses one; says what that was" },
	{ 'p', "at each boot from now on (with driverctl)" },
	{ 'Q', "print QEMU's option for each device" },
	{ 'L', "print libvirt's XML for each device" },
	{ 'o', NULL },
	{ 'r', NULL },
	{ 'j', NULL },
	{ 0 }
};

static const struct option_use align_options[] = {
	{ 'D', "the driver that gets them; otherwise vfio-pci" },
	{ 'g', "also all other devices of their IOMMU groups, but for bridges" },
	{ 'f', "even if something uses one; says what that was" },
	{ 'A', "from now on, after each boot too, whenever that driver takes a device" },
	{ 'n', "take --always back" },
	{ 'o', NULL },
	{ 'r', NULL },
	{ 'j', NULL },
	{ 0 }
};

static const struct option_use unbind_options[] = {
	{ 'g', "also all other devices of their IOMMU groups that " OURS " has" },
	{ 'f', "even if a process has one open (waits until it lets go), or no native driver comes" },
	{ 'p', "also forget what \"bind --persist\" has set" },
	{ 'o', NULL },
	{ 'r', NULL },
	{ 'j', NULL },
	{ 0 }
};

enum { COL_ADDRESS, COL_BEFORE, COL_DRIVER, COL_GROUP, COL_CHANGED, COL_CODE, COL_REASON, COL_QEMU, COL_LIBVIRT };

/* To people the commands speak in sentences. */
static const struct column columns[] = {
	[COL_ADDRESS] = ADDRESS_COLUMN(SHOWN),
	[COL_BEFORE] = { "DRIVER_BEFORE", COLUMN_TEXT, SHOWN, "the driver that had it; empty: none" },
	[COL_DRIVER] = DRIVER_COLUMN(SHOWN),
	[COL_GROUP] = GROUP_COLUMN(HIDDEN),
	[COL_CHANGED] = { "CHANGED", COLUMN_BOOL, SHOWN, "has anything of it been changed?" },
	[COL_CODE] = { "REASON_CODE", COLUMN_TEXT, SHOWN,
		"how it is in use, in a word that stays; a row for each; empty: it is not" },
	[COL_REASON] = { "REASON", COLUMN_TEXT, SHOWN, "the same in words, with who uses it" },
	[COL_QEMU] = { "QEMU", COLUMN_TEXT, HIDDEN, "QEMU's option for it, with --qemu" },
	[COL_LIBVIRT] = { "LIBVIRT", COLUMN_TEXT, HIDDEN, "libvirt's XML for it, with --libvirt" },
	{ 0 }
};

#define DRIVER_DIRECTORY "/sys/bus/pci/drivers/" OURS
#define AS_ROOT "run it as root: sudo subpage-vfio ..."

/* One run of a command. */
struct run {
	const struct options *options;
	const char *hand_over;		/* the driver that gets the devices from ours; NULL: none */
	struct bus bus;
	struct machine machine;
	struct transaction transaction;
	struct obstacles *obstacles;	/* of each change, as far as they were looked for */
	int checked;
};

static bool is_ours(const struct device *device)
{
	return !strcmp(device->driver, OURS);
}

static bool saved_is_ours(const struct change *change)
{
	return change->saved && !strcmp(change->saved, OURS);
}

/* The other devices that have to be together with it; on some machines they show once it is bound. */
static void add_group(struct run *run, const struct device *device, bool to_bind)
{
	int i;

	for (i = 0; i < run->bus.count && run->options->group && device->group >= 0; i++) {
		struct device *other = &run->bus.device[i];

		if (other != device && other->group == device->group && !other->bridge &&
		    other->class >> 8 != 6 && (to_bind || is_ours(other)))
			transaction_add(&run->transaction, other, to_bind != is_ours(other));
	}
}

static void begin(struct run *run, const struct options *options, bool to_bind)
{
	struct transaction *transaction = &run->transaction;
	int i;

	transaction_begin(transaction);
	for (i = 0; i < options->devices; i++) {
		struct device *device = bus_find(&run->bus, options->device[i]);

		device_refresh(device);
		transaction_add(transaction, device, to_bind != is_ours(device));
	}
	for (i = transaction->count - 1; i >= 0; i--)
		add_group(run, transaction->change[i].device, to_bind);
}

static void need_driver(void)
{
	struct utsname kernel;
	int err;

	if (!access(DRIVER_DIRECTORY, F_OK))
		return;
	progress("loading " OURS);
	err = module_load(OURS);
	if (!err && !access(DRIVER_DIRECTORY, F_OK))
		return;

	uname(&kernel);
	switch (-err) {
	case EKEYREJECTED:
	case ENOKEY:
		fail(CODE_HOST,
		     "Secure Boot is on: \"mokutil --import /var/lib/dkms/mok.pub\", reboot, and enrol the key",
		     "the kernel refuses the signature of " OURS);
	case EPERM:
		fail(CODE_HOST,
		     "the kernel is locked down, or this is a container: see \"dmesg | tail\" and /sys/kernel/security/lockdown",
		     "the kernel does not let " OURS " in");
	case ENOENT:
		fail(CODE_HOST,
		     "install the package subpage-vfio-pci-dkms, or run \"make dkms-install\" in its sources",
		     "there is no module " OURS " for Linux %s", kernel.release);
	case ENOEXEC:
		fail(CODE_HOST, "\"dkms status\" says what it was built for; \"make dkms-install\" builds it anew",
		     "the module " OURS " is not for Linux %s", kernel.release);
	default:
		fail(CODE_HOST, "\"dmesg | tail\" says more", "cannot load " OURS ": %s",
		     err ? strerror(-err) : "it has no driver for PCI");
	}
}

static void need_other_driver(const char *driver)
{
	char *path = format("/sys/bus/pci/drivers/%s", driver);

	if (access(path, F_OK))
		module_load(driver);
	if (access(path, F_OK))
		fail(CODE_HOST, "is it built for this kernel? \"modinfo\" with its name says so",
		     "there is no PCI driver %s; nothing was changed", driver);
	free(path);
}

static void need_driverctl(void)
{
	const char *path = getenv("PATH");
	char *all = format("%s:/usr/sbin:/sbin", path ? path : ""), *rest, *directory;
	bool found = false;

	for (directory = strtok_r(all, ":", &rest); directory && !found;
	     directory = strtok_r(NULL, ":", &rest)) {
		char *file = format("%s/driverctl", directory);

		found = !access(file, X_OK);
		free(file);
	}
	free(all);
	if (!found)
		fail(CODE_HOST, "apt-get install driverctl, or leave --persist out",
		     "--persist needs driverctl, which is not installed");
}

static void need_root(const struct device *device)
{
	char path[80];

	if (geteuid())
		fail(CODE_PERMISSION, AS_ROOT, "no permission to change the driver of %s", device->address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", device->address);
	if (access(path, W_OK))
		fail(CODE_PERMISSION, "in a container? run it on the host", "%s cannot be written: %s", path,
		     strerror(errno));
}

static void refuse_bridges(const struct transaction *transaction)
{
	int i;

	for (i = 0; i < transaction->count; i++)
		if (device_is_bridge(transaction->change[i].device))
			fail(CODE_USAGE, "name the devices behind it; \"lspci -tv\" shows them",
			     "%s is a bridge: VFIO takes none",
			     transaction->change[i].device->address);
}

/*
 * Is there an IOMMU that may come to have a group for a device without one? Those of PCs
 * have grouped all devices at boot; where a device tree or ACPI describes them, a group
 * is made when a driver first looks at the device.
 */
static bool iommu_may_group(void)
{
	DIR *dir = opendir("/sys/class/iommu");
	struct dirent *entry;
	bool may = false;

	while (dir && !may && (entry = readdir(dir)))
		may = entry->d_name[0] != '.' && strncmp(entry->d_name, "dmar", 4) &&
		      strncmp(entry->d_name, "ivhd", 4);
	if (dir)
		closedir(dir);
	return may;
}

/* VFIO's own mode for that; it may be an option in modprobe.d that waits for the module. */
static bool works_without_iommu(void)
{
	char mode[8];

	if (access("/sys/module/vfio", F_OK))
		module_load("vfio");
	return file_read(mode, sizeof(mode),
			 "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") > 0 && *mode == 'Y';
}

static bool lacks_iommu(const struct device *device)
{
	return device->group < 0 && !works_without_iommu();
}

static void need_iommu(const struct transaction *transaction)
{
	int i;

	for (i = 0; i < transaction->count; i++)
		if (transaction->change[i].wanted && lacks_iommu(transaction->change[i].device) &&
		    !iommu_may_group())
			fail(CODE_HOST,
			     "switch the IOMMU on in the firmware's set-up and boot with intel_iommu=on (Intel)",
			     "%s has no IOMMU group, without which VFIO takes no device; nothing was changed",
			     transaction->change[i].device->address);
}

/* Look at those that were not looked at before. Returns false, and says why, if one is in use. */
static bool are_idle(struct run *run)
{
	const struct transaction *transaction = &run->transaction;
	bool idle = true;
	int n;

	run->obstacles = allocate(run->obstacles,
				  (transaction->count + 1) * sizeof(*run->obstacles));
	for (; run->checked < transaction->count; run->checked++) {
		const struct change *change = &transaction->change[run->checked];
		struct obstacles *obstacles = &run->obstacles[run->checked];

		*obstacles = (struct obstacles) { 0 };
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

static int log_end(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* What the kernel has said of the device since then. */
static void print_log(int fd, const char *address)
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

static bool take(struct change *change)
{
	int log = log_end();
	bool good;

	progress("binding %s", change->device->address);
	good = transaction_move(change, OURS, OURS);
	if (!good) {
		print_log(log, change->device->address);
		if (lacks_iommu(change->device))
			complain("switch the IOMMU on in the firmware's set-up and boot with intel_iommu=on (Intel)",
				 "%s has no IOMMU group", change->device->address);
	}
	if (log >= 0)
		close(log);
	return good;
}

/* The driver has given the BARs pages, and they keep them. */
static bool hand_over(struct change *change, const char *driver)
{
	struct device *device = change->device;
	char state[32], reason[200];
	int bar;

	for (bar = 0; bar < BARS; bar++) {
		if (device_read_bar(device, bar, "state", state, sizeof(state)) < 0 ||
		    !strcmp(state, "in_place") || !strcmp(state, "moved"))
			continue;
		device_read_bar(device, bar, "reason", reason, sizeof(reason));
		complain(NULL, "BAR %d of %s has no page of its own: %s", bar, device->address, reason);
	}
	progress("handing %s to %s", device->address, driver);
	return transaction_move(change, driver, driver);
}

/* The driver that a module brings may still not want this device: that is no failure. */
static bool offer(struct device *device, char *modules)
{
	char *module, *rest;
	glob_t found;
	size_t i;
	int err = 0;

	for (module = strtok_r(modules, " ", &rest); module && !*device->driver;
	     module = strtok_r(NULL, " ", &rest)) {
		char *pattern = format("/sys/module/%s/drivers/pci:*", module);

		if (!glob(pattern, 0, NULL, &found)) {
			for (i = 0; i < found.gl_pathc && !*device->driver; i++) {
				const char *driver = strrchr(found.gl_pathv[i], ':') + 1;
				int said = file_write(device->address, "/sys/bus/pci/drivers/%s/bind", driver);

				device_refresh(device);
				if (said && said != -ENODEV && said != -ENXIO) {
					complain("\"dmesg | tail\" may say why",
						 "its native driver %s does not take %s: %s", driver,
						 device->address, strerror(-said));
					err = said;
				}
			}
			globfree(&found);
		}
		free(pattern);
	}
	return *device->driver || !err;
}

static bool native_comes(struct device *device)
{
	char modalias[256], *modules = NULL;
	bool good = true;
	int count;

	file_write(device->address, "/sys/bus/pci/drivers_probe");
	device_refresh(device);
	if (*device->driver || device_read(device, "modalias", modalias, sizeof(modalias)) <= 0)
		return true;
	/* The system loads drivers for a device when it finds it: it may have been ours already. */
	count = module_load_for(modalias, &modules);
	device_refresh(device);
	if (count < 0 && !*device->driver) {
		complain("\"dmesg | tail\" may say why", "%s, the native driver of %s, cannot be loaded: %s",
			 modules, device->address, strerror(-count));
		good = false;
	} else if (count > 0 && !*device->driver) {
		good = offer(device, modules);
	}
	free(modules);
	return good;
}

static bool give_back(struct change *change, const struct options *options)
{
	struct device *device = change->device;
	int log = log_end();
	bool good;

	progress("unbinding %s", device->address);
	/* A driver that is not ours keeps it; a leftover override goes. */
	good = transaction_move(change, is_ours(device) ? "" : device->driver, "");
	if (good && !*device->driver && !native_comes(device)) {
		print_log(log, device->address);
		if (options->force)
			complain(NULL, "--force leaves %s without a driver", device->address);
		good = options->force;
	}
	if (good && is_ours(device)) {
		complain(NULL, "%s is still bound to " OURS, device->address);
		good = false;
	}
	if (log >= 0)
		close(log);
	return good;
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
		table_row(table, device);
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
	bool people = table_is_for_people(run->options);
	struct table *table = people ? NULL : table_new("devices", columns, run->options);
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

/* The others of its group, in whose hands the device cannot be given to user space. */
static bool is_usable(struct run *run)
{
	bool usable = true;
	int n, i;

	for (i = 0; i < run->bus.count; i++) {
		struct device *other = &run->bus.device[i];

		device_refresh(other);
		if (other->group < 0 || !device_blocks_group(other))
			continue;
		for (n = 0; n < run->transaction.count; n++) {
			const struct device *device = run->transaction.change[n].device;

			if (other->group != device->group)
				continue;
			complain(other->bridge ? "unbind the bridge from that driver" :
				 "bind it too (--group takes all), or unbind it",
				 "%s cannot be used yet: %s, of the same IOMMU group %d, has the driver %s",
				 device->address, other->address, other->group, other->driver);
			usable = false;
		}
	}
	return usable;
}

/* All or nothing: after a failure nothing. */
static int finish(struct run *run, int code)
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
		complain(code == CODE_IN_USE ? "stop the user first; --force does it all the same" : NULL,
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

static void run_free(struct run *run)
{
	int i;

	for (i = 0; i < run->checked; i++)
		obstacles_free(&run->obstacles[i]);
	free(run->obstacles);
	machine_free(&run->machine);
	bus_free(&run->bus);
}

/* Where groups show late, functions of its slot that no driver has had may be in its group. */
static bool may_be_of_group(const struct device *device, const struct device *other)
{
	size_t slot = strcspn(device->address, ".");

	return other != device && other->group < 0 && !*other->driver &&
	       !device_is_bridge(other) && !strncmp(device->address, other->address, slot + 1);
}

static bool has_late_group(const struct run *run, const struct device *device)
{
	bool late = device->group < 0;
	int i;

	for (i = 0; i < run->bus.count && !late; i++)
		late = may_be_of_group(device, &run->bus.device[i]);
	return late;
}

static int take_late_group(struct run *run, const struct device *device)
{
	struct transaction *transaction = &run->transaction;
	int i;

	for (i = 0; i < run->bus.count; i++) {
		struct device *other = &run->bus.device[i];
		struct change *change;

		if (!may_be_of_group(device, other) || !transaction_add(transaction, other, true))
			continue;
		change = &transaction->change[transaction->count - 1];
		if (!are_idle(run))
			return CODE_IN_USE;
		if (!take(change))
			return CODE_FAILED;
		if (other->group == device->group)
			continue;
		/* Not of the group: it is as it was, and no part of this. */
		if (!transaction_move(change, change->driver, change->override))
			return CODE_FAILED;
		change->begun = false;
	}
	return CODE_OK;
}

static int bind_all(struct run *run)
{
	struct transaction *transaction = &run->transaction;
	int i, n, code;

	/* --group may add some as it goes. */
	for (i = 0; i < transaction->count; i++) {
		struct device *device = transaction->change[i].device;
		bool late = run->options->group && has_late_group(run, device);

		if (!transaction->change[i].wanted)
			continue;
		if (transaction_interrupted(transaction))
			return CODE_FAILED;
		if (!is_ours(device) && !take(&transaction->change[i]))
			return lacks_iommu(device) ? CODE_HOST : CODE_FAILED;
		if (!late)
			continue;
		for (n = 0; n < run->bus.count; n++)
			device_refresh(&run->bus.device[n]);
		add_group(run, device, true);
		if (!are_idle(run))
			return CODE_IN_USE;
		code = take_late_group(run, device);
		if (code != CODE_OK)
			return code;
	}
	for (i = 0; i < transaction->count && run->hand_over; i++) {
		if (transaction_interrupted(transaction))
			return CODE_FAILED;
		if (!hand_over(&transaction->change[i], run->hand_over))
			return CODE_FAILED;
	}
	for (i = 0; i < transaction->count && run->options->persist; i++) {
		struct change *change = &transaction->change[i];

		if (!is_ours(change->device) || saved_is_ours(change))
			continue;
		if (!transaction_save(change, OURS))
			return CODE_FAILED;
		if (change->saved)
			complain(NULL, "driverctl had %s saved for %s before", change->saved,
				 change->device->address);
	}
	return CODE_OK;
}

static int bind_and_hand_over(const struct options *options, const char *driver)
{
	struct run run = { .options = options, .hand_over = driver };
	bool usable;
	int code;

	bus_scan(&run.bus);
	need_root(bus_find(&run.bus, options->device[0]));
	if (options->persist)
		need_driverctl();
	begin(&run, options, true);
	refuse_bridges(&run.transaction);
	need_iommu(&run.transaction);
	need_driver();
	if (driver)
		need_other_driver(driver);
	/* Last of all: who comes while a module loads is seen. */
	machine_look(&run.machine, true);
	code = are_idle(&run) ? bind_all(&run) : CODE_IN_USE;
	usable = code != CODE_OK || is_usable(&run);
	code = finish(&run, code);
	run_free(&run);
	return code == CODE_OK && !usable ? CODE_CHANGED : code;
}

static int bind_run(const struct options *options)
{
	return bind_and_hand_over(options, NULL);
}

static int align_run(const struct options *options)
{
	const char *driver = options->driver ? options->driver : "vfio-pci";
	/* What programs read is one table. */
	FILE *to = table_is_for_people(options) ? stdout : stderr;
	int code = CODE_OK, written = CODE_OK;

	if (strpbrk(driver, "/, \t\n") || !*driver || !strcmp(driver, OURS))
		fail(CODE_USAGE, "name one of /sys/bus/pci/drivers, such as vfio-pci",
		     "\"%s\" is no driver to hand a device to", driver);
	if (options->always && options->never)
		fail(CODE_USAGE, "leave one of them out", "--always and --never exclude each other");
	if (!options->devices && !options->always && !options->never)
		fail(CODE_USAGE, "name one, such as 0000:01:00.0; \"subpage-vfio list\" shows them",
		     "align needs a device, --always or --never");
	if (options->devices)
		code = bind_and_hand_over(options, driver);
	/* Devices that cannot be used yet have been aligned all the same. */
	if (code != CODE_OK && code != CODE_CHANGED)
		return code;
	if (options->always)
		written = always_align(driver, to);
	else if (options->never)
		written = never_align(to);
	if (written == CODE_OK)
		return code;
	return options->devices ? CODE_CHANGED : written;
}

static int unbind_all(struct run *run)
{
	struct transaction *transaction = &run->transaction;
	const struct options *options = run->options;
	int i;

	for (i = 0; i < transaction->count; i++) {
		struct change *change = &transaction->change[i];

		if (transaction_interrupted(transaction))
			return CODE_FAILED;
		if ((is_ours(change->device) || !strcmp(change->override, OURS)) &&
		    !give_back(change, options))
			return CODE_FAILED;
	}
	for (i = 0; i < transaction->count; i++) {
		struct change *change = &transaction->change[i];

		if (!change->saved)
			continue;
		if (options->persist && !saved_is_ours(change))
			complain(NULL, "driverctl has %s saved for %s, which stays", change->saved,
				 change->device->address);
		else if (options->persist && !transaction_save(change, NULL))
			return CODE_FAILED;
		else if (saved_is_ours(change) && !options->persist)
			complain("\"subpage-vfio unbind --persist\" forgets that",
				 "%s returns to " OURS " at the next boot", change->device->address);
	}
	return CODE_OK;
}

static int unbind_run(const struct options *options)
{
	struct run run = { .options = options };
	int code;

	bus_scan(&run.bus);
	need_root(bus_find(&run.bus, options->device[0]));
	begin(&run, options, false);
	machine_look(&run.machine, true);
	code = are_idle(&run) ? unbind_all(&run) : CODE_IN_USE;
	code = finish(&run, code);
	run_free(&run);
	return code;
}

const struct command bind_command = {
	.name = "bind", .run = bind_run,
	.summary = "give devices to " OURS,
	.arguments = "DEVICE...", .min_arguments = 1, .max_arguments = ANY_NUMBER,
	.description = "Give devices to " OURS ": all of them or, if one fails, none.\n",
	.option = bind_options,
	.columns = columns,
	.first_reason = REASON_DISK_MOUNTED, .last_reason = REASON_UNKNOWN,
	.examples =
		"  subpage-vfio bind 0000:01:00.0\n"
		"  subpage-vfio bind --group --persist 01:00.0\n",
};

const struct command unbind_command = {
	.name = "unbind", .run = unbind_run,
	.summary = "give them back to their native drivers",
	.arguments = "DEVICE...", .min_arguments = 1, .max_arguments = ANY_NUMBER,
	.description = "Give devices back to their native drivers.\n",
	.option = unbind_options,
	.columns = columns,
	.first_reason = REASON_DISK_MOUNTED, .last_reason = REASON_UNKNOWN,
	.examples = "  subpage-vfio unbind 0000:01:00.0\n",
};

const struct command align_command = {
	.name = "align", .run = align_run,
	.summary = "give their BARs pages of their own, and the devices to vfio-pci",
	.arguments = "[DEVICE...]", .min_arguments = 0, .max_arguments = ANY_NUMBER,
	.description =
		"Give each BAR of the devices that is smaller than a page a page of its own, and hand\n"
		"the devices to vfio-pci: for DPDK, SPDK, VPP, KubeVirt, Proxmox and an old libvirt,\n"
		"which take no other name. The BARs keep their pages until the next boot or rescan.\n",
	.option = align_options,
	.columns = columns,
	.first_reason = REASON_DISK_MOUNTED, .last_reason = REASON_UNKNOWN,
	.examples =
		"  subpage-vfio align 0000:01:00.0\n"
		"  subpage-vfio align --always\n"
		"  subpage-vfio align --never\n",
};
