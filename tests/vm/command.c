// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "tap.h"

#define OURS "subpage_vfio_pci"

char out[1 << 17], err[1 << 14];

static void slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Run a program; what it prints is then in "out" and "err". Returns its exit code. */
static int run_as(uid_t uid, const char *program, const char *fmt, va_list args)
{
	char line[512], path[32], *word[32], *rest;
	int status, n;
	pid_t pid;

	n = snprintf(line, sizeof(line), "%s ", program);
	vsnprintf(line + n, sizeof(line) - n, fmt, args);
	snprintf(path, sizeof(path), "/cli/%s", program);
	n = 0;
	for (word[n] = strtok_r(line, " ", &rest); word[n]; word[n] = strtok_r(NULL, " ", &rest))
		n++;
	pid = fork();
	if (!pid) {
		dup2(open("/tmp/out", O_WRONLY | O_CREAT | O_TRUNC, 0644), 1);
		dup2(open("/tmp/err", O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
		if (uid && setuid(uid))
			_exit(126);
		setenv("LD_LIBRARY_PATH", "/cli", 1);
		setenv("PATH", "/bin", 1);
		execv(path, word);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	slurp("/tmp/out", out, sizeof(out));
	slurp("/tmp/err", err, sizeof(err));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cli(const char *fmt, ...)
{
	va_list args;
	int code;

	va_start(args, fmt);
	code = run_as(0, "subpage-vfio", fmt, args);
	va_end(args);
	return code;
}

int example(const char *fmt, ...)
{
	va_list args;
	int code;

	va_start(args, fmt);
	code = run_as(0, "read_capability", fmt, args);
	va_end(args);
	return code;
}

int cli_unprivileged(const char *fmt, ...)
{
	va_list args;
	int code;

	va_start(args, fmt);
	code = run_as(65534, "subpage-vfio", fmt, args);
	va_end(args);
	return code;
}

/* Test an exit code; where it is wrong, show what was said. */
void exits(int got, int want, const char *what)
{
	if (!is_u64(got, want, "%s: exit code", what))
		diag("%s%s", out, err);
}

void says(const char *text, const char *what)
{
	if (!ok(strstr(err, text), "%s: the error says \"%s\"", what, text))
		diag("it says: %s", err);
}

void shows(const char *text, const char *what)
{
	if (!ok(strstr(out, text), "%s: shows \"%s\"", what, text))
		diag("it shows: %s", out);
}

/* What modprobe knows: at first nothing. */
static void write_module_list(const char *list)
{
	struct utsname kernel;
	char path[128];
	FILE *dep;

	uname(&kernel);
	mkdir("/lib/modules", 0755);
	snprintf(path, sizeof(path), "/lib/modules/%s", kernel.release);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel.release);
	dep = fopen(path, "w");
	if (!dep)
		bail("%s: %s", path, strerror(errno));
	fputs(list, dep);
	fclose(dep);
}

/* What the command is linked with and calls lies in one directory of the image. */
void cli_set_up(void)
{
	static const char * const loader[] = {
		"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib64/ld64.so.2",
	};
	static const char * const applet[] = {
		"sh", "modprobe", "basename", "readlink", "realpath", "cut", "mkdir", "rm",
	};
	char path[64];
	size_t i;

	mkdir("/bin", 0755);
	mkdir("/sbin", 0755);
	mkdir("/lib", 0755);
	mkdir("/lib64", 0755);
	mkdir("/etc", 0755);
	mkdir("/usr", 0755);
	mkdir("/usr/sbin", 0755);
	mkdir("/usr/share", 0755);
	mkdir("/usr/share/misc", 0755);
	for (i = 0; i < sizeof(loader) / sizeof(loader[0]); i++)
		if (symlink("/cli/loader", loader[i]))
			diag("%s: %s", loader[i], strerror(errno));
	for (i = 0; i < sizeof(applet) / sizeof(applet[0]); i++) {
		snprintf(path, sizeof(path), "/bin/%s", applet[i]);
		if (symlink("/cli/busybox", path))
			diag("%s: %s", path, strerror(errno));
	}
	if (symlink("/cli/busybox", "/sbin/modprobe") || symlink("/cli/bash", "/bin/bash") ||
	    symlink("/cli/pci.ids", "/usr/share/misc/pci.ids"))
		diag("links: %s", strerror(errno));
	write_module_list("");
}

void cli_install_module(void)
{
	struct utsname kernel;
	char path[128];

	uname(&kernel);
	snprintf(path, sizeof(path), "/lib/modules/%s/" OURS ".ko", kernel.release);
	if (symlink("/" OURS ".ko", path))
		bail("%s: %s", path, strerror(errno));
	write_module_list(OURS ".ko:\n");
}
