/* SPDX-License-Identifier: BSD-2-Clause */
/* scan.c - the tokens of the assembler (see scan.h). */
#include "isa/scan.h"

#include <stdio.h>
#include <string.h>

#include "isa/insn.h"

bool scan_fail(struct scan *scan, const char *fmt, ...)
{
	struct skep_where where = SKEP_NOWHERE;
	va_list args;

	if (scan->failed)
		return false;
	where.file = scan->name;
	where.text = scan->source;
	where.line = scan->number;
	where.column = (uint32_t)(scan->at - scan->line) + 1;
	va_start(args, fmt);
	scan->error = skep_vreport(scan->diag, scan->code ? scan->code : SKEP_ASM_SYNTAX,
				   &where, fmt, args);
	va_end(args);
	scan->failed = true;
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

void skip_blanks(struct scan *scan)
{
	scan->at += strspn(scan->at, " \t\r");
}

bool at_end(struct scan *scan)
{
	skip_blanks(scan);
	return *scan->at == '\0';
}

bool take(struct scan *scan, const char *punctuation)
{
	size_t len = strlen(punctuation);

	skip_blanks(scan);
	if (strncmp(scan->at, punctuation, len) != 0)
		return false;
	scan->at += len;
	return true;
}

bool need(struct scan *scan, const char *punctuation)
{
	return take(scan, punctuation) || scan_fail(scan, "expected '%s'", punctuation);
}

bool take_word(struct scan *scan, const char *word)
{
	const char *start;

	skip_blanks(scan);
	start = scan->at;
	if (!take(scan, word))
		return false;
	if (!is_word(*scan->at))
		return true;
	scan->at = start;
	return false;
}

static bool is_name(char c)
{
	return is_word(c) || c == '.' || c == '$';
}

bool take_name(struct scan *scan, const char **name, size_t *len)
{
	const char *end;

	skip_blanks(scan);
	end = scan->at;
	if (is_digit(*end))
		return false;
	while (is_name(*end))
		end++;
	if (end == scan->at)
		return false;
	*name = scan->at;
	*len = (size_t)(end - scan->at);
	scan->at = end;
	return true;
}

bool take_register(struct scan *scan, uint8_t *reg, unsigned *width)
{
	const char *p;
	unsigned n;

	skip_blanks(scan);
	p = scan->at;
	if ((p[0] != 'r' && p[0] != 'w') || !is_digit(p[1]))
		return false;
	n = (unsigned)(p[1] - '0');
	if (is_digit(p[2]))
		n = n * 10 + (unsigned)(p[2] - '0');
	p += is_digit(p[2]) ? 3 : 2;
	if (is_name(*p))
		return false;
	if (n > INSN_MAX_REG)
		return scan_fail(scan, "there is no register %u: they are r0 to r10", n);
	*width = scan->at[0] == 'w' ? 4 : 8;
	*reg = (uint8_t)n;
	scan->at = p;
	return true;
}

bool need_register(struct scan *scan, uint8_t *reg, unsigned width)
{
	const char *start;
	unsigned found;

	skip_blanks(scan);
	start = scan->at;
	if (!take_register(scan, reg, &found))
		return scan_fail(scan, "expected a register, %s",
				 width == 4 ? "w0 to w10" : "r0 to r10");
	if (found == width)
		return true;
	scan->at = start;
	return scan_fail(scan, "both sides must be as wide: %c%u, not %c%u",
			 width == 4 ? 'w' : 'r', *reg, width == 4 ? 'r' : 'w', *reg);
}

static int digit_value(char c, unsigned base)
{
	if (is_digit(c))
		return c - '0';
	if (base == 16 && c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (base == 16 && c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool take_number(struct scan *scan, struct number *number)
{
	const char *p;
	unsigned base = 10;
	uint64_t n = 0;
	bool negative, overflow = false;

	skip_blanks(scan);
	p = scan->at;
	negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && digit_value(p[2], 16) >= 0) {
		base = 16;
		p += 2;
	}
	if (digit_value(*p, base) < 0)
		return false;
	for (int digit; (digit = digit_value(*p, base)) >= 0; p++) {
		overflow |= __builtin_mul_overflow(n, base, &n);
		overflow |= __builtin_add_overflow(n, (uint64_t)digit, &n);
	}
	if (overflow || (negative && n > (uint64_t)1 << 63))
		return scan_fail(scan, "the number does not fit in 64 bits");
	if (is_name(*p))
		return scan_fail(scan, "not a number");
	scan->at = p;
	*number = (struct number){ negative ? 0 - n : n, negative && n, base == 16 };
	return true;
}

bool need_number(struct scan *scan, int64_t min, int64_t max, int64_t *value)
{
	const char *start;
	struct number number;
	int64_t n;

	skip_blanks(scan);
	start = scan->at;
	if (!take_number(scan, &number))
		return scan_fail(scan, "expected a number");
	n = (int64_t)number.value;
	if (n >= min && n <= max && (number.negative || n >= 0)) {
		*value = n;
		return true;
	}
	scan->at = start;
	return scan_fail(scan, "the number must be %lld to %lld", (long long)min, (long long)max);
}

bool need_imm32(struct scan *scan, int64_t *value)
{
	if (!need_number(scan, INT32_MIN, UINT32_MAX, value))
		return false;
	*value = (int32_t)(uint32_t)*value;
	return true;
}

bool take_argument(struct scan *scan, int sign, uint16_t *arg)
{
	const char *start = scan->at;
	int64_t distance;

	if (take(scan, "(") && take_word(scan, "u64") && take(scan, "*") && take(scan, ")") &&
	    take(scan, "(") && take_word(scan, "r11") && take(scan, sign < 0 ? "-" : "+") &&
	    need_number(scan, 8, INT16_MAX, &distance) && distance % 8 == 0 && take(scan, ")")) {
		*arg = (uint16_t)(distance / 8 - 1);
		return true;
	}
	scan->at = start;
	return false;
}

bool need_address(struct scan *scan, uint8_t *width, bool *sign_extend, uint8_t *base,
		  int32_t *off)
{
	int64_t bits, displacement = 0;
	bool negative;

	if (!need(scan, "("))
		return false;
	if (sign_extend && take(scan, "s"))
		*sign_extend = true;
	else if (!take(scan, "u"))
		return scan_fail(scan, "expected a type: u8, u16, u32 or u64");
	if (!need_number(scan, 8, 64, &bits))
		return false;
	if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
		return scan_fail(scan, "memory is accessed as 8, 16, 32 or 64 bits");
	*width = (uint8_t)(bits / 8);
	if (!need(scan, "*") || !need(scan, ")") || !need(scan, "(") ||
	    !need_register(scan, base, 8))
		return false;
	negative = take(scan, "-");
	if ((negative || take(scan, "+")) &&
	    !need_number(scan, 0, negative ? -(int64_t)INT16_MIN : INT16_MAX, &displacement))
		return false;
	*off = (int32_t)(negative ? -displacement : displacement);
	return need(scan, ")");
}
