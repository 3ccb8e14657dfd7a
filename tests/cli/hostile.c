// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that is unkind to whoever looks at it. Usage: hostile MODE PATH [WORD...]
 *
 * It opens /dev/full, which tests/cli/fake-sysfs makes a VFIO device's file, and does what MODE says;
 * the words are for its command line. Prints "ready" and goes on until it is ended.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* Three gigabytes that nobody has touched become its command line, for which no privilege is needed. */
static void long_command_line(void)
{
	unsigned long number[53] = { 0 };
	char text[2048], *word, *rest;
	size_t size = 3ul << 30;
	struct prctl_mm_map to;
	int fd, i = 0;
	char *map;

	fd = open("/proc/self/stat", O_RDONLY);
	text[read(fd, text, sizeof(text) - 1)] = '\0';
	for (word = strtok_r(text, " ", &rest); word && i < 52; word = strtok_r(NULL, " ", &rest))
		number[++i] = strtoul(word, NULL, 10);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	to = (struct prctl_mm_map) {
		.start_code = number[26], .end_code = number[27], .start_stack = number[28],
		.start_data = number[45], .end_data = number[46], .start_brk = number[47],
		.brk = (unsigned long)sbrk(0), .env_start = number[50], .env_end = number[51],
		.arg_start = (unsigned long)map, .arg_end = (unsigned long)map + size, .exe_fd = -1,
	};
	if (map == MAP_FAILED || prctl(PR_SET_MM, PR_SET_MM_MAP, &to, sizeof(to), 0))
		fail("command line");
}

static void *hold_alone(void *file)
{
	if (unshare(CLONE_FILES) || open(file, O_RDWR) < 0)
		fail("thread");
	ready();
	pause();
	return NULL;
}

static int listen_at(const char *path, int waiting)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(at.sun_path, path);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, waiting))
		fail(path);
	/* All places in the queue are taken, and nobody is served. */
	while (!waiting &&
	       !connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&at, sizeof(at)))
		;
	return fd;
}

static void say(int fd, const char *text)
{
	size_t left = strlen(text);
	ssize_t n;

	for (; left; text += n, left -= n) {
		n = send(fd, text, left, MSG_NOSIGNAL);
		if (n <= 0)
			return;
	}
}

static void wait_for_line(int fd)
{
	char letter = 0;

	while (letter != '\n' && read(fd, &letter, 1) == 1)
		;
}

/* A monitor, with so many ranges in the guest's memory; -1: it never ends. */
static void serve(int fd, int ranges)
{
	static char endless[1 << 16];
	char line[160];
	int i;

	say(fd, "{\"QMP\": {}}\n");
	wait_for_line(fd);
	say(fd, "{\"return\": {}}\n");
	wait_for_line(fd);
	say(fd, "{\"return\": \"");
	memset(endless, 'x', sizeof(endless) - 1);
	for (i = 0; ranges < 0 && i < 16384; i++)
		say(fd, endless);
	for (i = 0; i < ranges; i++) {
		snprintf(line, sizeof(line),
			 "  %016lx-%016lx (prio 0, ramd): 0000:00:09.0 BAR %d mmaps[0] KVM\\r\\n",
			 0x10000000 + 0x1000ul * i, 0x10000fff + 0x1000ul * i, i ? 1 : 0);
		say(fd, line);
	}
	say(fd, "\"}\n");
	close(fd);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "none", *path = argv[argc > 2 ? 2 : 0];
	pthread_t thread;
	int fd, user;

	if (!strcmp(mode, "thread") && !pthread_create(&thread, NULL, hold_alone, "/dev/full"))
		pause();
	if (!strcmp(mode, "hold")) {
		if (open(path, O_RDWR) < 0)
			fail(path);
		ready();
		pause();
	}
	if (strcmp(mode, "stranger") && open("/dev/full", O_RDWR) < 0)
		fail("/dev/full");
	if (!strcmp(mode, "stranger") || !strcmp(mode, "words")) {
		long_command_line();
		ready();
		pause();
	}
	if (!strcmp(mode, "mounts")) {
		int i, err = unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);

		for (i = 0; i < 300 && !err; i++)
			err = mount("none", path, "tmpfs", 0, NULL);
		if (err)
			fail(path);
		ready();
		pause();
	}
	if (!strcmp(mode, "nobody")) {
		ready();
		pause();
	}
	if (!strcmp(mode, "chroot")) {
		/* Its monitor's path leads, by a link, to a socket of the host. */
		if (chroot(path) || chdir("/"))
			fail(path);
		ready();
		pause();
	}
	if (*path != '/' && !strncmp(mode, "relative", 8) && chdir("/tmp"))
		fail("/tmp");
	fd = listen_at(path, strcmp(mode, "busy") ? 16 : 0);
	ready();
	for (;;) {
		if (!strcmp(mode, "busy"))
			pause();
		user = accept(fd, NULL, NULL);
		serve(user, !strcmp(mode, "endless") ? -1 : !strcmp(mode, "ranges") ? 40000 : 1);
	}
}
