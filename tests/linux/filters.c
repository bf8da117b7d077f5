/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filters.c - classic filters in the running kernel and here: random valid filters on random
 * packets and system calls, and mutants of them, which must be accepted by both or by neither.
 *
 *   filters [-n COUNT] [-s SEED]
 *
 * The kernel's result is seen from what becomes of a packet: a filter returns to how many bytes
 * it is cut. Of seccomp filters the action is seen, in a child that makes the calls.
 * Exits with 77 where the kernel may not be asked at all.
 */
#include "filters.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

enum { SHOWN = 3, SKIPPED = 77 };

void report_difference(struct tally *tally, const struct filter *filter, const char *fmt, ...)
{
	struct skep_text text = { 0 };
	va_list args;

	if (tally->differences++ >= SHOWN)
		return;
	printf("%s: ", tally->name);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	skep_cbpf_write(filter->insns, filter->count, SKEP_CBPF_LISTING, &text);
	printf("\n%s\n", text.data ? text.data : "");
	text_done(&text);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Returns whether it failed. A share of mutants that is all but certain shows nothing. */
static bool summarise(const struct tally *tally, const struct timespec *start)
{
	unsigned long percent = tally->filters ? tally->accepted * 100 / tally->filters : 0;

	if (tally->skipped) {
		printf("skipped %-16s %s\n", tally->name, tally->skipped);
		return false;
	}
	printf("%-16s %lu filters", tally->name, tally->filters);
	if (tally->runs)
		printf(", %lu runs (%lu dropped or refused)", tally->runs, tally->dropped);
	if (tally->accepted)
		printf(", %lu%% accepted", percent);
	printf(": %lu differences, %.1f s\n", tally->differences, seconds_since(start));
	if (tally->accepted && tally->filters >= 100 && (percent < 30 || percent > 70)) {
		printf("%s: 30 to 70%% should be accepted\n", tally->name);
		return true;
	}
	return tally->differences > 0;
}

int main(int argc, char **argv)
{
	unsigned long count = 100000;
	struct random random = { 1 };
	struct timespec start;
	unsigned skipped = 0, parts = 0;
	bool failed = false;
	int option;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n') {
			count = strtoul(optarg, NULL, 10);
		} else if (option == 's') {
			random.state = strtoull(optarg, NULL, 0);
		} else {
			fprintf(stderr, "usage: filters [-n COUNT] [-s SEED]\n");
			return 2;
		}
	}
	for (int part = 0; part < 7; part++) {
		struct tally tally;

		clock_gettime(CLOCK_MONOTONIC, &start);
		tally = part == 0   ? compare_unix_sockets(&random, count)
			: part == 1 ? compare_packet_sockets(&random, count)
			: part == 2 ? compare_socket_mutants(&random, count)
			: part == 3 ? compare_reach()
			: part == 4 ? compare_ebpf(&random, count / 20 + 1)
			: part == 5 ? compare_seccomp(&random, count)
				    : compare_seccomp_mutants(&random, count);
		failed |= summarise(&tally, &start);
		skipped += tally.skipped != NULL;
		parts++;
	}
	return failed ? 1 : skipped == parts ? SKIPPED : 0;
}
