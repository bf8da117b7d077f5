/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cbpf.h - classic BPF: packet filters and seccomp filters, in every notation.
 *
 * A filter is an array of instructions of the layout of struct sock_filter:
 *
 *   byte    0..1     2      3      4..7
 *         +--------+------+------+-------------+
 *         | code   | jt   | jf   | k           |
 *         +--------+------+------+-------------+
 *
 * It computes with an accumulator A, an index register X and sixteen words of
 * memory M, jumps only forward, and returns a number: of a packet's bytes that
 * are kept (0: the packet is dropped), or a SECCOMP_RET_ action.
 *
 * Threads: any.
 */
#ifndef SKEP_CBPF_H
#define SKEP_CBPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/btf.h>
#include <skep/diag.h>
#include <skep/insn.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_cbpf_insn {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

#define SKEP_CBPF_MAX 4096u /* instructions that Linux takes in one filter */

enum skep_cbpf_use { SKEP_CBPF_SOCKET, SKEP_CBPF_SECCOMP };

/*
 * Would Linux attach it? Names the instruction at fault and what would be right.
 * name is that of the filter, for messages. Errors: EINVAL, as Linux; ENOMEM.
 */
int skep_cbpf_check(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_use use,
		    const char *name, struct skep_diag *diag);

/* --- text --- */

enum skep_cbpf_form {
	SKEP_CBPF_LISTING,  /* tcpdump -d: (000) ldh      [12] */
	SKEP_CBPF_C,        /* tcpdump -dd: { 0x28, 0, 0, 0x0000000c }, */
	SKEP_CBPF_DECIMAL,  /* tcpdump -ddd: a count, then 40 0 0 12 */
	SKEP_CBPF_ASM,      /* what bpf_asm reads: labels and ldh [12] */
	SKEP_CBPF_LINE,     /* what bpf_asm writes, and iptables and tc read: 1,6 0 0 0, */
	SKEP_CBPF_MACROS,   /* BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), */
	SKEP_CBPF_FORM_COUNT,
};

/* Any instructions, valid or not. The text is for the caller to free; out->failed: ENOMEM. */
int skep_cbpf_write(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_form form,
		    struct skep_text *out);
/*
 * One instruction, without what stands around it: the line's end, its number, a label.
 * text always ends in NUL; returns the length it wanted, as snprintf does.
 */
int skep_cbpf_disasm(const struct skep_cbpf_insn *insns, size_t count, size_t index,
		     enum skep_cbpf_form form, char *text, size_t size);
/*
 * Reads any of the forms; which one, the text itself says. On success *insns is for the caller
 * to free. What it reads is not checked. Errors: EINVAL with line and column in
 * diag; ENOMEM.
 */
int skep_cbpf_read(const char *text, size_t size, const char *name,
		   struct skep_cbpf_insn **insns, size_t *count, struct skep_diag *diag);

/* --- better --- */

/*
 * A filter that decides every packet or call as this one does, in no more steps on its longest way
 * and mostly in far fewer: tests whose outcome is known are left out, many tests of
 * one number become a search. *out is for the caller to free. Filters that load random
 * numbers or the device come back as they are. Errors: as skep_cbpf_check().
 */
int skep_cbpf_optimise(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_use use,
		       const char *name, struct skep_cbpf_insn **out, size_t *out_count,
		       struct skep_diag *diag);

/* --- looking into them: filters that skep_cbpf_check() accepts for sockets --- */

enum skep_cbpf_verdict {
	SKEP_CBPF_EQUAL,       /* every packet passes both or neither: proved */
	SKEP_CBPF_EQUAL_WHOLE, /* the same, but for packets cut short: one was found and run */
	SKEP_CBPF_DIFFER,      /* a packet passes only one of them: it was found and run */
	SKEP_CBPF_UNKNOWN,     /* none of these, in a bounded search */
};

/*
 * Do both filters pass the same packets? How many bytes of one they keep does not matter. What
 * is compared is whether they return 0. Of the packet that was found, packet says in text which passes
 * which, and gives its bytes; it is for the caller to free. A verdict, or a negative
 * errno.
 */
int skep_cbpf_compare(const struct skep_cbpf_insn *a, size_t a_count,
		      const struct skep_cbpf_insn *b, size_t b_count, struct skep_text *packet,
		      struct skep_diag *diag);

enum skep_cbpf_picture { SKEP_CBPF_DOT, SKEP_CBPF_SVG };

/* Its blocks and the jumps between them. The text is for the caller to free. */
int skep_cbpf_draw(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_picture picture,
		   const char *name, struct skep_text *out, struct skep_diag *diag);
/* The same as a function in C that needs nothing else. EOPNOTSUPP: it loads metadata. */
int skep_cbpf_write_function(const struct skep_cbpf_insn *insns, size_t count, const char *name,
			     struct skep_text *out, struct skep_diag *diag);
/* In words, what it accepts. link: what the packets are, a DLT_ number of libpcap. */
int skep_cbpf_explain(const struct skep_cbpf_insn *insns, size_t count, int link, const char *name,
		      struct skep_text *out, struct skep_diag *diag);

/* --- running --- */

/*
 * A packet as a filter sees it. All that is zero is what a packet without that
 * has; data and size suffice for filters on its bytes.
 *
 *   data - headroom      data (offset 0)           data + size     data + len
 *   | link header ...    | network header ...      |  not captured |
 */
struct skep_cbpf_packet {
	const void *data;
	uint32_t size;       /* bytes that are there */
	uint32_t len;        /* of the whole packet; 0: size */
	uint32_t headroom;   /* bytes that may be read before data */
	int32_t network;     /* network header, from data: what SKF_NET_OFF counts from */
	int32_t link;        /* link header, from data: what SKF_LL_OFF counts from */
	bool has_link;       /* there is a link header */
	bool has_device;     /* it came by an interface: ifindex and hatype are known */
	bool vlan_present;   /* its VLAN tag was taken off and is here */
	uint8_t type;        /* PACKET_HOST ... */
	uint16_t protocol;   /* Ethernet's number, in host byte order */
	uint16_t hatype;     /* ARPHRD_ETHER ... */
	uint16_t queue;
	uint16_t vlan_tci, vlan_tpid; /* host byte order */
	uint32_t ifindex, mark, hash;
	uint32_t cpu, random; /* what loads of these yield */
};

/* What a seccomp filter sees: struct seccomp_data. */
struct skep_cbpf_call {
	int32_t nr;
	uint32_t arch;       /* AUDIT_ARCH_X86_64 ... */
	uint64_t ip;
	uint64_t args[6];
};

/*
 * Interpret a filter that skep_cbpf_check() accepted for this use; others get a
 * result too, but which is not said.
 */
uint32_t skep_cbpf_run(const struct skep_cbpf_insn *insns, size_t count,
		       const struct skep_cbpf_packet *packet);
uint32_t skep_cbpf_run_call(const struct skep_cbpf_insn *insns, size_t count,
			    const struct skep_cbpf_call *call);

/* --- eBPF --- */

enum skep_cbpf_target {
	SKEP_CBPF_TO_SOCKET_FILTER, /* socket_filter: returns what the filter returns */
	SKEP_CBPF_TO_TC,            /* sched_cls: TC_ACT_OK, or TC_ACT_SHOT for 0 */
	SKEP_CBPF_TO_XDP,           /* xdp: XDP_PASS, or XDP_DROP for 0 */
};

/*
 * The same filter, one that skep_cbpf_check() accepts for sockets, as an eBPF program that the
 * verifier accepts. On success *ebpf is for the caller to free.
 *
 * tc programs see a packet from its link header on, socket filters from where their
 * socket does. For XDP there are no offsets that count from headers, and an
 * indexed load that comes to one drops the packet.
 *
 * Errors: EINVAL (the filter), EOPNOTSUPP (metadata that the kind of program
 * does not have), ENOMEM.
 */
int skep_cbpf_to_ebpf(const struct skep_cbpf_insn *insns, size_t count,
		      enum skep_cbpf_target target, const char *name, struct skep_insn **ebpf,
		      size_t *ebpf_count, struct skep_diag *diag);

/* --- sets: long alternatives of addresses and ports --- */

/*
 * A filter that looks for many addresses or ports at once, where they lie in the packet. It
 * takes the same time to run however many they are, and libpcap's compiler, which needs minutes
 * for thousands, sees only one of them. Threads: immutable once it is made.
 */
struct skep_cbpf_program;

/* libpcap's compiler, without its optimiser: *insns is for the caller to free. Or a negative errno. */
typedef int skep_cbpf_compiler(void *arg, const char *expression, struct skep_cbpf_insn **insns,
			       size_t *count, struct skep_diag *diag);

/*
 * Finds sets in a tcpdump expression: sixteen or more addresses, networks, ports or port ranges in a
 * row of 'or', also inside a larger expression. *out is NULL if there are none: then the compiler
 * may have the expression as it is. The program passes the packets that libpcap's filter
 * passes, but of packets cut short: inside an address of IPv6, or where addresses and ports are
 * mixed in one row, whose members are asked for together.
 *
 * Errors: what the compiler returns; ENOMEM.
 */
int skep_cbpf_compile(const char *expression, const char *name, skep_cbpf_compiler *compiler,
		      void *arg, struct skep_cbpf_program **out, struct skep_diag *diag);
/* One without sets, of a copy of these instructions, which skep_cbpf_check() accepts for sockets. */
int skep_cbpf_program_new(const struct skep_cbpf_insn *insns, size_t count, const char *name,
			  struct skep_cbpf_program **out, struct skep_diag *diag);
void skep_cbpf_program_free(struct skep_cbpf_program *program); /* accepts NULL */
/* How many addresses, networks, ports and port ranges its sets were given. */
size_t skep_cbpf_program_numbers(const struct skep_cbpf_program *program);
/* As classic BPF, with a search for each set; for the caller to free. EINVAL: it has no room. */
int skep_cbpf_program_classic(const struct skep_cbpf_program *program,
			      struct skep_cbpf_insn **insns, size_t *count, struct skep_diag *diag);
/* skep_cbpf_compare(): sets of any size, which are equal if their members are. */
int skep_cbpf_program_compare(const struct skep_cbpf_program *a, const struct skep_cbpf_program *b,
			      struct skep_text *packet, struct skep_diag *diag);
/* In words, what it accepts, with its sets as sets; otherwise skep_cbpf_explain(). */
int skep_cbpf_program_explain(const struct skep_cbpf_program *program, int link,
			      struct skep_text *out, struct skep_diag *diag);
/* One of its instructions, as tcpdump -d lists them, also those that look into a set; as snprintf(). */
int skep_cbpf_program_line(const struct skep_cbpf_program *program, size_t index, char *text,
			   size_t size);

/*
 * As eBPF whose lookups read tables: instructions at places[] are 64-bit loads of an address in the
 * value of the program's first map, BPF_PSEUDO_MAP_IDX_VALUE, whose second immediate is
 * an offset into data. starts: by instruction of what skep_cbpf_program_line() lists, where the
 * eBPF of it begins.
 */
struct skep_cbpf_ebpf {
	struct skep_insn *insns;
	size_t count;
	size_t *places, place_count;
	size_t *starts, start_count;
	const void *data;        /* borrowed from the program */
	size_t data_size;
};

int skep_cbpf_program_to_ebpf(const struct skep_cbpf_program *program,
			      enum skep_cbpf_target target, struct skep_cbpf_ebpf *out,
			      struct skep_diag *diag);
void skep_cbpf_ebpf_done(struct skep_cbpf_ebpf *ebpf);

/* --- at native speed --- */

struct skep_filter;

enum skep_filter_flags {
	SKEP_FILTER_INTERPRET = 1 << 0, /* not compiled, even where code may be mapped */
	SKEP_FILTER_COMPILE = 1 << 1,   /* compiled, or else EOPNOTSUPP */
};

/*
 * A filter ready to run: checked, converted to eBPF, verified, and compiled where this process
 * may map code and the filter does not look for netlink attributes, which
 * the interpreter does. The instructions are copied. NULL with an item in diag.
 */
struct skep_filter *skep_filter_open(const struct skep_cbpf_insn *insns, size_t count,
				     enum skep_cbpf_use use, unsigned flags, const char *name,
				     struct skep_diag *diag);
/* The same of a filter with sets, which may be freed before. */
struct skep_filter *skep_filter_open_program(const struct skep_cbpf_program *program, unsigned flags,
					     struct skep_diag *diag);
/* Nobody may be running it. NULL is accepted. */
void skep_filter_free(struct skep_filter *filter);

/* What skep_cbpf_run() returns. Any number of threads may run one filter. */
uint32_t skep_filter_run(const struct skep_filter *filter, const struct skep_cbpf_packet *packet);
uint32_t skep_filter_run_call(const struct skep_filter *filter, const struct skep_cbpf_call *call);
/* Packets in a row: results[i] for each; returns how many are not 0. */
size_t skep_filter_run_many(const struct skep_filter *filter,
			    const struct skep_cbpf_packet *packets, size_t count,
			    uint32_t *results);

/* What it runs, borrowed: eBPF instructions and machine code; NULL: it is interpreted. */
const struct skep_insn *skep_filter_ebpf(const struct skep_filter *filter, size_t *count);
const void *skep_filter_native(const struct skep_filter *filter, size_t *size);
/*
 * The instruction at an offset of that machine code in assembly, as snprintf() writes it; *of is the
 * filter's instruction that it belongs to, SIZE_MAX for what comes before them. Returns how
 * many bytes it has; 0: there is none.
 */
size_t skep_filter_native_line(const struct skep_filter *filter, size_t offset, char *text,
			       size_t size, size_t *of);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
