// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "uses.h"

static void add(char **text, char *more)
{
	char *longer = format("%s%s%s", *text, **text ? ", " : "", more);

	free(*text);
	free(more);
	*text = longer;
}

static bool interface_is_up(const char *directory)
{
	char *path = format("%s/flags", directory), flags[32];
	bool up = sysfs_read(path, flags, sizeof(flags)) > 0 && strtoul(flags, NULL, 16) & IFF_UP;

	free(path);
	return up;
}

/* Held by a file system, by swap or by another block device: sysfs shows the latter alone. */
static bool disk_has_holders(const char *directory)
{
	char *path = format("%s/holders", directory);
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	free(path);
	return found;
}

/*
 * Disks and interfaces lie at any depth below their PCI device (SCSI, USB, virtio);
 * the link "subsystem" tells what a directory is.
 */
static void find_below(const char *directory, char **text)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *path, *link, subsystem[256];
		ssize_t n;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		path = format("%s/%s", directory, entry->d_name);
		link = format("%s/subsystem", path);
		n = readlink(link, subsystem, sizeof(subsystem) - 1);
		subsystem[n < 0 ? 0 : n] = '\0';
		if (strstr(subsystem, "/class/net"))
			add(text, format("interface %s%s", entry->d_name, interface_is_up(path) ? " (up)" : ""));
		else if (strstr(subsystem, "/class/block"))
			add(text, format("disk %s%s", entry->d_name, disk_has_holders(path) ? " (in use)" : ""));
		/* A function of its own below a bridge is not this device's. */
		else if (!strstr(subsystem, "/bus/pci"))
			find_below(path, text);
		free(link);
		free(path);
	}
	if (dir)
		closedir(dir);
}

char *uses_text(const struct device *device)
{
	char *text = format("%s", ""), *path, number[16];
	int functions;

	path = format("/sys/bus/pci/devices/%s", device->address);
	if (!device->bridge)
		find_below(path, &text);
	free(path);
	functions = device_read(device, "sriov_numvfs", number, sizeof(number)) > 0 ? atoi(number) : 0;
	if (functions)
		add(&text, format("%d virtual function%s", functions, functions == 1 ? "" : "s"));
	return text;
}
