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

/* Does a file of /proc have a word of one line that begins so? */
static bool is_in(const char *file, const char *word)
{
	FILE *list = fopen(file, "re");
	bool found = false;
	char line[4096];

	while (list && !found && fgets(line, sizeof(line), list))
		found = strstr(line, word);
	if (list)
		fclose(list);
	return found;
}

/*
 * Is it, or a partition of it, mounted, swap, or below another block device? A look
 * without opening it; what "bind" refuses is more.
 */
static bool disk_is_used(const char *directory, const char *name)
{
	char *path = format("%s/dev", directory), *word, number[24] = "none";
	struct dirent *entry;
	bool used;
	DIR *dir;

	sysfs_read(path, number, sizeof(number));
	word = format(" %s ", number);
	used = is_in("/proc/self/mountinfo", word);
	free(word);
	word = format("/dev/%s ", name);
	used |= is_in("/proc/self/mountinfo", word) || is_in("/proc/swaps", word);
	free(word);
	free(path);

	dir = opendir(directory);
	while (dir && !used && (entry = readdir(dir))) {
		path = format("%s/%s", directory, entry->d_name);
		if (!strncmp(entry->d_name, name, strlen(name)) && entry->d_type == DT_DIR)
			used = disk_is_used(path, entry->d_name);
		free(path);
	}
	if (dir)
		closedir(dir);
	path = format("%s/holders", directory);
	dir = opendir(path);
	while (dir && !used && (entry = readdir(dir)))
		used = entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	free(path);
	return used;
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
			add(text, format("disk %s%s", entry->d_name,
					 disk_is_used(path, entry->d_name) ? " (in use)" : ""));
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
