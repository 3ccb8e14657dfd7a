// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "eeh.h"
#include "file.h"

bool eeh_enabled(void)
{
	char *text = file_slurp("/proc/powerpc/eeh", NULL);
	bool on = text && strstr(text, "is enabled");

	free(text);
	return on;
}

int eeh_op(const struct vfio *vfio, int op)
{
	struct vfio_eeh_pe_op pe_op = { .argsz = sizeof(pe_op), .op = op };
	int ret = ioctl(vfio->container, VFIO_EEH_PE_OP, &pe_op);

	return ret < 0 ? -errno : ret;
}
