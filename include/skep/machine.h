/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.h - one eBPF world: its maps, programs, and running them.
 *
 * An unnamed machine is private to a process and its forks, which share its
 * maps as on Linux. A named one is a directory of files in memory
 * ($XDG_RUNTIME_DIR/skep/NAME, else /dev/shm/skep-UID/NAME) that any process of
 * the user may open; it stays, with its maps and programs, until it is removed or
 * the system restarts.
 *
 * Threads: any, except creation and skep_machine_free().
 */
#ifndef SKEP_MACHINE_H
#define SKEP_MACHINE_H

#include <skep/object.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_machine;
struct skep_prog; /* a loaded program; borrowed from its machine */
struct skep_map;  /* a created map; borrowed from its machine */

enum skep_engine { SKEP_ENGINE_AUTO, SKEP_ENGINE_INTERPRETER, SKEP_ENGINE_JIT };

struct skep_machine_opts {
	size_t memory;            /* address space for maps; 0: default */
	unsigned cpus;            /* virtual CPUs; 0: twice the possible CPUs */
	enum skep_engine engine;  /* AUTO: JIT where code may be mapped */
	const char *name;         /* a new machine of this name; NULL: unnamed */
	bool shared;              /* an unnamed one that processes other than forks can be
	                           * brought into: its memory is a file without a name */
};

struct skep_machine *skep_machine_new(const struct skep_machine_opts *opts,
				      struct skep_diag *diag);
/* Leaves it; an unnamed one ends with its last process. NULL is accepted. */
void skep_machine_free(struct skep_machine *machine);

/*
 * Joins a named machine; of opts, which may be NULL, the engine counts. What is in it
 * by then is there to find; skep_machine_refresh() finds what others added since.
 * Errors: ENOENT, ESTALE (of another version or before the last boot), EBADMSG
 * (damaged), EADDRINUSE (its addresses are taken in this process), EACCES.
 */
struct skep_machine *skep_machine_open(const char *name, const struct skep_machine_opts *opts,
				       struct skep_diag *diag);
int skep_machine_refresh(struct skep_machine *machine, struct skep_diag *diag);
/* EBUSY while processes are in it, unless force: then they go on, and nobody can join. */
int skep_machine_remove(const char *name, bool force, struct skep_diag *diag);
/* Calls fn with every name, in order; a non-zero return stops and is the result. */
typedef int skep_machine_list_fn(void *arg, const char *name);
int skep_machine_list(skep_machine_list_fn *fn, void *arg, struct skep_diag *diag);

struct skep_machine_info {
	const char *name;         /* NULL: unnamed */
	const char *path;         /* its directory; NULL: none */
	uint64_t made_ns;         /* wall clock */
	size_t memory;            /* address space */
	size_t memory_used;
	size_t memory_waiting;    /* freed, but a program running may still see it */
	unsigned cpus, cpus_busy;
	uint32_t maps, progs;
	uint64_t missed;          /* events that found no virtual CPU free */
	uint32_t lock_pid;        /* who changes its directory now; 0: nobody */
};

void skep_machine_info(struct skep_machine *machine, struct skep_machine_info *info);

/* One process in a machine. */
struct skep_participant {
	uint32_t pid;
	unsigned cpus;            /* virtual CPUs it holds: programs it is running */
	bool holds_memory;        /* what is freed waits for one of them */
	bool holds_lock;
	bool abroad;              /* pid is what it calls itself, in a namespace of its own */
};

/* Those alive; returns their number, of which the first count are stored. */
size_t skep_machine_participants(struct skep_machine *machine, struct skep_participant *out,
				 size_t count);

unsigned skep_machine_cpus(const struct skep_machine *machine);

/*
 * Create the object's maps and load its programs (those with autoload set),
 * all or nothing. log_level and friends come from opts, which may be NULL; the logs,
 * of a program that is refused too, are in skep_object_prog_result().
 *
 * Programs see the machine's own kernel objects: of the types that the machine
 * has (skep_btf_open_machine()), its own take the place of the kernel's from
 * now on, for this object.
 */
int skep_machine_load(struct skep_machine *machine, struct skep_object *object,
		      const struct skep_verify_opts *opts, struct skep_diag *diag);

/* Everything in it that this process knows of, in the order of ids. */
size_t skep_machine_map_count(const struct skep_machine *machine);
struct skep_map *skep_machine_map_at(struct skep_machine *machine, size_t index);
size_t skep_machine_prog_count(const struct skep_machine *machine);
struct skep_prog *skep_machine_prog_at(struct skep_machine *machine, size_t index);
/* Of everything loaded from an object by this process; NULL if there is none so named. */
struct skep_prog *skep_machine_prog(struct skep_machine *machine,
				    const struct skep_object_prog *prog);
struct skep_map *skep_machine_map(struct skep_machine *machine,
				  const struct skep_object_map *map);

/* --- programs --- */

struct skep_prog_info {
	const char *name;
	const char *type;
	uint32_t id;
	uint8_t tag[8];
	uint32_t insns;
	uint32_t jited_size;      /* bytes of native code; 0: interpreted */
	uint64_t run_count;
	uint64_t missed;          /* events with no virtual CPU free or nested */
	uint64_t loaded_ns;       /* when, by the wall clock */
	uint32_t uid, pid;        /* and by whom */
};

void skep_prog_info(const struct skep_prog *prog, struct skep_prog_info *info);

/*
 * Run once with ctx as the program's context as Linux would lay it out
 * (struct bpf_raw_tracepoint_args, struct pt_regs ...), for types whose context
 * is plain memory. Errors: EOPNOTSUPP for packet types (see packet.h), EBUSY.
 */
int skep_prog_run(struct skep_prog *prog, void *ctx, size_t ctx_size, uint64_t *retval,
		  struct skep_diag *diag);

/* BPF_PROG_TEST_RUN: fields as in union bpf_attr.test. */
struct skep_test_run {
	const void *data_in;
	size_t data_size_in;
	void *data_out;           /* caller's buffer; may be NULL */
	size_t data_size_out;     /* in: its size; out: bytes of the result packet */
	const void *ctx_in;
	size_t ctx_size_in;
	void *ctx_out;
	size_t ctx_size_out;
	uint32_t repeat;          /* 0 means 1 */
	uint32_t flags;
	uint32_t retval;          /* out */
	uint32_t duration_ns;     /* out: mean of one run */
};

int skep_prog_test_run(struct skep_prog *prog, struct skep_test_run *run,
		       struct skep_diag *diag);

/* --- maps --- */

void skep_map_info(const struct skep_map *map, struct skep_map_info *info);
/* Bytes of one value as user space sees it: for per-CPU maps, every CPU's,
 * each rounded up to 8. */
size_t skep_map_user_value_size(const struct skep_map *map);
/* Errors as bpf(2): ENOENT, E2BIG, EEXIST, EINVAL, EOPNOTSUPP ... */
int skep_map_lookup(struct skep_map *map, const void *key, void *value);
int skep_map_update(struct skep_map *map, const void *key, const void *value, uint64_t flags);
int skep_map_delete(struct skep_map *map, const void *key);
/* The key after key (NULL: the first); -ENOENT at the end. */
int skep_map_next_key(struct skep_map *map, const void *key, void *next);
/* Put a program or an inner map into a map that holds such. */
int skep_map_update_prog(struct skep_map *map, const void *key, struct skep_prog *prog);
int skep_map_update_map(struct skep_map *map, const void *key, struct skep_map *inner);

/* --- events that programs send --- */

enum skep_event_kind { SKEP_EVENT_RINGBUF, SKEP_EVENT_PERF, SKEP_EVENT_TRACE, SKEP_EVENT_LOST };

struct skep_event {
	enum skep_event_kind kind;
	struct skep_map *map;     /* NULL for trace_printk */
	uint32_t cpu;
	const void *data;         /* borrowed until the callback returns */
	size_t size;              /* LOST: the number of lost samples in size */
};

/* A non-zero return stops the poll and becomes its result. */
typedef int skep_event_fn(void *arg, const struct skep_event *event);

/*
 * Deliver what is pending in maps that this process loaded, and what any program
 * printed, without waiting. Returns the number delivered.
 */
int skep_machine_poll(struct skep_machine *machine, skep_event_fn *fn, void *arg);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
