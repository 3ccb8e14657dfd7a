// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bus/file.h"
#include "use/disk.h"
#include "use/in_use.h"

/* Is it among the consoles, "tty0 ttyS0"? */
static bool is_console(const char *name)
{
	char names[256], *word, *rest;

	file_read(names, sizeof(names), "/sys/class/tty/console/active");
	for (word = strtok_r(names, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (!strcmp(word, name))
			return true;
	return false;
}

/* A console that draws, with letters, on whatever framebuffer there is. */
static bool console_draws(void)
{
	bool draws = false;
	glob_t found;
	size_t i;

	if (glob("/sys/class/vtconsole/*", 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc && !draws; i++) {
		char name[64], bound[8];

		file_read(name, sizeof(name), "%s/name", found.gl_pathv[i]);
		file_read(bound, sizeof(bound), "%s/bind", found.gl_pathv[i]);
		draws = strstr(name, "frame buffer") && *bound == '1';
	}
	globfree(&found);
	return draws;
}

/* What the kernel itself does with keys goes through "kbd", with a file in nobody's hands. */
static bool is_keyboard(const char *directory)
{
	const char *path = directory + strlen("/sys");
	bool here = false, keyboard = false;
	struct lines list = { 0 };

	while (!keyboard && next_line(&list, "/proc/bus/input/devices"))
		if (!strncmp(list.line, "S: Sysfs=", 9))
			here = !strcmp(list.line + 9, path);
		else if (here && !strncmp(list.line, "H: Handlers=", 12))
			keyboard = strstr(list.line, "kbd");
	lines_end(&list);
	return keyboard && file_exists("/dev/tty0");
}

/* "/dev/snd/controlC0", or the name in sysfs. */
static void node_name(const char *directory, char *text, size_t size)
{
	struct lines uevent = { 0 };

	snprintf(text, size, "%s", strrchr(directory, '/') + 1);
	while (next_line(&uevent, "%s/uevent", directory))
		if (!strncmp(uevent.line, "DEVNAME=", 8))
			snprintf(text, size, "/dev/%.*s", (int)size - 6, uevent.line + 8);
}

static void check_node(const struct machine *machine, const char *directory,
		       const char *subsystem, struct obstacles *obstacles)
{
	unsigned int major, minor;
	const struct holder *holder;
	char text[32], name[128];

	file_read(text, sizeof(text), "%s/dev", directory);
	if (sscanf(text, "%u:%u", &major, &minor) != 2)
		return;
	node_name(directory, name, sizeof(name));
	for (holder = holder_of(&machine->holders, S_IFCHR, makedev(major, minor), NULL); holder;
	     holder = holder_of(&machine->holders, S_IFCHR, makedev(major, minor), holder))
		if (!strcmp(subsystem, "vfio-dev"))
			obstacle_add(obstacles, REASON_VFIO_OPEN, "%s has it open through VFIO (%s)",
				     holder->name, name);
		else
			obstacle_add(obstacles, REASON_PROCESS_OPEN, "%s has %s open", holder->name,
				     name);
}

static void check_screen(const char *directory, const char *name, struct obstacles *obstacles)
{
	char enabled[16];

	file_read(enabled, sizeof(enabled), "%s/enabled", directory);
	if (!strcmp(enabled, "enabled"))
		obstacle_add(obstacles, REASON_DISPLAY_SCREEN, "it draws on the screen at %s", name);
}

static void check_rdma(const char *directory, const char *name, struct obstacles *obstacles)
{
	char *pattern = format("%s/ports/*", directory), state[32], layer[32];
	glob_t found;
	size_t i;

	if (!glob(pattern, 0, NULL, &found)) {
		for (i = 0; i < found.gl_pathc; i++) {
			file_read(state, sizeof(state), "%s/state", found.gl_pathv[i]);
			file_read(layer, sizeof(layer), "%s/link_layer", found.gl_pathv[i]);
			/* With Ethernet below, the interface's own state tells. */
			if (strstr(state, "ACTIVE") && strcmp(layer, "Ethernet"))
				obstacle_add(obstacles, REASON_RDMA_ACTIVE, "port %s of its RDMA device %s is active",
					     strrchr(found.gl_pathv[i], '/') + 1, name);
		}
		globfree(&found);
	}
	free(pattern);
}

static void check_mdev(const struct machine *machine, const char *directory, const char *name,
		       struct obstacles *obstacles)
{
	const struct holder *holder = NULL;
	char group[16], path[32];
	struct stat node;

	link_read(group, sizeof(group), "%s/iommu_group", directory);
	snprintf(path, sizeof(path), "/dev/vfio/%s", *group ? group : "none");
	if (!stat(path, &node))
		holder = holder_of(&machine->holders, S_IFCHR, node.st_rdev, NULL);
	obstacle_add(obstacles, REASON_MDEV, "it is the parent of the mediated device %s%s%s", name,
		     holder ? ", which is open: " : "", holder ? holder->name : "");
}

/*
 * What the kernel has made of the device lies at any depth below it (SCSI, USB, virtio),
 * under different names; the link "subsystem" tells what a directory is.
 */
static void check_directory(const struct machine *machine, const char *directory, const char *name,
			    struct obstacles *obstacles)
{
	char subsystem[64];

	link_read(subsystem, sizeof(subsystem), "%s/subsystem", directory);
	if (!*subsystem)
		return;
	if (!strcmp(subsystem, "block"))
		disk_find_obstacles(&machine->holders, &machine->mounts, name, machine->may_try, obstacles);
	else
		check_node(machine, directory, subsystem, obstacles);
	if (!strcmp(subsystem, "drm"))
		check_screen(directory, name, obstacles);
	else if (!strcmp(subsystem, "graphics") && console_draws())
		obstacle_add(obstacles, REASON_FRAMEBUFFER, "the console draws on its framebuffer %s", name);
	else if (!strcmp(subsystem, "tty") && is_console(name))
		obstacle_add(obstacles, REASON_CONSOLE, "its port %s is the console", name);
	else if (!strcmp(subsystem, "input") && is_keyboard(directory))
		obstacle_add(obstacles, REASON_KEYBOARD, "the console takes keys from %s below it", name);
	else if (!strcmp(subsystem, "infiniband"))
		check_rdma(directory, name, obstacles);
	else if (!strcmp(subsystem, "mdev"))
		check_mdev(machine, directory, name, obstacles);
}

static void check_below(const struct machine *machine, const char *directory, struct obstacles *obstacles)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	if (!dir) {
		obstacle_add(obstacles, REASON_UNKNOWN, "%s cannot be read: %s", directory, strerror(errno));
		return;
	}
	while ((entry = readdir(dir))) {
		char *path;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		path = format("%s/%s", directory, entry->d_name);
		check_directory(machine, path, entry->d_name, obstacles);
		check_below(machine, path, obstacles);
		free(path);
	}
	closedir(dir);
}

/* A group is opened once only, whoever holds it; a device's own file is not. */
static void check_vfio(const struct machine *machine, const struct device *device,
		       struct obstacles *obstacles)
{
	const char *prefix = "";
	const struct holder *holder;
	struct stat node;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", device->group);
	if (!access(path, F_OK))
		prefix = "noiommu-";
	snprintf(path, sizeof(path), "/dev/vfio/%s%d", prefix, device->group);
	if (stat(path, &node))
		return;
	holder = holder_of(&machine->holders, S_IFCHR, node.st_rdev, NULL);
	for (; holder; holder = holder_of(&machine->holders, S_IFCHR, node.st_rdev, holder))
		obstacle_add(obstacles, REASON_VFIO_OPEN, "%s has it open through VFIO (%s)", holder->name, path);
	if (obstacles->count || !machine->may_try)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	else if (errno == EBUSY)
		obstacle_add(obstacles, REASON_VFIO_OPEN, "a process has it open through VFIO (%s)", path);
	else
		obstacle_add(obstacles, REASON_UNKNOWN, "whether a process has it open cannot be found out: %s: %s",
			     path, strerror(errno));
}

static void check_virtual_functions(const struct machine *machine, const struct device *device,
				    struct obstacles *obstacles)
{
	char *pattern = format("/sys/bus/pci/devices/%s/virtfn*", device->address);
	glob_t found;
	size_t i;
	int n;

	if (!glob(pattern, 0, NULL, &found)) {
		for (i = 0; i < found.gl_pathc; i++) {
			const char *name = strrchr(found.gl_pathv[i], '/') + 1;
			struct obstacles its = { 0 };
			struct device function = { 0 };

			device_link(device, name, function.address, sizeof(function.address));
			device_refresh(&function);
			in_use(machine, &function, &its);
			obstacle_add(obstacles, REASON_VIRTUAL_FUNCTION, "its virtual function %s would go (driver %s)",
				     function.address, driver_text(function.driver));
			for (n = 0; n < its.count; n++)
				obstacle_add(obstacles, its.obstacle[n].reason, "%s: %s", function.address,
					     its.obstacle[n].text);
			obstacles_free(&its);
		}
		globfree(&found);
	}
	free(pattern);
}

/* The firmware's picture, drawn by a driver that knows nothing of PCI. */
static void check_firmware_display(const struct device *device, struct obstacles *obstacles)
{
	static const char * const name[] = {
		"BOOTFB", "corebootdrm", "efidrm", "efifb", "ofdrm", "offb", "simple-framebuffer", "simpledrm",
		"simplefb", "vesadrm", "vesafb",
	};
	const struct resource *res;
	struct lines iomem = { 0 };
	char text[8];
	size_t i;

	/* Whether a PCI driver draws on it or, through the firmware's set-up, another one. */
	if (device_read(device, "boot_vga", text, sizeof(text)) > 0 && *text == '1')
		obstacle_add(obstacles, REASON_DISPLAY_BOOT, "it is the boot display");
	while ((device->class >> 8 == 3 || device->class == 1) && next_line(&iomem, "/proc/iomem")) {
		unsigned long long start, end;
		int at = 0;

		if (sscanf(iomem.line, " %llx-%llx : %n", &start, &end, &at) < 2 || !at)
			continue;
		for (i = 0; i < COUNT(name) && strcmp(iomem.line + at, name[i]); i++)
			;
		for (res = device->resource; i < COUNT(name) && res < device->resource + BARS; res++)
			if (res->size && start >= res->start && end < res->start + res->size)
				obstacle_add(obstacles, REASON_DISPLAY_BOOT,
					     "the firmware's display %s is in its BAR %d", name[i],
					     (int)(res - device->resource));
	}
}

static void check_native(const struct machine *machine, const struct device *device,
			 const char *directory, struct obstacles *obstacles)
{
	char class[16] = "";
	int interfaces;

	check_firmware_display(device, obstacles);
	check_below(machine, directory, obstacles);
	interfaces = interfaces_find_obstacles(&machine->interfaces, directory, obstacles);
	if (machine->interfaces.unknown)
		obstacle_add(obstacles, REASON_UNKNOWN, "%s", machine->interfaces.unknown);
	/*
	 * An InfiniBand adapter need not have one; nor has what waits for a driver of user
	 * space, whose file shows its users.
	 */
	device_read(device, "class", class, sizeof(class));
	if (!strncmp(class, "0x02", 4) && strncmp(class, "0x0207", 6) && !interfaces &&
	    *device->driver && !file_exists("%s/uio", directory) && strcmp(device->driver, "pci-stub"))
		obstacle_add(obstacles, REASON_INTERFACE_HIDDEN,
			     "it is a network device of which no interface can be seen: perhaps in another network namespace");
}

/* A file that a process has open; "name" is what it is called in a message, NULL: its own. */
static void check_file(const struct machine *machine, const char *path, const char *name, struct obstacles *obstacles)
{
	const struct holder *holder = NULL;

	while ((holder = holder_of_file(&machine->holders, path, holder)))
		obstacle_add(obstacles, REASON_PROCESS_OPEN, "%s has %s open", holder->name,
			     name ? name : strrchr(holder->path, '/') + 1);
}

/* The name that the driver of a character device has given its number, "195 nvidia"; "" if none. */
static void major_name(unsigned int number, char *name, size_t size)
{
	struct lines devices = { 0 };
	int at;

	*name = '\0';
	while (next_line(&devices, "/proc/devices") && strncmp(devices.line, "Block", 5)) {
		at = 0;
		if (strtoul(devices.line, NULL, 10) == number && !sscanf(devices.line, "%*d %n", &at) && at)
			snprintf(name, size, "%s", devices.line + at);
	}
	lines_end(&devices);
}

/* NVIDIA's driver, for one, makes devices that sysfs does not know; it is known by the name of their number. */
static void check_nodes_without_sysfs(const struct machine *machine, const struct device *device,
				      struct obstacles *obstacles)
{
	const struct holder *holder = machine->holders.holder, *end = holder + machine->holders.count;
	size_t length = strlen(device->driver);
	unsigned int known = 0;
	char name[64] = "";

	for (; length && holder < end; holder++) {
		if (!S_ISCHR(holder->type) ||
		    file_exists("/sys/dev/char/%u:%u", major(holder->device), minor(holder->device)))
			continue;
		if (major(holder->device) != known)
			major_name(major(holder->device), name, sizeof(name));
		known = major(holder->device);
		if (!strncmp(name, device->driver, length) && !isalnum((unsigned char)name[length]))
			obstacle_add(obstacles, REASON_PROCESS_OPEN,
				     "%s has %s open, of its driver %s; whether it is this device's cannot be known",
				     holder->name, holder->path, device->driver);
	}
}

void in_use(const struct machine *machine, const struct device *device, struct obstacles *obstacles)
{
	char *link = format("/sys/bus/pci/devices/%s", device->address), *file;
	char *directory = realpath(link, NULL);

	free(link);
	if (!directory) {
		obstacle_add(obstacles, REASON_UNKNOWN, "it is gone from sysfs");
		return;
	}
	if (device_is_vfio(device)) {
		check_below(machine, directory, obstacles);
		check_vfio(machine, device, obstacles);
	} else {
		check_native(machine, device, directory, obstacles);
		check_nodes_without_sysfs(machine, device, obstacles);
	}
	file = format("%s/resource", directory);
	check_file(machine, file, NULL, obstacles);
	free(file);
	/* The same by another name, "00/03.0"; only domain 0 goes without its number, and not everywhere. */
	file = format("/proc/bus/pci/%s", device->address);
	*strrchr(file, ':') = '/';
	check_file(machine, file, file, obstacles);
	if (!strncmp(device->address, "0000:", 5)) {
		memmove(file + strlen("/proc/bus/pci/"), file + strlen("/proc/bus/pci/0000:"),
			strlen(file + strlen("/proc/bus/pci/0000:")) + 1);
		check_file(machine, file, file, obstacles);
	}
	free(file);
	check_virtual_functions(machine, device, obstacles);
	if (machine->holders.unknown)
		obstacle_add(obstacles, REASON_UNKNOWN, "%s", machine->holders.unknown);
	free(directory);
}

void machine_look(struct machine *machine, bool may_try)
{
	machine->may_try = may_try;
	holders_scan(&machine->holders, 0);
	mounts_scan(&machine->mounts, &machine->holders);
	interfaces_scan(&machine->interfaces, &machine->holders);
}

void machine_free(struct machine *machine)
{
	holders_free(&machine->holders);
	mounts_free(&machine->mounts);
	interfaces_free(&machine->interfaces);
}
