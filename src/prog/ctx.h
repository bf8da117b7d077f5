/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx.h - how context rows are written, and the layouts of all program types.
 *
 * Threads: immutable.
 */
#ifndef PROG_CTX_H
#define PROG_CTX_H

#include "prog/prog.h"

/* Which accesses a row allows, for the macros below. */
#define READ .read = 1
#define WRITE .write = 1
#define NARROW .narrow = 1
#define HEAD .narrow_head = 1
#define WIDE .wide = 1
#define NARROW_WRITE .narrow_write = 1
/* The attach types a row is for. */
#define ON(attach) (UINT64_C(1) << (attach))

/* Where the native context is the one programs see. */
#define FIELD(name_, off_, size_, unit_, ...)                                         \
	{ .name = (name_), .off = (off_), .size = (size_), .unit = (unit_),           \
	  .native_off = (off_), .native_size = (unit_), __VA_ARGS__ }
#define FIELDS_END { .size = 0 }

extern const struct ctx_layout ctx_xdp_md, ctx_sk_buff_socket, ctx_sk_buff_tc,
	ctx_sk_buff_cgroup, ctx_sk_buff_lwt, ctx_sk_buff_stream, ctx_sk_buff_flow;
extern const struct ctx_layout ctx_cgroup_sock, ctx_sock_addr, ctx_sock_ops, ctx_sk_msg,
	ctx_sk_reuseport, ctx_sk_lookup, ctx_sysctl, ctx_sockopt, ctx_cgroup_dev;
extern const struct ctx_layout ctx_pt_regs, ctx_tracepoint, ctx_raw_tracepoint,
	ctx_raw_tracepoint_writable, ctx_perf_event, ctx_netfilter, ctx_syscall, ctx_lirc,
	ctx_btf_args;

#endif
