// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "file.h"
#include "host_sleep.h"
#include "log.h"
#include "tap.h"

#define ALARM "/sys/class/rtc/rtc0/wakealarm"

void host_sleeps(void)
{
	int mark = log_mark();

	file_write(ALARM, "0");
	is_errno(file_write(ALARM, "+6"), 0, "an alarm will wake the machine");
	is_errno(file_write("/sys/power/state", "mem"), 0, "it goes to sleep and comes back");
	ok(log_has(mark, "Waking up from system sleep state S3"), "from S3");
	close(mark);
}
