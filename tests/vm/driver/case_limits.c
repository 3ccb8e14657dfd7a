// SPDX-License-Identifier: GPL-2.0-only
/*
 * The longest that an option takes, and what is longer: it says so, and keeps what it had. And a second
 * driver of the same name: it is refused, and has left nothing when it goes.
 */
#include <sys/syscall.h>

#include "cases.h"
#include "log.h"
#include "pci.h"

#define ALIGN_FOR "/sys/module/" OURS "/parameters/align_for"
#define LONGEST 255

/* The module under another name: that in its struct module, which in the file is empty before and after it. */
static int load_again(void)
{
	static const struct {
		char before[24], text[196];
	} name = { .text = OURS };
	size_t size;
	char *file = file_slurp("/subpage_vfio_pci.ko", &size);
	char *at = file ? memmem(file, size, &name, sizeof(name)) : NULL;
	int err = -ENOENT;

	if (at) {
		at[sizeof(name.before)] = 'S';
		err = syscall(SYS_init_module, file, size, "") ? -errno : 0;
	}
	free(file);
	return err;
}

CASE(limits)
{
	char names[LONGEST + 2] = "", got[LONGEST + 3], want[LONGEST + 2], *line;
	int mark;

	if (!is_errno(module_load(""), 0, "the module loads"))
		return;
	memset(names, 'a', LONGEST);
	is_errno(file_write(ALIGN_FOR, names), 0, "align_for takes %d characters", LONGEST);
	ok(file_read(ALIGN_FOR, got, sizeof(got)) > 0, "it can be read");
	snprintf(want, sizeof(want), "%s", names);
	is_str(got, want, "and is all of it");
	line = file_slurp(ALIGN_FOR, NULL);
	ok(line && line[strlen(line) - 1] == '\n', "a line of its own");
	free(line);

	mark = log_mark();
	names[LONGEST] = 'a';
	is_errno(file_write(ALIGN_FOR, names), -ENOSPC, "one more is too long");
	ok(log_has(mark, "align_for: longer than 255 characters"), "the log says so");
	close(mark);
	file_read(ALIGN_FOR, got, sizeof(got));
	is_str(got, want, "it is what it was");

	mark = log_mark();
	is_errno(load_again(), -EBUSY, "a second driver of this name is refused");
	ok(log_has(mark, "'" OURS "' is already registered"), "because of its name");
	close(mark);
	/* Its notifier would be called now. */
	pci_rescan();
	is_errno(module_unload(), 0, "the module unloads");
	is_errno(module_load(""), 0, "and loads again");
	is_errno(module_unload(), 0, "and unloads");
}
