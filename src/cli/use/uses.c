// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "print/output.h"
#include "use/uses.h"

/* Put one more behind the others; takes it. */
static void add(char **text, const char *between, char *more)
{
	/* An interface may be called what moves a cursor. */
	char *valid = valid_text(more), *longer = format("%s%s%s", *text, **text ? between : "", valid);

	free(*text);
	free(valid);
	free(more);
	*text = longer;
}

/* Disks lie at any depth below their PCI device (SCSI, USB, virtio). */
static void find_disks(const char *directory, char **text)
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
		if (strstr(subsystem, "/class/block"))
			add(text, ", ", format("disk %s", entry->d_name));
		/* A function of its own below a bridge is not this device's. */
		else if (!strstr(subsystem, "/bus/pci"))
			find_disks(path, text);
		free(link);
		free(path);
	}
	if (dir)
		closedir(dir);
}

char *uses_text(const struct machine *machine, const struct device *device)
{
	char *text = format("%s", ""), *link, directory[PATH_MAX], number[16];
	const struct interface *interface = NULL;
	int functions;

	link = format("/sys/bus/pci/devices/%s", device->address);
	if (!device->bridge && realpath(link, directory)) {
		while ((interface = interface_of(&machine->interfaces, directory, interface)))
			add(&text, ", ", format("interface %s%s", interface->name, interface->namespace));
		find_disks(directory, &text);
	}
	free(link);
	functions = device_read(device, "sriov_numvfs", number, sizeof(number)) > 0 ? atoi(number) : 0;
	if (functions)
		add(&text, ", ", format("%d virtual function%s", functions, functions == 1 ? "" : "s"));
	return text;
}

char *uses_now_text(const struct machine *machine, const struct device *device)
{
	struct obstacles obstacles = { 0 };
	char *text = format("%s", "");
	int i;

	if (!device_is_bridge(device))
		in_use(machine, device, &obstacles);
	for (i = 0; i < obstacles.count; i++)
		if (obstacles.obstacle[i].reason != REASON_UNKNOWN || !geteuid())
			add(&text, "; ", format("%s", obstacles.obstacle[i].text));
	obstacles_free(&obstacles);
	return text;
}
