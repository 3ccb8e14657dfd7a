// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bus/file.h"
#include "use/disk.h"

#define CLASS "/sys/class/block"

/* The disk, its partitions, what is built upon them, and so on. */
struct node {
	char *name;		/* in sysfs */
	char *path;		/* in /dev */
	dev_t device;
};

struct nodes {
	int count;
	struct node *node;
};

static bool has_node(const struct nodes *nodes, dev_t device)
{
	int i;

	for (i = 0; i < nodes->count; i++)
		if (nodes->node[i].device == device)
			return true;
	return false;
}

static void add_node(struct nodes *nodes, const char *name);

/* Directories of its partitions, or links to its holders. */
static void add_nodes_in(struct nodes *nodes, const char *name, const char *below,
			 const char *needs)
{
	char *path = format(CLASS "/%s%s", name, below);
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && file_exists("%s/%s/%s", path, entry->d_name, needs))
			add_node(nodes, entry->d_name);
	if (dir)
		closedir(dir);
	free(path);
}

static void add_node(struct nodes *nodes, const char *name)
{
	char text[32], *c;
	unsigned int major, minor;
	struct node *node;

	file_read(text, sizeof(text), CLASS "/%s/dev", name);
	if (sscanf(text, "%u:%u", &major, &minor) != 2 || has_node(nodes, makedev(major, minor)))
		return;
	node = grow(nodes->node, nodes->count);
	node->name = format("%s", name);
	node->path = format("/dev/%s", name);
	node->device = makedev(major, minor);
	/* sysfs has no directory for the slash of "cciss/c0d0". */
	for (c = node->path; *c; c++)
		if (*c == '!')
			*c = '/';
	add_nodes_in(nodes, name, "", "partition");
	add_nodes_in(nodes, name, "/holders", "dev");
}

static void free_nodes(struct nodes *nodes)
{
	int i;

	for (i = 0; i < nodes->count; i++) {
		free(nodes->node[i].name);
		free(nodes->node[i].path);
	}
	free(nodes->node);
}

static void find_mounts(const struct nodes *nodes, const struct mounts *mounts, struct obstacles *obstacles)
{
	int i, n;

	for (n = 0; n < mounts->count; n++)
		for (i = 0; i < nodes->count; i++)
			if (mounts->mount[n].device == nodes->node[i].device)
				obstacle_add(obstacles, REASON_DISK_MOUNTED, "its disk %s is mounted on %s%s",
					     nodes->node[i].path, mounts->mount[n].target, mounts->mount[n].whose);
	if (mounts->unknown)
		obstacle_add(obstacles, REASON_UNKNOWN, "%s", mounts->unknown);
}

static void find_swap(const struct nodes *nodes, struct obstacles *obstacles)
{
	struct lines swaps = { 0 };
	dev_t device;
	int i;

	if (file_exists("/proc/swaps") && access("/proc/swaps", R_OK))
		obstacle_add(obstacles, REASON_UNKNOWN, "the swap spaces cannot be read");
	while (next_line(&swaps, "/proc/swaps")) {
		swaps.line[strcspn(swaps.line, " \t")] = '\0';
		unescape(swaps.line);
		device = disk_number(swaps.line);
		for (i = 0; i < nodes->count; i++)
			if (device && device == nodes->node[i].device)
				obstacle_add(obstacles, REASON_DISK_SWAP, "its disk %s is swap space",
					     nodes->node[i].path);
	}
}

/* The disk behind a loop device is open in the kernel alone, and not exclusively. */
static void find_loops(const struct nodes *nodes, struct obstacles *obstacles)
{
	glob_t found;
	size_t n;
	int i;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &found))
		return;
	for (n = 0; n < found.gl_pathc; n++) {
		struct loop_info64 info = { 0 };
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/dev/%.*s",
			 (int)strcspn(found.gl_pathv[n] + strlen("/sys/block/"), "/"),
			 found.gl_pathv[n] + strlen("/sys/block/"));
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || (ioctl(fd, LOOP_GET_STATUS64, &info) && errno != ENXIO))
			obstacle_add(obstacles, REASON_UNKNOWN, "what is behind %s cannot be read", path);
		if (fd >= 0)
			close(fd);
		for (i = 0; i < nodes->count; i++)
			if (info.lo_rdevice && info.lo_rdevice == nodes->node[i].device)
				obstacle_add(obstacles, REASON_DISK_LOOP, "its disk %s is behind %s",
					     nodes->node[i].path, path);
	}
	globfree(&found);
}

/* So is what the kernel offers to other machines, as an NVMe or a SCSI target. */
static void find_targets(const struct nodes *nodes, struct obstacles *obstacles)
{
	static const char * const pattern[] = {
		"/sys/kernel/config/nvmet/subsystems/*/namespaces/*/device_path",
		"/sys/kernel/config/target/core/*/*/udev_path",
	};
	glob_t found;
	size_t p, n;
	int i;

	for (p = 0; p < sizeof(pattern) / sizeof(pattern[0]); p++) {
		if (glob(pattern[p], 0, NULL, &found))
			continue;
		for (n = 0; n < found.gl_pathc; n++) {
			char path[512];

			file_read(path, sizeof(path), "%s", found.gl_pathv[n]);
			for (i = 0; i < nodes->count; i++)
				if (disk_number(path) == nodes->node[i].device)
					obstacle_add(obstacles, REASON_DISK_TARGET, "its disk %s is offered by %s",
						     nodes->node[i].path, found.gl_pathv[n]);
		}
		globfree(&found);
	}
}

static void find_built_upon(const struct nodes *nodes, struct obstacles *obstacles)
{
	int i;

	for (i = 1; i < nodes->count; i++) {
		char name[128];

		file_read(name, sizeof(name), CLASS "/%s/dm/name", nodes->node[i].name);
		/* A partition has none, nor anything that is built upon nothing. */
		if (file_exists(CLASS "/%s/slaves", nodes->node[i].name))
			obstacle_add(obstacles, REASON_DISK_PART, "its disk %s is part of %s%s%s%s",
				     nodes->node[0].path, nodes->node[i].path, *name ? " (" : "", name,
				     *name ? ")" : "");
	}
}

static void find_processes(const struct nodes *nodes, const struct holders *holders,
			   struct obstacles *obstacles)
{
	const struct holder *holder;
	int i;

	for (i = 0; i < nodes->count; i++)
		for (holder = holder_of(holders, S_IFBLK, nodes->node[i].device, NULL); holder;
		     holder = holder_of(holders, S_IFBLK, nodes->node[i].device, holder))
			obstacle_add(obstacles, REASON_DISK_OPEN, "%s has its disk %s open", holder->name,
				     nodes->node[i].path);
}

/*
 * Whoever writes to a disk without others' help opens it exclusively, and a partition's
 * user counts for the whole disk: one attempt to do the same asks all of them.
 */
static void find_exclusive(const struct node *disk, struct obstacles *obstacles)
{
	int fd = open(disk->path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	int error = fd < 0 ? errno : 0;
	struct stat stat_buffer;
	bool right = fd >= 0 && !fstat(fd, &stat_buffer) && S_ISBLK(stat_buffer.st_mode) &&
		     stat_buffer.st_rdev == disk->device;

	if (fd >= 0)
		close(fd);
	if (error == EBUSY && !obstacles->count)
		obstacle_add(obstacles, REASON_DISK_HELD, "its disk %s is in use by the kernel", disk->path);
	/* A drive without a disk in it, or one that is dead, is not in use. */
	else if (error && error != EBUSY && error != ENOMEDIUM && error != ENXIO)
		obstacle_add(obstacles, REASON_UNKNOWN, "whether its disk is in use cannot be found out: %s: %s",
			     disk->path, strerror(error));
	else if (!error && !right)
		obstacle_add(obstacles, REASON_UNKNOWN,
			     "whether its disk is in use cannot be found out: %s is another file",
			     disk->path);
}

void disk_find_obstacles(const struct holders *holders, const struct mounts *mounts, const char *name,
			 bool may_try, struct obstacles *obstacles)
{
	struct obstacles found = { 0 };
	struct nodes nodes = { 0 };
	char head[64];
	unsigned int n;
	int controller, space, i;

	/* With NVMe multipath the controller shows a path, "nvme0c1n1", of the disk "nvme0n1". */
	if (sscanf(name, "nvme%uc%dn%d", &n, &controller, &space) == 3) {
		snprintf(head, sizeof(head), "nvme%un%d", n, space);
		name = head;
	}
	add_node(&nodes, name);
	if (nodes.count) {
		find_mounts(&nodes, mounts, &found);
		find_swap(&nodes, &found);
		find_built_upon(&nodes, &found);
		find_loops(&nodes, &found);
		find_targets(&nodes, &found);
		find_processes(&nodes, holders, &found);
		if (may_try)
			find_exclusive(&nodes.node[0], &found);
	}
	for (i = 0; i < found.count; i++)
		obstacle_add(obstacles, found.obstacle[i].reason, "%s", found.obstacle[i].text);
	obstacles_free(&found);
	free_nodes(&nodes);
}
