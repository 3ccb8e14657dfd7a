// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "command.h"
#include "file.h"
#include "kmod.h"
#include "pci.h"
#include "tap.h"

char out[1 << 17], err[1 << 14];

/* What a process prints, as several may run at a time. */
static int output_file(pid_t pid, const char *name, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/tmp/%s.%d", name, pid);
	return open(path, flags, 0644);
}

static void slurp(pid_t pid, const char *name, char *text, size_t size)
{
	int fd = output_file(pid, name, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
}

/* Start a program. Those of the standard files that "closed" names by number are closed. */
static pid_t start_as(uid_t uid, const char *closed, const char *program, const char *fmt,
		      va_list args)
{
	char line[512], path[32], *word[32], *rest;
	pid_t pid;
	int n;

	n = snprintf(line, sizeof(line), "%s ", program);
	vsnprintf(line + n, sizeof(line) - n, fmt, args);
	snprintf(path, sizeof(path), "/cli/%s", program);
	n = 0;
	for (word[n] = strtok_r(line, " ", &rest); word[n]; word[n] = strtok_r(NULL, " ", &rest))
		n++;
	pid = fork();
	if (!pid) {
		dup2(output_file(getpid(), "out", O_WRONLY | O_CREAT | O_TRUNC), 1);
		dup2(output_file(getpid(), "err", O_WRONLY | O_CREAT | O_TRUNC), 2);
		/* The command must not inherit what PID 1 has open. */
		for (n = 3; n < 64; n++)
			close(n);
		for (; *closed; closed++)
			close(*closed - '0');
		if (uid && setuid(uid))
			_exit(126);
		setenv("LD_LIBRARY_PATH", "/cli", 1);
		setenv("PATH", "/bin", 1);
		execv(path, word);
		_exit(127);
	}
	return pid;
}

void cli_so_far(pid_t pid)
{
	slurp(pid, "out", out, sizeof(out));
	slurp(pid, "err", err, sizeof(err));
}

int cli_wait(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	cli_so_far(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_as(uid_t uid, const char *program, const char *fmt, va_list args)
{
	return cli_wait(start_as(uid, "", program, fmt, args));
}

pid_t cli_start(const char *closed, const char *fmt, ...)
{
	va_list args;
	pid_t pid;

	va_start(args, fmt);
	pid = start_as(0, closed, "subpage-vfio", fmt, args);
	va_end(args);
	return pid;
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
void command_exits(const char *file, int line, int got, int want, const char *what)
{
	if (!tap_is_u64(file, line, got, want, "%s: exit code", what))
		diag("%s%s", out, err);
}

void command_says(const char *file, int line, const char *text, const char *what)
{
	if (!tap_ok(file, line, strstr(err, text), "%s: the error says \"%s\"", what, text))
		diag("it says: %s", err);
}

void command_shows(const char *file, int line, const char *what, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!tap_ok(file, line, strstr(out, text), "%s: shows \"%s\"", what, text))
		diag("it shows: %s", out);
}

/* Have kmod's own index made of the modules that lie there. */
static void index_modules(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		setenv("LD_LIBRARY_PATH", "/cli", 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		execl("/sbin/depmod", "depmod", "-a", NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (status)
		bail("depmod ended with status %#x", status);
}

void cli_module_path(const char *name, char *path, size_t size)
{
	struct utsname kernel;

	uname(&kernel);
	snprintf(path, size, "/lib/modules/%s/%s.ko", kernel.release, name);
}

/* What the command is linked with and calls lies in one directory of the image. */
void cli_set_up(void)
{
	static const char * const loader[] = {
		"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib64/ld64.so.2",
	};
	static const char * const applet[] = {
		"sh", "basename", "readlink", "realpath", "cut", "mkdir", "rm",
	};
	char path[64];
	size_t i;

	/* By an earlier case. */
	if (!access("/sbin/modprobe", F_OK))
		return;
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
	if (symlink("/cli/kmod", "/sbin/modprobe") || symlink("/cli/kmod", "/sbin/depmod") ||
	    symlink("/cli/bash", "/bin/bash") || symlink("/cli/pci.ids", "/usr/share/misc/pci.ids"))
		diag("links: %s", strerror(errno));
	mkdir("/run", 0755);
	mkdir("/lib/modules", 0755);
	cli_module_path("x", path, sizeof(path));
	path[strlen(path) - strlen("/x.ko")] = '\0';
	mkdir(path, 0755);
	index_modules();
}

void cli_install(const char *name, const char *file)
{
	char path[128];

	cli_module_path(name, path, sizeof(path));
	if (symlink(file, path) && errno != EEXIST)
		bail("%s: %s", path, strerror(errno));
	index_modules();
}

void cli_install_module(void)
{
	cli_install(OURS, "/" OURS ".ko");
}

void cli_state(const struct pci_dev *dev, const char *driver, const char *override,
	       const char *what)
{
	char now[64];

	is_str(pci_driver(dev), driver, "%s: driver of %s", what, dev->bdf);
	pci_attr_read(dev, "driver_override", now, sizeof(now));
	is_str(now, override, "%s: driver_override of %s", what, dev->bdf);
}

void cli_fail_last_step(bool fail)
{
	/* VFIO registration: the last step of a bind. */
	module_set("fault_points", "%s", fail ? "32" : "0");
}

int shell(const char *fmt, ...)
{
	char line[256];
	va_list args;
	pid_t pid;
	int status;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	pid = fork();
	if (!pid) {
		execl("/cli/busybox", "sh", "-c", line, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (status)
		diag("\"%s\" ended with status %#x", line, status);
	return status;
}

static bool usable(const char *path)
{
	int fd;

	if (strncmp(path, "/dev/", 5))
		return !access(path, F_OK);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool wait_for(const char *path)
{
	int i;

	for (i = 0; i < 300 && !usable(path); i++)
		sleep_ms(100);
	return ok(usable(path), "there is %s", path);
}

/* All reasons of what was printed last, as JSON has them, "; " between. */
static void read_reasons(char *text, size_t size)
{
	const char *reason = out;
	size_t length = 0;

	text[0] = '\0';
	while ((reason = strstr(reason, "\"reason\": \"")) && length < size) {
		reason += strlen("\"reason\": \"");
		length += snprintf(text + length, size - length, "%s%.*s", length ? "; " : "",
				   (int)(strstr(reason, "\",\n") - reason), reason);
	}
}

void cli_refused(const struct pci_dev *dev, const char *why, const char *code, const char *what)
{
	static char listed[sizeof(out)];
	char driver[64], text[80], reasons[1024], in_use[1200];

	snprintf(driver, sizeof(driver), "%s", pci_driver(dev));
	snprintf(text, sizeof(text), "%s: list", what);
	exits(cli("list --json -o IN_USE %s", dev->bdf), OK, text);
	memcpy(listed, out, sizeof(out));

	exits(cli("bind --json %s", dev->bdf), IN_USE, what);
	says(why, what);
	says("nothing was changed", what);
	shows_text(what, "\"reason_code\": \"%s\"", code);
	shows("\"changed\": false", what);
	is_str(pci_driver(dev), driver, "%s: it keeps its driver", what);
	if (strcmp(pci_driver(dev), driver))
		pci_bind(dev, driver);

	/* If list opened a disk or a group to find out, another process could not open it meanwhile. */
	if (!strcmp(code, "disk_held") || !strcmp(code, "unknown") || !strncmp(why, "a process has it", 16)) {
		ok(!strstr(listed, why), "%s: only who takes the device tries to open it", what);
		return;
	}
	read_reasons(reasons, sizeof(reasons));
	snprintf(in_use, sizeof(in_use), "\"in_use\": \"%s\"", reasons);
	if (!ok(strstr(listed, in_use), "%s: list says the same of it", what))
		diag("bind: %s; list: %s", in_use, listed);
}

void cli_forced(const struct pci_dev *dev, const char *why, const char *what, void (*let_go)(void))
{
	char driver[64], text[80];

	snprintf(driver, sizeof(driver), "%s", pci_driver(dev));
	snprintf(text, sizeof(text), "%s: --force", what);
	exits(cli("bind --force %s", dev->bdf), OK, text);
	says("--force overrides that", text);
	says(why, text);
	is_str(pci_driver(dev), OURS, "%s: --force takes it", what);
	let_go();
	snprintf(text, sizeof(text), "%s: unbind", what);
	exits(cli("unbind %s", dev->bdf), OK, text);
	is_str(pci_driver(dev), driver, "%s: its driver has it back", what);
}
