// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/module.h>

#include "fault.h"

static uint fault_point;
module_param(fault_point, uint, 0644);
MODULE_PARM_DESC(fault_point, "Test builds only: step of the bind that fails (1 to 8, 0: none)");

int fault(enum fault_point point)
{
	return fault_point == point ? -EIO : 0;
}
