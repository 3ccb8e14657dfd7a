// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "print/output.h"
#include "use/holder.h"

/* The namespace that a machine boots with has this number on every kernel. */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

char *process_name(pid_t pid)
{
	char path[64], name[64] = "?", *text, *valid;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	text = format("process %d (%s)", pid, name);
	valid = valid_text(text);
	free(text);
	return valid;
}

static void dont_know(struct holders *holders, char *why)
{
	if (holders->unknown)
		free(why);
	else
		holders->unknown = why;
}

static void add(struct holders *holders, pid_t pid, const struct statx *stat, const char *path)
{
	mode_t type = stat->stx_mode & S_IFMT;
	dev_t device = type == S_IFREG ? 0 : makedev(stat->stx_rdev_major, stat->stx_rdev_minor);
	struct holder *holder;
	int i;

	for (i = holders->count - 1; i >= 0 && holders->holder[i].pid == pid; i--)
		if (holders->holder[i].type == type && holders->holder[i].device == device &&
		    !strcmp(holders->holder[i].path, path))
			return;
	holders->holder = allocate(holders->holder, (holders->count + 1) * sizeof(*holder));
	holder = &holders->holder[holders->count++];
	*holder = (struct holder) { .pid = pid, .type = type, .device = device };
	holder->name = process_name(pid);
	holder->path = format("%s", path);
}

/* A link of /proc that leads to what a process has open: "fd/3", or a range of memory. */
static void look(struct holders *holders, pid_t pid, const char *directory, const char *link)
{
	char path[128], target[512];
	struct statx stat;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s/%s", pid, directory, link);
	/* Not to hang where a network file system does. */
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &stat))
		return;
	if (!S_ISBLK(stat.stx_mode) && !S_ISCHR(stat.stx_mode) && !S_ISREG(stat.stx_mode))
		return;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	if (!S_ISREG(stat.stx_mode) || !strncmp(target, "/sys/", 5))
		add(holders, pid, &stat, target);
}

/* Returns how many files it found, or -1 if the process is gone or keeps them to itself. */
static int look_at_files(struct holders *holders, pid_t pid, const char *directory)
{
	char path[64];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, directory);
	dir = opendir(path);
	if (!dir) {
		if (errno != ENOENT && errno != ESRCH) {
			char *name = process_name(pid);

			dont_know(holders, format("what %s has open cannot be seen", name));
			free(name);
		}
		return -1;
	}
	while ((errno = 0, entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0])) {
			found++;
			look(holders, pid, directory, entry->d_name);
		}
	if (errno && errno != ENOENT && errno != ESRCH)
		dont_know(holders, format("%s cannot be read", path));
	closedir(dir);
	return found;
}

/* Where the first thread has ended, only the others still show the files. */
static void look_at_threads(struct holders *holders, pid_t pid)
{
	char path[300];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) != pid) {
			snprintf(path, sizeof(path), "task/%s/fd", entry->d_name);
			look_at_files(holders, pid, path);
		}
	if (dir)
		closedir(dir);
}

/* A mapping outlives the file that it was made from. */
static void look_at_memory(struct holders *holders, pid_t pid)
{
	char path[64], line[512];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		char range[64];

		if ((strstr(line, " /dev/") || strstr(line, " /sys/")) &&
		    sscanf(line, "%63s", range) == 1)
			look(holders, pid, "map_files", range);
	}
	if (maps)
		fclose(maps);
}

void holders_scan(struct holders *holders)
{
	char namespace[64];
	struct dirent *entry;
	ssize_t n;
	DIR *proc;

	*holders = (struct holders) { 0 };
	n = readlink("/proc/self/ns/pid", namespace, sizeof(namespace) - 1);
	namespace[n < 0 ? 0 : n] = '\0';
	if (n > 0 && strcmp(namespace, FIRST_PID_NAMESPACE))
		dont_know(holders, format("this is a container, where other processes cannot be seen"));
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 0 || pid == getpid())
			continue;
		if (!look_at_files(holders, pid, "fd"))
			look_at_threads(holders, pid);
		look_at_memory(holders, pid);
	}
	if (proc)
		closedir(proc);
	else
		dont_know(holders, format("/proc cannot be read"));
}

void holders_free(struct holders *holders)
{
	int i;

	for (i = 0; i < holders->count; i++) {
		free(holders->holder[i].name);
		free(holders->holder[i].path);
	}
	free(holders->holder);
	free(holders->unknown);
}

const struct holder *holder_of(const struct holders *holders, mode_t type, dev_t device,
			       const struct holder *from)
{
	const struct holder *holder = from ? from + 1 : holders->holder;

	for (; holder < holders->holder + holders->count; holder++)
		if (holder->type == type && holder->device == device)
			return holder;
	return NULL;
}

const struct holder *holder_of_file(const struct holders *holders, const char *beginning,
				    const struct holder *from)
{
	const struct holder *holder = from ? from + 1 : holders->holder;

	for (; holder < holders->holder + holders->count; holder++)
		if (holder->type == S_IFREG &&
		    !strncmp(holder->path, beginning, strlen(beginning)))
			return holder;
	return NULL;
}
