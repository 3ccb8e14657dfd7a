// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "print/output.h"
#include "print/stdfiles.h"

static void check_output(int code, void *unused)
{
	bool failed = ferror(stdout);

	(void)unused;
	errno = 0;
	/* Once more, to know why. */
	if (failed)
		putchar('\n');
	if ((!fclose(stdout) && !failed) || code != CODE_OK)
		return;
	complain(NULL, "the output could not be written%s%s", errno ? ": " : "",
		 errno ? strerror(errno) : "");
	_exit(CODE_FAILED);
}

void stdfiles_open(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* Opened the wrong way round, so that using it fails as on a closed file. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(CODE_HOST);
	}
	on_exit(check_output, NULL);
}
