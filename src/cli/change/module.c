// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <glob.h>
#include <libkmod.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "bus/file.h"
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

static char *read_signer(const struct kmod_module *module)
{
	struct kmod_list *all = NULL, *item;
	char *signer = format("%s", "");

	if (kmod_module_get_info(module, &all) < 0)
		return signer;
	kmod_list_foreach(item, all)
		if (!strcmp(kmod_module_info_get_key(item), "signer")) {
			free(signer);
			signer = format("%s", kmod_module_info_get_value(item));
		}
	kmod_module_info_free_list(all);
	return signer;
}

bool module_exists(const char *name, char **signer)
{
	struct kmod_ctx *kmod = open_kmod();
	struct kmod_list *found = NULL;
	struct kmod_module *module;
	bool exists = !kmod_module_new_from_lookup(kmod, name, &found) && found;

	*signer = NULL;
	if (exists) {
		module = kmod_module_get_module(found);
		*signer = read_signer(module);
		kmod_module_unref(module);
	} else {
		*signer = format("%s", "");
	}
	kmod_module_unref_list(found);
	kmod_unref(kmod);
	return exists;
}

const char *module_cure(const char *release)
{
	bool sources = false;
	glob_t found;

	if (!glob("/usr/src/subpage-vfio-pci-*/dkms.conf", 0, NULL, &found)) {
		sources = true;
		globfree(&found);
	}
	if (!sources)
		return "install the package subpage-vfio-pci-dkms, or run \"make dkms-install\" in its sources";
	if (file_exists("/lib/modules/%s/build", release))
		return "dkms autoinstall; if that fails, its log is below /var/lib/dkms/subpage-vfio-pci";
	if (file_exists("/usr/bin/dnf"))
		return "DKMS lacks the headers of this kernel: dnf install kernel-devel-$(uname -r); dkms autoinstall";
	if (file_exists("/usr/bin/zypper"))
		return "DKMS lacks the headers of this kernel: zypper install kernel-default-devel; dkms autoinstall";
	return "DKMS lacks the headers of this kernel: apt-get install linux-headers-$(uname -r)";
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

		if (!err)
			err = kmod_module_probe_insert_module(module, KMOD_PROBE_APPLY_BLACKLIST, NULL,
							      NULL, NULL, NULL);
		/* Above 0: it is on the blacklist. */
		if (err <= 0) {
			if (err < 0)
				**names = '\0';
			add_text(names, " ", "%s", kmod_module_get_name(module));
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
