/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx_trace.c - contexts of programs that watch the kernel: registers, trace
 * records, arguments. Most are plain memory: whatever is aligned and inside is
 * a number.
 */
#include "prog/ctx.h"

#define PT_REGS_SIZE 168u      /* x86-64 */
#define TRACE_RECORD_MAX 8192u /* a record larger than this is not delivered */
#define TRACE_ARGS_MAX 12u
#define SYSCALL_CTX_MAX 65535u

/* The registers as they are, then sample_period and addr. */
static const struct ctx_field perf_event_rows[] = {
	FIELD("regs", 0, PT_REGS_SIZE, 8, READ),
	FIELD("sample_period", PT_REGS_SIZE, 8, 8, READ, NARROW),
	FIELD("addr", PT_REGS_SIZE + 8, 8, 8, READ, NARROW),
	FIELDS_END,
};

/* The first argument is the buffer the tracepoint shares: no load may begin inside it
 * but what does not start where it starts. */
static const struct ctx_field raw_writable_rows[] = {
	FIELD("args", 0, 8, 8, READ, .kind = FIELD_TP_BUFFER),
	FIELD("args", 1, 7, 8, READ, NARROW),
	FIELD("args", 8, (TRACE_ARGS_MAX - 1) * 8, 8, READ, NARROW),
	FIELDS_END,
};

static const struct ctx_field netfilter_rows[] = {
	FIELD("state", 0, 8, 8, READ, .kind = FIELD_BTF, .btf = "nf_hook_state"),
	FIELD("skb", 8, 8, 8, READ, .kind = FIELD_BTF, .btf = "sk_buff"),
	FIELDS_END,
};

/* Registers may be written: uprobes change the traced process's with it. */
const struct ctx_layout ctx_pt_regs = {
	.name = "pt_regs", .size = PT_REGS_SIZE, .plain = true, .plain_write = true,
};
/* The first 8 bytes of a record are the kernel's own. */
const struct ctx_layout ctx_tracepoint = {
	.name = "trace_event", .size = TRACE_RECORD_MAX, .plain = true, .plain_start = 8,
};
const struct ctx_layout ctx_raw_tracepoint = {
	.name = "bpf_raw_tracepoint_args", .size = TRACE_ARGS_MAX * 8, .plain = true,
};
const struct ctx_layout ctx_raw_tracepoint_writable = {
	.name = "bpf_raw_tracepoint_args", .size = TRACE_ARGS_MAX * 8,
	.fields = raw_writable_rows,
};
const struct ctx_layout ctx_perf_event = {
	.name = "bpf_perf_event_data", .size = PT_REGS_SIZE + 16, .fields = perf_event_rows,
};
const struct ctx_layout ctx_netfilter = {
	.name = "bpf_nf_ctx", .size = 16, .fields = netfilter_rows,
};
const struct ctx_layout ctx_syscall = {
	.name = "syscall args", .size = SYSCALL_CTX_MAX, .plain = true, .plain_write = true,
	.region = true,
};
/* One unsigned int: a pulse or a space. */
static const struct ctx_field lirc_rows[] = {
	FIELD("sample", 0, 4, 4, READ),
	FIELDS_END,
};
const struct ctx_layout ctx_lirc = { .name = "u32", .size = 4, .fields = lirc_rows };
const struct ctx_layout ctx_btf_args = {
	.name = "u64 args", .size = TRACE_ARGS_MAX * 8, .btf_args = true,
};
