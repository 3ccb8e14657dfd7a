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
#define OPTION_MAX 255
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
	char *drivers = format("%s", "");
	struct lines file = { 0 };

	while (next_line(&file, CONFIG))
		if (!strncmp(file.line, start, strlen(start))) {
			free(drivers);
			drivers = format("%s", file.line + strlen(start));
		}
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

bool align_takes(const char *driver)
{
	return *driver && strcmp(driver, OURS) &&
	       !driver[strspn(driver, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")];
}

/* What the module is told stays if it was there before; the page is held from the bind on. */
bool align_move(struct change *change, const char *driver)
{
	char now[512], *with;
	bool good, told = file_read(now, sizeof(now), PARAMETER) >= 0 && !has(now, driver);

	with = format("%s%s%s", now, *now ? "," : "", driver);
	if (told)
		told = !file_write(with, PARAMETER);
	good = transaction_move(change, driver, driver);
	if (told)
		file_write(*now ? now : "\n", PARAMETER);
	free(with);
	return good;
}

int always_align(const char *driver, FILE *to)
{
	char *drivers = read_drivers();
	int code;

	if (!has(drivers, driver))
		add_text(&drivers, ",", "%s", driver);
	/* The module's option is no longer. */
	if (strlen(drivers) > OPTION_MAX) {
		complain("subpage-vfio align --never", "%s would name more drivers than the module takes", CONFIG);
		free(drivers);
		return CODE_FAILED;
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
