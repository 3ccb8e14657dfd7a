// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <sys/wait.h>

#include "holder.h"
#include "tap.h"

static int ready_file;

void ready(void)
{
	if (write(ready_file, "", 1) != 1)
		_exit(1);
}

pid_t start_holder(int (*hold)(const char *), void (*middle)(pid_t, const char *),
		   const char *argument, const char *what)
{
	int pipes[2];
	pid_t pid;
	char byte;

	if (pipe(pipes))
		bail("pipe: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		ready_file = pipes[1];
		if (hold(argument))
			_exit(1);
		ready();
		for (;;)
			pause();
	}
	close(pipes[1]);
	if (middle && read(pipes[0], &byte, 1) == 1)
		middle(pid, argument);
	ok(read(pipes[0], &byte, 1) == 1, "%s: a process holds it", what);
	close(pipes[0]);
	return pid;
}

void end_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
