/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * helper.h - a helper function: its prototype for the verifier, its code for
 * the engines, in one descriptor that stands beside the code.
 *
 * Helpers are [runtime]: no malloc, no stdio, no errno, async-signal-safe.
 *
 * Threads: immutable.
 */
#ifndef HELPER_HELPER_H
#define HELPER_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include "helper/vm.h"
#include "isa/needs.h"

/* What an argument must be. The names follow Linux's ARG_*. */
enum arg_kind {
	ARG_NONE,
	ARG_ANYTHING,            /* any initialised register */
	ARG_CONST_MAP_PTR,
	ARG_MAP_KEY,             /* readable memory of the map's key size */
	ARG_MAP_VALUE,           /* memory of the map's value size (UNINIT: written) */
	ARG_PTR_TO_CTX,
	ARG_MEM,                 /* memory whose size is the next argument, or fixed (size) */
	ARG_MEM_SIZE,            /* size of the memory before it, > 0 */
	ARG_MEM_SIZE_OR_ZERO,
	ARG_PTR_TO_BTF_ID,       /* a kernel object of type btf */
	ARG_PTR_TO_BTF_ID_SOCK_COMMON,
	ARG_PTR_TO_SOCK_COMMON,
	ARG_PTR_TO_SOCKET,
	ARG_PTR_TO_SPIN_LOCK,
	ARG_PTR_TO_RES_SPIN_LOCK,
	ARG_PTR_TO_TIMER,
	ARG_PTR_TO_FUNC,         /* a callback subprogram */
	ARG_PTR_TO_STACK,
	ARG_PTR_TO_CONST_STR,    /* NUL-terminated, in a read-only map */
	ARG_PTR_TO_DYNPTR,
	ARG_PTR_TO_PERCPU_BTF_ID,
	ARG_RINGBUF_MEM,         /* what ringbuf_reserve returned (RELEASE) */
	ARG_CONST_ALLOC_SIZE_OR_ZERO,
	ARG_KPTR_XCHG_DEST,
	ARG_SCALAR,              /* a number, no pointer */
	ARG_KIND_COUNT,
};

enum arg_flags {
	ARG_MAYBE_NULL = 1 << 0,
	ARG_UNINIT = 1 << 1,     /* need not be initialised; the helper writes it */
	ARG_RDONLY = 1 << 2,     /* the helper only reads it */
	ARG_WRITE = 1 << 3,      /* the helper writes it (and it must be initialised) */
	ARG_FIXED_SIZE = 1 << 4, /* ARG_MEM of size bytes */
	ARG_ALIGNED = 1 << 5,
	ARG_RELEASE = 1 << 6,    /* takes over the caller's reference */
	ARG_TRUSTED = 1 << 7,
	ARG_OR_BTF_ID = 1 << 8,  /* ret: PTR_TO_MEM_OR_BTF_ID */
	ARG_DYNPTR_LOCAL = 1 << 9,
	ARG_DYNPTR_RINGBUF = 1 << 10,
	ARG_DYNPTR_SKB = 1 << 11,
	ARG_DYNPTR_XDP = 1 << 12,
};

struct arg {
	uint16_t kind;           /* enum arg_kind */
	uint16_t flags;          /* enum arg_flags */
	uint32_t size;           /* ARG_FIXED_SIZE */
	const char *btf;         /* kernel type name, for *_BTF_ID; several separated by '|' */
};

enum ret_kind {
	RET_INTEGER, RET_VOID, RET_PTR_TO_MAP_VALUE, RET_PTR_TO_SOCKET, RET_PTR_TO_TCP_SOCK,
	RET_PTR_TO_SOCK_COMMON, RET_PTR_TO_MEM, RET_PTR_TO_MEM_OR_BTF_ID, RET_PTR_TO_BTF_ID,
	RET_PTR_TO_BTF_ID_TRUSTED, RET_PTR_TO_RINGBUF_MEM, RET_PTR_TO_DYNPTR_MEM,
};

struct ret {
	uint16_t kind;
	uint16_t maybe_null;
	uint16_t read_only;      /* what it points to may not be written */
	const char *btf;
};

typedef uint64_t helper_fn(struct vm *vm, const uint64_t arg[5]);

struct helper {
	uint32_t id;             /* BPF_FUNC_* */
	const char *name;        /* without "bpf_" */
	const char *prototype;   /* the C declaration */
	const char *doc;         /* one sentence, our own words */
	uint64_t types;          /* program types that may call it: 1 << BPF_PROG_TYPE_* */
	uint64_t attaches;       /* and expected attach types, 1 << BPF_*; 0: any */
	uint8_t needs;           /* enum needs: to load a program that calls it */
	bool gpl_only;
	bool may_sleep;
	bool packet_access;      /* arguments may point into the packet */
	bool changes_packet;     /* packet pointers are invalid afterwards */
	bool fastcall;           /* changes no register but R0 */
	bool acquires, releases; /* references */
	struct ret ret;
	struct arg arg[5];
	bool by_engine;          /* engines carry the call out themselves */
	helper_fn *call;         /* NULL: checked, but not executed by this build */
};

/*
 * Variants of one id that differ by program type (get_socket_cookie ...) are
 * separate descriptors; helper_get() gives the one a program type calls, NULL
 * if it may not call it. attach: expected attach type. What depends on more
 * (a sleepable program, the function that is traced) is the verifier's to
 * refuse, as on Linux. An extension calls what its target's type may call.
 */
#define HELPER_ID_MAX 212
const struct helper *helper_get(uint32_t id, uint32_t prog_type, uint32_t attach);
/* Any variant, for names; NULL if no such id. */
const struct helper *helper_by_id(uint32_t id);
const struct helper *helper_by_name(const char *name);

#endif
