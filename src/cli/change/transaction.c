// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "bus/file.h"
#include "change/transaction.h"
#include "print/output.h"
#include "use/holder.h"

#define SAVED "/etc/driverctl.d/pci-%s"
#define LOCK "/run/subpage-vfio.lock"
#define LOCK_SECONDS 10
#define TRIES_A_SECOND 10

/* These do a program no harm, nor may those that load a module do without them; of all others each ends it ... */
static bool is_harmless(int number)
{
	return number == SIGCHLD || number == SIGCONT || number == SIGURG || number == SIGWINCH;
}

/* ... or would stop it half-way, the output of a pipe among them. What is ignored does not wait, either. */
static void hold_signals(struct transaction *transaction)
{
	static const int stopping[] = { SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t held;
	const int *one;
	int number;

	for_each(one, stopping, COUNT(stopping))
		signal(*one, SIG_IGN);
	sigfillset(&held);
	for (number = 1; number <= SIGRTMAX; number++)
		if (is_harmless(number))
			sigdelset(&held, number);
	sigprocmask(SIG_BLOCK, &held, &transaction->signals);
}

bool transaction_interrupted(const struct transaction *transaction)
{
	struct sigaction action;
	sigset_t waiting;
	int number;

	sigpending(&waiting);
	for (number = 1; number <= SIGRTMAX; number++)
		/* nohup has one ignored; a caller may hold one for reasons of its own. */
		if (sigismember(&waiting, number) > 0 && !is_harmless(number) &&
		    !sigismember(&transaction->signals, number) &&
		    !sigaction(number, NULL, &action) && action.sa_handler != SIG_IGN)
			return true;
	return false;
}

/* The process that has written its number into the file. */
static char *owner(int fd)
{
	char text[16];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return atoi(text) > 0 ? process_name(atoi(text)) : format("another process");
}

static void take_lock(struct transaction *transaction)
{
	static const struct timespec pause = { .tv_nsec = 1000000000 / TRIES_A_SECOND };
	int fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), tries;
	char *who = NULL;

	if (fd < 0)
		fail(errno == EACCES ? CODE_PERMISSION : CODE_HOST, NULL, "cannot open %s: %s", LOCK, strerror(errno));
	for (tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			fail(CODE_HOST, NULL, "cannot lock %s: %s", LOCK, strerror(errno));
		free(who);
		who = owner(fd);
		if (tries == LOCK_SECONDS * TRIES_A_SECOND)
			fail(CODE_IN_USE, "wait until it is done, or see what it waits for",
			     "%s is changing devices; nothing was changed", who);
		progress("waiting until %s is done", who);
		nanosleep(&pause, NULL);
	}
	free(who);
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0)
		complain(NULL, "cannot write %s: %s", LOCK, strerror(errno));
	transaction->lock = fd;
}

void transaction_begin(struct transaction *transaction)
{
	*transaction = (struct transaction) { 0 };
	take_lock(transaction);
	hold_signals(transaction);
}

void transaction_end(struct transaction *transaction, bool kept)
{
	struct change *change;
	int number;

	close(transaction->lock);
	for_each(change, transaction->change, transaction->count)
		free(change->saved);
	free(transaction->change);
	/* What is ignored no longer waits. */
	for (number = 1; kept && number <= SIGRTMAX; number++)
		if (!is_harmless(number))
			signal(number, SIG_IGN);
	sigprocmask(SIG_SETMASK, &transaction->signals, NULL);
	*transaction = (struct transaction) { 0 };
}

/*
 * What driverctl(8) has saved for a device, in a file of one line, and does at each boot. The command "driverctl"
 * itself takes a device from its driver even where it is only to save something. To free(); NULL: nothing.
 */
static char *read_saved(const struct device *device)
{
	char line[256];

	if (file_read(line, sizeof(line), SAVED, device->address) < 0)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return format("%s", line);
}

static void read_override(const struct device *device, char *text, size_t size)
{
	if (device_read(device, "driver_override", text, size) < 0 || !strcmp(text, "(null)"))
		text[0] = '\0';
}

bool transaction_has(const struct transaction *transaction, const struct device *device)
{
	const struct change *change;

	for_each(change, transaction->change, transaction->count)
		if (change->device == device)
			return true;
	return false;
}

bool transaction_add(struct transaction *transaction, struct device *device, bool wanted)
{
	struct change *change;

	if (transaction_has(transaction, device))
		return false;
	change = grow(transaction->change, transaction->count);
	*change = (struct change) { .device = device, .wanted = wanted };
	device_refresh(device);
	memcpy(change->driver, device->driver, sizeof(change->driver));
	read_override(device, change->override, sizeof(change->override));
	change->saved = read_saved(device);
	return true;
}

static int set_override(const struct device *device, const char *driver)
{
	char text[80], now[64];
	int err;

	snprintf(text, sizeof(text), "%s\n", driver);
	err = device_write(device, "driver_override", text);
	if (err)
		return err;
	read_override(device, now, sizeof(now));
	return strcmp(now, driver) ? -EIO : 0;
}

static int bind_to(struct device *device, const char *driver)
{
	int err;

	/* With the override any driver takes it, whatever devices it knows. */
	err = set_override(device, driver);
	if (!err)
		err = file_write(device->address, "/sys/bus/pci/drivers/%s/bind", driver);
	device_refresh(device);
	if (!err && strcmp(device->driver, driver))
		err = -EIO;
	return err;
}

static int take_away(struct device *device)
{
	/* Another one may have been quicker. */
	int err = device_write(device, "driver/unbind", device->address);

	device_refresh(device);
	if (!*device->driver)
		return 0;
	return err ? err : -EBUSY;
}

bool transaction_move(struct change *change, const char *driver, const char *override)
{
	struct device *device = change->device;
	int err = 0;

	change->begun = true;
	device_refresh(device);
	if (*device->driver && strcmp(device->driver, driver)) {
		char before[64];

		memcpy(before, device->driver, sizeof(before));
		err = take_away(device);
		if (err)
			complain("\"dmesg | tail\" may say why", "%s could not be unbound from %s: %s",
				 device->address, before, strerror(-err));
	}
	if (!err && *driver && strcmp(device->driver, driver)) {
		err = bind_to(device, driver);
		if (err)
			complain("\"dmesg | tail\" may say why", "%s could not be bound to %s: %s",
				 device->address, driver, strerror(-err));
	}
	if (!err) {
		err = set_override(device, override);
		if (err)
			complain(NULL, "the driver_override of %s cannot be set to \"%s\": %s",
				 device->address, override, strerror(-err));
	}
	return !err;
}

bool transaction_save(struct change *change, const char *driver)
{
	const char *address = change->device->address;
	char *path = format(SAVED, address), *line = format("%s\n", driver ? driver : "");
	int err = 0;

	change->begun = true;
	if (driver)
		err = file_replace(line, "%s", path);
	else if (unlink(path) && errno != ENOENT)
		err = -errno;
	free(path);
	free(line);
	if (err)
		complain(NULL, "what driverctl is to do with %s cannot be saved: %s", address, strerror(-err));
	return !err;
}

static bool is_saved(const struct change *change)
{
	char *saved = read_saved(change->device);
	bool same = saved && change->saved ? !strcmp(saved, change->saved) : saved == change->saved;

	free(saved);
	return same;
}

/* As much of it as there is: the override, and for people what they can do. */
static void leave_stuck(const struct change *change)
{
	const struct device *device = change->device;
	char *next = *change->driver ?
		format("\"dmesg | tail\" may say why; once %s is loaded: echo %s > /sys/bus/pci/drivers_probe",
		       change->driver, device->address) :
		format("\"dmesg | tail\" may say why; then: subpage-vfio unbind %s", device->address);

	set_override(device, change->override);
	complain(next,
		 "%s could not be put back: it had the driver %s and the driver_override \"%s\", and has the driver %s now",
		 device->address, driver_text(change->driver), change->override, driver_text(device->driver));
	free(next);
}

bool transaction_undo(struct transaction *transaction)
{
	struct change *change = transaction->change + transaction->count;
	bool good = true, moved, saved;

	while (change > transaction->change) {
		change--;
		if (!change->begun)
			continue;
		progress("restoring %s", change->device->address);
		moved = transaction_move(change, change->driver, change->override);
		saved = is_saved(change) || transaction_save(change, change->saved);
		if (!moved)
			leave_stuck(change);
		change->stuck = !moved || !saved;
		good &= !change->stuck;
	}
	return good;
}
