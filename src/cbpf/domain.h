/* SPDX-License-Identifier: BSD-2-Clause */
/* domain.h - what a number can be. Private to src/cbpf. */
#ifndef CBPF_DOMAIN_H
#define CBPF_DOMAIN_H

#include "base/base.h"
#include "isa/insn.h"

enum { NOT_MAX = 6 };

struct domain {
	uint32_t min, max;
	uint32_t known, bits;    /* where known is 1, the value has bits' */
	uint8_t nots;
	uint32_t is_not[NOT_MAX];
};

extern const struct domain domain_anything;

struct domain domain_exactly(uint32_t k);
struct domain domain_below(uint32_t max); /* 0..max */
bool domain_impossible(const struct domain *d);
bool domain_contains(const struct domain *d, uint32_t k);
bool domain_within(const struct domain *a, const struct domain *b); /* is all of a in b? */
bool domain_says_nothing(const struct domain *d);
/* It is not k. */
void domain_exclude(struct domain *d, uint32_t k);
/* Range, bits and exceptions tell of each other. An impossible one has min > max. */
struct domain domain_settle(struct domain d);
struct domain domain_both(const struct domain *a, const struct domain *b);
struct domain domain_either(const struct domain *a, const struct domain *b);
/* Of "l op r", in 32 bits. */
struct domain domain_alu(enum alu op, const struct domain *l, const struct domain *r);

#endif
