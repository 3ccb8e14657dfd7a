// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/file.h"
#include "bus/pci.h"
#include "change/always.h"
#include "print/output.h"

#define DIRECTORY "/etc/modprobe.d"
#define CONFIG DIRECTORY "/subpage-vfio-align.conf"
#define PARAMETER "/sys/module/" OURS "/parameters/align_for"

/* What was done to devices before stays done. */
static int cannot(const char *what)
{
	bool permission = errno == EACCES || errno == EPERM;

	complain(permission ? "run it as root: sudo subpage-vfio ..." : NULL,
		 "cannot %s %s: %s", what, CONFIG, strerror(errno));
	return permission ? CODE_PERMISSION : CODE_FAILED;
}

/* The drivers that the file names already, with commas between; to free(). */
static char *read_drivers(void)
{
	static const char start[] = "options " OURS " align_for=";
	FILE *file = fopen(CONFIG, "re");
	char line[256], *drivers = format("%s", "");

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, start, strlen(start)))
			continue;
		free(drivers);
		drivers = format("%s", line + strlen(start));
	}
	if (file)
		fclose(file);
	return drivers;
}

static bool has(const char *drivers, const char *driver)
{
	size_t length = strlen(driver);
	const char *at;

	for (at = drivers; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == length && !strncmp(at, driver, length))
			return true;
	return false;
}

/* Replaced all at once, so that modprobe never reads half of it. */
static int write_config(const char *drivers)
{
	char *copy, *driver, *rest;
	int code = CODE_OK;
	FILE *file;

	if (mkdir(DIRECTORY, 0755) && errno != EEXIST)
		return cannot("make the directory of");
	file = fopen(CONFIG ".new", "we");
	if (!file)
		return cannot("write");
	copy = format("%s", drivers);
	fprintf(file, "# Written by \"subpage-vfio align --always\"; \"subpage-vfio align --never\" removes it.\n"
		"options " OURS " align_for=%s\n", drivers);
	for (driver = strtok_r(copy, ",", &rest); driver; driver = strtok_r(NULL, ",", &rest))
		fprintf(file, "softdep %s pre: " OURS "\n", driver);
	free(copy);
	if (fflush(file) || fsync(fileno(file)))
		code = cannot("write");
	fclose(file);
	if (code == CODE_OK && rename(CONFIG ".new", CONFIG))
		code = cannot("write");
	if (code != CODE_OK)
		unlink(CONFIG ".new");
	return code;
}

/* The module that is loaded does it from now on, too. */
static void tell_module(const char *drivers)
{
	/* Nothing at all would be no write. */
	int err = file_write(*drivers ? drivers : "\n", PARAMETER);

	if (err == -ENOENT && !access("/sys/module/" OURS, F_OK))
		complain("load the new one: rmmod " OURS "; modprobe " OURS,
			 "the driver that is loaded has no option align_for");
	else if (err && err != -ENOENT)
		complain(NULL, "%s: %s; it holds once the module is loaded again", PARAMETER, strerror(-err));
}

int always_align(const char *driver, FILE *to)
{
	char *drivers = read_drivers(), *longer;
	int code;

	if (!has(drivers, driver)) {
		longer = format("%s%s%s", drivers, *drivers ? "," : "", driver);
		free(drivers);
		drivers = longer;
	}
	code = write_config(drivers);
	if (code == CODE_OK) {
		tell_module(drivers);
		fprintf(to, "wrote " CONFIG ": BARs get pages of their own whenever %s takes their device\n",
			drivers);
		if (!access("/usr/sbin/update-initramfs", X_OK))
			fprintf(to, "if the initial ramdisk loads %s: update-initramfs -u\n", driver);
	}
	free(drivers);
	return code;
}

int never_align(FILE *to)
{
	if (unlink(CONFIG)) {
		if (errno != ENOENT)
			return cannot("remove");
		fprintf(to, "there is no " CONFIG ", nothing to do\n");
		return CODE_OK;
	}
	tell_module("");
	fprintf(to, "removed " CONFIG "\n");
	return CODE_OK;
}
