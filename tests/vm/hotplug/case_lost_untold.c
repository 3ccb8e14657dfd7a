// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI core releases a bridge window under an open device and tells nobody: found by the next
 * newcomer, by what the user does next, or as the device is closed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "file.h"
#include "log.h"
#include "lost_user.h"
#include "models.h"
#include "tap.h"

#define AUTOPROBE "/sys/bus/pci/drivers_autoprobe"

/* Then the next newcomer tells it. */
static void check_newcomer(void)
{
	int mark = log_mark();
	struct pci_dev other;
	struct user user;
	uint32_t value;
	bool told;

	about("ours, found by the next newcomer");
	if (!user_lose_untold(LONG, 8, &user) ||
	    !is_errno(pci_find(IVSHMEM, 0, &other), 0, "there is another device"))
		return;
	/* 6.1 offers the bridge to drivers all the same. */
	told = log_has(mark, "device attach failed");
	close(mark);
	if (told)
		skip(1, "this kernel has told it");
	else
		ok(peek(user.reg, &value), "so far the old mapping is there");
	is_errno(pci_remove(&other), 0, "which is taken away");
	file_write(AUTOPROBE, "0");
	pci_rescan();
	file_write(AUTOPROBE, "1");
	ok(!peek(user.reg, &value), "as it is found again the old mapping goes");
	check_others_revoked();
	if (user.writer.pid) {
		write_half(&user.writer);
		write_end(&user.writer);
	}
	check_closed_anew(&user);
}

/* Or nothing, until the user closes the device. */
static void check_at_close(void)
{
	struct user user;

	about("ours, found at close");
	if (!user_lose_untold(LONG, 8, &user))
		return;
	if (user.writer.pid) {
		kill(user.writer.pid, SIGKILL);
		waitpid(user.writer.pid, NULL, 0);
	}
	check_closed_anew(&user);
}

/* Or what the user does next. And the PCI core has found no place at all for the BAR. */
static void check_no_room(void)
{
	struct vfio_region_info *info;
	char lost[64], moved[64];
	struct user user;
	uint32_t value;
	int mark, i, other;
	char *log;

	about("ours, without room");
	mark = log_mark();
	if (!user_lose_untold(LONGEST, 4, &user))
		return;
	is_errno(vfio_read32(&user.vfio, at.bar, at.reg, &value), -EIO, "read() is refused");
	for (i = 0; i < 100 && peek(user.reg, &value); i++)
		sleep_ms(100);
	ok(!peek(user.reg, &value), "then the old mapping goes, too");
	/* What is done about it is said after that. */
	sleep_ms(200);
	is_u64(zoo_address(&at), 0, "the BAR has no address");
	is_str(zoo_sysfs(&at, "state"), "lost", "state in sysfs");
	log = log_since(mark);
	snprintf(lost, sizeof(lost), "%s: BAR %d, at bind", at.dev.bdf, at.bar);
	snprintf(moved, sizeof(moved), "%s: the PCI core has moved its BARs", at.dev.bdf);
	is_u64(log_count(log, lost), 1, "the log says so");
	is_u64(log_count(log, moved), 1, "and what it means to the user");
	/* This one may be noticed only as it is closed. */
	other = log_count(log, "BAR 1, at bind");
	free(log);
	ok(!decodes(), "the function decodes nothing");
	if (user.writer.pid) {
		write_half(&user.writer);
		ok(!decodes(), "nor when half a write to config space goes on that has begun before");
		write_end(&user.writer);
	}
	ok(!decodes(), "nor when it ends");
	check_event(user.event);
	user_forget(&user);
	vfio_close(&user.vfio);
	log = log_since(mark);
	ok(other + log_count(log, "BAR 1, at bind") > 0, "the log says so of the other device whose BAR 1 is lost");
	free(log);
	close(mark);
	unbind_others();
	ok(!decodes(), "nor when it is closed: its register has an address that is not its own");
	if (is_errno(vfio_open(&at.dev, &user.vfio), 0, "it is opened again, the PCI core has forgotten the BAR")) {
		if (is_errno(vfio_region(&user.vfio, at.bar, &info), 0, "region info")) {
			is_u64(info->size, 0, "there is no such BAR");
			free(info);
		}
		ok(!decodes(), "nor does the function decode anything now");
		vfio_close(&user.vfio);
	}
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(!zoo_any_claim(), "the BAR has its true size again");
}

MODULE_CASE(lost_untold, "")
{
	check_newcomer();
	check_at_close();
	check_no_room();
}
