// SPDX-License-Identifier: GPL-2.0-only
/* To preload: the program is told that this machine's pages have $PAGES bytes. */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

long sysconf(int name)
{
	long (*real)(int name) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");

	return name == _SC_PAGESIZE ? atol(getenv("PAGES")) : real(name);
}
