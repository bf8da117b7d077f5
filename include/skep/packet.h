/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.h - packets through programs: XDP, tc, socket filters, cgroup_skb.
 *
 * A port stands for a network interface that exists only here; a packet is
 * given to a program as the kernel would give it on that interface.
 *
 * Threads: confined.
 */
#ifndef SKEP_PACKET_H
#define SKEP_PACKET_H

#include <skep/machine.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_packet_in {
	const void *data;         /* from the Ethernet header */
	uint32_t size;            /* bytes captured */
	uint32_t wire_size;       /* bytes on the wire; 0: size */
	uint64_t time_ns;         /* capture time since the epoch; 0: unknown */
	uint32_t ifindex;         /* 0: 1 */
	uint32_t rx_queue;
	bool egress;              /* tc: leaving rather than arriving */
};

enum skep_verdict {
	SKEP_VERDICT_PASS, SKEP_VERDICT_DROP, SKEP_VERDICT_TX, SKEP_VERDICT_REDIRECT,
	SKEP_VERDICT_ABORTED, SKEP_VERDICT_COUNT,
};

struct skep_packet_out {
	enum skep_verdict verdict;
	int64_t retval;           /* what the program returned */
	const char *action;       /* its name: "XDP_DROP", "TC_ACT_SHOT", "pass 64" */
	const void *data;         /* the packet after the program; borrowed until the next run */
	uint32_t size;
	uint32_t redirect_ifindex; /* for REDIRECT; 0: not an interface */
	bool changed;             /* differs from what came in */
};

/*
 * Run a packet program on one packet. Errors: EINVAL (too short for the
 * hook), EOPNOTSUPP (not a packet type), EFAULT (a fault in the program).
 */
int skep_prog_run_packet(struct skep_prog *prog, const struct skep_packet_in *in,
			 struct skep_packet_out *out, struct skep_diag *diag);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
