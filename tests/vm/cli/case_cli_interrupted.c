// SPDX-License-Identifier: GPL-2.0-only
/* The command is interrupted when half of it is done: it puts back what it has changed, or says what it cannot. */
#include <signal.h>
#include <sys/wait.h>

#include "cases.h"
#include "command.h"
#include "pci.h"
#include "vfio.h"

/* Whatever ends or stops a program waits until it is done; what a module's loader needs does not. */
static void check_signals_held(pid_t pid)
{
	static const int held[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGPIPE, SIGTSTP, SIGTTIN,
		SIGTTOU,
	};
	char path[32], status[4096], *line;
	uint64_t mask;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file_read(path, status, sizeof(status));
	line = strstr(status, "SigBlk:");
	mask = line ? strtoull(line + strlen("SigBlk:"), NULL, 16) : 0;
	for (i = 0; i < sizeof(held) / sizeof(held[0]); i++)
		ok(mask & 1ull << (held[i] - 1), "signal %d waits", held[i]);
	ok(!(mask & 1ull << (SIGCHLD - 1)), "the end of a child does not");
}

/* vfio-pci has it, and so has a user, for whom the command will wait. */
static int open_by_vfio_pci(const struct pci_dev *dev, struct vfio *vfio)
{
	pci_bind(dev, "vfio-pci");
	pci_attr_write(dev, "driver_override", "vfio-pci\n");
	return vfio_open(dev, vfio);
}

/*
 * The first device is bound, the second waits for its user: there an interrupt arrives,
 * and a second instance.
 */
static void check_interrupt(const struct pci_dev *first, const struct pci_dev *second, int signal,
			    const char *what)
{
	struct vfio vfio;
	pid_t pid;
	int i;

	if (!is_errno(open_by_vfio_pci(second, &vfio), 0, "%s: the second has a user", what))
		return;
	pid = cli_start("", "bind --force %s %s", first->bdf, second->bdf);
	for (i = 0; i < 300 && strcmp(pci_driver(first), OURS); i++)
		sleep_ms(100);
	is_str(pci_driver(first), OURS, "%s: the first is bound", what);
	sleep_ms(500);
	if (signal == SIGTERM) {
		check_signals_held(pid);
		exits(cli("unbind %s", first->bdf), IN_USE, "second instance");
		says("is changing devices; nothing was changed", "second instance");
		is_str(pci_driver(first), OURS, "the second instance has changed nothing");
	}
	kill(pid, signal);
	sleep_ms(300);
	is_u64(waitpid(pid, NULL, WNOHANG), 0, "%s: it does not end half-way", what);
	vfio_close(&vfio);
	is_u64(cli_wait(pid), 128 + signal, "%s: it ends by that", what);
	says("--force overrides that", what);
	says("interrupted", what);
	says("nothing was changed", what);
	cli_state(first, "", "(null)", what);
	cli_state(second, "vfio-pci", "vfio-pci", what);
	pci_bind(second, "");
}

/* The same the other way: the first is given back, the second waits for its user. */
static void check_interrupted_unbind(const struct pci_dev *first, const struct pci_dev *second)
{
	static const char what[] = "interrupted unbind";
	struct vfio vfio;
	pid_t pid;
	int i;

	exits(cli("bind %s %s", first->bdf, second->bdf), OK, "bind of two");
	if (!is_errno(vfio_open(second, &vfio), 0, "%s: the second has a user", what))
		return;
	exits(cli("unbind %s %s", first->bdf, second->bdf), IN_USE, "unbind of two");
	is_str(pci_driver(first), OURS, "unbind of two: neither is given back");
	pid = cli_start("", "unbind --force %s %s", first->bdf, second->bdf);
	for (i = 0; i < 300 && *pci_driver(first); i++)
		sleep_ms(100);
	is_str(pci_driver(first), "", "%s: the first is unbound", what);
	kill(pid, SIGHUP);
	vfio_close(&vfio);
	is_u64(cli_wait(pid), 128 + SIGHUP, "%s: it ends by that", what);
	says("nothing was changed", what);
	cli_state(first, OURS, OURS, what);
	cli_state(second, OURS, OURS, what);
	exits(cli("unbind %s %s", first->bdf, second->bdf), OK, "unbind of both");
}

/* Nothing holds up SIGKILL: the device has lost its driver, and no other one has come. */
static void check_killed(const struct pci_dev *net)
{
	static const char what[] = "killed half-way";
	struct vfio vfio;
	pid_t pid;
	int i;

	if (!is_errno(open_by_vfio_pci(net, &vfio), 0, "%s: the device has a user", what))
		return;
	pid = cli_start("", "bind --force %s", net->bdf);
	for (i = 0; i < 300 && !strstr(err, "--force overrides"); i++) {
		sleep_ms(100);
		cli_so_far(pid);
	}
	sleep_ms(500);
	kill(pid, SIGKILL);
	vfio_close(&vfio);
	is_u64(cli_wait(pid), 128 + SIGKILL, "%s: it is dead", what);
	cli_state(net, "", "vfio-pci", what);
	exits(cli("unbind %s", net->bdf), OK, "unbind of what was left");
	cli_state(net, "e1000e", "(null)", "unbind of what was left");
}

/* What was changed cannot be put back: the module of the native driver is gone meanwhile. */
static void check_stuck(const struct pci_dev *net, const struct pci_dev *second)
{
	struct vfio vfio;
	char text[80];
	pid_t pid;
	int i;

	pci_bind(second, "vfio-pci");
	if (!is_errno(vfio_open(second, &vfio), 0, "what cannot be put back: the second has a user"))
		return;
	pid = cli_start("", "bind --json --force %s %s", net->bdf, second->bdf);
	for (i = 0; i < 300 && strcmp(pci_driver(net), OURS); i++)
		sleep_ms(100);
	is_errno(kmod_remove("e1000e"), 0, "the first one's native driver goes");
	kill(pid, SIGTERM);
	vfio_close(&vfio);
	exits(cli_wait(pid), STUCK, "what cannot be put back");
	says("could not be put back: it had the driver e1000e", "what cannot be put back");
	shows("\"changed\": true", "what cannot be put back");
	snprintf(text, sizeof(text), "once e1000e is loaded: echo %s > /sys/bus/pci/drivers_probe", net->bdf);
	says(text, "what cannot be put back");
	cli_state(net, "", "(null)", "what cannot be put back");
	kmod_insert("e1000e", "");
	shell("echo %s > /sys/bus/pci/drivers_probe", net->bdf);
	cli_state(net, "e1000e", "(null)", "what cannot be put back, after what it said");
	pci_bind(second, "");
}

CASE(cli_interrupted)
{
	struct pci_dev net, first, second;

	cli_set_up();
	cli_install_module();
	kmod_insert("e1000e", "");
	if (!ok(!pci_find(E1000E, 0, &net) && !pci_find(SDHCI, 0, &first) && !pci_find(SDHCI, 1, &second),
		"the devices are there"))
		return;
	check_interrupt(&first, &second, SIGTERM, "SIGTERM");
	check_interrupt(&first, &second, SIGINT, "SIGINT");
	check_interrupt(&first, &second, SIGUSR2, "SIGUSR2");
	check_interrupted_unbind(&first, &second);
	check_killed(&net);
	check_stuck(&net, &second);
}
