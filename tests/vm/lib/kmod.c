// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "file.h"
#include "kmod.h"

static int insert(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, params, 0))
		err = -errno;
	close(fd);
	return err;
}

int module_load(const char *params)
{
	return insert("/subpage_vfio_pci.ko", params);
}

int kmod_insert_file(const char *path)
{
	return insert(path, "");
}

int module_unload(void)
{
	return kmod_remove("subpage_vfio_pci");
}

int module_set(const char *parameter, const char *fmt, ...)
{
	char path[96], value[512];
	va_list args;

	snprintf(path, sizeof(path), "/sys/module/" OURS "/parameters/%s", parameter);
	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	return file_write(path, value);
}

/* /modules/NAME.order has a line per module, in the order to insert them, NAME last. */
int kmod_insert(const char *name, const char *params)
{
	char path[128], order[4096], *file, *rest;
	int err;

	snprintf(path, sizeof(path), "/modules/%s.order", name);
	err = file_read(path, order, sizeof(order));
	if (err < 0)
		return err;
	err = 0;
	for (file = strtok_r(order, "\n", &rest); file; ) {
		char *next = strtok_r(NULL, "\n", &rest);

		snprintf(path, sizeof(path), "/modules/%s", file);
		err = insert(path, next ? "" : params);
		if (err && err != -EEXIST)
			return err;
		file = next;
	}
	return err;
}

int kmod_remove(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}
