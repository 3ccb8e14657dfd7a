// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "file.h"
#include "link.h"

#define TRIES 20

static int interface(const struct pci_dev *nic, char name[IFNAMSIZ])
{
	char path[256];
	struct dirent **entries;
	int n, i, err = -ENODEV;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/net", nic->bdf);
	n = scandir(path, &entries, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.') {
			snprintf(name, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, entries[i]->d_name);
			err = 0;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return err;
}

static struct sockaddr_in address(uint8_t network, uint8_t host)
{
	return (struct sockaddr_in) {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(10u << 24 | network << 8 | host),
	};
}

static int configure(int fd, const char *name, uint8_t network)
{
	struct sockaddr_in own = address(network, 15), mask = { .sin_family = AF_INET };
	struct ifreq req = {};

	mask.sin_addr.s_addr = htonl(0xffffff00);
	memcpy(req.ifr_name, name, IFNAMSIZ);
	memcpy(&req.ifr_addr, &own, sizeof(own));
	if (ioctl(fd, SIOCSIFADDR, &req))
		return -errno;
	memcpy(&req.ifr_netmask, &mask, sizeof(mask));
	if (ioctl(fd, SIOCSIFNETMASK, &req))
		return -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &req))
		return -errno;
	req.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &req) ? -errno : 0;
}

int link_up(const struct pci_dev *nic, uint8_t network)
{
	char name[IFNAMSIZ], path[64], carrier[4] = "";
	int err = interface(nic, name), fd, i;

	if (err)
		return err;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = configure(fd, name, network);
	close(fd);
	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", name);
	for (i = 0; !err && i < 300; i++) {
		if (file_read(path, carrier, sizeof(carrier)) > 0 && *carrier == '1')
			return 0;
		sleep_ms(100);
	}
	return err ? err : -ENOLINK;
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (; len; len -= 2)
		sum += *words++;
	sum = (sum >> 16) + (sum & 0xffff);
	return ~(sum + (sum >> 16));
}

static int echo(int fd, uint8_t network, uint16_t sequence)
{
	struct {
		struct icmphdr header;
		char text[56];
	} out = {
		.header = { .type = ICMP_ECHO, .un.echo = { .id = 1, .sequence = sequence } },
		.text = "to the gateway and back",
	}, *in;
	struct sockaddr_in to = address(network, 2);
	char packet[256];
	ssize_t len;

	out.header.checksum = checksum(&out, sizeof(out));
	if (sendto(fd, &out, sizeof(out), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	while ((len = recv(fd, packet, sizeof(packet), 0)) >= 0) {
		in = (void *)(packet + sizeof(struct iphdr));
		if (len == sizeof(struct iphdr) + sizeof(*in) && in->header.type == ICMP_ECHOREPLY &&
		    in->header.un.echo.sequence == sequence && !memcmp(in->text, out.text, sizeof(out.text)))
			return 0;
	}
	return -errno;
}

int link_ping(const struct pci_dev *nic, uint8_t network)
{
	struct timeval second = { .tv_sec = 1 };
	char name[IFNAMSIZ];
	int err = interface(nic, name), fd, i;

	if (err)
		return err;
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)))
		err = -errno;
	/* The first ones may meet an address that is not resolved yet. */
	for (i = 0; !err && i < TRIES; i++)
		if (!echo(fd, network, i))
			break;
	if (!err && i == TRIES)
		err = -ETIMEDOUT;
	close(fd);
	return err;
}
