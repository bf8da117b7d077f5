/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * converter.h - what the parts of the conversion to eBPF share: which register holds what, what the
 * kinds of program have, and the filter under way. Private to src/cbpf.
 *
 *   A: r0      X, context, packet and its end (in loops, its size): by the plan      temporary: r5
 *   M[k]: r6 to r9 without calls, then r10 - 128 + 8k, wide enough for the verifier to
 *         know what is there
 */
#ifndef CBPF_CONVERTER_H
#define CBPF_CONVERTER_H

#include "cbpf/convert.h"

enum { A = 0, TEMPORARY = 5, FRAME = 10 };
/* Of a loop over packets; one for a word of memory is left. */
enum { WORD = 1, PACKETS = 6, RESULTS = 7, END = 8, PASSED = 9 };
/* The second temporary of a lookup in a set, where there are no calls. */
enum { SET_TEMPORARY = 9 };
enum { MEMORY_OFF = -128, SAVE_OFF = -136, BUFFER_OFF = -152 };

struct plan { uint8_t context, data, end, x; };

/* What a kind of program has. */
struct kind {
	const char *name;
	bool packet;             /* packets at all */
	bool direct;             /* the packet by pointers, at data_off and end_off of the context */
	uint8_t pointer;         /* bytes of a pointer in the context */
	uint8_t data_off, end_off;
	bool legacy;             /* LD_ABS and LD_IND, which end the program with 0 */
	bool load_bytes;         /* helpers that copy from it */
	bool verdict;            /* returns pass or drop rather than the filter's number */
	int32_t pass, drop;
};

struct converter {
	const struct skep_cbpf_insn *insns;
	size_t count, pc;
	enum cbpf_target target;
	const struct kind *kind;
	const struct plan *plan;
	const struct cbpf_fact *facts;
	const struct cbpf_sets *sets; /* that its instructions look into; or NULL */
	const char *name;
	struct ebpf e;
	uint8_t home[CBPF_MEMORY]; /* the register of a word of memory; 0: it is on the stack */
	uint32_t drop;           /* label: the packet is dropped */
	bool metadata, payload;
	bool loop;               /* over packets: where the filter returns, the next one follows */
	uint32_t next, passed, dropped; /* labels: A is its result; is not 0; is 0 */
	uint32_t again, done;    /* labels: the next packet; there is none */
	unsigned tails;          /* places where a packet's result is written */
	struct skep_diag *diag;
};

int converter_cannot(const struct converter *c, const char *what);

/* --- convert_load.c --- */

/* Is the largest offset of an indexed load one that a pointer reaches? */
bool index_is_near(const struct converter *c, const struct cbpf_row *row, uint32_t k);
/* dst = packet[k], network order to ours; only dst and the temporary change, but for calls. */
int convert_load(struct converter *c, unsigned width, unsigned dst, uint32_t k);
/* A = packet[X + k] */
void convert_indirect(struct converter *c, const struct cbpf_row *row, uint32_t k);
int convert_msh(struct converter *c, uint32_t k);
void convert_length(struct converter *c, const struct cbpf_row *row);
/* The 16 bytes at k: base + *off holds them, as they are. */
unsigned convert_bytes(struct converter *c, uint32_t k, int32_t *off);

/* --- convert_metadata.c --- */

int convert_metadata(struct converter *c, const struct cbpf_ancillary_row *ancillary);
/* Does this load need a call of a helper? */
bool metadata_calls(const struct converter *c, const struct cbpf_ancillary_row *ancillary);

/* Where there are less than so many bytes, to missing. */
void converter_reach(struct converter *c, uint32_t size, uint32_t missing);

/* --- convert_loop.c --- */

/* A is this packet's result: on to the next, or out of the loop. */
void convert_next_packet(struct converter *c);
/* The same; A is k. */
void convert_result(struct converter *c, uint32_t k);

/* --- convert.c --- */

extern const struct plan plan_leaf;
bool converter_calls(struct converter *c); /* does any load need a call? */
int convert_body(struct converter *c);     /* all instructions, and where the packet is dropped */
extern const struct kind converter_kinds[];

#endif
