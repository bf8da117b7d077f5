/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * make.h - what the pieces of the maker share (see program.h).
 *
 * A function being made is a nest of scopes. A check that fails jumps to the
 * end of the innermost scope, where what the scope holds (a ring buffer record,
 * a lock, an iterator) is given back; the outermost ends in the function's exit.
 */
#ifndef RANDOM_MAKE_H
#define RANDOM_MAKE_H

#include "program.h"

/* Roughly what a register or slot holds. */
enum kind { NOTHING, NUMBER, CONTEXT, FRAME, PACKET, PACKET_LIMIT, VALUE, MAYBE_VALUE, RECORD };

struct holds {
	enum kind kind;
	uint64_t max;            /* numbers: at most; UINT64_MAX: not known */
	int32_t room;            /* pointers: bytes that may be accessed, at the least */
	bool read_only;
};

enum { SCOPES = 12, JUMPS = 64, CALLS = 24, SUBS = 5, SLOTS_TRACKED = 24 };

enum sub_kind { SUB_LEAF, SUB_SCALARS, SUB_MEMORY, SUB_LOOP, SUB_EACH };

struct sub {
	enum sub_kind kind;
	struct holds arg[3];     /* of leaves */
	bool called, made;
};

struct maker {
	struct random_program *out;
	struct dice dice;
	bool full;
	uint32_t sloppy;         /* percent of checks that are left out or wrong */
	struct holds r[11];
	struct holds slot[SLOTS_TRACKED]; /* fp-8, fp-16, ... */
	uint16_t kept;           /* registers that pieces must leave alone */
	uint32_t depth;          /* of pieces in pieces */
	struct {
		uint32_t jumps[JUMPS], count;
		struct holds r[11];
	} scope[SCOPES];
	uint32_t scope_count;
	struct { uint32_t insn, sub; bool address; } calls[CALLS];
	uint32_t call_count;
	struct sub subs[SUBS];
	uint32_t sub_count;
	bool in_sub, locked, in_callback;
};

#define R(m) (&(m)->dice)

/* --- emitting (make.c) --- */

uint32_t here(const struct maker *m);
void put(struct maker *m, uint8_t code, unsigned dst, unsigned src, int off, int64_t imm);
void put64(struct maker *m, unsigned dst, unsigned src, uint64_t value);
void mov(struct maker *m, unsigned dst, unsigned src);
void mov_imm(struct maker *m, unsigned dst, int64_t imm);
void call(struct maker *m, int32_t helper);
void after_call(struct maker *m);           /* r1 to r5 hold nothing, r0 a number */
/* A jump whose target comes later: land() makes it here. */
void land(struct maker *m, uint32_t jump);
/* A jump to the end of the scope. */
void jump_out(struct maker *m, uint8_t code, unsigned dst, unsigned src, int64_t imm);
void scope_open(struct maker *m);
void scope_close(struct maker *m);
/* Registers that hold other things on two ways that meet hold nothing. */
void meet(struct holds r[11], const struct holds other[11]);
bool sloppy(struct maker *m);
void pieces(struct maker *m, uint32_t count);

/* --- choosing registers --- */

#define NO_REG 255u
unsigned find(struct maker *m, enum kind kind);
unsigned target(struct maker *m);           /* one that may be overwritten */
unsigned lasting(struct maker *m);          /* of r7 to r9; or NO_REG */
unsigned a_number(struct maker *m);
void set_number(struct maker *m, unsigned reg, uint64_t max);

/* --- pieces --- */

/* numbers.c */
void make_arithmetic(struct maker *m);
void make_rare_arithmetic(struct maker *m);
void make_unknown(struct maker *m);
/* Makes reg at most max, in one of many ways. */
void bound(struct maker *m, unsigned reg, uint64_t max);
void make_bound(struct maker *m);
void make_compare(struct maker *m);

/* memory.c */
void access_memory(struct maker *m, unsigned base, int low, int room, bool read_only);
void make_stack(struct maker *m);
void make_spill(struct maker *m);
void make_stack_variable(struct maker *m);
void make_value(struct maker *m);
void make_lookup(struct maker *m);
void make_direct(struct maker *m);
void make_packet(struct maker *m);
void make_context(struct maker *m);
void stack_pointer(struct maker *m, unsigned reg, int off);

/* calls.c */
void make_update(struct maker *m);
void make_ring(struct maker *m);
void make_lock(struct maker *m);
void make_dynptr(struct maker *m);
void make_memory_helper(struct maker *m);
void make_packet_change(struct maker *m);
void make_tail_call(struct maker *m);
void make_legacy_load(struct maker *m);
void make_branch(struct maker *m);
void make_loop(struct maker *m);
void make_iterator(struct maker *m);
void make_call(struct maker *m);
void make_callback(struct maker *m);

#endif
