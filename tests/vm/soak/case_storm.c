// SPDX-License-Identifier: GPL-2.0-only
/*
 * As many processes as there are devices bind, open, map, reset, hand over and release them,
 * each its own, while another device comes and goes, and one has its BAR taken away for moments. In
 * rounds: between two of them all BARs are packed anew, so that they have to be moved again.
 */
#include <linux/pci_regs.h>
#include <pthread.h>
#include <sys/wait.h>

#include "cases.h"
#include "drive.h"
#include "false_alarm.h"
#include "monitor.h"
#include "soak.h"

#define ROUND_S 15
#define MAX_WORKERS 12

struct worker {
	/* The second is a function of the same slot, if there is one. */
	struct pci_dev dev[2];
	int functions;
	struct wrong wrong;
	unsigned int binds, moved, hand_overs, visits;
	struct soak_resets resets;
};

static struct shared {
	struct worker workers[MAX_WORKERS], churn;
	struct false_alarms alarms;
	double until;
	/*
	 * A rescan writes a bridge's control register back as it has read it (pci_scan_bridge_extend()). Where
	 * that was in the middle of a reset of the bus below, it is a reset without an end, with any driver.
	 */
	pthread_rwlock_t no_rescan;
	/* Who rescans, or raises an alarm; and who reads /proc/iomem, or removes a bus. */
	pthread_mutex_t rescan, iomem;
} *shared;

static struct zoo_bar bars[ZOO_MAX];
static int count, workers;

/* The one that comes and goes: the last of its kind. */
static struct pci_dev guest, port;
static bool plugged, alarmed;

static bool same_slot(const struct pci_dev *a, const struct pci_dev *b)
{
	return !strncmp(a->bdf, b->bdf, strlen(a->bdf) - 1);
}

static void add_worker(const struct pci_dev *dev)
{
	int i;

	if (!strcmp(dev->bdf, guest.bdf))
		return;
	for (i = 0; i < workers; i++) {
		struct worker *w = &shared->workers[i];

		if (!strcmp(w->dev[0].bdf, dev->bdf))
			return;
		if (same_slot(&w->dev[0], dev)) {
			w->dev[1] = *dev;
			w->functions = 2;
			return;
		}
	}
	if (workers == MAX_WORKERS)
		return;
	shared->workers[workers].dev[0] = *dev;
	shared->workers[workers++].functions = 1;
}

static void bind(struct worker *w, const char *driver)
{
	int i, err;

	for (i = 0; i < w->functions; i++) {
		err = pci_bind(&w->dev[i], driver);
		if (err)
			wrong_add(&w->wrong, "%s: bind to \"%s\": %s", w->dev[i].bdf, driver, strerror(-err));
	}
	w->binds += !strcmp(driver, OURS);
	/* For vfio-pci they are held. */
	pthread_mutex_lock(&shared->iomem);
	for (i = 0; i < w->functions && *driver; i++)
		w->moved += soak_claimed(&w->dev[i], bars, count, &w->wrong);
	pthread_mutex_unlock(&shared->iomem);
	for (i = 0; i < count && !*driver; i++)
		if (!strcmp(bars[i].dev.bdf, w->dev[0].bdf) && *zoo_held(&bars[i]))
			wrong_add(&w->wrong, "%s BAR %d: held for no driver", bars[i].dev.bdf, bars[i].bar);
}

static void let_no_rescan(const struct worker *w)
{
	if (strncmp(w->dev[0].bdf, "0000:00:", 8))
		pthread_rwlock_rdlock(&shared->no_rescan);
}

static void let_rescan(const struct worker *w)
{
	if (strncmp(w->dev[0].bdf, "0000:00:", 8))
		pthread_rwlock_unlock(&shared->no_rescan);
}

static void rescan(void)
{
	pthread_mutex_lock(&shared->rescan);
	pthread_rwlock_wrlock(&shared->no_rescan);
	pci_rescan();
	pthread_rwlock_unlock(&shared->no_rescan);
	pthread_mutex_unlock(&shared->rescan);
}

static void use(struct worker *w, struct rng *rng)
{
	let_no_rescan(w);
	soak_use(&w->dev[0], w->functions > 1 ? &w->dev[1] : NULL, bars, count, rng, &w->wrong,
		 &w->resets);
	let_rescan(w);
	w->visits++;
}

static void work(struct worker *w, unsigned int who)
{
	struct rng rng;

	rng_start(&rng, who);
	while (soak_now() < shared->until && w->wrong.count < 20) {
		bind(w, OURS);
		switch (rng_below(&rng, 4)) {
		case 0:
			/* Nobody has it open. */
			let_no_rescan(w);
			pci_attr_write(&w->dev[0], "reset", "1");
			let_rescan(w);
			break;
		case 1:
			bind(w, STOCK);
			use(w, &rng);
			bind(w, OURS);
			w->hand_overs++;
			use(w, &rng);
			break;
		default:
			use(w, &rng);
			use(w, &rng);
		}
		if (rng_below(&rng, 3))
			bind(w, "");
	}
	bind(w, "");
}

static void come(struct worker *w, struct rng *rng)
{
	char reply[512] = "";
	int err = 0;

	if (plugged)
		err = monitor_cmd(reply, sizeof(reply), "device_add sdhci-pci,id=guest,bus=plug");
	else
		rescan();
	if (!soak_present(&guest, true) || err || *reply)
		wrong_add(&w->wrong, "it does not come: %d %s", err, reply);
	/* It is in sysfs before its BARs are placed. */
	rescan();
	if (rng_below(rng, 2))
		return;
	err = pci_bind(&guest, rng_below(rng, 2) ? OURS : STOCK);
	if (err)
		wrong_add(&w->wrong, "%s: bind: %s", guest.bdf, strerror(-err));
	w->binds++;
}

static void go(struct worker *w, struct rng *rng)
{
	char reply[512] = "";
	int err;

	if (!plugged) {
		err = pci_remove(&guest);
		if (err)
			wrong_add(&w->wrong, "%s: remove: %s", guest.bdf, strerror(-err));
		return;
	}
	/* The kernel's way, then back; or the machine's. */
	if (rng_below(rng, 2)) {
		pci_remove(&guest);
		rescan();
	}
	err = monitor_cmd(reply, sizeof(reply), "device_del guest");
	if (!soak_present(&guest, false) || err || *reply)
		wrong_add(&w->wrong, "it does not go: %d %s", err, reply);
	if (!soak_slot_off(&port))
		wrong_add(&w->wrong, "its slot stays on");
}

static void churn(struct worker *w)
{
	/* pciehp waits 5 s after its button; a round does not wait for another visit. */
	double until = shared->until - (plugged ? 8 : 0);
	struct rng rng;

	rng_start(&rng, 100 + w->visits);
	while (soak_now() < until && w->wrong.count < 20) {
		come(w, &rng);
		sleep_ms(rng_below(&rng, 300));
		go(w, &rng);
		w->visits++;
	}
}

static void raise_alarm(struct false_alarms *alarms)
{
	pthread_mutex_lock(&shared->rescan);
	pthread_mutex_lock(&shared->iomem);
	false_alarm_prepare(alarms);
	pthread_mutex_unlock(&shared->iomem);
	false_alarm_raise(alarms);
	pthread_mutex_unlock(&shared->rescan);
}

static void alarm_again(struct false_alarms *alarms)
{
	while (soak_now() < shared->until && alarms->wrong.count < 20) {
		raise_alarm(alarms);
		/* Whoever waits for the lock gets it. */
		sleep_ms(500);
	}
}

static void round_of_all(int nth)
{
	int i, children = 0, status;

	shared->until = soak_now() + ROUND_S;
	for (i = 0; i <= workers + alarmed; i++) {
		pid_t child = fork();

		if (!child) {
			if (i < workers)
				work(&shared->workers[i], nth * 1000 + i);
			else if (i == workers)
				churn(&shared->churn);
			else
				alarm_again(&shared->alarms);
			_exit(0);
		}
		children += child > 0;
	}
	while (children-- > 0)
		if (wait(&status) > 0 && (!WIFEXITED(status) || WEXITSTATUS(status)))
			wrong_add(&shared->churn.wrong, "a process ended with %#x", status);
	false_alarm_ended();
}

static void find_all(void)
{
	struct pci_dev dev;
	int i;

	count = zoo_list(bars);
	workers = 0;
	for (i = 0; i < count; i++)
		add_worker(&bars[i].dev);
	/* It has an FLR, which no device with a small BAR has. */
	if (!pci_find(NVME, 0, &dev))
		add_worker(&dev);
}

static void find_guest(void)
{
	struct pci_dev at;
	int i;

	/* It is not there yet when it gets plugged; the last port is the one that hears of that. */
	for (i = 0; plugged && !pci_find(ROOT_PORT, i, &port); i++)
		;
	if (plugged)
		snprintf(guest.bdf, sizeof(guest.bdf), "0000:%02x:00.0",
			 (uint8_t)pci_config_read(&port, PCI_SECONDARY_BUS, 1));
	for (i = 0; !plugged && !pci_find(SDHCI, i, &at); i++)
		if (!strncmp(at.bdf, "0000:00:", 8))
			guest = at;
}

/* What all processes have done until now. */
static struct worker sum_up(void)
{
	struct worker all = {};
	int i, reset;

	for (i = 0; i < MAX_WORKERS; i++) {
		const struct worker *w = &shared->workers[i];

		all.moved += w->moved;
		all.visits += w->visits;
		all.hand_overs += w->hand_overs;
		for (reset = 0; reset < SOAK_RESETS; reset++)
			all.resets.done[reset] += w->resets.done[reset];
		all.resets.slept += w->resets.slept;
		all.resets.tenants += w->resets.tenants;
	}
	return all;
}

static bool all_happened(void)
{
	struct worker all = sum_up();
	int reset;

	for (reset = 0; reset < SOAK_RESETS; reset++)
		if (!all.resets.done[reset])
			return false;
	return all.visits && all.hand_overs && all.resets.slept && all.resets.tenants && shared->churn.visits &&
	       (!alarmed || shared->alarms.raised);
}

MODULE_CASE(storm, "align_for=" STOCK)
{
	pthread_rwlockattr_t for_processes;
	pthread_mutexattr_t between_processes;
	double end;
	struct worker all;
	struct wrong never = {};
	int nth, reset, i, shared_pages = 0;
	struct rng rng;
	char *before;

	shared = soak_shared(sizeof(*shared));
	pthread_rwlockattr_init(&for_processes);
	pthread_rwlockattr_setpshared(&for_processes, PTHREAD_PROCESS_SHARED);
	pthread_rwlockattr_setkind_np(&for_processes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&shared->no_rescan, &for_processes);
	pthread_mutexattr_init(&between_processes);
	pthread_mutexattr_setpshared(&between_processes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&shared->rescan, &between_processes);
	pthread_mutex_init(&shared->iomem, &between_processes);
	rng_start(&rng, 0);
	plugged = getenv("monitor");
	alarmed = getenv("false_alarms");
	find_guest();
	/* After the first device a slot is not left as the firmware had it. */
	if (plugged) {
		come(&shared->churn, &rng);
		go(&shared->churn, &rng);
	}
	if (alarmed) {
		raise_alarm(&shared->alarms);
		false_alarm_start_over(&shared->alarms);
		shared->alarms.raised = 0;
	}
	before = soak_begin();
	find_all();
	ok(workers >= 8, "%d processes, each with a device or the functions of a slot", workers);
	if (!plugged)
		is_errno(pci_remove(&guest), 0, "%s is the one that comes and goes", guest.bdf);
	end = soak_now() + soak_share(plugged ? 50 : 25);
	/* A busy host gets some rounds more. */
	for (nth = 0; soak_now() < end || (nth < 12 && !all_happened()); nth++) {
		zoo_repack(bars, count);
		if (!plugged && pci_present(&guest))
			pci_remove(&guest);
		find_all();
		for (i = 0; i < count; i++)
			shared_pages += zoo_other_device(&bars[i]);
		round_of_all(nth);
	}
	for (i = 0; i < MAX_WORKERS; i++) {
		struct worker *w = &shared->workers[i];

		if (!w->functions)
			continue;
		diag("%s: %u binds, %u moves, %u handed over, %u visits", w->dev[0].bdf, w->binds, w->moved,
		     w->hand_overs, w->visits);
		none_wrong(&w->wrong, "process %d: %s%s, bound, used, reset and released", i, w->dev[0].bdf,
			   w->functions > 1 ? " and a second function" : "");
	}
	all = sum_up();
	none_wrong(&shared->churn.wrong, "one device comes and goes meanwhile");
	if (alarmed) {
		false_alarm_start_over(&shared->alarms);
		diag("%u false alarms, %u reads of the user's meanwhile", shared->alarms.raised, shared->alarms.reads);
		ok(shared->alarms.raised, "the BAR of an open device is nowhere for moments, and then where it was");
		none_wrong(&shared->alarms.wrong, "its user notices nothing of that");
	}
	diag("%d rounds, %u visits, %u BARs moved, %u hand-overs; %s came and went %u times", nth,
	     all.visits, all.moved, all.hand_overs, guest.bdf, shared->churn.visits);
	diag("%u times a device slept, %u times two processes had a function of a slot each", all.resets.slept,
	     all.resets.tenants);
	ok(all.visits && all.hand_overs && all.resets.slept && all.resets.tenants && shared->churn.visits,
	   "all of it happened");
	for (reset = 0; reset < SOAK_RESETS; reset++) {
		diag("%s: %u", soak_reset_name(reset), all.resets.done[reset]);
		if (!all.resets.done[reset])
			wrong_add(&never, "%s", soak_reset_name(reset));
	}
	none_wrong(&never, "devices were reset in each way");
	ok(shared_pages && all.moved >= (unsigned int)nth, "BARs were moved in each round");
	if (!plugged)
		pci_rescan();
	soak_end(before);
}
