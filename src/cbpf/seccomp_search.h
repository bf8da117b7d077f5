/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp_search.h (internal) - in which order to ask for what a system call's number is. */
#ifndef CBPF_SECCOMP_SEARCH_H
#define CBPF_SECCOMP_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers from low up to the next span's low, or to 2^32; neighbours have different labels. */
struct search_span {
	uint32_t low, label;
	uint32_t weight;         /* how often a call is one of them */
};

/*
 * Code for a jump, made from its end: jge: to yes if the number is k or above; otherwise if it is
 * k. Returns its label.
 */
typedef uint32_t search_jump_fn(void *arg, bool jge, uint32_t k, uint32_t yes, uint32_t no);

/*
 * Makes a search of few steps, weighed, and of no more jumps than limit where that is possible.
 * False: no memory.
 */
bool search_emit(const struct search_span *spans, size_t count, uint64_t limit,
		 search_jump_fn *jump, void *arg, uint32_t *begin);

#endif
