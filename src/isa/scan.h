/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan.h - reading one line of assembly: a cursor, and the small things that
 * instructions are made of.
 *
 * Every take_ function skips blanks, then either takes what it names and
 * returns true, or leaves the cursor and returns false. need_ functions report
 * what is missing and return false. The first report of a line wins.
 *
 * For src/isa, and for src/cbpf, whose notations are made of the same things.
 */
#ifndef ISA_SCAN_H
#define ISA_SCAN_H

#include <skep/diag.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
	const char *line;        /* NUL-terminated, comment cut off */
	const char *source;      /* the whole line, for messages */
	const char *at;
	const char *name;        /* of the text */
	uint32_t number;         /* of the line */
	enum skep_code code;     /* what it fails with; 0: SKEP_ASM_SYNTAX */
	bool failed;
	int error;               /* negative errno once failed */
	struct skep_diag *diag;
};

struct number {
	uint64_t value;          /* two's complement */
	bool negative, hex;
};

/* Report at the cursor; always false. */
bool scan_fail(struct scan *scan, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void skip_blanks(struct scan *scan);
bool at_end(struct scan *scan);

bool take(struct scan *scan, const char *punctuation);
bool need(struct scan *scan, const char *punctuation);
/* A whole word: not followed by a letter, digit or underscore. */
bool take_word(struct scan *scan, const char *word);
/* A letter, '_', '.' or '$', then those and digits. */
bool take_name(struct scan *scan, const char **name, size_t *len);
/* r0..r10 or w0..w10; width becomes 8 or 4. */
bool take_register(struct scan *scan, uint8_t *reg, unsigned *width);
bool need_register(struct scan *scan, uint8_t *reg, unsigned width);
/* Decimal or hexadecimal, with an optional sign; fails on more than 64 bits. */
bool take_number(struct scan *scan, struct number *number);
/* A number in [min, max], after its sign. */
bool need_number(struct scan *scan, int64_t min, int64_t max, int64_t *value);
/* An immediate of 32 bits, written signed or unsigned. */
bool need_imm32(struct scan *scan, int64_t *value);
/* "(u32 *)(r1 +8)"; sign_extend may be NULL where s32 is not allowed. */
/* "(u64 *)(r11 +8)" with that sign: the first stack argument; false, and nothing taken: not one. */
bool take_argument(struct scan *scan, int sign, uint16_t *arg);
bool need_address(struct scan *scan, uint8_t *width, bool *sign_extend, uint8_t *base,
		  int32_t *off);

#endif
