// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "use/holder.h"
#include "use/interface.h"

struct namespaces {
	int count;
	ino_t *seen;
};

static void dont_know(struct interfaces *interfaces, char *why)
{
	if (interfaces->unknown)
		free(why);
	else
		interfaces->unknown = why;
}

/* "pci" and "0000:01:00.0", or "virtio" and "virtio0"; "" where no device is behind it. */
static char *find_parent(const char *bus, const char *name)
{
	char *link = format("/sys/bus/%s/devices/%s", bus ? bus : "", name ? name : "");
	char *path = bus && name ? realpath(link, NULL) : NULL;

	free(link);
	return path ? path : format("%s", "");
}

/* One answer: an interface. Its index, and that of what lies below it, come back. */
static void add(struct interfaces *interfaces, const char *namespace, struct nlmsghdr *message,
		int *index, int *lower)
{
	struct ifinfomsg *info = NLMSG_DATA(message);
	struct rtattr *attr = IFLA_RTA(info);
	int left = IFLA_PAYLOAD(message), master = 0;
	bool elsewhere = false;
	const char *name = "?", *bus = NULL, *parent = NULL;
	struct interface *interface;

	*index = info->ifi_index;
	*lower = 0;
	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		switch (attr->rta_type) {
		case IFLA_IFNAME:
			name = RTA_DATA(attr);
			break;
		case IFLA_MASTER:
			master = *(int *)RTA_DATA(attr);
			break;
		case IFLA_LINK:
			*lower = *(int *)RTA_DATA(attr);
			break;
		case IFLA_LINK_NETNSID:
			elsewhere = true;
			break;
		case IFLA_PARENT_DEV_NAME:
			parent = RTA_DATA(attr);
			break;
		case IFLA_PARENT_DEV_BUS_NAME:
			bus = RTA_DATA(attr);
			break;
		}
	}
	if (elsewhere)
		*lower = 0;
	interfaces->interface = allocate(interfaces->interface,
					 (interfaces->count + 1) * sizeof(*interface));
	interface = &interfaces->interface[interfaces->count++];
	*interface = (struct interface) { .flags = info->ifi_flags };
	interface->name = format("%s", name);
	interface->namespace = format("%s", namespace);
	interface->parent = find_parent(bus, parent);
	/* Their names are known when all of this namespace are. */
	interface->master = master ? format("%d", master) : format("%s", "");
	interface->above = format("%s", "");
}

/* Numbers become names, for the interfaces of one namespace, which start at "first". */
static void connect_interfaces(struct interfaces *interfaces, int first, const int *index,
			       const int *lower)
{
	int i, n;

	for (i = first; i < interfaces->count; i++) {
		struct interface *interface = &interfaces->interface[i];
		int master = atoi(interface->master);

		for (n = first; n < interfaces->count; n++) {
			if (master && index[n - first] == master) {
				free(interface->master);
				interface->master = format("%s", interfaces->interface[n].name);
			}
			if (lower[n - first] == index[i - first] && n != i) {
				free(interface->above);
				interface->above = format("%s", interfaces->interface[n].name);
			}
		}
	}
}

/* All interfaces that this socket's namespace has. Returns false if the kernel does not tell. */
static bool ask(struct interfaces *interfaces, int sock, const char *namespace)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header.nlmsg_len = sizeof(request),
		.header.nlmsg_type = RTM_GETLINK,
		.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};
	int first = interfaces->count, *index = NULL, *lower = NULL, count = 0;
	static char buffer[1 << 16] __attribute__((aligned(8)));
	bool done = false, good = false;
	ssize_t n;

	if (send(sock, &request, sizeof(request), 0) != sizeof(request))
		return false;
	while (!done && (n = recv(sock, buffer, sizeof(buffer), 0)) > 0) {
		struct nlmsghdr *message = (void *)buffer;

		for (; !done && NLMSG_OK(message, n); message = NLMSG_NEXT(message, n)) {
			done = message->nlmsg_type == NLMSG_DONE ||
			       message->nlmsg_type == NLMSG_ERROR;
			good = message->nlmsg_type == NLMSG_DONE;
			if (message->nlmsg_type != RTM_NEWLINK)
				continue;
			index = allocate(index, (count + 1) * sizeof(*index));
			lower = allocate(lower, (count + 1) * sizeof(*lower));
			add(interfaces, namespace, message, &index[count], &lower[count]);
			count++;
		}
	}
	connect_interfaces(interfaces, first, index, lower);
	free(index);
	free(lower);
	return good;
}

/* A socket stays in the namespace that it was made in. */
static int socket_in(int namespace, int home)
{
	int sock;

	if (namespace >= 0 && setns(namespace, CLONE_NEWNET))
		return -1;
	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (namespace >= 0 && setns(home, CLONE_NEWNET))
		fail(CODE_FAILED, NULL, "cannot return to the network namespace: %s",
		     strerror(errno));
	return sock;
}

static bool is_new(struct namespaces *namespaces, ino_t number)
{
	int i;

	for (i = 0; i < namespaces->count; i++)
		if (namespaces->seen[i] == number)
			return false;
	namespaces->seen = allocate(namespaces->seen,
				    (namespaces->count + 1) * sizeof(*namespaces->seen));
	namespaces->seen[namespaces->count++] = number;
	return true;
}

/* What the interfaces of a namespace are; "whose" names it, and is freed. */
static void visit(struct interfaces *interfaces, struct namespaces *namespaces, int home,
		  const char *path, char *whose)
{
	struct stat namespace;
	int fd = -1, sock = -1;
	bool good;

	if (!stat(path, &namespace) && is_new(namespaces, namespace.st_ino)) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			sock = socket_in(fd, home);
		good = sock >= 0 && ask(interfaces, sock, whose);
		/* Unless the process has ended, and with it perhaps the namespace. */
		if (!good && !access(path, F_OK))
			dont_know(interfaces, format("the interfaces%s, cannot be seen", whose));
		if (sock >= 0)
			close(sock);
		if (fd >= 0)
			close(fd);
	}
	free(whose);
}

/* "ip netns add" keeps a namespace by a mount, with no process in it. */
static void visit_mounted(struct interfaces *interfaces, struct namespaces *namespaces, int home)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	while (table && iter && !mnt_table_next_fs(table, iter, &fs)) {
		const char *root = mnt_fs_get_root(fs), *target = mnt_fs_get_target(fs);

		if (root && !strncmp(root, "net:[", 5))
			visit(interfaces, namespaces, home, target,
			      format(", in the network namespace %s", target));
	}
	mnt_free_iter(iter);
	mnt_unref_table(table);
}

/* A process is in one, and may have others open. */
static void visit_process(struct interfaces *interfaces, struct namespaces *namespaces, int home,
			  pid_t pid)
{
	char directory[64], path[384], target[64], *name = process_name(pid);
	struct dirent *entry;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	visit(interfaces, namespaces, home, path,
	      format(", in the network namespace of %s", name));
	snprintf(directory, sizeof(directory), "/proc/%d/fd", pid);
	dir = opendir(directory);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 5 || strncmp(target, "net:[", 5))
			continue;
		visit(interfaces, namespaces, home, path,
		      format(", in a network namespace that %s has open", name));
	}
	if (dir)
		closedir(dir);
	free(name);
}

void interfaces_scan(struct interfaces *interfaces)
{
	struct namespaces namespaces = { 0 };
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), sock;
	struct dirent *entry;
	struct stat own;
	DIR *proc;

	*interfaces = (struct interfaces) { 0 };
	sock = socket_in(-1, home);
	if (sock < 0 || !ask(interfaces, sock, ""))
		dont_know(interfaces, format("the network interfaces cannot be seen"));
	if (sock >= 0)
		close(sock);
	/* A kernel without namespaces has none to visit. */
	if (home < 0 || fstat(home, &own))
		return;
	is_new(&namespaces, own.st_ino);
	/* Those with a name first: it says more than a process's. */
	visit_mounted(interfaces, &namespaces, home);
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			visit_process(interfaces, &namespaces, home, atoi(entry->d_name));
	if (proc)
		closedir(proc);
	else
		dont_know(interfaces, format("/proc cannot be read"));
	free(namespaces.seen);
	close(home);
}

void interfaces_free(struct interfaces *interfaces)
{
	int i;

	for (i = 0; i < interfaces->count; i++) {
		free(interfaces->interface[i].name);
		free(interfaces->interface[i].namespace);
		free(interfaces->interface[i].parent);
		free(interfaces->interface[i].master);
		free(interfaces->interface[i].above);
	}
	free(interfaces->interface);
	free(interfaces->unknown);
}

const struct interface *interface_of(const struct interfaces *interfaces, const char *directory,
				     const struct interface *from)
{
	const struct interface *interface = from ? from + 1 : interfaces->interface;
	size_t length = strlen(directory);

	for (; interface < interfaces->interface + interfaces->count; interface++)
		if (!strncmp(interface->parent, directory, length) &&
		    (!interface->parent[length] || interface->parent[length] == '/'))
			return interface;
	return NULL;
}

int interfaces_find_obstacles(const struct interfaces *interfaces, const char *directory,
			      struct obstacles *obstacles)
{
	const struct interface *interface = NULL;
	int belong = 0;

	while ((interface = interface_of(interfaces, directory, interface))) {
		belong++;
		if (interface->flags & IFF_UP)
			obstacle_add(obstacles, REASON_INTERFACE_UP, "its interface %s is up%s", interface->name,
				     interface->namespace);
		if (*interface->master)
			obstacle_add(obstacles, REASON_INTERFACE_MEMBER, "its interface %s belongs to %s%s",
				     interface->name, interface->master, interface->namespace);
		if (*interface->above)
			obstacle_add(obstacles, REASON_INTERFACE_BELOW, "its interface %s is below %s%s",
				     interface->name, interface->above, interface->namespace);
	}
	return belong;
}
