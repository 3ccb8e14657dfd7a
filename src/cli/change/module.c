// SPDX-License-Identifier: GPL-2.0-only
#include <libkmod.h>
#include <stdarg.h>

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

/*
 * Load all that a name or an alias stands for. Returns how many there are, with their names, to free(), in
 * "names"; or the -errno of one that cannot be loaded, with its name.
 */
static int load(const char *alias, unsigned int flags, char **names)
{
	struct kmod_ctx *kmod = open_kmod();
	struct kmod_list *found = NULL, *item;
	int err = kmod_module_new_from_lookup(kmod, alias, &found), count = 0;

	*names = format("%s", "");
	/* Where depmod has never been run. */
	if (err == -ENOSYS)
		err = 0;
	kmod_list_foreach(item, found) {
		struct kmod_module *module = kmod_module_get_module(item);

		if (!err)
			err = kmod_module_probe_insert_module(module, flags, NULL, NULL, NULL, NULL);
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

int module_load(const char *name)
{
	char *names;
	int count = load(name, 0, &names);

	free(names);
	return count > 0 ? 0 : count ? count : -ENOENT;
}

int module_load_for(const char *modalias, char **names)
{
	return load(modalias, KMOD_PROBE_APPLY_BLACKLIST, names);
}

bool module_exists(const char *name, char *signer, size_t size)
{
	struct kmod_ctx *kmod = open_kmod();
	struct kmod_list *found = NULL, *info = NULL, *item;
	bool exists = !kmod_module_new_from_lookup(kmod, name, &found) && found;

	if (exists && signer) {
		struct kmod_module *module = kmod_module_get_module(found);

		kmod_module_get_info(module, &info);
		kmod_list_foreach(item, info)
			if (!strcmp(kmod_module_info_get_key(item), "signer"))
				snprintf(signer, size, "%s", kmod_module_info_get_value(item));
		kmod_module_info_free_list(info);
		kmod_module_unref(module);
	}
	kmod_module_unref_list(found);
	kmod_unref(kmod);
	return exists;
}

const char *module_cure(const char *release)
{
	struct matches sources = { 0 };
	bool found = next_match(&sources, "/usr/src/subpage-vfio-pci-*/dkms.conf");

	matches_end(&sources);
	if (!found)
		return "install the package subpage-vfio-pci-dkms, or run \"make dkms-install\" in its sources";
	if (file_exists("/lib/modules/%s/build", release))
		return "dkms autoinstall; if that fails, its log is below /var/lib/dkms/subpage-vfio-pci";
	if (file_exists("/usr/bin/dnf"))
		return "DKMS lacks the headers of this kernel: dnf install kernel-devel-$(uname -r); dkms autoinstall";
	if (file_exists("/usr/bin/zypper"))
		return "DKMS lacks the headers of this kernel: zypper install kernel-default-devel; dkms autoinstall";
	return "DKMS lacks the headers of this kernel: apt-get install linux-headers-$(uname -r)";
}
