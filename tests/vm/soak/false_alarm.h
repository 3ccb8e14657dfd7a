/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FALSE_ALARM_H
#define FALSE_ALARM_H

#include <stdbool.h>

#include "tap.h"

/*
 * The PCI core releases a bridge window under an open device, and the BAR comes back to where it
 * was: its user must notice nothing. Scenario soak_hotplug has the devices for it.
 */
struct false_alarms {
	unsigned int raised;		/* none of which its user noticed, if nothing is wrong */
	unsigned int reads, refused;
	bool plugged;
	struct wrong wrong;
};

/*
 * All that is behind the port is found anew, as it was at first. Meanwhile nobody may read /proc/iomem:
 * for a moment it has names of buses that have been freed, with any driver.
 */
void false_alarm_start_over(struct false_alarms *alarms);

/*
 * Start over, and have the port's window just long enough for what is known, and the slot empty, as pciehp
 * sees it. Then raise the alarm, before another process rescans.
 */
void false_alarm_prepare(struct false_alarms *alarms);
void false_alarm_raise(struct false_alarms *alarms);

/* A process that raises one can end in the middle: the kernel's lines take no time again. */
void false_alarm_ended(void);

#endif
