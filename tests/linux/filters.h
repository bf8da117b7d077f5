/* SPDX-License-Identifier: BSD-2-Clause */
/* filters.h - the parts of filters.c: comparing classic filters with the running kernel. */
#ifndef TESTS_LINUX_FILTERS_H
#define TESTS_LINUX_FILTERS_H

#include <stdio.h>

#include "../cbpf/random_filter.h"

/* What was compared; a comparison that may not be made says why in skipped. */
struct tally {
	const char *name;
	unsigned long filters, runs, dropped, differences;
	unsigned long accepted;  /* of mutants */
	const char *skipped;     /* or NULL */
};

/* Prints the filter and what differs, a few times. */
void report_difference(struct tally *tally, const struct filter *filter, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

struct tally compare_unix_sockets(struct random *random, unsigned long count);
struct tally compare_packet_sockets(struct random *random, unsigned long count);
struct tally compare_socket_mutants(struct random *random, unsigned long count);
struct tally compare_reach(void);
struct tally compare_ebpf(struct random *random, unsigned long count);
struct tally compare_seccomp(struct random *random, unsigned long count);
struct tally compare_seccomp_mutants(struct random *random, unsigned long count);

#endif
