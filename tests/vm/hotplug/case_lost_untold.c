// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI core releases a bridge window under an open device for a newcomer that gets no driver: it is
 * found all the same, or by what the user does next.
 */
#include <signal.h>
#include <sys/wait.h>

#include "cases.h"
#include "log.h"
#include "lost_user.h"
#include "peek.h"

/* With no driver that comes, and nothing that the user does. */
static void check_silent(void)
{
	struct user user;
	uint32_t value;
	int i;

	about("ours, who does nothing");
	if (!user_lose_untold(LONG, 8, &user))
		return;
	for (i = 0; i < 50 && peek(user.reg, &value); i++)
		sleep_ms(100);
	ok(!peek(user.reg, &value), "once the kernel is done the old mapping goes");
	check_others_revoked();
	if (user.writer.pid) {
		write_half(&user.writer);
		write_end(&user.writer);
	}
	check_other_opened();
	check_closed_anew(&user);
}

/* What the user does finds it, too. And the PCI core has found no place at all for the BAR. */
static void check_no_room(void)
{
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
	ok(other + log_lines(mark, "BAR 1, at bind") > 0, "the log says so of the other device whose BAR 1 is lost");
	close(mark);
	check_other_forgotten();
	unbind_others();
	ok(!decodes(), "nor when it is closed: its register has an address that is not its own");
	mark = log_mark();
	is_errno(vfio_open(&at.dev, &user.vfio), -EIO, "it cannot be opened again");
	ok(log_has(mark, "has lost its address, and"), "the log says why");
	close(mark);
	ok(!decodes(), "nor does the function decode anything now");
	is_errno(pci_bind(&at.dev, ""), 0, "the device is unbound");
	ok(!zoo_any_claim(), "the BAR has its true size again");
}

MODULE_CASE(lost_untold, "")
{
	check_silent();
	check_no_room();
}
