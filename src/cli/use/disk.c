// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

/* That of them with the number; NULL: it is none of them. */
static const struct node *node_of(const struct nodes *nodes, dev_t device)
{
	const struct node *node;

	for_each(node, nodes->node, nodes->count)
		if (node->device == device)
			return node;
	return NULL;
}

static void add_node(struct nodes *nodes, const char *name)
{
	/* Directories of its partitions, and links to its holders. */
	static const char * const upon[] = { CLASS "/%s/*/partition", CLASS "/%s/holders/*/dev" };
	unsigned int major, minor;
	char text[32], *c;
	struct node *node;
	size_t i;

	file_read(text, sizeof(text), CLASS "/%s/dev", name);
	if (sscanf(text, "%u:%u", &major, &minor) != 2 || node_of(nodes, makedev(major, minor)))
		return;
	node = grow(nodes->node, nodes->count);
	node->name = format("%s", name);
	node->path = format("/dev/%s", name);
	node->device = makedev(major, minor);
	/* sysfs has no directory for the slash of "cciss/c0d0". */
	for (c = node->path; *c; c++)
		if (*c == '!')
			*c = '/';
	for (i = 0; i < COUNT(upon); i++) {
		struct matches found = { 0 };
		const char *path;

		while ((path = next_match(&found, upon[i], name))) {
			char *other = format("%.*s", (int)(strrchr(path, '/') - path), path);

			add_node(nodes, strrchr(other, '/') + 1);
			free(other);
		}
	}
}

static void free_nodes(struct nodes *nodes)
{
	struct node *node;

	for_each(node, nodes->node, nodes->count) {
		free(node->name);
		free(node->path);
	}
	free(nodes->node);
}

static void find_mounts(const struct nodes *nodes, const struct mounts *mounts, struct obstacles *obstacles)
{
	const struct mount *mount;
	const struct node *node;

	for_each(mount, mounts->mount, mounts->count) {
		node = node_of(nodes, mount->device);
		if (node)
			obstacle_add(obstacles, REASON_DISK_MOUNTED, "its disk %s is mounted on %s%s", node->path,
				     mount->target, mount->whose);
	}
	if (mounts->unknown)
		obstacle_add(obstacles, REASON_UNKNOWN, "%s", mounts->unknown);
}

static void find_swap(const struct nodes *nodes, struct obstacles *obstacles)
{
	struct lines swaps = { 0 };
	const struct node *node;

	if (file_exists("/proc/swaps") && access("/proc/swaps", R_OK))
		obstacle_add(obstacles, REASON_UNKNOWN, "the swap spaces cannot be read");
	while (next_line(&swaps, "/proc/swaps")) {
		swaps.line[strcspn(swaps.line, " \t")] = '\0';
		unescape(swaps.line);
		node = node_of(nodes, disk_number(swaps.line));
		if (node)
			obstacle_add(obstacles, REASON_DISK_SWAP, "its disk %s is swap space", node->path);
	}
}

/* The disk behind a loop device is open in the kernel alone, and not exclusively. */
static void find_loops(const struct nodes *nodes, struct obstacles *obstacles)
{
	struct matches found = { 0 };
	const struct node *node;
	const char *file;
	int fd;

	while ((file = next_match(&found, "/sys/block/loop*/loop/backing_file"))) {
		struct loop_info64 info = { 0 };
		char path[64];

		file += strlen("/sys/block/");
		snprintf(path, sizeof(path), "/dev/%.*s", (int)strcspn(file, "/"), file);
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || (ioctl(fd, LOOP_GET_STATUS64, &info) && errno != ENXIO))
			obstacle_add(obstacles, REASON_UNKNOWN, "what is behind %s cannot be read", path);
		if (fd >= 0)
			close(fd);
		node = node_of(nodes, info.lo_rdevice);
		if (node)
			obstacle_add(obstacles, REASON_DISK_LOOP, "its disk %s is behind %s", node->path, path);
	}
}

/* So is what the kernel offers to other machines, as an NVMe or a SCSI target. */
static void find_targets(const struct nodes *nodes, struct obstacles *obstacles)
{
	static const char * const pattern[] = {
		"/sys/kernel/config/nvmet/subsystems/*/namespaces/*/device_path",
		"/sys/kernel/config/target/core/*/*/udev_path",
	};
	const struct node *node;
	size_t p;

	for (p = 0; p < COUNT(pattern); p++) {
		struct matches found = { 0 };
		const char *target;
		char path[512];

		while ((target = next_match(&found, "%s", pattern[p]))) {
			file_read(path, sizeof(path), "%s", target);
			node = node_of(nodes, disk_number(path));
			if (node)
				obstacle_add(obstacles, REASON_DISK_TARGET, "its disk %s is offered by %s",
					     node->path, target);
		}
	}
}

static void find_built_upon(const struct nodes *nodes, struct obstacles *obstacles)
{
	const struct node *node;
	char name[128];

	for_each(node, nodes->node, nodes->count) {
		file_read(name, sizeof(name), CLASS "/%s/dm/name", node->name);
		/* A partition has none, nor anything that is built upon nothing. */
		if (node != nodes->node && file_exists(CLASS "/%s/slaves", node->name))
			obstacle_add(obstacles, REASON_DISK_PART, "its disk %s is part of %s%s%s%s",
				     nodes->node->path, node->path, *name ? " (" : "", name, *name ? ")" : "");
	}
}

static void find_processes(const struct nodes *nodes, const struct holders *holders, struct obstacles *obstacles)
{
	const struct holder *holder;
	const struct node *node;

	for_each(holder, holders->holder, holders->count) {
		node = S_ISBLK(holder->type) ? node_of(nodes, holder->device) : NULL;
		if (node)
			obstacle_add(obstacles, REASON_DISK_OPEN, "%s has its disk %s open", holder->name, node->path);
	}
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
	int controller, space;
	struct obstacle *one;

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
	for_each(one, found.obstacle, found.count)
		obstacle_add(obstacles, one->reason, "%s", one->text);
	obstacles_free(&found);
	free_nodes(&nodes);
}
