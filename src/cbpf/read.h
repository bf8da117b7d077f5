/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read.h - reading filters: lines with their comments blanked, numbers, and what is
 * read so far. Private to src/cbpf.
 *
 * A statement is on one line; C and plain numbers go on over lines by reader_more().
 */
#ifndef CBPF_READ_H
#define CBPF_READ_H

#include "base/base.h"
#include "cbpf/cbpf.h"
#include "isa/scan.h"

struct reader {
	struct scan scan;        /* the current line */
	const char *text, *end;  /* what is left behind it */
	struct arena arena;      /* lines and names */
	VEC(struct skep_cbpf_insn) out;
	bool in_comment;         /* one that began on an earlier line */
	bool oom;
};

/* The next line; false at the end of the text, or failed. */
bool reader_line(struct reader *reader);
/* Skips blanks and ends of lines; false at the end of the text, or failed. */
bool reader_more(struct reader *reader);
/* Appends one; false: failed. */
bool reader_push(struct reader *reader, struct skep_cbpf_insn insn);
char *reader_keep(struct reader *reader, const char *name, size_t len);

/* Decimal, 0x, 0b or octal, with a sign and C's suffixes: as 32 bits. */
bool take_value(struct scan *scan, uint32_t *value);
bool need_value(struct scan *scan, uint32_t *value);
bool need_below(struct scan *scan, uint32_t limit, uint32_t *value);

/* Each reads all that is left. */
bool read_c(struct reader *reader);
bool read_numbers(struct reader *reader);

#endif
