// SPDX-License-Identifier: GPL-2.0-only
/* The command leaves an interface alone that is up, or whose namespace it cannot see. */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "cases.h"
#include "command.h"
#include "holder.h"
#include "pci.h"

static int interface_flags(const char *name, int flags)
{
	struct ifreq request = { 0 };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	strcpy(request.ifr_name, name);
	request.ifr_flags = flags;
	err = ioctl(sock, SIOCSIFFLAGS, &request);
	close(sock);
	return err;
}

static bool has_interface(const char *name)
{
	int i;

	for (i = 0; i < 100 && !if_nametoindex(name); i++)
		sleep_ms(50);
	return i < 100;
}

static void give_interface(pid_t pid, const char *name)
{
	shell("/cli/busybox ip link set %s netns %d", name, pid);
}

static int other_network(const char *name)
{
	if (unshare(CLONE_NEWNET))
		return 1;
	ready();
	return !has_interface(name) || interface_flags(name, IFF_UP);
}

/* The namespace is held by a socket alone, which tells nobody. */
static int network_of_a_socket(const char *name)
{
	int home = open("/proc/self/ns/net", O_RDONLY), sock;

	if (home < 0 || unshare(CLONE_NEWNET))
		return 1;
	ready();
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	return !has_interface(name) || sock < 0 || setns(home, CLONE_NEWNET) || close(home);
}

/* No process is in it; one has it open, as container managers have. */
static int network_of_a_file(const char *name)
{
	int home = open("/proc/self/ns/net", O_RDONLY);

	if (home < 0 || unshare(CLONE_NEWNET))
		return 1;
	ready();
	return !has_interface(name) || interface_flags(name, IFF_UP) || open("/proc/self/ns/net", O_RDONLY) < 0 ||
	       setns(home, CLONE_NEWNET) || close(home);
}

#define NAMED "/tmp/named"

/* As "ip netns add" keeps one. */
static int network_of_a_name(const char *name)
{
	int home = open("/proc/self/ns/net", O_RDONLY);

	if (home < 0 || unshare(CLONE_NEWNET))
		return 1;
	ready();
	close(open(NAMED, O_WRONLY | O_CREAT, 0644));
	return !has_interface(name) || interface_flags(name, IFF_UP) ||
	       mount("/proc/self/ns/net", NAMED, NULL, MS_BIND, NULL) || setns(home, CLONE_NEWNET) || close(home);
}

static void end_bridge(void)
{
	ok(!shell("/cli/busybox brctl delbr br0"), "the bridge is removed");
}

static void check_interface(const struct pci_dev *net)
{
	static const char member[] = "its interface eth0 belongs to br0";
	pid_t holder;

	if (!ok(has_interface("eth0"), "there is an interface"))
		return;
	ok(!interface_flags("eth0", IFF_UP), "it is up");
	cli_refused(net, "its interface eth0 is up", "interface_up", "interface");
	interface_flags("eth0", 0);

	kmod_insert("bridge", "");
	shell("/cli/busybox brctl addbr br0 && /cli/busybox brctl addif br0 eth0");
	cli_refused(net, member, "interface_member", "member of a bridge");
	cli_forced(net, member, "member of a bridge", end_bridge);
	ok(has_interface("eth0"), "the interface is back from a bridge");

	holder = start_holder(other_network, give_interface, "eth0", "other namespace");
	cli_refused(net, "its interface eth0 is up, in the network namespace of process", "interface_up",
		    "interface of another namespace");
	end_holder(holder);
	ok(has_interface("eth0"), "the interface is back from another namespace");

	holder = start_holder(network_of_a_file, give_interface, "eth0", "file of a namespace");
	cli_refused(net, "its interface eth0 is up, in a network namespace that process", "interface_up",
		    "interface of a namespace that is a file");
	end_holder(holder);
	ok(has_interface("eth0"), "the interface is back from a file");

	holder = start_holder(network_of_a_name, give_interface, "eth0", "named namespace");
	cli_refused(net, "its interface eth0 is up, in the network namespace " NAMED, "interface_up",
		    "interface of a named namespace");
	end_holder(holder);
	umount(NAMED);
	ok(has_interface("eth0"), "the interface is back from a named namespace");

	holder = start_holder(network_of_a_socket, give_interface, "eth0", "nowhere");
	cli_refused(net, "no interface can be seen: perhaps in another network namespace",
		    "interface_hidden", "interface that is nowhere");
	end_holder(holder);
	ok(has_interface("eth0"), "the interface is back from nowhere");
}

CASE(cli_interfaces)
{
	struct pci_dev net;

	cli_set_up();
	cli_install_module();
	kmod_insert("e1000e", "");
	if (is_errno(pci_find(E1000E, 0, &net), 0, "there is a card"))
		check_interface(&net);
}
