// SPDX-License-Identifier: GPL-2.0-only
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "bus/file.h"
#include "use/mount.h"

dev_t disk_number(const char *path)
{
	struct stat node;

	return !strncmp(path, "/dev/", 5) && !stat(path, &node) && S_ISBLK(node.st_mode) ? node.st_rdev : 0;
}

void unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		unsigned int letter, length = 0;

		if (sscanf(text, "\\%3o%n", &letter, &length) == 1 && length == 4) {
			*to = letter;
			text += length;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

/* Does a file system of that type lie on a disk at all? Of others the source is any text that its owner likes. */
static bool needs_disk(const char *type)
{
	static char types[8192];
	char *line = format("\n\t%s\n", type);
	bool needs;

	if (!*types) {
		file_read(types + 1, sizeof(types) - 2, "/proc/filesystems");
		*types = '\n';
		strcat(types, "\n");
	}
	needs = strstr(types, line);
	free(line);
	return needs;
}

/* "36 35 98:0 / /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw" */
static void read_line(struct mounts *mounts, struct holders *holders, const char *line, const char *whose)
{
	char *root = NULL, *target = NULL, *type = NULL, *source = NULL;
	const char *rest = strstr(line, " - ");
	unsigned int major, minor;
	dev_t device = 0;

	if (!rest || sscanf(line, "%*d %*d %u:%u %ms %ms", &major, &minor, &root, &target) != 4 ||
	    sscanf(rest, " - %ms %ms", &type, &source) != 2)
		goto out;
	unescape(source);
	unescape(target);
	if (major)
		device = makedev(major, minor);
	else if (!strcmp(type, "nsfs") && !*whose && !strncmp(root, "net:[", 5))
		holders_add_namespace(holders, true, strtoul(root + 5, NULL, 10), format("%s", target),
				      format(", in the network namespace %s", target));
	/* One of several disks has a number of its own; its source tells. */
	else if (!strncmp(source, "/dev/", 5) && needs_disk(type))
		device = disk_number(source);
	if (device) {
		*grow(mounts->mount, mounts->count) = (struct mount) { device, target, whose };
		target = NULL;
	}
out:
	free(root);
	free(target);
	free(type);
	free(source);
}

static bool read_list(struct mounts *mounts, struct holders *holders, const char *path, const char *whose)
{
	struct lines list = { 0 };
	bool any = false;

	while (next_line(&list, "%s", path)) {
		read_line(mounts, holders, list.line, whose);
		any = true;
	}
	return any;
}

/* What is our own comes first. */
static int by_device(const void *a, const void *b)
{
	const struct mount *x = a, *y = b;
	int targets;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	targets = strcmp(x->target, y->target);
	return targets ? targets : !!*x->whose - !!*y->whose;
}

void mounts_scan(struct mounts *mounts, struct holders *holders)
{
	int i, kept = 0;

	*mounts = (struct mounts) { 0 };
	if (!read_list(mounts, holders, "/proc/self/mountinfo", ""))
		mounts->unknown = format("the mounts cannot be read");
	/* A process that has ended has taken its mounts with it, or another one shows them. */
	for (i = 0; i < holders->namespaces; i++)
		if (!holders->namespace[i].network)
			read_list(mounts, holders, holders->namespace[i].path, holders->namespace[i].whose);
	if (!mounts->count)
		return;
	qsort(mounts->mount, mounts->count, sizeof(*mounts->mount), by_device);
	for (i = 0; i < mounts->count; i++)
		if (kept && mounts->mount[kept - 1].device == mounts->mount[i].device &&
		    !strcmp(mounts->mount[kept - 1].target, mounts->mount[i].target))
			free(mounts->mount[i].target);
		else
			mounts->mount[kept++] = mounts->mount[i];
	mounts->count = kept;
}

void mounts_free(struct mounts *mounts)
{
	struct mount *mount;

	for_each(mount, mounts->mount, mounts->count)
		free(mount->target);
	free(mounts->mount);
	free(mounts->unknown);
}
