// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "interrupts.h"
#include "random_read.h"

#define BLOCK 4096
#define BLOCKS (DRIVE_FIRST_WRITTEN * DRIVE_AREA_SIZE / BLOCK)	/* that nobody writes */
#define DEPTH_MAX 64
#define SLICES 15

static char wanted[BLOCKS * BLOCK];
static char buffers[DEPTH_MAX][BLOCK] __attribute__((aligned(BLOCK)));

static int start(aio_context_t context, int fd, struct iocb *read)
{
	struct iocb *list[] = { read };
	unsigned int slot = read->aio_data;

	/* A read that brings nothing must not find what an earlier one brought. */
	memset(buffers[slot], 0, BLOCK);
	*read = (struct iocb) {
		.aio_data = slot,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buffers[slot],
		.aio_nbytes = BLOCK,
		.aio_offset = rand() % BLOCKS * BLOCK,
	};
	return syscall(SYS_io_submit, context, 1, list) == 1 ? 0 : -errno;
}

static int wait_one(aio_context_t context, struct io_event *event)
{
	struct timespec timeout = { .tv_sec = 60 };
	long got;

	do
		got = syscall(SYS_io_getevents, context, 1, 1, event, &timeout);
	while (got < 0 && errno == EINTR);
	return got == 1 ? 0 : got ? -errno : -ETIMEDOUT;
}

static bool is_right(const struct io_event *event, const struct iocb *read)
{
	return event->res == BLOCK && !memcmp(buffers[event->data], wanted + read->aio_offset, BLOCK);
}

static int run(aio_context_t context, int fd, unsigned int ms, struct random_read *result)
{
	struct iocb reads[DEPTH_MAX];
	double slices[SLICES], end = bench_now_ns();
	struct io_event event;
	unsigned int i, n;
	int err = 0;

	for (i = 0; i < result->depth && !err; i++) {
		reads[i].aio_data = i;
		err = start(context, fd, &reads[i]);
	}
	for (i = 0; i < SLICES && !err; i++) {
		double begin = end;

		for (n = 0; !err && end - begin < ms * 1e6 / SLICES; n++) {
			err = wait_one(context, &event);
			if (err)
				break;
			result->wrong += !is_right(&event, &reads[event.data]);
			err = start(context, fd, &reads[event.data]);
			end = bench_now_ns();
		}
		result->reads += n;
		slices[i] = n * 1e9 / (end - begin);
	}
	if (err)
		return err;
	for (i = 0; i < result->depth; i++) {
		err = wait_one(context, &event);
		if (err)
			return err;
		result->wrong += !is_right(&event, &reads[event.data]);
		result->reads++;
	}
	result->rate = bench_spread(slices, SLICES);
	return 0;
}

int random_read(const struct drive *drive, int fd, unsigned int depth, unsigned int ms, struct random_read *result)
{
	aio_context_t context = 0;
	int before, err;

	*result = (struct random_read) { .depth = depth };
	if (depth > DEPTH_MAX)
		return -EINVAL;
	drive_expect(wanted, sizeof(wanted));
	if (syscall(SYS_io_setup, depth, &context))
		return -errno;
	before = interrupts_count(drive->interrupts, NULL, 0);
	err = run(context, fd, ms, result);
	result->interrupts = interrupts_count(drive->interrupts, NULL, 0) - before;
	syscall(SYS_io_destroy, context);
	return err;
}

void random_read_print(const struct random_read *result, char *text, size_t size)
{
	snprintf(text, size,
		 "random reads, depth %u: median %.0f low %.0f high %.0f a second, %u in all, %u wrong, %u interrupts",
		 result->depth, result->rate.median, result->rate.low, result->rate.high, result->reads, result->wrong,
		 result->interrupts);
}

bool random_read_parse(const char *text, struct random_read *result)
{
	result->rate.n = SLICES;
	return sscanf(text,
		      "random reads, depth %u: median %lf low %lf high %lf a second, %u in all, %u wrong, %u interrupts",
		      &result->depth, &result->rate.median, &result->rate.low, &result->rate.high, &result->reads,
		      &result->wrong, &result->interrupts) == 7;
}
