/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call.h - what is gathered about one call while its arguments are checked.
 *
 * A call is checked argument by argument; what one argument says (the map, the
 * size, the reference that is given up) decides about later ones and about the
 * result. struct call_check holds it between call.c, args.c and the files for each
 * kind of argument.
 */
#ifndef VERIFY_CALL_H
#define VERIFY_CALL_H

#include "verify/state.h"

enum { MAX_ERRNO = 4095 };

struct call_check {
	uint32_t pc;
	const struct helper *fn;         /* NULL: a kernel function */
	const char *name;                /* "bpf_map_lookup_elem", "bpf_iter_num_new" */

	const struct map_spec *map;      /* of the map argument; NULL: none yet */
	uint32_t map_index, map_uid;
	uint32_t key_reg;                /* register of the key; 0: none */
	bool key_known;                  /* the key is the number key */
	uint64_t key;

	uint32_t ref_id;                 /* of the one argument that holds a reference */
	int release_reg;                 /* the argument that is given up; 0: none */
	uint64_t alloc_size;             /* ARG_CONST_ALLOC_SIZE */
	uint64_t size_max;               /* most bytes the helper can write to its memory */
	uint32_t subprog;                /* ARG_PTR_TO_FUNC */

	uint32_t dynptr_id, dynptr_ref;  /* of the initialised dynptr argument */
	uint8_t dynptr_kind;             /* enum dynptr_kind */

	const struct skep_btf *ret_btf;  /* type of the result, where an argument says */
	uint32_t ret_btf_id;
	bool ret_own;                    /* an object the program allocated for every CPU */
	const struct map_field *kptr;    /* ARG_KPTR_XCHG_DEST */
};

static inline struct reg *call_arg(struct env *env, int regno)
{
	return &state_regs(env->cur)[regno];
}

/* The pointer is no longer one; who may see addresses keeps the number. */
static inline void forget_pointer(struct env *env, struct reg *reg)
{
	if (env->cap_perfmon)
		reg_set_unknown(env, reg);
	else
		reg_set_not_init(reg);
}

/* "bpf_map_lookup_elem#1" in messages; rotating buffers as reg_type_name(). */
const char *helper_text(uint32_t id);

/* The helper the instruction calls; NULL: none, or nobody knows it. */
const struct helper *helper_of_call(const struct env *env, uint32_t pc);

/* args.c: is register regno what the argument must be? Gathers into call. */
int check_arg(struct env *env, struct call_check *call, int regno, const struct arg *arg);
/* A pointer to kernel objects passed where type want_id is asked for. */
bool btf_types_match(const struct skep_btf *btf, uint32_t id, int32_t off,
		     const struct skep_btf *want, uint32_t want_id, bool strict);
/* The kernel type a register of a kind points to; 0: none. */
uint32_t reg_kernel_type(const struct env *env, const struct reg *reg);
bool reg_is_trusted(const struct reg *reg);
bool reg_is_rcu(const struct reg *reg);
/* A constant string argument: NUL-terminated, in read-only global data. */
int check_const_string(struct env *env, int regno, const char **text, size_t *room);

/* ref.c: locks */
int acquire_lock(struct env *env, enum ref_kind kind, uint32_t id, const void *ptr, uint32_t pc);
int release_lock(struct env *env, enum ref_kind kind, uint32_t id, const void *ptr);
/* Interrupts off: a new reference's id (or negative errno); the newest one given back. */
int acquire_irq(struct env *env, uint32_t pc);
void release_irq(struct env *env);
const struct ref *last_irq(const struct state *state); /* NULL: none */

/* map_use.c: which helper takes which map. */
int check_map_use(struct env *env, const struct call_check *call);
int record_map(struct env *env, const struct call_check *call);
int record_key(struct env *env, const struct call_check *call);

/* format.c: snprintf's format and arguments. */
int check_snprintf(struct env *env, const struct call_check *call);

/* callback.c: enters what the helper calls back. */
int check_callbacks(struct env *env, struct call_check *call);
bool helper_calls_back(uint32_t id);

/* dynptr.c */
int check_dynptr_arg(struct env *env, struct call_check *call, int regno, bool uninit,
		     enum dynptr_kind kind, uint32_t source_ref);
/* Memory that a call gives of its dynptr argument. */
void set_slice(struct reg *slice, const struct call_check *call);
/* Of any dynptr: what becomes of it depends on the kind. */
void set_typed_slice(struct reg *slice, const struct call_check *call);
/* Release of the dynptr on the stack that regno points to. */
int release_dynptr(struct env *env, int regno);
/* All that live by a reference that was given up are gone. */
void forget_dynptrs(struct env *env, uint32_t ref_id);
bool dynptr_kind_has_reference(enum dynptr_kind kind);
uint32_t dynptr_slot_ref(struct env *env, int regno); /* 0: no reference */

/* kfunc.c: what other passes ask about kernel functions */
int prepare_kfuncs(struct env *env);
uint16_t kfunc_args(struct env *env, uint32_t pc); /* r1 to r5 it reads, as a mask */
bool kfunc_changes_packet(struct env *env, uint32_t pc);
bool kfunc_might_sleep(struct env *env, uint32_t pc);

/* lock.c: take or give back the lock that regno points to */
int check_lock(struct env *env, int regno, enum ref_kind kind, bool lock);

/* section.c */
/* Where the path is, if it may not sleep there: "rcu_read_lock region"; or NULL. */
const char *region_name(const struct state *state);
/* Is what RCU protects alive here? */
bool in_rcu_section(const struct env *env);
/* A lock or section has ended: perhaps what RCU protects is no longer alive. */
void section_left(struct env *env);
/* bpf_rcu_read_lock() and its kin, by name; any other function changes nothing. */
int enter_or_leave(struct env *env, const char *name);
enum irq_kind { IRQ_LOCAL, IRQ_LOCK };   /* who saved: the program, or a lock */
int check_irq_flag(struct env *env, int regno, bool saves, enum irq_kind kind);

/* lock.c */
/* Does the path hold the lock of the value or object the register points to? Says why not. */
bool holds_lock_of(struct env *env, const struct reg *reg);
/* graph.c: is a frame of the path a tree's comparison? */
bool in_comparison(const struct env *env);
/* References borrowed from collections are no good any more. */
void forget_borrowed(struct env *env);

/* fields.c: what a map value holds besides bytes. */
enum field_type {
	MAP_FIELD_SPIN_LOCK = 1 << 0, MAP_FIELD_TIMER = 1 << 1, MAP_FIELD_KPTR_UNREF = 1 << 2,
	MAP_FIELD_KPTR_REF = 1 << 3, MAP_FIELD_KPTR_PERCPU = 1 << 4, MAP_FIELD_LIST_HEAD = 1 << 5,
	MAP_FIELD_LIST_NODE = 1 << 6, MAP_FIELD_RB_ROOT = 1 << 7, MAP_FIELD_RB_NODE = 1 << 8,
	MAP_FIELD_REFCOUNT = 1 << 9, MAP_FIELD_WORKQUEUE = 1 << 10, MAP_FIELD_UPTR = 1 << 11,
	MAP_FIELD_RES_SPIN_LOCK = 1 << 12, MAP_FIELD_TASK_WORK = 1 << 13,
};
#define MAP_FIELD_KPTR (MAP_FIELD_KPTR_UNREF | MAP_FIELD_KPTR_REF | MAP_FIELD_KPTR_PERCPU)
#define MAP_FIELD_GRAPH_ROOT (MAP_FIELD_LIST_HEAD | MAP_FIELD_RB_ROOT)
#define MAP_FIELD_GRAPH_NODE (MAP_FIELD_LIST_NODE | MAP_FIELD_RB_NODE)

struct map_field {
	uint32_t type;                   /* enum field_type */
	uint32_t off, size;
	const struct skep_btf *btf;      /* kernel pointers: type pointed to */
	uint32_t btf_id;                 /* lists and trees: type of what they hold */
	uint32_t node_off;               /* and where in it their node lies */
};
struct map_fields {
	uint32_t count;
	uint32_t mask;                   /* of enum field_type */
	struct map_field field[11];      /* by offset */
	const char *problem;             /* why there are none; or NULL */
	bool no_types;                   /* the map is made without types, or no objects at all */
	int error;                       /* and its errno */
	const char *of;                  /* the structure with the problem, if another */
};
/* The field of a type, the last if there are several; NULL: none. */
const struct map_field *field_of(const struct map_fields *fields, uint32_t type);
const struct map_field *map_field_of(struct env *env, const struct map_spec *map, uint32_t type);
const struct map_field *map_field_at(struct env *env, const struct map_spec *map, uint32_t off);
/* The type name of a field: "bpf_timer". */
const char *field_type_name(uint32_t type);
/* Fields of a record of the program's own BTF, for objects of bpf_obj_new. */
const struct map_fields *record_fields(struct env *env, const struct skep_btf *btf, uint32_t id);
/* Fields of the memory a register points to: a map value or such an object; or NULL. */
const struct map_fields *reg_fields(struct env *env, const struct reg *reg);
/* Is the map made with its value's type? Says why not. */
bool map_has_types(struct env *env, const struct map_spec *map);
/* An argument that must point to the one field of a type in a map value. */
int check_field_arg(struct env *env, int regno, uint32_t type, const struct map_field **field);

/* record.c: the special fields of a type, as Linux finds and judges them */
void find_fields(struct env *env, struct map_fields *fields, const struct skep_btf *btf,
		 uint32_t id, bool in_map);
/* The first structure for which Linux refuses all the types of a program; or no problem. */
void find_refused(struct env *env, struct map_fields *first, const struct skep_btf *btf);

/* kfunc.c: in the kernel's BTF; 0: there is none. */
uint32_t kernel_ctx_type(const struct env *env, const struct prog_type *type);

#endif
