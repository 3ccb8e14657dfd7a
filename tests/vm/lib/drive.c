// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive.h"
#include "file.h"
#include "kmod.h"
#include "models.h"

#define LINE 16
#define LINES (DRIVE_AREA_SIZE / LINE)

/* O_DIRECT wants aligned memory. */
static char area_buffer[DRIVE_AREA_SIZE] __attribute__((aligned(65536)));

const struct drive drives[DRIVES] = {
	/* Queue 1 is the first that is not for administration. */
	{ { "nvme" }, "/dev/nvme0n1", "nvme0q1", NVME, 0 },
	{ { "sd_mod", "ahci" }, "/dev/sda", "ahci", AHCI, 5 },
};

int drive_open(const struct drive *drive)
{
	int err, fd, i;

	for (i = 0; i < 2 && drive->modules[i]; i++) {
		err = kmod_insert(drive->modules[i], "");
		if (err && err != -EEXIST)
			return err;
	}
	/* The driver sets the controller up after its probe has returned. */
	for (i = 0; i < 600; i++) {
		fd = open(drive->path, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		sleep_ms(50);
	}
	return -errno;
}

static void runner_line(char *text, unsigned int line)
{
	snprintf(text, LINE + 1, "line %010u\n", line);
}

static void boot_line(char *text, unsigned int line, unsigned int boot)
{
	snprintf(text, LINE + 1, "boot %02u %07u\n", boot % 100, line);
}

int drive_read_area(int fd, unsigned int area)
{
	char first[LINE + 1] = "", want[LINE + 1];
	unsigned int boot, i;
	bool by_runner;

	memset(area_buffer, 0, sizeof(area_buffer));
	if (pread(fd, area_buffer, DRIVE_AREA_SIZE, (off_t)area * DRIVE_AREA_SIZE) != DRIVE_AREA_SIZE)
		return errno ? -errno : -EIO;
	memcpy(first, area_buffer, LINE);
	by_runner = sscanf(first, "boot %2u ", &boot) != 1;
	for (i = 0; i < LINES; i++) {
		if (by_runner)
			runner_line(want, area * LINES + i);
		else
			boot_line(want, area * LINES + i, boot);
		if (memcmp(area_buffer + i * LINE, want, LINE))
			return -EILSEQ;
	}
	return by_runner ? DRIVE_RUNNER : DRIVE_BOOT + (int)boot;
}

void drive_expect(char *text, size_t size)
{
	char line[LINE + 1];
	size_t i;

	for (i = 0; i < size / LINE; i++) {
		runner_line(line, i);
		memcpy(text + i * LINE, line, LINE);
	}
}

bool drive_is_copy(const char *path)
{
	static char want[DRIVE_AREAS * DRIVE_AREA_SIZE];
	size_t len = 0;
	char *copy = file_slurp(path, &len);
	bool good;

	drive_expect(want, sizeof(want));
	good = copy && len == sizeof(want) && !memcmp(copy, want, len);
	free(copy);
	return good;
}

int drive_write_area(int fd, unsigned int area, unsigned int boot)
{
	char text[LINE + 1];
	unsigned int i;

	for (i = 0; i < LINES; i++) {
		boot_line(text, area * LINES + i, boot);
		memcpy(area_buffer + i * LINE, text, LINE);
	}
	if (pwrite(fd, area_buffer, DRIVE_AREA_SIZE, (off_t)area * DRIVE_AREA_SIZE) != DRIVE_AREA_SIZE)
		return errno ? -errno : -EIO;
	return fsync(fd) ? -errno : 0;
}
