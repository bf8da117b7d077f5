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
	KF_SUPERSEDED = 1 << 17, /* "x_impl": only of kernels that have no "x" */
};

/* Functions whose effect their prototype and flags do not tell. */
enum kfunc_kind {
	KFUNC_PLAIN,
	KFUNC_OBJ_NEW, KFUNC_OBJ_DROP, KFUNC_PERCPU_OBJ_NEW, KFUNC_PERCPU_OBJ_DROP,
	KFUNC_REFCOUNT_ACQUIRE,
	KFUNC_LIST_ADD, KFUNC_RBTREE_ADD, /* the collection takes the object over */
	KFUNC_WQ_CALLBACK, KFUNC_TASK_WORK,
	KFUNC_RDONLY_CAST, KFUNC_KERNEL_CONTEXT, KFUNC_UNTRUSTED_RESULT,
	KFUNC_TRAP,              /* a compiler's mark of what must not be reached */
	KFUNC_DEVICE,            /* what one network device says of a packet */
	KFUNC_SESSION,           /* takes the context; a cookie may be written */
};

struct kfunc {
	const char *name;
	uint32_t flags;          /* enum kfunc_flags */
	uint64_t sets;           /* kfunc_table.c */
	uint8_t kind;            /* enum kfunc_kind */
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
	bool has_buffer;
	uint32_t result_size;    /* what the result points to; 0: as its type says */
	bool result_writable;
	const struct skep_btf *object_btf; /* type of an allocated object argument */
	uint32_t object_id;
	bool owning;             /* a __refcounted_kptr argument is a reference */
	const struct map_field *root; /* the list head or tree root argument; or NULL */
	const struct map_field *work; /* the work queue, task work or timer argument; or NULL */
	uint32_t node_reg;       /* the first node argument; 0: none */
};

/* kfunc_table.c: the row of a name; NULL: no program may call it. */
const struct kfunc *kfunc_find(const char *name);
bool kfunc_is_for(const struct kfunc *fn, const struct prog_spec *spec);
/* Does the parameter's name end in this suffix? */
bool param_has(const struct skep_btf *btf, const struct btf_param *param, const char *suffix);

/* Does it take a lock, and can fail to? */
bool kfunc_takes_lock(const struct kfunc *fn);

/* The call at pc changes no register but R0. */
bool kfunc_is_fastcall(struct env *env, uint32_t pc);

/* kfunc_args.c */
/* A number, or structures of nothing but numbers, at most depth deep. */
bool is_plain_data(const struct skep_btf *btf, uint32_t id, unsigned depth);
int check_kfunc_args(struct env *env, struct kfunc_call *call);

/* object.c: objects of the program's own. Arguments, and what R0 is after. */
int check_object_drop(struct env *env, struct kfunc_call *call, int regno);
int check_refcounted(struct env *env, struct kfunc_call *call, int regno);
int set_new_object(struct env *env, const struct kfunc_call *call, struct reg *r0);
int set_shared_object(struct env *env, const struct kfunc_call *call, struct reg *r0);

/* graph.c: lists and red-black trees of objects */
int check_graph_root(struct env *env, struct kfunc_call *call, int regno, uint32_t type);
int check_graph_node(struct env *env, struct kfunc_call *call, int regno, uint32_t type,
		     bool borrowed_ok);
/* The collection takes the node argument over: references to it are borrowed from now on. */
int give_to_graph(struct env *env, struct kfunc_call *call);
/* R0 is a node of call->root. */
void set_graph_node(struct env *env, const struct kfunc_call *call, struct reg *r0);

/* work.c: what runs later */
int check_work(struct env *env, struct kfunc_call *call, int regno, uint32_t type);
int check_work_map(struct env *env, struct kfunc_call *call, int regno);
int enter_kfunc_callback(struct env *env, struct kfunc_call *call);
/* arena.c */
int check_kfunc_arena_arg(struct env *env, int regno);

/*
 * Bytes that argument index (0..4) is the address of; -1: not known. next is
 * the value of the argument after it, -1 unknown. *replaced: written whole
 * without a look at what was there.
 */
int64_t kfunc_arg_size(struct env *env, uint32_t pc, int index, int64_t next, bool *replaced);

/* iter.c: iterators on the stack */
int iter_new(struct env *env, struct kfunc_call *call, int regno, uint32_t type);
int iter_find(struct env *env, struct kfunc_call *call, int regno, uint32_t type);
int iter_destroy(struct env *env, struct kfunc_call *call);
/* Splits the path: here the iterator has an item, in the other it is drained. */
int iter_next(struct env *env, struct kfunc_call *call);

#endif
