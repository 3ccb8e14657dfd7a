// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/file.h"
#include "change/saved.h"
#include "print/output.h"

#define DIRECTORY "/etc/driverctl.d"

char *saved_read(const struct device *device)
{
	char line[256];

	if (file_read(line, sizeof(line), DIRECTORY "/pci-%s", device->address) < 0)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return format("%s", line);
}

static int write_file(const char *path, const char *driver)
{
	FILE *file = fopen(path, "we");
	int err = 0;

	if (!file)
		return -errno;
	if (fprintf(file, "%s\n", driver) < 0 || fflush(file) || fsync(fileno(file)))
		err = -errno;
	fclose(file);
	return err;
}

int saved_write(const struct device *device, const char *driver)
{
	char *path = format(DIRECTORY "/pci-%s", device->address);
	/* udev's rule starts driverctl for devices, not for files, so this name means nothing to it. */
	char *new = format(DIRECTORY "/.pci-%s.new", device->address);
	int err = 0;

	if (!driver) {
		if (unlink(path) && errno != ENOENT)
			err = -errno;
	} else {
		if (mkdir(DIRECTORY, 0755) && errno != EEXIST)
			err = -errno;
		if (!err)
			err = write_file(new, driver);
		if (!err && rename(new, path))
			err = -errno;
		if (err)
			unlink(new);
	}
	free(path);
	free(new);
	return err;
}
