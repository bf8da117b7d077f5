/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value.h - what a filter computes, as expressions over the packet.
 *
 * The packet does not change while a filter runs, so two expressions that are written alike
 * have the same value wherever they stand. Each is kept once: equal numbers, equal values.
 * What they stand on is always numbered lower. 0 is no value.
 */
#ifndef CBPF_VALUE_H
#define CBPF_VALUE_H

#include "base/base.h"
#include "cbpf/cbpf.h"

struct cbpf_sets;

enum value_kind {
	VALUE_CONST,     /* k */
	VALUE_LOAD,      /* width bytes at left + k of the packet; left 0: at k */
	VALUE_WORD,      /* the word at k of a system call's data: always there */
	VALUE_LEN,
	VALUE_META,      /* metadata k, of A left and X right where it takes them */
	VALUE_ALU,       /* left op right */
	VALUE_VARIABLE,  /* what the latest block that assigns to k left there (graph.h) */
	/* true or false: */
	VALUE_TEST,      /* left op right */
	VALUE_CHECK,     /* are there width bytes at left + k? */
	VALUE_NONZERO,   /* left != 0 */
	VALUE_MEMBER,    /* is left in the set op? width 16: are the bytes at left + k? (set.h) */
};

struct value {
	uint8_t kind, op, width;
	uint32_t left, right, k;
};

struct values {
	VEC(struct value) all;
	uint32_t *table;         /* by hash: number; 0: free */
	size_t table_size;
	const struct cbpf_sets *sets; /* borrowed: what MEMBER means; NULL: nobody asks */
	bool failed;             /* out of memory: numbers are 0 from here on */
};

/* A test, or its opposite. */
struct test { uint32_t value; bool inverted; };

void values_init(struct values *values);
void values_done(struct values *values);
static inline const struct value *value_get(const struct values *values, uint32_t id)
{
	return &values->all.items[id];
}
static inline bool value_is(const struct values *values, uint32_t id, enum value_kind kind)
{
	return values->all.items[id].kind == kind;
}
bool value_is_const(const struct values *values, uint32_t id, uint32_t *k);

/* Each simplifies: what comes back may be of another kind. */
uint32_t value_const(struct values *values, uint32_t k);
uint32_t value_plain(struct values *values, enum value_kind kind, uint32_t k); /* WORD, LEN */
uint32_t value_meta(struct values *values, uint32_t number, uint32_t a, uint32_t x);
/* At base + k; base 0: at k. */
uint32_t value_load(struct values *values, uint8_t width, uint32_t base, uint32_t k);
uint32_t value_check(struct values *values, uint32_t load); /* that load finds its bytes */
uint32_t value_nonzero(struct values *values, uint32_t of);
uint32_t value_alu(struct values *values, enum alu op, uint32_t left, uint32_t right);
uint32_t value_member(struct values *values, unsigned set, uint32_t of);
/* The 16 bytes at base + k. */
uint32_t value_member16(struct values *values, unsigned set, uint32_t base, uint32_t k);
struct test value_test(struct values *values, enum cond op, uint32_t left, uint32_t right);

/* The number that these 16 bytes are, or k, in the set of a MEMBER. */
bool value_member_has(const struct values *values, const struct value *member, const uint8_t *bytes,
		      uint32_t k);
/* What it is for this packet; false: a load outside it, or a division by zero. */
bool value_eval(const struct values *values, uint32_t id, const struct skep_cbpf_packet *packet,
		uint32_t *result);

#endif
