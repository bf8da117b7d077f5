/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feature.h - the tables of Skep: what it knows and what it can do.
 *
 * Threads: any (immutable).
 */
#ifndef SKEP_FEATURE_H
#define SKEP_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum skep_feature_kind {
	SKEP_FEATURE_MAP_TYPE, SKEP_FEATURE_PROG_TYPE, SKEP_FEATURE_ATTACH_TYPE,
	SKEP_FEATURE_HELPER, SKEP_FEATURE_KFUNC,
};

struct skep_feature {
	enum skep_feature_kind kind;
	uint32_t id;             /* the number in the Linux user API */
	const char *name;        /* "hash", "xdp", "map_lookup_elem" */
	const char *doc;         /* one sentence */
	const char *prototype;   /* helpers and kfuncs: the C declaration */
	bool checked;            /* the verifier knows it */
	bool executed;           /* it can be run */
};

size_t skep_feature_count(enum skep_feature_kind kind);
/* false past the end. */
bool skep_feature_get(enum skep_feature_kind kind, size_t index, struct skep_feature *feature);
/* May a program of this type (BPF_PROG_TYPE_*) call this helper (BPF_FUNC_*)? */
bool skep_feature_helper_allowed(uint32_t prog_type, uint32_t helper);

const char *skep_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
