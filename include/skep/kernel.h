/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel.h - would this program load on that Linux release, and if not, why?
 *
 * A release is judged by a table of what came with which version, and by a
 * verifier that is held to what that release's could follow. CO-RE fields,
 * kernel functions and attach points depend on the kernel's own types: give
 * them (a vmlinux or its .BTF), or they are judged by the types at hand.
 *
 * Threads: confined.
 */
#ifndef SKEP_KERNEL_H
#define SKEP_KERNEL_H

#include <skep/object.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* 5.10 is SKEP_KERNEL(5, 10). */
#define SKEP_KERNEL(major, minor) ((unsigned)((major) << 8 | (minor)))

enum skep_gap_kind {
	SKEP_GAP_PROG_TYPE, SKEP_GAP_ATTACH_TYPE, SKEP_GAP_PROG_FLAG, SKEP_GAP_MAP_TYPE,
	SKEP_GAP_MAP_FLAG, SKEP_GAP_MAP_FIELD, SKEP_GAP_INSN, SKEP_GAP_HELPER, SKEP_GAP_KFUNC,
	SKEP_GAP_CTX_FIELD, SKEP_GAP_CORE, SKEP_GAP_TARGET, SKEP_GAP_ABILITY, SKEP_GAP_OTHER,
};

/* "helper", "map type", ... */
const char *skep_gap_kind_name(enum skep_gap_kind kind);

/* One thing the program needs and the release has not. */
struct skep_gap {
	enum skep_gap_kind kind;
	char name[200];          /* "bpf_ringbuf_reserve", "events: ringbuf" */
	unsigned since;          /* the first release that has it; 0: not known */
	int64_t insn;            /* where it is first used; -1: the program as a whole */
};

struct skep_kernel_verdict {
	bool loads;
	struct skep_gap *gaps;   /* count of them; free with skep_kernel_verdict_done() */
	size_t count;
	bool fields_judged;      /* by the release's own types */
};

/*
 * kernel: SKEP_KERNEL(). opts->kernel_btf: that kernel's types, or NULL for the
 * default ones. Returns 0, or a negative errno explained in diag when the
 * program could not be judged at all.
 */
int skep_object_check_kernel(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
			     unsigned kernel, struct skep_kernel_verdict *verdict,
			     struct skep_diag *diag);
void skep_kernel_verdict_done(struct skep_kernel_verdict *verdict);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
