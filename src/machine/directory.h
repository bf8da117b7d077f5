/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directory.h - what a machine holds, written down in its arena for all participants.
 *
 *   memory_root() -> struct directory -> entry -> entry -> ...
 *                      world                map, program or types
 *
 * Entries are only added: their list needs no lock to be read. Who adds one first
 * has it in his hands (its state is his owner word), makes the thing it is to
 * name, and publishes it with one store; what a dead process had in its hands is
 * freed by the next that adds. Published entries carry a checksum, and nothing of
 * one is used before that and every address in it was checked: a damaged
 * directory is an error, not a crash.
 *
 * Threads: the directory's lock guards what is said to need it.
 */
#ifndef MACHINE_DIRECTORY_H
#define MACHINE_DIRECTORY_H

#include "helper/vm.h"
#include "map/map.h"
#include "vm/vm.h"

enum entry_kind { ENTRY_MAP = 1, ENTRY_PROG, ENTRY_TYPES, ENTRY_TABLE /* for jumps */ };

#define ENTRY_READY 1 /* a state; 0: nobody's, else the owner word of who makes it */

struct entry {
	struct entry *next;       /* set once */
	uint64_t state;
	uint64_t checksum;        /* of what follows, when published */
	uint32_t kind;            /* enum entry_kind */
	uint32_t id;
	struct map *map;
	struct code *code;
	struct prog_ref *ref;
	void *types;              /* raw BTF: owned by a types entry, borrowed by a map's */
	uint64_t types_size;
	uint64_t loaded_ns;       /* wall clock */
	uint32_t uid, pid;        /* of who made it */
	uint32_t key_type, value_type;
	uint32_t insns;
	uint32_t flags;           /* ENTRY_INTERNAL ... */
	uint64_t stamp;           /* of the code */
	uint8_t tag[8];
	char name[128];           /* cut */
};

enum { ENTRY_INTERNAL = 1, ENTRY_SLEEPABLE = 2 };

struct directory {
	uint64_t magic;
	uint32_t layout;
	uint32_t cpus;
	uint64_t made_ns;         /* wall clock */
	struct vm_world *world;
	struct vcpu_set *vcpus;
	char version[32];
	uint64_t checksum;        /* of all before it */

	uint64_t lock;            /* an owner word */
	struct entry *first;
	uint32_t next_map, next_prog; /* ids; under the lock */
};

/* Hangs a directory on the arena's root. NULL: the arena is full. */
struct directory *directory_new(struct memory *memory, struct vm_world *world,
				struct vcpu_set *vcpus);
/* The arena's; NULL with *error -EBADMSG (damaged), -EPROTONOSUPPORT (another build's). */
struct directory *directory_find(struct memory *memory, int *error);

/*
 * Waits while a live process holds it, for three seconds; then -EBUSY. Held for moments
 * only: nobody verifies or makes a map under it.
 */
int directory_lock(struct directory *directory, struct memory *memory);
void directory_unlock(struct directory *directory);

/* An entry in this process's hands. Lock held. NULL: the arena is full. */
struct entry *directory_claim(struct directory *directory, struct memory *memory);
/* From our hands to everybody's eyes. Lock held. */
void entry_publish(struct entry *entry);
/* From our hands: what it names is freed. Lock not needed. NULL is accepted. */
void entry_abandon(struct memory *memory, struct entry *entry);
/*
 * The published entry after this one (NULL: the first), whole and sound; NULL at the
 * end, or with *error = -EBADMSG where there is none that could be believed.
 */
struct entry *directory_next(struct directory *directory, struct memory *memory,
			     struct entry *entry, int *error);

#endif
