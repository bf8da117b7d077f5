/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kfunc.h - functions of the kernel that programs call, by their BTF.
 *
 * Unlike helpers they have no descriptor: the prototype in the kernel's BTF
 * says what the arguments are, suffixes of argument names (size__sz, map__map)
 * refine it, and a row of kfunc.def adds flags.
 */
#ifndef VERIFY_KFUNC_H
#define VERIFY_KFUNC_H

#include "verify/call.h"

enum kfunc_flags {
	KF_ACQUIRE = 1 << 0,     /* the result is a reference */
	KF_RELEASE = 1 << 1,     /* its argument's reference is given up */
	KF_RET_NULL = 1 << 2,
	KF_SLEEPABLE = 1 << 3,
	KF_DESTRUCTIVE = 1 << 4,
	KF_RCU = 1 << 5,         /* arguments may be protected by RCU only */
	KF_ITER_NEW = 1 << 6, KF_ITER_NEXT = 1 << 7, KF_ITER_DESTROY = 1 << 8,
	KF_RCU_PROTECTED = 1 << 9, /* only inside an RCU section */
	KF_FASTCALL = 1 << 10,
	KF_ARENA_RET = 1 << 11, KF_ARENA_ARG1 = 1 << 12, KF_ARENA_ARG2 = 1 << 13,
	KF_IMPLICIT_ARGS = 1 << 14, /* the kernel adds last arguments itself */
	KF_PERFMON = 1 << 15,
	KF_SPINLOCK_SAFE = 1 << 16, /* allowed while holding a lock */
};

struct kfunc {
	const char *name;
	uint32_t flags;          /* enum kfunc_flags */
	uint64_t types;          /* program types: 1 << BPF_PROG_TYPE_* */
};

/* A call of one. */
struct kfunc_call {
	struct call_check call;
	const struct kfunc *fn;
	const struct btf_type *proto;
	const struct btf_param *params;
	uint32_t count;          /* parameters a program passes */
	struct reg *iter;        /* the iterator argument's first slot; or NULL */
	struct frame *iter_frame;
	uint32_t iter_slot;
	uint64_t constant;       /* of a __k argument */
	bool has_constant;
	uint32_t buffer_size;    /* what a slice gives */
	bool buffer_writable;
	const struct skep_btf *object_btf; /* type of an allocated object argument */
	uint32_t object_id;
};

/* The row of a name; NULL: no program may call it. */
const struct kfunc *kfunc_find(const char *name);
/* Does the parameter's name end in this suffix? */
bool param_has(const struct skep_btf *btf, const struct btf_param *param, const char *suffix);

/* Does it take a lock, and can fail to? */
bool kfunc_takes_lock(const struct kfunc *fn);

/* kfunc_args.c */
int check_kfunc_args(struct env *env, struct kfunc_call *call);

/* iter.c: iterators on the stack */
int iter_new(struct env *env, struct kfunc_call *call, int regno, uint32_t type);
int iter_find(struct env *env, struct kfunc_call *call, int regno, uint32_t type);
int iter_destroy(struct env *env, struct kfunc_call *call);
/* Splits the path: here the iterator has an item, in the other it is drained. */
int iter_next(struct env *env, struct kfunc_call *call);

#endif
