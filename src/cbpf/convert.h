/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * convert.h - classic BPF to eBPF: what is known before (flow.c), writing instructions
 * (ebpf.c), and what each kind of program has for a filter's loads.
 */
#ifndef CBPF_CONVERT_H
#define CBPF_CONVERT_H

#include "base/base.h"
#include "cbpf/cbpf.h"

/* Programs that only this process runs, besides those of <skep/cbpf.h>. */
enum cbpf_target {
	CBPF_TO_SOCKET_FILTER = SKEP_CBPF_TO_SOCKET_FILTER,
	CBPF_TO_TC = SKEP_CBPF_TO_TC,
	CBPF_TO_XDP = SKEP_CBPF_TO_XDP,
	CBPF_TO_NATIVE,          /* its context is struct cbpf_native_ctx */
	CBPF_TO_SECCOMP,         /* struct skep_cbpf_call */
};

struct cbpf_native_ctx {
	const void *data, *data_end;
	uint32_t len, protocol, type, has_device, ifindex, hatype, mark, queue, hash;
	uint32_t vlan_tci, vlan_present, vlan_tpid, cpu, random, payload;
};

struct cbpf_sets;

/* A filter, and the sets that it looks into (set.h); NULL: it is plain classic BPF. */
struct cbpf_code {
	const struct skep_cbpf_insn *insns;
	size_t count;
	const struct cbpf_sets *sets;
};

/* skep_cbpf_run(), with sets. */
uint32_t cbpf_run(const struct cbpf_code *code, const struct skep_cbpf_packet *packet);

struct cbpf_program {
	struct skep_insn *insns; /* owned */
	size_t count;
	size_t *data;            /* owned: instructions that hold a place in the sets' data */
	size_t data_count;
	size_t *starts;          /* owned: by instruction of the filter, where what it became begins */
	bool calls;              /* LD_ABS, LD_IND or a helper */
	bool stack;              /* r10 is used */
	bool metadata, payload;  /* NATIVE: fields behind len are used; that one is */
};

/*
 * Converts a filter that skep_cbpf_check() accepted. EOPNOTSUPP with an item in diag: this
 * kind of program cannot load something. ENOMEM.
 */
int cbpf_convert(const struct cbpf_code *code, enum cbpf_target target, const char *name,
		 struct cbpf_program *program, struct skep_diag *diag);
void cbpf_program_done(struct cbpf_program *program);

/*
 * The same as a loop over packets: size_t (const struct skep_cbpf_packet *, uint32_t *results,
 * size_t count), with a count that is not 0; its result is how many are not 0, but 0 where the
 * filter looks into sets. No verifier
 * knows such arguments: its body is what cbpf_convert() makes for NATIVE, which has been
 * verified. EOPNOTSUPP, without an item: the filter needs more than the packet's bytes, its length, A, X
 * and a word of memory.
 */
int cbpf_convert_loop(const struct cbpf_code *code, struct cbpf_program *program);

/* --- what is known before an instruction (flow.c) --- */

/* A packet pointer of eBPF may be moved so far. */
#define CBPF_DIRECT_MAX 65000u

struct cbpf_fact {
	bool reached;
	uint32_t known;          /* the packet has at least so many bytes: a load found them there */
	uint32_t need;           /* of a shorter packet the filter returns 0, whatever comes; at least
				    what a load here needs */
	bool live_a, live_x;     /* what they hold here is read later */
	uint8_t raw;             /* bytes of A as they lie in the packet: what is loaded or compared
				    here needs no other order; 0: the host's */
	uint32_t a, x, m[CBPF_MEMORY]; /* upper bounds, by rules that the verifier knows too */
};

/*
 * count facts, to be freed; NULL: no memory. direct: bytes that a load does not find by pointers are
 * not there; else need and raw are not used.
 */
struct cbpf_fact *cbpf_flow(const struct skep_cbpf_insn *insns, size_t count, bool direct);

/* A constant as a number of so many bytes in a packet's order. */
uint32_t cbpf_raw_number(uint32_t k, uint8_t width);

/* --- writing eBPF (ebpf.c) --- */

struct ebpf_jump { size_t slot; uint32_t label; };

struct ebpf {
	VEC(struct skep_insn) out;
	VEC(struct ebpf_jump) jumps;
	VEC(size_t) labels;      /* slot by label; SIZE_MAX: not placed yet */
	VEC(size_t) data;        /* slots that hold a place in the program's data */
	bool failed;             /* out of memory */
	bool calls, stack;
};

/* The first of count new labels. */
uint32_t ebpf_labels(struct ebpf *e, size_t count);
void ebpf_label(struct ebpf *e, uint32_t label);
void ebpf_mov(struct ebpf *e, unsigned width, unsigned dst, unsigned src);
void ebpf_mov_imm(struct ebpf *e, unsigned width, unsigned dst, int32_t imm);
void ebpf_alu(struct ebpf *e, enum alu op, unsigned width, unsigned dst, unsigned src);
void ebpf_alu_imm(struct ebpf *e, enum alu op, unsigned width, unsigned dst, int32_t imm);
void ebpf_imm64(struct ebpf *e, unsigned dst, uint64_t imm);
void ebpf_data(struct ebpf *e, unsigned dst, uint32_t at); /* dst = the data's address + at */
void ebpf_big_endian(struct ebpf *e, unsigned width, unsigned dst);
void ebpf_load(struct ebpf *e, unsigned width, unsigned dst, unsigned base, int32_t off);
void ebpf_store(struct ebpf *e, unsigned width, unsigned base, int32_t off, unsigned src);
void ebpf_if(struct ebpf *e, enum cond op, unsigned width, unsigned dst, unsigned src,
	     uint32_t label);
void ebpf_if_imm(struct ebpf *e, enum cond op, unsigned width, unsigned dst, int32_t imm,
		 uint32_t label);
void ebpf_goto(struct ebpf *e, uint32_t label);
void ebpf_call(struct ebpf *e, int32_t helper);
void ebpf_exit(struct ebpf *e);
/* r0 = packet[imm] or packet[src + imm], by LD_ABS and LD_IND. */
void ebpf_packet(struct ebpf *e, unsigned width, bool indirect, unsigned src, int32_t imm);
/* Fills in the jumps; false: one is too far for its 16 bits. */
bool ebpf_resolve(struct ebpf *e);
void ebpf_done(struct ebpf *e);

#endif
