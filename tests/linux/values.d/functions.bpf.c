/* SPDX-License-Identifier: BSD-2-Clause */
/* functions.bpf.c - system calls' functions: probed, traced, decided. */
#include "values.h"
#include "kernel.h"

/* What an order of the command's numbers is to be seen by: the call that is made as a mark. */
static __always_inline bool is_ours(const struct pt_regs *regs)
{
	return BPF_CORE_READ(regs, r9) == MARK_FLAGS && BPF_CORE_READ(regs, di) == MARK_NUMBERS;
}

static __noinline int arguments(const char *place, const struct pt_regs *regs)
{
	NUMBER("parm1", PT_REGS_PARM1_CORE_SYSCALL(regs));
	NUMBER("parm2", PT_REGS_PARM2_CORE_SYSCALL(regs));
	NUMBER("parm3", PT_REGS_PARM3_CORE_SYSCALL(regs));
	NUMBER("parm4", PT_REGS_PARM4_CORE_SYSCALL(regs));
	NUMBER("parm5", PT_REGS_PARM5_CORE_SYSCALL(regs));
	NUMBER("r9", BPF_CORE_READ(regs, r9));
	NUMBER("orig_ax", BPF_CORE_READ(regs, orig_ax));
	NUMBER("ax", BPF_CORE_READ(regs, ax));
	NUMBER("ip", BPF_CORE_READ(regs, ip));
	return 0;
}

SEC("kprobe/__x64_sys_process_vm_readv") int probe(struct pt_regs *ctx)
{
	const char *place = "kprobe";
	struct pt_regs *regs = (struct pt_regs *)PT_REGS_PARM1(ctx);

	if (!is_ours(regs))
		return 0;
	NUMBER("func_ip is there", bpf_get_func_ip(ctx) >> 63);
	NUMBER("cookie", bpf_get_attach_cookie(ctx));
	return arguments(place, regs);
}

SEC("kretprobe/__x64_sys_process_vm_readv") int probe_returns(struct pt_regs *ctx)
{
	const char *place = "kretprobe";

	NUMBER("rc", PT_REGS_RC(ctx));
	NUMBER("func_ip is there", bpf_get_func_ip(ctx) >> 63);
	return 0;
}

SEC("fentry/__x64_sys_process_vm_readv") int BPF_PROG(traced, struct pt_regs *regs)
{
	const char *place = "fentry";
	__u64 value = 7;

	if (!is_ours(regs))
		return 0;
	NUMBER("count", bpf_get_func_arg_cnt(ctx));
	NUMBER("arg error", bpf_get_func_arg(ctx, 0, &value));
	NUMBER("arg is regs", value == (__u64)regs);
	NUMBER("no arg error", bpf_get_func_arg(ctx, 1, &value));
	NUMBER("no arg", value);
	return arguments(place, regs);
}

SEC("fexit/__x64_sys_process_vm_readv") int BPF_PROG(traced_returns, struct pt_regs *regs, long ret)
{
	const char *place = "fexit";
	__u64 value = 7;

	if (!is_ours(regs))
		return 0;
	NUMBER("ret", ret);
	NUMBER("ret error", bpf_get_func_ret(ctx, &value));
	NUMBER("func_ret", value);
	return arguments(place, regs);
}

/* The call with 0x5555 is not made. */
SEC("fmod_ret/__x64_sys_dup3") int BPF_PROG(decides, struct pt_regs *regs, int ret)
{
	const char *place = "fmod_ret";

	NUMBER("ret", ret);
	return BPF_CORE_READ(regs, dx) == 0x5555 ? -77 : 0;
}

SEC("fexit/__x64_sys_dup3") int BPF_PROG(decided, struct pt_regs *regs, long ret)
{
	const char *place = "fexit dup3";

	NUMBER("ret", ret);
	return 0;
}

SEC("kretprobe/__x64_sys_dup3") int decided_probe(struct pt_regs *ctx)
{
	const char *place = "kretprobe dup3";

	NUMBER("rc", PT_REGS_RC(ctx));
	return 0;
}

SEC("raw_tp/sys_exit") int left(struct bpf_raw_tracepoint_args *ctx)
{
	const char *place = "sys_exit";
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];

	if (BPF_CORE_READ(regs, orig_ax) == 292)
		NUMBER("ret of dup3", ctx->args[1]);
	return 0;
}

SEC("kprobe.multi/__x64_sys_getp*id") int several(struct pt_regs *ctx)
{
	const char *place = "kprobe.multi";
	struct pt_regs *regs = (struct pt_regs *)PT_REGS_PARM1(ctx);

	NUMBER("orig_ax", BPF_CORE_READ(regs, orig_ax));
	NUMBER("func_ip is there", bpf_get_func_ip(ctx) >> 63);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
