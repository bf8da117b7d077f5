/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eval.c - what every arithmetic operation and condition computes, expanded
 * from the rows of alu.def and cond.def once for each width.
 */
#include "isa/insn.h"

#include "base/base.h"

/* Signed division truncates; by zero it is 0 (the remainder: the dividend), and
 * the one quotient that does not fit wraps (RFC 9669, section 4.1). */
#define SDIV_(d, s) ((s) == 0 ? 0 : (S)(s) == -1 ? (W)(0 - (d)) : (W)((S)(d) / (S)(s)))
#define SMOD_(d, s) ((s) == 0 ? (d) : (S)(s) == -1 ? 0 : (W)((S)(d) % (S)(s)))

#define N 32
#define W uint32_t
#define S int32_t
static uint32_t alu32(enum alu op, uint32_t d, uint32_t s)
{
	switch (op) {
#define ALU(name, token, code, expr, fold) \
	case ALU_##name:                   \
		return expr;
#include "isa/alu.def"
	case ALU_COUNT:
		break;
	}
	__builtin_unreachable();
}

static bool cond32(enum cond op, uint32_t d, uint32_t s)
{
	switch (op) {
#define COND(name, token, code, expr, mirror, inverse) \
	case COND_##name:                              \
		return expr;
#include "isa/cond.def"
	case COND_COUNT:
		break;
	}
	__builtin_unreachable();
}
#undef N
#undef W
#undef S

#define N 64
#define W uint64_t
#define S int64_t
static uint64_t alu64(enum alu op, uint64_t d, uint64_t s)
{
	switch (op) {
#define ALU(name, token, code, expr, fold) \
	case ALU_##name:                   \
		return expr;
#include "isa/alu.def"
	case ALU_COUNT:
		break;
	}
	__builtin_unreachable();
}

static bool cond64(enum cond op, uint64_t d, uint64_t s)
{
	switch (op) {
#define COND(name, token, code, expr, mirror, inverse) \
	case COND_##name:                              \
		return expr;
#include "isa/cond.def"
	case COND_COUNT:
		break;
	}
	__builtin_unreachable();
}
#undef N
#undef W
#undef S

/* The low bytes of a value, swapped or not; the rest zero. */
static uint64_t swap(uint64_t d, unsigned bytes, bool swapped)
{
	switch (bytes) {
	case 2:
		return swapped ? __builtin_bswap16((uint16_t)d) : (uint16_t)d;
	case 4:
		return swapped ? __builtin_bswap32((uint32_t)d) : (uint32_t)d;
	default:
		return swapped ? __builtin_bswap64(d) : d;
	}
}

static uint64_t sign_extended(uint64_t s, unsigned bytes)
{
	switch (bytes) {
	case 1:
		return (uint64_t)(int64_t)(int8_t)s;
	case 2:
		return (uint64_t)(int64_t)(int16_t)s;
	case 4:
		return (uint64_t)(int64_t)(int32_t)s;
	default:
		return s;
	}
}

uint64_t alu_eval(enum alu op, unsigned width, unsigned from, uint64_t d, uint64_t s)
{
	const bool host_is_little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

	if (op == ALU_TO_LE || op == ALU_TO_BE || op == ALU_BSWAP)
		return swap(d, from, op == ALU_BSWAP || (op == ALU_TO_BE) == host_is_little);
	if (op == ALU_MOV && from < width)
		s = sign_extended(s, from);
	return width == 4 ? alu32(op, (uint32_t)d, (uint32_t)s) : alu64(op, d, s);
}

bool cond_eval(enum cond op, unsigned width, uint64_t d, uint64_t s)
{
	return width == 4 ? cond32(op, (uint32_t)d, (uint32_t)s) : cond64(op, d, s);
}

static const struct {
	enum cond mirror, inverse;
	const char *token;
} conds[] = {
#define COND(name, token, code, expr, mirror, inverse) \
	{ COND_##mirror, COND_##inverse, token },
#include "isa/cond.def"
};

enum cond cond_mirror(enum cond op)
{
	return conds[op].mirror;
}

bool cond_inverse(enum cond op, enum cond *inverse)
{
	if (conds[op].inverse == op)
		return false;
	*inverse = conds[op].inverse;
	return true;
}

const char *cond_token(enum cond op)
{
	return conds[op].token;
}

const char *alu_token(enum alu op)
{
	static const char *const tokens[] = {
#define ALU(name, token, code, expr, fold) token,
#include "isa/alu.def"
	};

	return tokens[op];
}
