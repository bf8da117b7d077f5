/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.h (internal) - what a machine keeps about its maps and programs.
 *
 * What programs touch (struct map, struct code, struct vm_world) lives in the
 * machine's arena, and so does the directory that says what there is. Records on
 * the heap are a process's handles for entries of the directory: they are never
 * moved or freed before the machine is, so pointers to them stay good.
 *
 * Threads: machine->lock guards the handles among a process's threads, the
 * directory's lock the directory among processes; where both are taken, in that
 * order. Running a program takes no lock.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include <pthread.h>
#include <skep/machine.h>
#include "base/base.h"
#include "helper/vm.h"
#include "machine/directory.h"
#include "machine/place.h"
#include "map/map.h"
#include "prog/prog.h"
#include "vm/vm.h"

struct skep_map {
	struct skep_machine *machine;
	struct entry *entry;      /* in the arena */
	struct map *map;          /* in the arena */
	char *name;               /* owned: as in the object, not cut to 15 bytes */
	struct skep_btf *btf;     /* owned reference; or NULL */
	uint32_t key_type, value_type;
	bool internal;
	uint64_t object;          /* serial of the object it came from; 0: another process's */
	size_t index;             /* in that object */
};

struct skep_prog {
	struct skep_machine *machine;
	struct entry *entry;      /* in the arena */
	const struct prog_type *type;
	uint32_t attach;          /* expected attach type */
	uint32_t id;
	struct code *code;        /* in the arena */
	struct prog_ref *ref;     /* in the arena: what a program array holds */
	char *name;               /* owned */
	uint32_t insns;           /* slots of the program as it was loaded */
	uint8_t tag[8];
	bool sleepable;
	uint64_t object;
	size_t index;
	struct entry **tables;    /* owned: of its jump tables, which only it has */
	uint32_t table_count;
	/* State of the hook that runs it (a packet's buffers ...): made on demand
	 * by the hook, freed with the program. */
	void *hook;
	void (*hook_done)(void *hook);
};

struct skep_link;
struct scan_later;
struct scanned_file;
struct follower;

struct skep_machine {
	pthread_mutex_t lock;
	struct memory *memory;
	struct vcpu_set *vcpus;
	struct vm_world *world;   /* in the arena */
	struct directory *directory; /* in the arena */
	struct machine_place place;       /* of a named one */
	char *name;               /* owned; NULL: unnamed */
	int arena;                /* descriptor of the arena's file; -1: it is anonymous */
	enum skep_engine engine;
	VEC(struct skep_map *) maps;
	VEC(struct skep_prog *) progs;
	VEC(struct skep_link *) links;  /* made by src/hook */
	void (*links_done)(struct skep_machine *machine);
	VEC(struct scanned_file *) scanned; /* files whose code is known: src/hook */
	struct scan_later *later; /* what is scanned in the background; or NULL */
	void (*scanned_done)(struct skep_machine *machine);
	struct follower *follower; /* made by src/hook; or NULL */
	void (*targets_done)(struct skep_machine *machine);
	uint32_t last_map, last_prog; /* ids of the last handles */
};

/* The process-local side alone; name is copied. */
struct skep_machine *machine_alloc(const struct skep_machine_opts *opts, const char *name,
				   struct skep_diag *diag);
/* Free a handle, not what it stands for. Both accept NULL and half-made ones. */
void prog_record_free(struct skep_prog *prog);
void map_record_free(struct skep_map *map);

/* The directory's lock, for changes. -EBUSY, with an item. */
int machine_lock(struct skep_machine *machine, struct skep_diag *diag);
void machine_unlock(struct skep_machine *machine);
/* Makes handles of what others published. machine->lock held. */
int machine_sync(struct skep_machine *machine, struct skep_diag *diag);

/*
 * Run a program once. The caller has zeroed vm and set what its hook knows
 * (ctx, packet, cookie, regs ...); this takes a virtual CPU, fills in code,
 * world, cpu and prog_type, runs and gives the CPU back. vm->redirect_* and
 * the packet are the caller's to look at afterwards.
 *
 * Errors: EBUSY (no virtual CPU, or this thread is already inside a program:
 * counted as missed), EFAULT (a fault ended the program; *retval is 0).
 */
int prog_run(struct skep_prog *prog, struct vm *vm, uint64_t *retval, struct skep_diag *diag);

/*
 * The same, repeat times with one virtual CPU held, for BPF_PROG_TEST_RUN;
 * before every run but the first again(arg) (may be NULL) restores the input.
 * *duration_ns is the mean of one run.
 */
int prog_run_repeat(struct skep_prog *prog, struct vm *vm, uint32_t repeat,
		    void (*again)(void *arg), void *arg, uint64_t *retval,
		    uint32_t *duration_ns, struct skep_diag *diag);

/*
 * skep_prog_test_run() for the program types that do not run on packets
 * (raw_tracepoint, tracing, syscall ...); the public entry is in src/hook,
 * which knows packets.
 */
int plain_test_run(struct skep_prog *prog, struct skep_test_run *run, struct skep_diag *diag);

#endif
