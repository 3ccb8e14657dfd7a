// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"
#include "image.h"
#include "kmod.h"

#define ROOT "/nested"

static const char *find_disk(void)
{
	static char disk[16];
	char path[64], serial[32];
	int letter;

	for (letter = 'a'; letter <= 'h'; letter++) {
		snprintf(path, sizeof(path), "/sys/block/vd%c/serial", letter);
		if (file_read(path, serial, sizeof(serial)) > 0 && !strcmp(serial, "nested")) {
			snprintf(disk, sizeof(disk), "/dev/vd%c", letter);
			return disk;
		}
	}
	return NULL;
}

int image_mount(void)
{
	static const char * const shared[] = { "/dev", "/proc", "/sys" };
	const char *disk;
	char path[64];
	unsigned int i;
	int err;

	/* By a case before. */
	if (!access(ROOT "/proc/self", F_OK))
		return 0;
	err = kmod_insert("nested", "");
	if (err && err != -EEXIST)
		return err;
	for (i = 0; !(disk = find_disk()) && i < 600; i++)
		sleep_ms(50);
	if (!disk)
		return -ENODEV;
	mkdir(ROOT, 0755);
	if (mount(disk, ROOT, "ext4", MS_RDONLY, NULL))
		return -errno;
	for (i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		snprintf(path, sizeof(path), ROOT "%s", shared[i]);
		if (mount(shared[i], path, NULL, MS_BIND, NULL))
			return -errno;
	}
	if (mount("tmpfs", ROOT "/run", "tmpfs", 0, NULL))
		return -errno;
	return mount("tmpfs", ROOT "/tmp", "tmpfs", 0, NULL) ? -errno : 0;
}

static void look(const char *output, void (*watch)(const char *text))
{
	char *text = file_slurp(output, NULL);

	if (text)
		watch(text);
	free(text);
}

/* watch: NULL, or called ten times a second with what is in the file "output". */
static bool has_ended(pid_t pid, int *status, unsigned int seconds, const char *output,
		      void (*watch)(const char *text))
{
	unsigned int ms;

	for (ms = 0; ms < seconds * 1000; ms += 20) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		sleep_ms(20);
		if (watch && ms % 100 == 0)
			look(output, watch);
	}
	return false;
}

pid_t image_start(char *const argv[], const char *output)
{
	int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	pid_t pid;

	if (fd < 0)
		return -errno;
	pid = fork();
	if (!pid) {
		static char *const environment[] = { "PATH=/usr/bin:/bin", "HOME=/tmp", NULL };
		int null = open("/dev/null", O_RDONLY);

		dup2(null, STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		if (!chroot(ROOT) && !chdir("/"))
			execvpe(argv[0], argv, environment);
		dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		pid = -errno;
	close(fd);
	return pid;
}

int image_run_watched(char *const argv[], const char *output, unsigned int seconds,
		      void (*watch)(const char *text))
{
	pid_t pid = image_start(argv, output);
	int status;

	if (pid < 0)
		return pid;
	if (has_ended(pid, &status, seconds, output, watch))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	/* It may still say how far it got. */
	kill(pid, SIGTERM);
	if (!has_ended(pid, &status, 10, output, NULL)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return -ETIMEDOUT;
}

int image_run(char *const argv[], const char *output, unsigned int seconds)
{
	return image_run_watched(argv, output, seconds, NULL);
}
