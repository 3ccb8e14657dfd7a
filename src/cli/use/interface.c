// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include "use/holder.h"
#include "use/interface.h"

static void dont_know(struct interfaces *interfaces, char *why)
{
	if (interfaces->unknown)
		free(why);
	else
		interfaces->unknown = why;
}

/* "pci" and "0000:01:00.0", or "virtio" and "virtio0"; NULL where no device is behind it. */
static char *find_parent(const char *bus, const char *name)
{
	char *link = format("/sys/bus/%s/devices/%s", bus, name), *path = realpath(link, NULL);

	free(link);
	return path;
}

/* One answer: an interface. */
static void add(struct interfaces *interfaces, const char *namespace, struct nlmsghdr *message)
{
	struct ifinfomsg *info = NLMSG_DATA(message);
	struct rtattr *attr = IFLA_RTA(info), *is[IFLA_MAX + 1] = { 0 };
	struct interface *interface = grow(interfaces->interface, interfaces->count);
	int left = IFLA_PAYLOAD(message);

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
		if (attr->rta_type <= IFLA_MAX)
			is[attr->rta_type] = attr;
	*interface = (struct interface) {
		.index = info->ifi_index, .flags = info->ifi_flags,
		.name = format("%s", is[IFLA_IFNAME] ? (char *)RTA_DATA(is[IFLA_IFNAME]) : "?"),
		.namespace = format("%s", namespace),
		.parent = is[IFLA_PARENT_DEV_BUS_NAME] && is[IFLA_PARENT_DEV_NAME] ?
			find_parent(RTA_DATA(is[IFLA_PARENT_DEV_BUS_NAME]), RTA_DATA(is[IFLA_PARENT_DEV_NAME])) : NULL,
		.master_index = is[IFLA_MASTER] ? *(int *)RTA_DATA(is[IFLA_MASTER]) : 0,
		.lower_index = is[IFLA_LINK] && !is[IFLA_LINK_NETNSID] ? *(int *)RTA_DATA(is[IFLA_LINK]) : 0,
	};
}

/* Whose member it is, and what is made from it, of the interfaces of its namespace, which start at "first". */
static void connect_interface(struct interfaces *interfaces, int first, struct interface *interface)
{
	const struct interface *other;

	for_each(other, interfaces->interface + first, interfaces->count - first) {
		if (interface->master_index && other->index == interface->master_index)
			interface->master = other->name;
		if (other->lower_index == interface->index && other != interface)
			interface->above = other->name;
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
	int first = interfaces->count, i;
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
			if (message->nlmsg_type == RTM_NEWLINK)
				add(interfaces, namespace, message);
		}
	}
	/* There may be any number of others. */
	for (i = first; i < interfaces->count; i++)
		if (interfaces->interface[i].parent)
			connect_interface(interfaces, first, &interfaces->interface[i]);
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
		fail(CODE_FAILED, NULL, "cannot return to the network namespace: %s", strerror(errno));
	return sock;
}

/* What the interfaces of a namespace are. */
static void visit(struct interfaces *interfaces, const struct namespace *namespace, int home)
{
	int fd = open(namespace->path, O_RDONLY | O_CLOEXEC), sock;

	sock = fd < 0 ? -1 : socket_in(fd, home);
	/* Unless the process has ended, and with it perhaps the namespace. */
	if ((sock < 0 || !ask(interfaces, sock, namespace->whose)) && !access(namespace->path, F_OK))
		dont_know(interfaces, format("the interfaces%s, cannot be seen", namespace->whose));
	if (sock >= 0)
		close(sock);
	if (fd >= 0)
		close(fd);
}

void interfaces_scan(struct interfaces *interfaces, const struct holders *holders)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), sock = socket_in(-1, home), i;

	*interfaces = (struct interfaces) { 0 };
	if (sock < 0 || !ask(interfaces, sock, ""))
		dont_know(interfaces, format("the network interfaces cannot be seen"));
	if (sock >= 0)
		close(sock);
	/* A kernel without namespaces has none to visit. */
	for (i = 0; i < holders->namespaces && home >= 0; i++)
		if (holders->namespace[i].network)
			visit(interfaces, &holders->namespace[i], home);
	if (home >= 0)
		close(home);
}

void interfaces_free(struct interfaces *interfaces)
{
	struct interface *interface;

	for_each(interface, interfaces->interface, interfaces->count) {
		free(interface->name);
		free(interface->namespace);
		free(interface->parent);
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
		if (interface->parent && !strncmp(interface->parent, directory, length) &&
		    (!interface->parent[length] || interface->parent[length] == '/'))
			return interface;
	return NULL;
}

int interfaces_find_obstacles(const struct interfaces *interfaces, const char *directory, struct obstacles *obstacles)
{
	const struct interface *interface = NULL;
	int belong = 0;

	while ((interface = interface_of(interfaces, directory, interface))) {
		belong++;
		if (interface->flags & IFF_UP)
			obstacle_add(obstacles, REASON_INTERFACE_UP, "its interface %s is up%s", interface->name,
				     interface->namespace);
		if (interface->master)
			obstacle_add(obstacles, REASON_INTERFACE_MEMBER, "its interface %s belongs to %s%s",
				     interface->name, interface->master, interface->namespace);
		if (interface->above)
			obstacle_add(obstacles, REASON_INTERFACE_BELOW, "its interface %s is below %s%s",
				     interface->name, interface->above, interface->namespace);
	}
	return belong;
}
