// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "bus/file.h"
#include "use/holder.h"

/* The namespace that a machine boots with has this number on every kernel. */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

char *process_name(pid_t pid)
{
	char name[64], *text, *valid;

	file_read(name, sizeof(name), "/proc/%d/comm", pid);
	text = format("process %d (%s)", pid, *name ? name : "?");
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

void holders_add_namespace(struct holders *holders, bool network, ino_t number, char *path, char *whose)
{
	bool known = number == holders->own[network];
	const struct namespace *other;

	for_each(other, holders->namespace, holders->namespaces)
		known |= other->number == number && other->network == network;
	if (!known) {
		*grow(holders->namespace, holders->namespaces) =
			(struct namespace) { network, number, path, whose };
		return;
	}
	free(path);
	free(whose);
}

/* A kernel thread, which has no memory, has nothing open. */
static bool is_program(pid_t pid)
{
	char memory[64];

	return file_read(memory, sizeof(memory), "/proc/%d/statm", pid) > 0 && strncmp(memory, "0 ", 2);
}

static void add(struct holders *holders, struct holder *new, const struct statx *stat, const char *path)
{
	const struct holder *last = holders->count ? &holders->holder[holders->count - 1] : NULL;
	int i;

	new->type = stat->stx_mode & S_IFMT;
	if (S_ISBLK(new->type) || S_ISCHR(new->type))
		new->device = makedev(stat->stx_rdev_major, stat->stx_rdev_minor);
	/* Each node once a process. */
	for (i = holders->count - 1; new->device && i >= 0 && holders->holder[i].pid == new->pid; i--)
		if (holders->holder[i].type == new->type && holders->holder[i].device == new->device)
			return;
	new->name = last && last->pid == new->pid ? format("%s", last->name) : process_name(new->pid);
	new->path = format("%s", path);
	*grow(holders->holder, holders->count) = *new;
}

/* The files of a PCI device in sysfs and /proc that its registers are behind. */
static bool is_of_a_device(const char *path)
{
	return !strncmp(path, "/sys/", 5) ? !strncmp(strrchr(path, '/'), "/resource", 9) :
	       !strncmp(path, "/proc/bus/pci/", 14);
}

/* A link of /proc that leads to what a process has open: "fd/3", or a range of memory. */
static void look(struct holders *holders, struct holder *new, const char *directory, const char *link)
{
	char path[128], target[512], *number;
	struct statx stat;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", directory, link);
	/* Not to hang where a network file system does. */
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &stat))
		return;
	if (S_ISSOCK(stat.stx_mode) || S_ISFIFO(stat.stx_mode) || S_ISDIR(stat.stx_mode))
		return;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	number = strstr(target, ":[");
	if (!strcmp(target, VFIO_FILE) || !strcmp(target, VM_FILE)) {
		/* An anonymous file became a regular one in Linux 6.17. */
		stat.stx_mode = 0;
		add(holders, new, &stat, target);
	} else if (number == target + 3 && !strncmp(target, "net", 3)) {
		char *name = process_name(new->pid);

		holders_add_namespace(holders, true, strtoul(number + 2, NULL, 10), format("%s", path),
				      format(", in a network namespace that %s has open", name));
		free(name);
	} else if (S_ISBLK(stat.stx_mode) || S_ISCHR(stat.stx_mode) ||
		   (S_ISREG(stat.stx_mode) && is_of_a_device(target))) {
		add(holders, new, &stat, target);
	}
}

static void look_at_files(struct holders *holders, pid_t pid, pid_t thread)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", pid, thread);
	dir = opendir(path);
	if (!dir && errno != ENOENT && errno != ESRCH && is_program(pid)) {
		char *name = process_name(pid);

		dont_know(holders, format("what %s has open cannot be seen", name));
		holders->hidden += pid == thread;
		free(name);
	}
	if (!dir)
		return;
	while ((errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			look(holders, &(struct holder) { .pid = pid, .thread = thread, .fd = atoi(entry->d_name) },
			     path, entry->d_name);
	if (errno && errno != ENOENT && errno != ESRCH)
		dont_know(holders, format("%s cannot be read", path));
	closedir(dir);
}

/* "mnt:[4026531841]"; 0: it cannot be read. */
static ino_t read_namespace(bool network, const char *whose)
{
	char number[32];

	link_read(number, sizeof(number), "/proc/%s/ns/%s", whose, network ? "net" : "mnt");
	return *number ? strtoul(number + strlen("mnt:["), NULL, 10) : 0;
}

static void look_at_namespaces(struct holders *holders, pid_t pid, pid_t thread)
{
	char *name = NULL, whose[32];
	int network;
	ino_t number;

	snprintf(whose, sizeof(whose), "%d/task/%d", pid, thread);
	for (network = 0; network < 2; network++) {
		number = read_namespace(network, whose);
		if (!number || number == holders->own[network])
			continue;
		if (!name)
			name = process_name(pid);
		holders_add_namespace(holders, network, number,
				      format("/proc/%s/%s", whose, network ? "ns/net" : "mountinfo"),
				      format(", in the %s namespace of %s", network ? "network" : "mount", name));
	}
	free(name);
}

static bool same_files(pid_t one, pid_t other)
{
	return !syscall(SYS_kcmp, one, other, KCMP_FILES, 0, 0);
}

/* Threads can have files and namespaces of their own, and the first can have ended. */
static void look_at_threads(struct holders *holders, pid_t pid)
{
	pid_t thread, other = pid;
	struct dirent *entry;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		thread = atoi(entry->d_name);
		if (thread <= 0)
			continue;
		look_at_namespaces(holders, pid, thread);
		if (thread != pid && (same_files(pid, thread) || same_files(other, thread)))
			continue;
		look_at_files(holders, pid, thread);
		other = thread;
	}
	if (dir)
		closedir(dir);
}

/* A mapping outlives the file that it was made from. */
static void look_at_memory(struct holders *holders, pid_t pid)
{
	struct lines maps = { 0 };
	char directory[32];

	snprintf(directory, sizeof(directory), "/proc/%d/map_files", pid);
	while (next_line(&maps, "/proc/%d/maps", pid))
		if (strstr(maps.line, " /dev/") || strstr(maps.line, " /sys/") ||
		    strstr(maps.line, " /proc/bus/pci/")) {
			maps.line[strcspn(maps.line, " ")] = '\0';
			look(holders, &(struct holder) { .pid = pid, .thread = pid, .fd = -1 }, directory, maps.line);
		}
}

static void look_at_process(struct holders *holders, pid_t pid)
{
	if (pid <= 0 || pid == getpid())
		return;
	look_at_threads(holders, pid);
	look_at_memory(holders, pid);
}

void holders_scan(struct holders *holders, pid_t only)
{
	char namespace[64];
	struct dirent *entry;
	DIR *proc;

	*holders = (struct holders) { .own = { read_namespace(false, "self"), read_namespace(true, "self") } };
	link_read(namespace, sizeof(namespace), "/proc/self/ns/pid");
	if (*namespace && strcmp(namespace, FIRST_PID_NAMESPACE))
		dont_know(holders, format("this is a container, where other processes cannot be seen"));
	if (only) {
		look_at_process(holders, only);
		return;
	}
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc)))
		look_at_process(holders, atoi(entry->d_name));
	if (proc)
		closedir(proc);
	else
		dont_know(holders, format("/proc cannot be read"));
}

void holders_free(struct holders *holders)
{
	struct namespace *namespace;
	struct holder *holder;

	for_each(holder, holders->holder, holders->count) {
		free(holder->name);
		free(holder->path);
	}
	for_each(namespace, holders->namespace, holders->namespaces) {
		free(namespace->path);
		free(namespace->whose);
	}
	free(holders->holder);
	free(holders->namespace);
	free(holders->unknown);
}

const struct holder *holder_of(const struct holders *holders, mode_t type, dev_t device, const struct holder *from)
{
	const struct holder *holder = from ? from + 1 : holders->holder;

	for (; holder < holders->holder + holders->count; holder++)
		if (holder->type == type && holder->device == device)
			return holder;
	return NULL;
}

const struct holder *holder_of_file(const struct holders *holders, const char *beginning, const struct holder *from)
{
	const struct holder *holder = from ? from + 1 : holders->holder;

	for (; holder < holders->holder + holders->count; holder++)
		if (S_ISREG(holder->type) && !strncmp(holder->path, beginning, strlen(beginning)))
			return holder;
	return NULL;
}
