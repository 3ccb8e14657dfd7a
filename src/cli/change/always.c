// SPDX-License-Identifier: GPL-2.0-only
#include "bus/file.h"
#include "bus/pci.h"
#include "change/always.h"
#include "print/output.h"

#define CONFIG "/etc/modprobe.d/subpage-vfio-align.conf"
#define OPTION "options " OURS " align_for="
#define OPTION_MAX 255
#define PARAMETER "/sys/module/" OURS "/parameters/align_for"

/* What was done to devices before stays done. */
static int cannot(const char *what, int err)
{
	bool permission = err == -EACCES || err == -EPERM;

	complain(permission ? "run it as root: sudo subpage-vfio ..." : NULL,
		 "cannot %s " CONFIG ": %s", what, strerror(-err));
	return permission ? CODE_PERMISSION : CODE_FAILED;
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

static int write_config(const char *drivers)
{
	char *copy = format("%s", drivers), *driver, *rest, *text;
	int err;

	text = format("# Written by \"subpage-vfio align --always\"; \"subpage-vfio align --never\" removes it.\n"
		      OPTION "%s\n", drivers);
	for (driver = strtok_r(copy, ",", &rest); driver; driver = strtok_r(NULL, ",", &rest))
		add_text(&text, "", "softdep %s pre: " OURS "\n", driver);
	err = file_replace(text, CONFIG);
	free(copy);
	free(text);
	return err ? cannot("write", err) : CODE_OK;
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
	char known[1024], *drivers;
	int code;

	file_value(known, sizeof(known), OPTION, CONFIG);
	drivers = format("%s", known);
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
		fprintf(to, "wrote " CONFIG ": BARs get pages of their own whenever %s takes their device\n", drivers);
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
			return cannot("remove", -errno);
		fprintf(to, "there is no " CONFIG ", nothing to do\n");
		return CODE_OK;
	}
	tell_module("");
	fprintf(to, "removed " CONFIG "\n");
	return CODE_OK;
}
