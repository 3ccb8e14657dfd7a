// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "guest/qmp.h"
#include "print/output.h"

/* QEMU answers at once, or is talking to somebody else. All of a talk: who drips would hold us up. */
#define TALK_MS 3000

struct monitor {
	int fd;
	int64_t end;		/* of the talk, ms of the clock */
	char text[4096];	/* received, and not yet read from here on: */
	size_t at, length;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* More of the stream. Returns false and sets errno. */
static bool fill(struct monitor *monitor)
{
	struct pollfd wait = { .fd = monitor->fd, .events = POLLIN };
	int64_t left = monitor->end - now_ms();
	ssize_t n;

	if (left <= 0 || poll(&wait, 1, left) <= 0) {
		errno = EBUSY;
		return false;
	}
	n = recv(monitor->fd, monitor->text, sizeof(monitor->text), 0);
	monitor->at = 0;
	monitor->length = n < 0 ? 0 : n;
	if (!n)
		errno = EPIPE;
	return n > 0;
}

/* One JSON object of the stream. Returns NULL and sets errno. */
static struct json_object *receive(struct monitor *monitor)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object = NULL;

	while (tokener && !object && (monitor->at < monitor->length || fill(monitor))) {
		object = json_tokener_parse_ex(tokener, monitor->text + monitor->at,
					       monitor->length - monitor->at);
		if (!object && json_tokener_get_error(tokener) != json_tokener_continue) {
			errno = EPROTO;
			break;
		}
		/* What follows is the next object's. */
		monitor->at = object ? monitor->at + json_tokener_get_parse_end(tokener) : monitor->length;
	}
	if (tokener)
		json_tokener_free(tokener);
	return object;
}

/* Send, and wait for what is an answer and no event. */
static struct json_object *ask(struct monitor *monitor, const char *text)
{
	struct json_object *answer, *found;

	if (send(monitor->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		return NULL;
	while ((answer = receive(monitor))) {
		if (json_object_object_get_ex(answer, "return", &found))
			return answer;
		if (json_object_object_get_ex(answer, "error", &found))
			errno = EPROTO;
		json_object_put(answer);
		if (found)
			return NULL;
	}
	return NULL;
}

static int open_monitor(const char *path, struct monitor *monitor)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct json_object *answer;
	int err;

	*monitor = (struct monitor) { .end = now_ms() + TALK_MS };

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	monitor->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (monitor->fd < 0)
		return -errno;
	if (!connect(monitor->fd, (struct sockaddr *)&at, sizeof(at))) {
		answer = receive(monitor);	/* its greeting */
		if (answer) {
			json_object_put(answer);
			answer = ask(monitor, "{\"execute\": \"qmp_capabilities\"}\n");
		}
		if (answer) {
			json_object_put(answer);
			return 0;
		}
	}
	err = -errno;
	close(monitor->fd);
	return err;
}

/*
 * "  0000000010000000-0000000010003fff (prio 0, ramd): 0000:00:01.0 BAR 0 mmaps[0] @0000000000001000 KVM":
 * "@" is where the range starts in its region, the last word, in capitals or not, says that KVM has it.
 */
static bool parse_line(const char *line, struct guest_range *range)
{
	unsigned long long start, end, offset = 0;
	char kind[16], address[16];
	const char *at;
	int bar, name = 0, rest = 0;

	if (sscanf(line, " %llx-%llx (prio %*d, %15[^)]): %n", &start, &end, kind, &name) < 3 || !name ||
	    sscanf(line + name, "%15s BAR %d%n", address, &bar, &rest) < 2 || !rest)
		return false;
	at = strchr(line + name + rest, '@');
	if (at)
		sscanf(at + 1, "%llx", &offset);
	*range = (struct guest_range) {
		.bar = bar, .start = start, .size = end - start + 1, .offset = offset,
		.mapped = strstr(line + name + rest, " mmaps["),
	};
	snprintf(range->address, sizeof(range->address), "%s", address);
	range->direct = range->mapped && strcasestr(line + name + rest, " kvm");
	return true;
}

static void parse(const char *text, struct guest_map *map)
{
	char *copy = format("%s", text), *line, *rest;

	for (line = strtok_r(copy, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
		struct guest_range range, *known = NULL;
		int i;

		if (!parse_line(line, &range))
			continue;
		/* Each address space of the machine has it once more; KVM serves one of them. */
		for (i = 0; i < map->count && !known; i++)
			if (map->range[i].start == range.start && map->range[i].size == range.size &&
			    !strcmp(map->range[i].address, range.address))
				known = &map->range[i];
		if (known) {
			known->direct |= range.direct;
			continue;
		}
		map->range = allocate(map->range, (map->count + 1) * sizeof(range));
		map->range[map->count++] = range;
	}
	free(copy);
}

int guest_map_read(const char *path, struct guest_map *map)
{
	struct json_object *answer, *text;
	struct monitor monitor;
	int err = open_monitor(path, &monitor);

	*map = (struct guest_map) { 0 };
	if (err)
		return err;
	/* QMP itself has nothing that tells what KVM was given. */
	answer = ask(&monitor,
		     "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info mtree -f\"}}\n");
	if (answer && json_object_object_get_ex(answer, "return", &text) &&
	    json_object_is_type(text, json_type_string))
		parse(json_object_get_string(text), map);
	else
		err = answer ? -EPROTO : -errno;
	json_object_put(answer);
	close(monitor.fd);
	return err;
}

void guest_map_free(struct guest_map *map)
{
	free(map->range);
}

static bool is_of(const struct guest_range *range, const char *address, int bar)
{
	return range->bar == bar && !strcmp(range->address, address);
}

bool guest_bar_address(const struct guest_map *map, const char *address, int bar, uint64_t *start)
{
	bool found = false;
	int i;

	for (i = 0; i < map->count; i++) {
		const struct guest_range *range = &map->range[i];

		if (!is_of(range, address, bar))
			continue;
		if (!found || range->start - range->offset < *start)
			*start = range->start - range->offset;
		found = true;
	}
	return found;
}

uint64_t guest_bar_covered(const struct guest_map *map, const char *address, int bar, uint64_t offset,
			   uint64_t size, bool direct)
{
	uint64_t start = 0, first, last, covered = 0;
	int i;

	if (!guest_bar_address(map, address, bar, &start))
		return 0;
	first = start + offset;
	last = first + size;
	for (i = 0; i < map->count; i++) {
		const struct guest_range *range = &map->range[i];
		uint64_t from = range->start, to = range->start + range->size;

		if (!is_of(range, address, bar) || !(direct ? range->direct : range->mapped))
			continue;
		from = from < first ? first : from;
		to = to > last ? last : to;
		if (from < to)
			covered += to - from;
	}
	return covered;
}
