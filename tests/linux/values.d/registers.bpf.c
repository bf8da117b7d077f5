/* SPDX-License-Identifier: BSD-2-Clause */
/* registers.bpf.c - what calls' raw tracepoints pass: all registers, the number, the result. */
#include "values.h"

#include "kernel.h"

#define REGISTER(name) NUMBER(#name, BPF_CORE_READ(regs, name));

/*
 * Where the command marks a place, all of them are known. Elsewhere there are leftovers, of times
 * and ids that it has computed with, in those that are not arguments.
 */
static __always_inline int few(const char *place, struct pt_regs *regs)
{
	REGISTER(r15) REGISTER(r14) REGISTER(r13) REGISTER(r12) REGISTER(bp) REGISTER(bx)
	REGISTER(ax) REGISTER(orig_ax) REGISTER(ip) REGISTER(sp)
	NUMBER("cx is ip", BPF_CORE_READ(regs, cx) == BPF_CORE_READ(regs, ip));
	NUMBER("r11 is flags", (BPF_CORE_READ(regs, r11) | 2) == BPF_CORE_READ(regs, flags));
	return 0;
}

static __always_inline int registers(const char *place, struct pt_regs *regs)
{
	REGISTER(r15) REGISTER(r14) REGISTER(r13) REGISTER(r12) REGISTER(bp) REGISTER(bx)
	REGISTER(r10) REGISTER(r9) REGISTER(r8) REGISTER(ax) REGISTER(cx)
	REGISTER(dx) REGISTER(si) REGISTER(di) REGISTER(orig_ax) REGISTER(ip) REGISTER(sp)
	/* Parity and half carry are leftovers of arithmetic. */
	NUMBER("flags", BPF_CORE_READ(regs, flags) & ~0x14ul);
	NUMBER("r11", BPF_CORE_READ(regs, r11) & ~0x14ul);
	/* Segments are 16 bits; what is beside them is the kernel's own business. */
	NUMBER("cs", (unsigned short)BPF_CORE_READ(regs, cs));
	NUMBER("ss", (unsigned short)BPF_CORE_READ(regs, ss));
	return 0;
}

SEC("raw_tp/sys_enter") int raw_enter(struct bpf_raw_tracepoint_args *ctx)
{
	const char *place = "raw_tp/sys_enter";

	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];

	NUMBER("id", ctx->args[1]);
	return ctx->args[1] == MARK_CALL ? registers(place, regs) : few(place, regs);
}

SEC("raw_tracepoint/sys_exit") int raw_exit(struct bpf_raw_tracepoint_args *ctx)
{
	const char *place = "raw_tp/sys_exit";

	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];

	NUMBER("ret", ctx->args[1]);
	return BPF_CORE_READ(regs, orig_ax) == MARK_CALL ? registers(place, regs) : few(place, regs);
}

SEC("tp_btf/sys_enter") int BPF_PROG(typed_enter, struct pt_regs *regs, long id)
{
	const char *place = "tp_btf/sys_enter";

	NUMBER("id", id);
	NUMBER("di", regs->di);
	NUMBER("r10", regs->r10);
	NUMBER("ip", regs->ip);
	NUMBER("orig_ax", regs->orig_ax);
	NUMBER("parm4", PT_REGS_PARM4_CORE_SYSCALL(regs));
	return 0;
}

SEC("tp_btf/sys_exit") int BPF_PROG(typed_exit, struct pt_regs *regs, long ret)
{
	const char *place = "tp_btf/sys_exit";

	NUMBER("ret", ret);
	NUMBER("ax", regs->ax);
	NUMBER("di", regs->di);
	NUMBER("orig_ax", regs->orig_ax);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
