// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/file.h"
#include "use/uses.h"

/* The name of an interface or a disk may move a cursor. Takes the text. */
static char *validated(char *text)
{
	char *valid = valid_text(text ? text : "");

	free(text);
	return valid;
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
	char *text = NULL, *link, directory[PATH_MAX], number[16];
	const struct interface *interface = NULL;
	int functions;

	link = format("/sys/bus/pci/devices/%s", device->address);
	if (!device->bridge && realpath(link, directory)) {
		while ((interface = interface_of(&machine->interfaces, directory, interface)))
			add_text(&text, ", ", "interface %s%s", interface->name, interface->namespace);
		find_disks(directory, &text);
	}
	free(link);
	functions = device_read(device, "sriov_numvfs", number, sizeof(number)) > 0 ? atoi(number) : 0;
	if (functions)
		add_text(&text, ", ", "%d virtual function%s", functions, functions == 1 ? "" : "s");
	return validated(text);
}

char *uses_now_text(const struct machine *machine, const struct device *device)
{
	struct obstacles obstacles = { 0 };
	char *text = NULL;
	int i;

	if (!device_is_bridge(device))
		in_use(machine, device, &obstacles);
	for (i = 0; i < obstacles.count; i++)
		if (obstacles.obstacle[i].reason != REASON_UNKNOWN || !geteuid())
			add_text(&text, "; ", "%s", obstacles.obstacle[i].text);
	obstacles_free(&obstacles);
	return validated(text);
}
