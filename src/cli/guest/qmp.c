// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include <json-c/json.h>

#include "guest/qmp.h"
#include "print/output.h"

/* QEMU answers at once, and briefly, unless it is talking to another program. A slow writer would hold us up. */
#define TALK_MS 3000
#define ANSWERS_MAX (4 << 20)

/* The value of a key in "unix:/run/m.sock,server=on" or "socket,path=/run/m.sock,id=x", to free(); NULL. */
static char *value_of(const char *word, const char *key)
{
	size_t length = strlen(key);

	for (; word && *word; word += strcspn(word, ","), word += *word == ',')
		if (!strncmp(word, key, length))
			return format("%.*s", (int)strcspn(word + length, ","), word + length);
	return NULL;
}

/* The word of the command line in which that key has that value; NULL. */
static const char *word_that_says(const struct vfio_user *user, const char *key, const char *value)
{
	const char *word;
	bool same;

	for (word = user->command_line; word && *word; word += strlen(word) + 1) {
		char *said = value_of(word, key);

		same = said && !strcmp(said, value);
		free(said);
		if (same)
			return word;
	}
	return NULL;
}

char *monitor_path(const struct vfio_user *user)
{
	const char *word = vfio_user_next_word(user, "-qmp");
	char *path, *chardev = NULL;

	if (!word)
		word = vfio_user_next_word(user, "--qmp");
	if (!word) {
		chardev = value_of(word_that_says(user, "mode=", "control"), "chardev=");
		word = chardev ? word_that_says(user, "id=", chardev) : NULL;
		free(chardev);
	}
	path = value_of(word, "unix:");
	return path ? path : value_of(word, "path=");
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void end_talk(struct monitor *monitor, int error)
{
	monitor->error = error;
	if (monitor->fd >= 0)
		close(monitor->fd);
	monitor->fd = -1;
	if (monitor->tokener)
		json_tokener_free(monitor->tokener);
	monitor->tokener = NULL;
}

/* What the path is to that process: no link in it leads out of its root. */
static int open_path(const struct monitor *monitor)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC, .resolve = *monitor->path == '/' ? RESOLVE_IN_ROOT : RESOLVE_BENEATH,
	};
	char start[32];
	int from, fd;

	if (!monitor->pid)
		return open(monitor->path, O_PATH | O_CLOEXEC);
	snprintf(start, sizeof(start), "/proc/%d/%s", monitor->pid, *monitor->path == '/' ? "root" : "cwd");
	from = open(start, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (from < 0)
		return -1;
	fd = syscall(SYS_openat2, from, monitor->path, &how, sizeof(how));
	close(from);
	return fd;
}

/* Returns -errno. */
static int call(struct monitor *monitor)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct ucred listener;
	socklen_t size = sizeof(listener);
	int node = open_path(monitor), err = 0;

	if (node < 0)
		return -errno;
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d", node);
	monitor->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (monitor->fd < 0 || connect(monitor->fd, (struct sockaddr *)&at, sizeof(at)))
		/* As many wait for it as may. */
		err = errno == EAGAIN ? -EBUSY : -errno;
	else if (monitor->pid && (getsockopt(monitor->fd, SOL_SOCKET, SO_PEERCRED, &listener, &size) ||
				  listener.pid != monitor->pid))
		err = -EPERM;
	close(node);
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

static int by_place(const void *a, const void *b)
{
	const struct guest_range *x = a, *y = b;
	int addresses = strcmp(x->address, y->address);

	if (addresses || x->start != y->start)
		return addresses ? addresses : x->start < y->start ? -1 : 1;
	return x->size < y->size ? -1 : x->size > y->size;
}

/* Each address space of the machine has each range once more; KVM serves one of them. */
static void parse(char *text, struct guest_map *map)
{
	struct guest_range range;
	char *line, *rest;
	int i, kept = 0;

	for (line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
		if (parse_line(line, &range))
			*grow(map->range, map->count) = range;
	if (map->count)
		qsort(map->range, map->count, sizeof(*map->range), by_place);
	for (i = 0; i < map->count; i++)
		if (kept && !by_place(&map->range[kept - 1], &map->range[i]))
			map->range[kept - 1].direct |= map->range[i].direct;
		else
			map->range[kept++] = map->range[i];
	map->count = kept;
}

/* What to say after each answer; QMP itself has nothing that tells what KVM was given. */
static const char * const step[] = {
	"{\"execute\": \"qmp_capabilities\"}\n",
	"{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info mtree -f\"}}\n",
	NULL
};

/* One object that it has said. */
static void answer(struct monitor *monitor, struct json_object *object)
{
	struct json_object *found;
	char *text;

	if (json_object_object_get_ex(object, "error", &found)) {
		end_talk(monitor, -EPROTO);
	} else if (!json_object_object_get_ex(object, monitor->step ? "return" : "QMP", &found)) {
		/* An event. */
		return;
	} else if (!step[monitor->step]) {
		text = format("%s", json_object_is_type(found, json_type_string) ? json_object_get_string(found) : "");
		parse(text, &monitor->map);
		end_talk(monitor, *text ? 0 : -EPROTO);
		free(text);
	} else {
		const char *next = step[monitor->step++];

		if (send(monitor->fd, next, strlen(next), MSG_NOSIGNAL) != (ssize_t)strlen(next))
			end_talk(monitor, -errno);
	}
}

static void hear(struct monitor *monitor)
{
	static char text[1 << 16];
	ssize_t n = recv(monitor->fd, text, sizeof(text), 0), at = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	monitor->received += n > 0 ? n : 0;
	if (n <= 0 || monitor->received > ANSWERS_MAX) {
		end_talk(monitor, n < 0 ? -errno : n ? -EMSGSIZE : -EPIPE);
		return;
	}
	while (at < n && monitor->fd >= 0) {
		struct json_object *object = json_tokener_parse_ex(monitor->tokener, text + at, n - at);

		if (!object && json_tokener_get_error(monitor->tokener) != json_tokener_continue) {
			end_talk(monitor, -EPROTO);
			return;
		}
		if (!object)
			return;
		/* What follows is the next object's. */
		at += json_tokener_get_parse_end(monitor->tokener);
		json_tokener_reset(monitor->tokener);
		answer(monitor, object);
		json_object_put(object);
	}
}

void monitors_ask(struct monitor *monitor, int count)
{
	struct pollfd *polls = allocate(NULL, (count + 1) * sizeof(*polls));
	int64_t end = now_ms() + TALK_MS;
	int i, open = 0;

	for (i = 0; i < count; i++) {
		int err = 0;

		monitor[i].fd = -1;
		if (monitor[i].path)
			err = call(&monitor[i]);
		monitor[i].tokener = json_tokener_new();
		if (err || !monitor[i].path)
			end_talk(&monitor[i], err);
	}
	do {
		for (open = i = 0; i < count; i++) {
			polls[i] = (struct pollfd) { .fd = monitor[i].fd, .events = POLLIN };
			open += monitor[i].fd >= 0;
		}
		if (!open || end <= now_ms() || poll(polls, count, end - now_ms()) <= 0)
			break;
		for (i = 0; i < count; i++)
			if (monitor[i].fd >= 0 && polls[i].revents)
				hear(&monitor[i]);
	} while (true);
	for (i = 0; i < count; i++)
		if (monitor[i].fd >= 0)
			end_talk(&monitor[i], -EBUSY);
	free(polls);
}

void monitor_free(struct monitor *monitor)
{
	free(monitor->path);
	free(monitor->map.range);
}

static bool is_of(const struct guest_range *range, const char *address, int bar)
{
	return range->bar == bar && !strcmp(range->address, address);
}

bool guest_bar_address(const struct guest_map *map, const char *address, int bar, uint64_t *start)
{
	const struct guest_range *range;
	bool found = false;

	for_each(range, map->range, map->count) {
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
	const struct guest_range *range;

	if (!guest_bar_address(map, address, bar, &start))
		return 0;
	first = start + offset;
	last = first + size;
	for_each(range, map->range, map->count) {
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
