// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "in_use.h"
#include "output.h"

/* Where a disk, or a partition of it, is mounted; "" if that is not what uses it. */
static void find_mount(const char *disk, char *text, size_t size)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char line[1024], source[256], target[256];

	text[0] = '\0';
	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "/dev/%255s %255s", source, target) == 2 &&
		    !strncmp(source, disk, strlen(disk))) {
			snprintf(text, size, ", mounted on %s", target);
			break;
		}
	if (mounts)
		fclose(mounts);
}

/*
 * Mounts, swap, md, device mapper and ZFS each open a disk exclusively, and a
 * partition's user counts for the whole disk: one attempt to do the same asks all
 * of them.
 */
static char *disk_in_use(const char *name)
{
	char path[300], mount[300], *c;
	unsigned int n;
	int fd, used, controller, space;

	/* With NVMe multipath the controller shows a path, "nvme0c1n1", of the disk "nvme0n1". */
	if (sscanf(name, "nvme%uc%dn%d", &n, &controller, &space) == 3)
		snprintf(path, sizeof(path), "/dev/nvme%un%d", n, space);
	else
		snprintf(path, sizeof(path), "/dev/%s", name);
	for (c = path + strlen("/dev/"); *c; c++)
		if (*c == '!')
			*c = '/';

	fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	used = fd < 0 && errno == EBUSY;
	if (fd >= 0)
		close(fd);
	if (!used)
		return NULL;
	find_mount(path + strlen("/dev/"), mount, sizeof(mount));
	return format("its disk %s is in use%s", path, mount);
}

static char *interface_in_use(const char *directory, const char *name)
{
	char *path = format("%s/flags", directory), flags[32] = "";
	FILE *file = fopen(path, "re");

	free(path);
	if (!file)
		return NULL;
	if (!fgets(flags, sizeof(flags), file))
		flags[0] = '\0';
	fclose(file);
	return strtoul(flags, NULL, 16) & IFF_UP ? format("its interface %s is up", name) : NULL;
}

/*
 * Disks and interfaces lie at any depth below their PCI device (SCSI, USB, virtio),
 * under different names; the link "subsystem" tells what a directory is.
 */
static char *below_in_use(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	char *why = NULL;

	while (dir && !why && (entry = readdir(dir))) {
		char *path, *link, subsystem[256];
		ssize_t n;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		path = format("%s/%s", directory, entry->d_name);
		link = format("%s/subsystem", path);
		n = readlink(link, subsystem, sizeof(subsystem) - 1);
		subsystem[n < 0 ? 0 : n] = '\0';
		if (strstr(subsystem, "/class/block"))
			why = disk_in_use(entry->d_name);
		else if (strstr(subsystem, "/class/net"))
			why = interface_in_use(path, entry->d_name);
		if (!why)
			why = below_in_use(path);
		free(link);
		free(path);
	}
	if (dir)
		closedir(dir);
	return why;
}

/* The process that has this file open, or NULL. */
static char *find_opener(const char *path)
{
	DIR *proc = opendir("/proc"), *fds;
	struct dirent *pid, *fd;
	char *found = NULL;

	while (proc && !found && (pid = readdir(proc))) {
		char name[600], target[300], comm[32] = "?";
		FILE *file;
		ssize_t n;

		if (!isdigit((unsigned char)pid->d_name[0]))
			continue;
		snprintf(name, sizeof(name), "/proc/%s/fd", pid->d_name);
		fds = opendir(name);
		while (fds && !found && (fd = readdir(fds))) {
			snprintf(name, sizeof(name), "/proc/%s/fd/%s", pid->d_name, fd->d_name);
			n = readlink(name, target, sizeof(target) - 1);
			if (n < 0)
				continue;
			target[n] = '\0';
			if (strcmp(target, path))
				continue;
			snprintf(name, sizeof(name), "/proc/%s/comm", pid->d_name);
			file = fopen(name, "re");
			if (file && fgets(comm, sizeof(comm), file))
				comm[strcspn(comm, "\n")] = '\0';
			if (file)
				fclose(file);
			found = format("process %s (%s)", pid->d_name, comm);
		}
		if (fds)
			closedir(fds);
	}
	if (proc)
		closedir(proc);
	return found;
}

static char *vfio_in_use(const struct device *device)
{
	char path[64], pattern[64], *opener = NULL, *why;
	int fd, i;

	/* A group is opened once only, whoever holds it; a device's own file is not. */
	snprintf(path, sizeof(path), "/dev/vfio/%d", device->group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	if (fd < 0 && errno == EBUSY) {
		opener = find_opener(path);
		if (!opener)
			opener = format("a process");
	}
	for (i = 0; !opener && i < 4096; i++) {
		snprintf(pattern, sizeof(pattern), "vfio-dev/vfio%d", i);
		if (!device_has(device, pattern))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%d", i);
		opener = find_opener(path);
		break;
	}
	if (!opener)
		return NULL;
	why = format("%s has it open through VFIO (%s)", opener, path);
	free(opener);
	return why;
}

char *in_use(const struct device *device)
{
	char path[64], text[8];

	if (device_is_vfio(device))
		return vfio_in_use(device);
	/* Whether a PCI driver draws on it or, through the firmware's set-up, another one. */
	if (device_read(device, "boot_vga", text, sizeof(text)) > 0 && *text == '1')
		return format("it is the boot display");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", device->address);
	return below_in_use(path);
}
