/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.h - from a section's name to places of the board. Control plane.
 *
 * Each kind of section has a row whose function finds the places that the section
 * means: slots of the board that hold lists of programs. attach.c then checks the
 * program against each and links it in.
 *
 * Threads: the machine's lock is held.
 */
#ifndef HOOK_ATTACH_H
#define HOOK_ATTACH_H

#include <skep/link.h>
#include "hook/board.h"
#include "machine/machine.h"
#include "object/object.h"

/* Where a program goes, and what it may see of its context there. */
struct place {
	const struct board_list **slot; /* in the arena */
	uint32_t form;           /* enum board_form */
	uint32_t room;           /* bytes of context */
	bool modifies;           /* what the program returns counts */
	bool user;               /* in a file's code: targets must look again */
	bool watches;            /* and its return is watched */
	bool has_spec;           /* cookie, not the link's: the key of a map of arguments */
	uint64_t cookie;
};

struct attaching {
	struct skep_machine *machine;
	struct board *board;
	struct skep_prog *prog;
	struct section_match match; /* its section, or what is given in its stead */
	const char *target;      /* behind the section's prefix: "sys_enter"; never NULL */
	struct skep_where where;
	uint32_t sample_hz;
	VEC(struct place) places;
	struct skep_diag *diag;
};

/* One more place; -ENOMEM. */
int attach_to(struct attaching *a, struct place place);

struct attach_row {
	const char *prefix;      /* of prog/sections.c: "tracepoint+" */
	/* Adds places, or reports why there are none. */
	int (*find)(struct attaching *a, const struct attach_row *row);
	uint32_t stage;          /* of a system call */
	uint32_t form;
	bool modifies;
};

/* System calls and processes (places.c). */
int find_tracepoint(struct attaching *a, const struct attach_row *row);
int find_raw(struct attaching *a, const struct attach_row *row);
int find_function(struct attaching *a, const struct attach_row *row);
int find_call(struct attaching *a, const struct attach_row *row);
int find_pattern(struct attaching *a, const struct attach_row *row);
int find_sample(struct attaching *a, const struct attach_row *row);

/* Places in files' code (uprobes.c); stage: enum probe_stage. */
enum probe_stage { PROBE_ENTER, PROBE_LEAVE, PROBE_SESSION };
int find_uprobe(struct attaching *a, const struct attach_row *row);
int find_uprobes(struct attaching *a, const struct attach_row *row);
int find_usdt(struct attaching *a, const struct attach_row *row);

/* Marks the keys that links of the program's object have in their map of arguments. */
void attach_specs_used(const struct attaching *a, uint8_t *used, size_t count);

/* The machine's board, made when it is first asked for; NULL: no memory for it. The
 * machine's lock is held. */
struct board *machine_board(struct skep_machine *machine);
/* Among a process's threads and among the machine's processes; whoever dies with it loses it. */
void board_lock(struct skep_machine *machine);
void board_unlock(struct skep_machine *machine);

#endif
