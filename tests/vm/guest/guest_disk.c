// SPDX-License-Identifier: GPL-2.0-only
/* Both ends: what the guest runs, and what the machine makes of it. */
#include "cases.h"
#include "guest_disk.h"

const unsigned int guest_disk_depths[GUEST_DISK_DEPTHS] = { 1, 32 };

#define BEGINS "depth %u begins"

/* In the guest; disk_ms=N on its kernel command line: so long for each depth. */
CASE(guest_disk)
{
	const char *ms = getenv("disk_ms");
	struct random_read result;
	char text[200];
	int i, fd = drive_open(&drives[0]);

	if (!ok(fd >= 0, "%s is there", drives[0].path))
		return;
	for (i = 0; i < GUEST_DISK_DEPTHS; i++) {
		unsigned int depth = guest_disk_depths[i];

		about("depth %u", depth);
		diag(BEGINS, depth);
		if (!is_errno(random_read(&drives[0], fd, depth, ms ? atoi(ms) : 1000, &result), 0,
			      "the reads end"))
			continue;
		random_read_print(&result, text, sizeof(text));
		diag("%s", text);
		is_u64(result.wrong, 0, "all %u brought what is on the disk", result.reads);
		/* With one under way each needs one; several at once may share theirs. */
		ok(result.interrupts >= result.reads / depth, "%u interrupts came for them",
		   result.interrupts);
	}
	close(fd);
}

bool guest_disk_begun(const char *output, unsigned int depth)
{
	char text[32];

	snprintf(text, sizeof(text), BEGINS, depth);
	return strstr(output, text);
}

static const char *find_result(const char *output, unsigned int depth, struct random_read *result)
{
	const char *at = output;

	for (; (at = strstr(at, "random reads")); at++)
		if (random_read_parse(at, result) && result->depth == depth)
			return at;
	return NULL;
}

bool guest_disk_ended(const char *output, unsigned int depth)
{
	struct random_read result;

	return find_result(output, depth, &result);
}

bool guest_disk_run(const struct nested_device *disk, const char *kernel, unsigned int ms,
		    void (*watch)(const char *output), struct random_read results[GUEST_DISK_DEPTHS])
{
	char parameters[64];
	const struct nested_linux linux_guest = {
		.name = kernel, .parameters = parameters, .watch = watch,
	};
	struct nested guest;
	bool good;
	int i;

	memset(results, 0, sizeof(results[0]) * GUEST_DISK_DEPTHS);
	snprintf(parameters, sizeof(parameters), "run=guest_disk disk_ms=%u", ms);
	good = is_errno(nested_run_linux(disk, 1, &linux_guest, &guest), 0, "a Linux guest runs");
	for (i = 0; good && i < GUEST_DISK_DEPTHS; i++)
		good = ok(find_result(guest.output, guest_disk_depths[i], &results[i]) && !results[i].wrong,
			  "depth %u: it got all reads right", guest_disk_depths[i]);
	good = good && is_u64(nested_relay(&guest), 1, "it came to its end");
	nested_free(&guest);
	return good;
}
