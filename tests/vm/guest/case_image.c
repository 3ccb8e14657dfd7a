// SPDX-License-Identifier: GPL-2.0-only
/* The second root: is there a QEMU that runs? */
#include <sys/utsname.h>

#include "cases.h"
#include "image.h"

CASE(image)
{
	char text[256] = "";
	struct utsname machine;
	char *argv[] = { NULL, "--version", NULL };

	uname(&machine);
	if (!strcmp(machine.machine, "x86_64"))
		argv[0] = "qemu-system-x86_64";
	else if (!strcmp(machine.machine, "aarch64"))
		argv[0] = "qemu-system-aarch64";
	else
		argv[0] = "qemu-system-ppc64";

	if (!is_errno(image_mount(), 0, "the image is mounted"))
		return;
	is_errno(image_run(argv, "/tmp/output", 120), 0, "%s --version succeeds", argv[0]);
	file_read("/tmp/output", text, sizeof(text));
	if (!ok(!strncmp(text, "QEMU emulator version", 21), "and says which it is"))
		diag("it says: %s", text);
	if (!strcmp(machine.machine, "aarch64"))
		ok(!access("/nested/dev/kvm", R_OK | W_OK), "there is KVM to run it with");
}
