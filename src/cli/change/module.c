// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libkmod.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "change/module.h"
#include "print/output.h"

/* The error number tells all that the caller wants to say. */
static void be_silent(void *data, int priority, const char *file, int line, const char *function,
		      const char *fmt, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)function;
	(void)fmt;
	(void)args;
}

static struct kmod_ctx *open_kmod(void)
{
	struct kmod_ctx *kmod = kmod_new(NULL, NULL);

	if (!kmod)
		fail(CODE_FAILED, NULL, "out of memory");
	kmod_set_log_fn(kmod, be_silent, NULL);
	return kmod;
}

int module_load(const char *name)
{
	struct kmod_ctx *kmod = open_kmod();
	struct kmod_list *found = NULL, *item;
	int err = kmod_module_new_from_lookup(kmod, name, &found);

	/* The latter where depmod has never been run. */
	if ((!err && !found) || err == -ENOSYS)
		err = -ENOENT;
	kmod_list_foreach(item, found) {
		struct kmod_module *module = kmod_module_get_module(item);

		if (!err)
			err = kmod_module_probe_insert_module(module, 0, NULL, NULL, NULL, NULL);
		kmod_module_unref(module);
	}
	kmod_module_unref_list(found);
	kmod_unref(kmod);
	return err > 0 ? 0 : err;
}

int module_load_for(const char *modalias, char **names)
{
	struct kmod_ctx *kmod = open_kmod();
	struct kmod_list *found = NULL, *item;
	int err = kmod_module_new_from_lookup(kmod, modalias, &found), count = 0;

	*names = format("%s", "");
	if (err == -ENOSYS)
		err = 0;
	kmod_list_foreach(item, found) {
		struct kmod_module *module = kmod_module_get_module(item);
		char *longer;

		if (!err)
			err = kmod_module_probe_insert_module(module, KMOD_PROBE_APPLY_BLACKLIST, NULL,
							      NULL, NULL, NULL);
		/* Above 0: it is on the blacklist. */
		if (err <= 0) {
			longer = err < 0 ? format("%s", kmod_module_get_name(module)) :
				 format("%s%s%s", *names, count ? " " : "",
					kmod_module_get_name(module));
			free(*names);
			*names = longer;
			count++;
		}
		kmod_module_unref(module);
		if (err < 0)
			break;
		err = 0;
	}
	kmod_module_unref_list(found);
	kmod_unref(kmod);
	return err < 0 ? err : count;
}
