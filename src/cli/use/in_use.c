// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "bus/file.h"
#include "use/disk.h"
#include "use/in_use.h"

/* Where it lies in sysfs, without links, to free(); NULL: it is gone. */
static char *directory_of(const struct device *device)
{
	char *link = format("/sys/bus/pci/devices/%s", device->address), *directory = realpath(link, NULL);

	free(link);
	return directory;
}

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
	struct matches consoles = { 0 };
	char name[64], bound[8];
	bool draws = false;
	const char *path;

	while (!draws && (path = next_match(&consoles, "/sys/class/vtconsole/*"))) {
		file_read(name, sizeof(name), "%s/name", path);
		file_read(bound, sizeof(bound), "%s/bind", path);
		draws = strstr(name, "frame buffer") && *bound == '1';
	}
	matches_end(&consoles);
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
	char node[120];

	if (file_value(node, sizeof(node), "DEVNAME=", "%s/uevent", directory))
		snprintf(text, size, "/dev/%s", node);
	else
		snprintf(text, size, "%s", strrchr(directory, '/') + 1);
}

static void check_node(const struct machine *machine, const char *directory,
		       const char *subsystem, struct obstacles *obstacles)
{
	const struct holder *holder = NULL;
	unsigned int major, minor;
	char text[32], name[128];

	file_read(text, sizeof(text), "%s/dev", directory);
	if (sscanf(text, "%u:%u", &major, &minor) != 2)
		return;
	node_name(directory, name, sizeof(name));
	while ((holder = holder_of(&machine->holders, S_IFCHR, makedev(major, minor), holder)))
		if (!strcmp(subsystem, "vfio-dev"))
			obstacle_add(obstacles, REASON_VFIO_OPEN, "%s has it open through VFIO (%s)",
				     holder->name, name);
		else
			obstacle_add(obstacles, REASON_PROCESS_OPEN, "%s has %s open", holder->name, name);
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
	struct matches ports = { 0 };
	char state[32], layer[32];
	const char *path;

	while ((path = next_match(&ports, "%s/ports/*", directory))) {
		file_read(state, sizeof(state), "%s/state", path);
		file_read(layer, sizeof(layer), "%s/link_layer", path);
		/* With Ethernet below, the interface's own state tells. */
		if (strstr(state, "ACTIVE") && strcmp(layer, "Ethernet"))
			obstacle_add(obstacles, REASON_RDMA_ACTIVE, "port %s of its RDMA device %s is active",
				     strrchr(path, '/') + 1, name);
	}
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
static void check_vfio(const struct machine *machine, const struct device *device, struct obstacles *obstacles)
{
	const struct holder *holder = NULL;
	struct stat node;
	char path[64];
	int fd;

	device_vfio_group(device, path, sizeof(path));
	if (stat(path, &node))
		return;
	while ((holder = holder_of(&machine->holders, S_IFCHR, node.st_rdev, holder)))
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
	struct matches found = { 0 };
	const struct obstacle *one;
	const char *path;

	while ((path = next_match(&found, "/sys/bus/pci/devices/%s/virtfn*", device->address))) {
		struct device function = { 0 };
		struct obstacles its = { 0 };

		link_read(function.address, sizeof(function.address), "%s", path);
		device_refresh(&function);
		in_use(machine, &function, &its);
		obstacle_add(obstacles, REASON_VIRTUAL_FUNCTION, "its virtual function %s would go (driver %s)",
			     function.address, driver_text(function.driver));
		for_each(one, its.obstacle, its.count)
			obstacle_add(obstacles, one->reason, "%s: %s", function.address, one->text);
		obstacles_free(&its);
	}
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

/* The same by another name, "/proc/bus/pci/00/03.0". */
static void check_proc_file(const struct machine *machine, const char *address, struct obstacles *obstacles)
{
	char *file = format("/proc/bus/pci/%s", address);

	*strrchr(file, ':') = '/';
	check_file(machine, file, file, obstacles);
	free(file);
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
	char *directory = directory_of(device), *file;

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
	check_proc_file(machine, device->address, obstacles);
	/* Only domain 0 goes without its number, and not everywhere. */
	if (!strncmp(device->address, "0000:", 5))
		check_proc_file(machine, device->address + 5, obstacles);
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

/* Disks lie at any depth below their PCI device (SCSI, USB, virtio). */
static void find_disks(const char *directory, char **text)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *path, subsystem[32];

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		path = format("%s/%s", directory, entry->d_name);
		link_read(subsystem, sizeof(subsystem), "%s/subsystem", path);
		if (!strcmp(subsystem, "block"))
			add_text(text, ", ", "disk %s", entry->d_name);
		/* A function of its own below a bridge is not this device's. */
		else if (strcmp(subsystem, "pci"))
			find_disks(path, text);
		free(path);
	}
	if (dir)
		closedir(dir);
}

char *uses_text(const struct machine *machine, const struct device *device)
{
	char *text = NULL, *directory = directory_of(device), *valid, number[16];
	const struct interface *interface = NULL;
	int functions;

	if (!device->bridge && directory) {
		while ((interface = interface_of(&machine->interfaces, directory, interface)))
			add_text(&text, ", ", "interface %s%s", interface->name, interface->namespace);
		find_disks(directory, &text);
	}
	free(directory);
	functions = device_read(device, "sriov_numvfs", number, sizeof(number)) > 0 ? atoi(number) : 0;
	if (functions)
		add_text(&text, ", ", "%d virtual function%s", functions, functions == 1 ? "" : "s");
	/* The name of an interface or a disk may move a cursor. */
	valid = valid_text(text ? text : "");
	free(text);
	return valid;
}
