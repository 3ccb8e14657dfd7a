// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "use/disk.h"
#include "use/in_use.h"

/* The first line of a file of sysfs, "" if there is none. */
static void read_in(const char *directory, const char *name, char *text, size_t size)
{
	char *path = format("%s/%s", directory, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	free(path);
}

static bool is_in(const char *directory, const char *name)
{
	char *path = format("%s/%s", directory, name);
	bool found = !access(path, F_OK);

	free(path);
	return found;
}

/* Is there such a word in the file? */
static bool has_word(const char *path, const char *word)
{
	FILE *file = fopen(path, "re");
	char found[64];
	bool has = false;

	while (file && !has && fscanf(file, "%63s", found) == 1)
		has = !strcmp(found, word);
	if (file)
		fclose(file);
	return has;
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

		read_in(found.gl_pathv[i], "name", name, sizeof(name));
		read_in(found.gl_pathv[i], "bind", bound, sizeof(bound));
		draws = strstr(name, "frame buffer") && *bound == '1';
	}
	globfree(&found);
	return draws;
}

/* What the kernel itself does with keys goes through "kbd", with a file in nobody's hands. */
static bool is_keyboard(const char *directory)
{
	FILE *list = fopen("/proc/bus/input/devices", "re");
	const char *path = directory + strlen("/sys");
	bool here = false, keyboard = false;
	char line[512];

	while (list && !keyboard && fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "S: Sysfs=", 9))
			here = !strcmp(line + 9, path);
		else if (here && !strncmp(line, "H: Handlers=", 12))
			keyboard = strstr(line, "kbd");
	}
	if (list)
		fclose(list);
	return keyboard && !access("/dev/tty0", F_OK);
}

/* "/dev/snd/controlC0", or the name in sysfs. */
static void node_name(const char *directory, char *text, size_t size)
{
	char *path = format("%s/uevent", directory), line[256];
	FILE *file = fopen(path, "re");

	snprintf(text, size, "%s", strrchr(directory, '/') + 1);
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "DEVNAME=", 8))
			snprintf(text, size, "/dev/%.*s", (int)size - 6, line + 8);
	}
	if (file)
		fclose(file);
	free(path);
}

static void check_node(const struct machine *machine, const char *directory,
		       const char *subsystem, struct obstacles *obstacles)
{
	unsigned int major, minor;
	const struct holder *holder;
	char text[32], name[128];

	read_in(directory, "dev", text, sizeof(text));
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

	read_in(directory, "enabled", enabled, sizeof(enabled));
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
			read_in(found.gl_pathv[i], "state", state, sizeof(state));
			read_in(found.gl_pathv[i], "link_layer", layer, sizeof(layer));
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
	char *link = format("%s/iommu_group", directory), group[256], path[300];
	ssize_t n = readlink(link, group, sizeof(group) - 1);
	const struct holder *holder = NULL;
	struct stat node;

	free(link);
	group[n < 0 ? 0 : n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", n > 0 ? strrchr(group, '/') + 1 : "none");
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
	char *link = format("%s/subsystem", directory), target[256], *subsystem;
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	free(link);
	if (n < 0)
		return;
	target[n] = '\0';
	subsystem = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
	if (!strcmp(subsystem, "block"))
		disk_find_obstacles(&machine->holders, name, machine->may_try, obstacles);
	else
		check_node(machine, directory, subsystem, obstacles);
	if (!strcmp(subsystem, "drm"))
		check_screen(directory, name, obstacles);
	else if (!strcmp(subsystem, "graphics") && console_draws())
		obstacle_add(obstacles, REASON_FRAMEBUFFER, "the console draws on its framebuffer %s", name);
	else if (!strcmp(subsystem, "tty") && has_word("/sys/class/tty/console/active", name))
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
	FILE *iomem = fopen("/proc/iomem", "re");
	char line[256], text[8];
	int bar;
	size_t i;

	/* Whether a PCI driver draws on it or, through the firmware's set-up, another one. */
	if (device_read(device, "boot_vga", text, sizeof(text)) > 0 && *text == '1')
		obstacle_add(obstacles, REASON_DISPLAY_BOOT, "it is the boot display");
	while (iomem && fgets(line, sizeof(line), iomem)) {
		unsigned long long start, end;
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, " %llx-%llx : %n", &start, &end, &at) < 2 || !at)
			continue;
		for (bar = 0; bar < BARS; bar++) {
			const struct resource *res = &device->resource[bar];

			for (i = 0; i < sizeof(name) / sizeof(name[0]); i++)
				if (res->size && start >= res->start &&
				    end < res->start + res->size && !strcmp(line + at, name[i]))
					obstacle_add(obstacles, REASON_DISPLAY_BOOT,
						     "the firmware's display %s is in its BAR %d", name[i], bar);
		}
	}
	if (iomem)
		fclose(iomem);
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
	 * space, whose file shows who uses it.
	 */
	device_read(device, "class", class, sizeof(class));
	if (!strncmp(class, "0x02", 4) && strncmp(class, "0x0207", 6) && !interfaces &&
	    *device->driver && !is_in(directory, "uio") && strcmp(device->driver, "pci-stub"))
		obstacle_add(obstacles, REASON_INTERFACE_HIDDEN,
			     "it is a network device of which no interface can be seen: perhaps in another network namespace");
}

void in_use(const struct machine *machine, const struct device *device, struct obstacles *obstacles)
{
	char *link = format("/sys/bus/pci/devices/%s", device->address), *files;
	char *directory = realpath(link, NULL);
	const struct holder *holder = NULL;

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
	}
	files = format("%s/resource", directory);
	while ((holder = holder_of_file(&machine->holders, files, holder)))
		obstacle_add(obstacles, REASON_PROCESS_OPEN, "%s has %s open", holder->name,
			     holder->path + strlen(directory) + 1);
	check_virtual_functions(machine, device, obstacles);
	if (machine->holders.unknown)
		obstacle_add(obstacles, REASON_UNKNOWN, "%s", machine->holders.unknown);
	free(files);
	free(directory);
}

void machine_look(struct machine *machine, bool may_try)
{
	machine->may_try = may_try;
	holders_scan(&machine->holders);
	interfaces_scan(&machine->interfaces);
}

void machine_free(struct machine *machine)
{
	holders_free(&machine->holders);
	interfaces_free(&machine->interfaces);
}
