/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog.h - program types, and a program before it is loaded.
 *
 * One descriptor per program type says what its context looks like to the
 * program, what lies behind each field, what it may return and where it may be
 * attached. Helpers allowed per type are in the helpers' own table.
 *
 * Threads: immutable.
 */
#ifndef PROG_PROG_H
#define PROG_PROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/btf.h>
#include <skep/insn.h>
#include "isa/abi.h"
#include "isa/needs.h"
#include "map/map.h"

/* What a context field holds, for the verifier. */
enum field_kind {
	FIELD_SCALAR,
	FIELD_PACKET,            /* packet data pointer */
	FIELD_PACKET_META,
	FIELD_PACKET_END,
	FIELD_SOCK_COMMON_OR_NULL,
	FIELD_SOCKET,            /* struct bpf_sock */
	FIELD_SOCKET_OR_NULL,
	FIELD_FLOW_KEYS,
	FIELD_BTF_OR_NULL,       /* a kernel object of type btf */
	FIELD_BTF,
	FIELD_SOCKOPT_START, FIELD_SOCKOPT_END,
	FIELD_SK_MSG_DATA,
	FIELD_TP_BUFFER,         /* what a writable tracepoint lets programs write */
};

/*
 * A row: size bytes at off of the context as programs see it, in units: a
 * field, or an array of equal fields. An access is a whole unit at a unit's
 * start, and what the bits below add; see ctx_access().
 */
struct ctx_field {
	const char *name;
	uint16_t off, size;      /* bytes */
	uint16_t kind;           /* enum field_kind */
	uint8_t read : 1, write : 1;
	uint8_t narrow : 1;      /* shorter aligned loads inside it too */
	uint8_t narrow_head : 1; /* shorter loads at a unit's start too */
	uint8_t wide : 1;        /* aligned 8-byte accesses to two units of 4 too */
	uint8_t narrow_write : 1; /* shorter aligned stores inside it too */
	uint8_t unit;            /* bytes: 1, 2, 4, 8 */
	uint8_t read_needs, write_needs; /* enum needs: to load a program that does */
	uint16_t native_off;     /* where it lives in the native context */
	uint16_t native_size;    /* 8 for pointers that programs see as 4 bytes */
	const char *btf;         /* kernel type name for FIELD_BTF* */
	uint64_t attach_mask;    /* expected attach types that have it; 0: all */
};

struct ctx_layout {
	const char *name;        /* "xdp_md" */
	uint32_t size;
	const struct ctx_field *fields; /* ends with a row of size 0; NULL: see plain */
	/* Plain memory: any aligned read from plain_start to size is a scalar (pt_regs,
	 * tracepoint records). */
	bool plain, plain_write;
	bool region;             /* and any byte of it may be pointed to, and passed as memory */
	uint32_t plain_start;
	bool btf_args;           /* an array of u64 arguments typed by the attach target's BTF */
};

#define ATTACH_END 255 /* ends a list of attach types */

struct return_range {
	int64_t min, max;
	bool checked;            /* false: any value */
};

struct prog_type {
	uint32_t id;             /* BPF_PROG_TYPE_* */
	const char *name;        /* bpftool's: "sched_cls" */
	const char *doc;
	const struct ctx_layout *ctx;
	const uint8_t *attach;   /* BPF_* attach types, up to ATTACH_END */
	bool any_attach;         /* loading does not look at the expected attach type */
	bool direct_packet_read, direct_packet_write, legacy_packet; /* LD_ABS */
	bool packet;             /* runs on packets: skep_prog_run_packet() */
	bool may_sleep;          /* sleepable programs allowed */
	bool gpl_only;
	bool private_stack;      /* may interrupt anything: a large frame gets a stack of its own */
	uint8_t needs;           /* enum needs: to load one */
	uint32_t max_insns;      /* 0: one million */
	/* What it may return when attached so; may look at flags. NULL: anything. */
	struct return_range (*returns)(uint32_t attach);
};

const struct prog_type *prog_type(uint32_t id);  /* NULL past the end */
const struct prog_type *prog_type_by_name(const char *name);
const char *attach_type_name(uint32_t attach);   /* bpftool's; NULL past the end */
/* Does a program of this type load with this expected attach type? */
bool prog_type_attaches(const struct prog_type *type, uint32_t attach);
/* The row that covers a byte offset for this attach type; NULL if none. */
const struct ctx_field *ctx_field_at(const struct ctx_layout *ctx, uint32_t off,
				     uint32_t attach);
/*
 * May a program read (write) size bytes at off? *field is the row that says so;
 * NULL for plain memory. Contexts typed by BTF (btf_args) are not judged here.
 */
bool ctx_access(const struct ctx_layout *ctx, int64_t off, uint32_t size, bool write,
		uint32_t attach, const struct ctx_field **field);

/* What pointers to sockets show; read only. */
extern const struct ctx_layout ctx_bpf_sock;     /* of a full socket */
extern const struct ctx_layout ctx_sock_common;  /* of any kind of socket */
extern const struct ctx_layout ctx_bpf_tcp_sock;
extern const struct ctx_layout ctx_bpf_xdp_sock;
#define FLOW_KEYS_SIZE 56u /* struct bpf_flow_keys: plain, writable, any alignment */

/* --- section names, as libbpf 1.x reads them (sections.c) --- */

struct section_match {
	const struct prog_type *type;
	uint32_t attach;         /* expected attach type */
	bool has_attach;         /* the name gives one; false: attach is 0 for want of it */
	const char *target;      /* what follows the prefix: "tcp_connect"; or NULL; points into name */
	bool sleepable, optional /* "?name" */, frags, attach_btf;
	const char *prefix;      /* the row that matched */
};
bool section_match(const char *name, struct section_match *match);

/* --- a program before it is loaded --- */

struct func_info { uint32_t insn; uint32_t type; };
struct line_info { uint32_t insn, file_off, line_off, line_col; };

/* What is known of a function of an accepted program, for those that attach to it. */
struct func_proof {
	uint32_t type;           /* BTF id of its FUNC; 0: unknown */
	bool unreliable;         /* it may be called with other arguments than its types say */
	bool changes_packet, might_sleep;
	bool is_exception;       /* the program's exception callback */
};

struct prog_spec {
	const char *name, *section, *object; /* borrowed */
	const struct prog_type *type;
	uint32_t attach;            /* expected attach type */
	uint32_t flags;             /* BPF_F_* of BPF_PROG_LOAD */
	const struct skep_insn *insns; /* borrowed; map references by index (IMM64_MAP_INDEX*) */
	uint32_t len;
	const struct map_spec *const *maps; /* borrowed */
	uint32_t map_count;
	const struct skep_btf *btf;  /* the program's own; borrowed; or NULL */
	const struct func_info *funcs; /* sorted by insn */
	uint32_t func_count;
	const struct line_info *lines; /* sorted by insn; file, line text in btf's strings */
	uint32_t line_count;
	const struct skep_btf *kernel_btf; /* borrowed; or NULL */
	uint32_t attach_btf_id;      /* in kernel_btf; 0: none */
	const char *attach_name;     /* "tcp_connect"; or NULL */
	/* freplace and fentry of a program: what is attached to; or NULL */
	const struct prog_spec *target;
	uint32_t target_btf_id;      /* of the function, in the target's own BTF */
	const struct func_proof *target_funcs; /* of the target, which was accepted */
	uint32_t target_func_count;
	const char *license;
};

bool license_is_gpl(const char *license);

#endif
