/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.h - what the parts of 'skep filter' share: a filter with where it came from.
 */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include <pcap/pcap.h>
#include <skep/cbpf.h>
#include "cli/cli.h"

struct filter_code {
	struct skep_cbpf_insn *insns; /* owned; NULL: there are sets, and filter_classic() was not called */
	size_t count;
	struct skep_cbpf_program *program; /* owned: with sets; NULL: it has none */
	const char *name;        /* borrowed: the expression or the file */
	bool loops;              /* it jumps back: only libpcap runs it */
};

/*
 * The filter that text is: a tcpdump expression for packets of that handle, or the name of a
 * file with a filter in any notation. An expression is optimised, if optimise.
 * False with the reason in diag.
 */
bool filter_compile(pcap_t *pcap, const char *text, bool optimise, struct filter_code *code,
		    struct skep_diag *diag);
void filter_code_done(struct filter_code *code);
/* Fills in insns of a filter with sets. False, with the reason: they have no room there. */
bool filter_classic(struct filter_code *code, struct skep_diag *diag);
/* Ready to run; NULL. */
struct skep_filter *filter_open(const struct filter_code *code, bool interpret, struct skep_diag *diag);

/* --- filter_show.c: the stages --- */

enum filter_stage {
	FILTER_EBPF, FILTER_NATIVE, FILTER_C, FILTER_ASM, FILTER_DOT, FILTER_SVG, FILTER_EXPLAIN,
};

/* dumps: 1 to 3, as tcpdump's -d, -dd and -ddd. */
int filter_dump(struct filter_code *code, unsigned dumps, struct skep_diag *diag);
/* link: what the packets are, a DLT_ number. */
int filter_show(struct filter_code *code, enum filter_stage stage, int link,
		struct skep_diag *diag);

/* --- filter_object.c: an ELF file for the kernel --- */

int filter_write_object(struct filter_code *code, enum skep_cbpf_target target,
			const char *path, struct skep_diag *diag);

#define FILTER_TABLES "tables" /* the name of the data that lookups read */

/* --- filter_btf.c: its types and lines --- */

struct filter_bytes { uint8_t *data; size_t size, room; bool failed; };
struct filter_btf { struct filter_bytes types, lines; }; /* .BTF, .BTF.ext */

/* False: no memory. code->program is what ebpf was made of. */
bool filter_btf_make(struct filter_btf *btf, const struct filter_code *code,
		     enum skep_cbpf_target target, const struct skep_cbpf_ebpf *ebpf);
void filter_btf_done(struct filter_btf *btf);

/* --- filter_packets.c: running it --- */

struct filter_job {
	pcap_t *pcap;
	const char *source;      /* file or interface */
	const char *out;         /* NULL: only counted */
	uint64_t limit;          /* stop after so many; 0: never */
	bool live, nano, json, interpret;
};

int filter_packets(const struct filter_job *job, struct filter_code *code,
		   struct skep_diag *diag);

#endif
