// SPDX-License-Identifier: GPL-2.0-only
#include <ftw.h>

#include "coverage.h"
#include "file.h"
#include "kmod.h"
#include "tap.h"

/* The kernel's own kernel/gcov, as a module: it keeps what it counted when the module under test goes. */
#define GCOV "/gcov.ko"
#define COUNTS "/sys/kernel/debug/gcov"

static void put_base64(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;

	for (i = 0; i < len; i += 3) {
		uint32_t bits = in[i] << 16 | (i + 1 < len ? in[i + 1] << 8 : 0) | (i + 2 < len ? in[i + 2] : 0);

		*out++ = digits[bits >> 18 & 63];
		*out++ = digits[bits >> 12 & 63];
		*out++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[bits & 63] : '=';
	}
	*out = '\0';
}

static int print_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	/* A record of the kernel's log has room for about 1000 bytes. */
	char text[4 * 600 / 3 + 1], *data;
	size_t len, at;

	(void)st;
	if (type != FTW_F || !strstr(path, ".gcda"))
		return 0;
	data = file_slurp(path, &len);
	for (at = 0; data && at < len; at += 600) {
		put_base64((uint8_t *)data + at, len - at < 600 ? len - at : 600, text);
		tap_line("GCOV", "%s %s", path + ftw->base, text);
	}
	free(data);
	return 0;
}

void coverage_start(void)
{
	if (!access(GCOV, F_OK))
		is_errno(kmod_insert_file(GCOV), 0, "the kernel counts which lines run");
}

void coverage_print(void)
{
	/* There is nothing of a module that was never loaded. */
	if (!access(GCOV, F_OK))
		ok(!nftw(COUNTS, print_file, 16, FTW_PHYS), "what it has counted can be read");
}
