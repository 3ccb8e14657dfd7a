// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>

#include "file.h"
#include "kmod.h"
#include "pci.h"
#include "snapshot.h"
#include "tap.h"

/* Each line says where it is from, so that it means something on its own. */
static void put_lines(FILE *out, const char *from, const char *text)
{
	while (text && *text) {
		int len = strcspn(text, "\n");

		fprintf(out, "%s: %.*s\n", from, len, text);
		text += len + (text[len] == '\n');
	}
}

static void put_config(FILE *out, const struct pci_dev *dev)
{
	uint8_t config[4096];
	int size = pci_config(dev, config, sizeof(config)), at, i;

	for (at = 0; at < size; at += 16) {
		fprintf(out, "%s config %03x:", dev->bdf, at);
		for (i = 0; i < 16; i++)
			fprintf(out, " %02x", config[at + i]);
		fputc('\n', out);
	}
}

static void put_function(FILE *out, const char *bdf)
{
	char text[4096], from[32];
	struct pci_dev dev;

	if (pci_at(bdf, &dev))
		return;
	put_config(out, &dev);
	snprintf(from, sizeof(from), "%s resource", bdf);
	if (pci_attr_read(&dev, "resource", text, sizeof(text)) > 0)
		put_lines(out, from, text);
}

#define COPIES_MAX 16

static struct pci_dev copied[COPIES_MAX];
static int copies;

static int copy(const char *what, const struct pci_dev *dev)
{
	return module_set("config_copy", "%s %.15s", what, dev->bdf);
}

void snapshot_copy(const struct pci_dev *dev)
{
	int i;

	is_errno(copy("save", dev), 0, "%s: config space is saved", dev->bdf);
	for (i = 0; i < copies; i++)
		if (!strcmp(copied[i].bdf, dev->bdf))
			return;
	if (copies < COPIES_MAX)
		copied[copies++] = *dev;
}

char *snapshot(void)
{
	struct dirent **entries;
	int n = scandir("/sys/bus/pci/devices", &entries, NULL, alphasort), i;
	char *text = NULL, *iomem = file_slurp("/proc/iomem", NULL);
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (i = 0; i < copies; i++)
		copy("restore", &copied[i]);
	for (i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.')
			put_function(out, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	put_lines(out, "/proc/iomem", iomem);
	fclose(out);
	free(iomem);
	return text;
}

static bool has_line(const char *text, const char *line, size_t len)
{
	const char *at = text;

	while ((at = strstr(at, "\n"))) {
		at++;
		if (!strncmp(at, line, len) && at[len] == '\n')
			return true;
	}
	return !strncmp(text, line, len) && text[len] == '\n';
}

static void diag_missing(const char *from, const char *in, const char *what)
{
	while (*from) {
		size_t len = strcspn(from, "\n");

		if (!has_line(in, from, len))
			diag("%s: %.*s", what, (int)len, from);
		from += len + 1;
	}
}

bool snapshot_unchanged(const char *before)
{
	char *after = snapshot();
	bool same = !strcmp(before, after);

	if (!same) {
		diag_missing(before, after, "only before");
		diag_missing(after, before, "only after");
	}
	free(after);
	return same;
}
