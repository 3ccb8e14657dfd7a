// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind.h"
#include "in_use.h"
#include "output.h"

static const struct option_use bind_options[] = {
	{ 'g', "also all other devices of their IOMMU groups, but for bridges" },
	{ 'f', "even if a disk, an interface, the boot display or a process uses one" },
	{ 'p', "at each boot from now on (with driverctl)" },
	{ 'j', NULL },
	{ 0 }
};

static const struct option_use unbind_options[] = {
	{ 'g', "also all other devices of their IOMMU groups that " OURS " has" },
	{ 'f', "even if a process has one open; waits until it lets go" },
	{ 'p', "also forget what \"bind --persist\" has set" },
	{ 'j', NULL },
	{ 0 }
};

#define DRIVER_DIRECTORY "/sys/bus/pci/drivers/" OURS
#define AS_ROOT "run it as root: sudo subpage-vfio ..."

/* One device that is about to change, and what to restore if that fails. */
struct change {
	struct device *device;
	char driver[64];
	char override[64];
	bool wanted;
	bool done;
};

struct changes {
	int count;
	struct change *change;
};

static void add_change(struct changes *changes, struct device *device, bool wanted)
{
	struct change *change;
	int i;

	for (i = 0; i < changes->count; i++)
		if (changes->change[i].device == device)
			return;
	changes->change = allocate(changes->change, (changes->count + 1) * sizeof(*change));
	change = &changes->change[changes->count++];
	*change = (struct change) { .device = device };
	snprintf(change->driver, sizeof(change->driver), "%s", device->driver);
	change->wanted = wanted;
	if (device_read(device, "driver_override", change->override, sizeof(change->override)) < 0 ||
	    !strcmp(change->override, "(null)"))
		change->override[0] = '\0';
}

/* The devices given and, with --group, those they have to be together with. */
static void choose(struct changes *changes, const struct bus *bus, const struct options *options,
		   bool (*is_wanted)(const struct options *options, const struct device *device))
{
	int i, n;

	for (i = 0; i < options->devices; i++) {
		struct device *device = bus_find(bus, options->device[i]);

		add_change(changes, device, is_wanted(options, device));
	}
	for (n = changes->count - 1; n >= 0 && options->group; n--) {
		int group = changes->change[n].device->group;

		for (i = 0; i < bus->count && group >= 0; i++) {
			struct device *other = &bus->device[i];

			if (other->group == group && !other->bridge && other->class >> 8 != 6 &&
			    is_wanted(options, other))
				add_change(changes, other, true);
		}
	}
}

static bool is_ours(const struct options *options, const struct device *device)
{
	(void)options;
	return !strcmp(device->driver, OURS);
}

/* driverctl takes and saves in one step, so a device that is bound is bound again. */
static bool is_to_bind(const struct options *options, const struct device *device)
{
	return options->persist || !is_ours(options, device);
}

/* Run a command with what root's PATH may lack. Returns its exit code; what it said is in text. */
static int run(char *text, size_t size, const char *command)
{
	char *line = format("PATH=$PATH:/usr/sbin:/sbin; %s 2>&1", command);
	FILE *pipe = popen(line, "re");
	size_t n;
	int status;

	free(line);
	if (!pipe)
		return 127;
	n = fread(text, 1, size - 1, pipe);
	text[n] = '\0';
	while (n && text[n - 1] == '\n')
		text[--n] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static void need_driver(void)
{
	struct utsname kernel;
	char said[1024];

	if (!access(DRIVER_DIRECTORY, F_OK))
		return;
	progress("loading " OURS);
	if (!run(said, sizeof(said), "modprobe " OURS) && !access(DRIVER_DIRECTORY, F_OK))
		return;

	uname(&kernel);
	if (strstr(said, "Key was rejected"))
		fail(CODE_HOST, "Secure Boot is on: \"mokutil --import /var/lib/dkms/mok.pub\", reboot, and enrol the key",
		     "the kernel refuses the signature of " OURS ": %s", said);
	if (strstr(said, "not permitted"))
		fail(CODE_HOST, "the kernel is locked down, or this is a container: see \"dmesg | tail\" and /sys/kernel/security/lockdown",
		     "the kernel does not let " OURS " in: %s", said);
	if (strstr(said, "not found"))
		fail(CODE_HOST, "install the package subpage-vfio-pci-dkms, or run \"make dkms-install\" in its sources",
		     "there is no module " OURS " for Linux %s", kernel.release);
	fail(CODE_HOST, "\"dmesg | tail\" says more", "cannot load " OURS ": %s", said);
}

static void need_driverctl(void)
{
	char said[64];

	if (run(said, sizeof(said), "command -v driverctl"))
		fail(CODE_HOST, "apt-get install driverctl, or leave --persist out",
		     "--persist needs driverctl, which is not installed");
}

static void need_root(const struct device *device)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", device->address);
	if (access(path, W_OK) || geteuid())
		fail(CODE_PERMISSION, AS_ROOT, "no permission to bind %s", device->address);
}

static void refuse_bridges(const struct changes *changes)
{
	int i;

	for (i = 0; i < changes->count; i++)
		if (changes->change[i].device->bridge)
			fail(CODE_USAGE, "name the devices behind it; \"lspci -tv\" shows them",
			     "%s is a bridge: VFIO takes none", changes->change[i].device->address);
}

static void need_idle(const struct changes *changes, const struct options *options)
{
	bool busy = false;
	int i;

	for (i = 0; i < changes->count && !options->force; i++) {
		char *why = NULL;

		if (changes->change[i].wanted)
			why = in_use(changes->change[i].device);
		if (why)
			complain(NULL, "%s is in use: %s", changes->change[i].device->address, why);
		busy |= why != NULL;
		free(why);
	}
	if (busy)
		fail(CODE_IN_USE, "stop its user first; --force does it all the same",
		     "nothing was changed");
}

static void unbind_driver(struct device *device)
{
	device_write(device, "driver/unbind", device->address);
	device_refresh(device);
}

static void probe(struct device *device)
{
	sysfs_write("/sys/bus/pci/drivers_probe", device->address);
	device_refresh(device);
}

static void set_override(const struct device *device, const char *driver)
{
	char text[80];

	snprintf(text, sizeof(text), "%s\n", driver);
	device_write(device, "driver_override", text);
}

static int driverctl(const char *options, const struct device *device, const char *driver,
		     char *said, size_t size)
{
	char *command = format("driverctl %s %s %s", options, device->address, driver);
	int ret = run(said, size, command);

	free(command);
	return ret;
}

static bool roll_back(struct changes *changes, const struct options *options)
{
	char path[160], said[256];
	bool good = true;
	int i;

	for (i = changes->count - 1; i >= 0; i--) {
		struct change *change = &changes->change[i];
		struct device *device = change->device;

		if (!change->done)
			continue;
		progress("restoring %s", device->address);
		if (options->persist)
			driverctl("--noprobe unset-override", device, "", said, sizeof(said));
		device_refresh(device);
		if (*device->driver)
			unbind_driver(device);
		set_override(device, change->override);
		if (!*change->driver)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", change->driver);
		sysfs_write(path, device->address);
		device_refresh(device);
		if (strcmp(device->driver, change->driver)) {
			complain("\"dmesg | tail\" says why", "%s does not take %s back",
				 change->driver, device->address);
			good = false;
		}
	}
	return good;
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

static const char *why_not(const struct device *device)
{
	if (device->group < 0)
		return "it has no IOMMU group: switch the IOMMU on in the firmware's set-up and boot with intel_iommu=on (Intel)";
	return "\"dmesg | tail\" says more";
}

static bool take(struct change *change, const struct options *options)
{
	struct device *device = change->device;
	int log = log_end();
	char said[512] = "";
	bool good;

	progress("binding %s", device->address);
	change->done = true;
	if (options->persist) {
		driverctl("set-override", device, OURS, said, sizeof(said));
		device_refresh(device);
	} else {
		set_override(device, OURS);
		if (*device->driver)
			unbind_driver(device);
		probe(device);
	}
	good = !strcmp(device->driver, OURS);
	if (!good) {
		complain(why_not(device), "%s cannot be bound to " OURS "%s%s", device->address,
			 *said ? ": " : "", said);
		print_log(log, device->address);
	}
	if (log >= 0)
		close(log);
	return good;
}

static void print_bars(const struct device *device)
{
	char name[32], reason[200], original[32];
	int bar;

	for (bar = 0; bar < BARS; bar++) {
		snprintf(name, sizeof(name), OURS "/bar%d_reason", bar);
		if (device_read(device, name, reason, sizeof(reason)) < 0)
			continue;
		snprintf(name, sizeof(name), OURS "/bar%d_original", bar);
		device_read(device, name, original, sizeof(original));
		printf("  BAR %d at 0x%llx: %s", bar, (unsigned long long)device->resource[bar].start,
		       reason);
		if (strtoull(original, NULL, 16) != device->resource[bar].start)
			printf(" (was at %s)", original);
		putchar('\n');
	}
	if (device_read(device, OURS "/msix_reason", reason, sizeof(reason)) > 0)
		printf("  MSI-X table: %s\n", reason);
}

static const char *or_none(const char *driver)
{
	return *driver ? driver : "none";
}

static void report(const struct changes *changes, const struct options *options)
{
	struct json_object *root = json_object_new_object(), *list = json_object_new_array();
	int i;

	progress(NULL);
	for (i = 0; i < changes->count; i++) {
		const struct change *change = &changes->change[i];
		const struct device *device = change->device;
		struct json_object *entry = json_object_new_object();

		json_add_string(entry, "address", device->address);
		json_add_string(entry, "driver_before", change->driver);
		json_add_string(entry, "driver", device->driver);
		json_object_object_add(entry, "changed", json_object_new_boolean(change->done));
		json_object_array_add(list, entry);
		if (options->json)
			continue;
		if (change->done)
			printf("%s: driver %s, was %s\n", device->address, or_none(device->driver),
			       or_none(change->driver));
		else
			printf("%s: driver %s, nothing to do\n", device->address,
			       or_none(device->driver));
		if (!strcmp(device->driver, OURS))
			print_bars(device);
	}
	json_object_object_add(root, "devices", list);
	if (options->json)
		json_print(root);
	else
		json_object_put(root);
}

/* The others of its group, in whose hands the device cannot be given to user space. */
static void warn_of_group(const struct changes *changes, const struct bus *bus)
{
	int n, i;

	for (n = 0; n < changes->count; n++)
		for (i = 0; i < bus->count; i++) {
			struct device *other = &bus->device[i];

			device_refresh(other);
			if (other->group < 0 || other->group != changes->change[n].device->group ||
			    !device_blocks_group(other))
				continue;
			complain(other->bridge ? "unbind the bridge from that driver" :
				 "bind it too (--group takes all), or unbind it",
				 "%s cannot be used yet: %s, of the same IOMMU group %d, has the driver %s",
				 changes->change[n].device->address, other->address, other->group,
				 other->driver);
		}
}

static int bind_run(const struct options *options)
{
	struct changes changes = { 0 };
	struct bus bus;
	int code = CODE_OK, i;

	bus_scan(&bus);
	choose(&changes, &bus, options, is_to_bind);
	refuse_bridges(&changes);
	need_root(changes.change[0].device);
	if (options->persist)
		need_driverctl();
	need_driver();
	need_idle(&changes, options);

	for (i = 0; i < changes.count && code == CODE_OK; i++)
		if (changes.change[i].wanted && !take(&changes.change[i], options))
			code = changes.change[i].device->group < 0 ? CODE_HOST : CODE_FAILED;
	if (code == CODE_OK) {
		report(&changes, options);
		warn_of_group(&changes, &bus);
	} else if (roll_back(&changes, options)) {
		complain(NULL, "nothing was changed: each device has the driver it had");
	}
	free(changes.change);
	bus_free(&bus);
	return code;
}

static bool is_persistent(const struct device *device)
{
	char path[64];

	snprintf(path, sizeof(path), "/etc/driverctl.d/pci-%s", device->address);
	return !access(path, F_OK);
}

static int unbind_run(const struct options *options)
{
	struct changes changes = { 0 };
	struct bus bus;
	char said[512];
	int i;

	bus_scan(&bus);
	choose(&changes, &bus, options, is_ours);
	need_root(changes.change[0].device);
	if (options->persist)
		need_driverctl();
	need_idle(&changes, options);

	for (i = 0; i < changes.count; i++) {
		struct change *change = &changes.change[i];
		struct device *device = change->device;

		if (!change->wanted)
			continue;
		progress("unbinding %s", device->address);
		if (options->persist && is_persistent(device) &&
		    driverctl("--noprobe unset-override", device, "", said, sizeof(said)))
			complain(NULL, "driverctl: %s", said);
		set_override(device, "");
		device_refresh(device);
		if (*device->driver)
			unbind_driver(device);
		probe(device);
		change->done = true;
		if (!options->persist && is_persistent(device))
			complain("\"subpage-vfio unbind --persist\" forgets that",
				 "%s returns to " OURS " at the next boot", device->address);
	}
	report(&changes, options);
	free(changes.change);
	bus_free(&bus);
	return CODE_OK;
}

const struct command bind_command = {
	.name = "bind", .run = bind_run,
	.summary = "give devices to " OURS,
	.arguments = "DEVICE...", .min_arguments = 1, .max_arguments = ANY_NUMBER,
	.description = "Give devices to " OURS ": all of them or, if one fails, none.\n",
	.option = bind_options,
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
	.examples = "  subpage-vfio unbind 0000:01:00.0\n",
};
