/* SPDX-License-Identifier: BSD-2-Clause */
/* probes.bpf.c - functions of the command: arguments, registers, results, stacks. */
#include "values.h"
#include "kernel.h"

#define REGISTER(name) NUMBER(#name, ctx->name);
enum { USER_STACK = 256, BUILD_ID = 2048 };

static __noinline int registers(const char *place, struct pt_regs *ctx)
{
	REGISTER(r15) REGISTER(r14) REGISTER(r13) REGISTER(r12) REGISTER(bp) REGISTER(bx)
	REGISTER(r11) REGISTER(r10) REGISTER(r9) REGISTER(r8) REGISTER(ax) REGISTER(cx)
	REGISTER(dx) REGISTER(si) REGISTER(di) REGISTER(ip) REGISTER(sp)
	REGISTER(orig_ax)
	NUMBER("flags", ctx->flags);
	NUMBER("cs", (unsigned short)ctx->cs);
	NUMBER("ss", (unsigned short)ctx->ss);
	return 0;
}

static __noinline int common(const char *place, struct pt_regs *ctx)
{
	__u64 stack[8] = { 0 };
	long size = bpf_get_stack(ctx, stack, sizeof(stack), USER_STACK);

	NUMBER("func_ip", bpf_get_func_ip(ctx));
	NUMBER("cookie", bpf_get_attach_cookie(ctx));
	NUMBER("stack size", size);
	NUMBER("stack[0]", stack[0]);
	NUMBER("stack[1]", stack[1]);
	NUMBER("stack[2]", stack[2]);
	NUMBER("stack[3]", stack[3]);
	return 0;
}

SEC("uprobe/./calls:probed_six") int six(struct pt_regs *ctx)
{
	const char *place = "six";

	NUMBER("a", (int)PT_REGS_PARM1(ctx));
	NUMBER("b", (unsigned)PT_REGS_PARM2(ctx));
	NUMBER("c", PT_REGS_PARM3(ctx));
	user_text(place, "d", (const void *)PT_REGS_PARM4(ctx));
	NUMBER("e", (__u8)PT_REGS_PARM5(ctx));
	NUMBER("f", ctx->r9);
	common(place, ctx);
	return registers(place, ctx);
}

SEC("uprobe/./calls:probed_stack") int stacked(struct pt_regs *ctx)
{
	const char *place = "stack";
	__u64 words[3] = { 0 };

	NUMBER("error", bpf_probe_read_user(words, sizeof(words), (const void *)PT_REGS_SP(ctx)));
	NUMBER("return address", words[0]);
	NUMBER("g", words[1]);
	NUMBER("h", words[2]);
	return common(place, ctx);
}

#define RETURNS(name)                                                              \
	SEC("uretprobe/./calls:probed_" #name) int name##_returns(struct pt_regs *ctx) \
	{                                                                          \
		const char *place = "return of " #name;                            \
		NUMBER("rc", PT_REGS_RC(ctx));                                     \
		common(place, ctx);                                                \
		return registers(place, ctx);                                      \
	}

RETURNS(six)
RETURNS(number)
RETURNS(depth)
RETURNS(int)

SEC("uprobe/./calls:probed_depth") int depth(struct pt_regs *ctx)
{
	const char *place = "depth";

	NUMBER("n", PT_REGS_PARM1(ctx));
	common(place, ctx);
	return registers(place, ctx);
}

/* Inside a function. */
SEC("uprobe/./calls:probed_inside") int inside(struct pt_regs *ctx)
{
	return common("inside", ctx);
}

SEC("uretprobe/./calls:probed_text") int text_returns(struct pt_regs *ctx)
{
	return user_text("return of text", "rc", (const void *)PT_REGS_RC(ctx));
}

/* What cannot be read: a bad address, and one past user space. */
SEC("uprobe/./calls:probed_text") int text_begins(struct pt_regs *ctx)
{
	const char *place = "text";
	char room[16];

	NUMBER("good", bpf_probe_read_user(room, 6, (const void *)PT_REGS_PARM1(ctx)));
	TEXT_AT("room", room);
	NUMBER("bad", bpf_probe_read_user(room, 8, (const void *)8));
	NUMBER("bad string", bpf_probe_read_user_str(room, 8, (const void *)8));
	NUMBER("kernel's", bpf_probe_read_user(room, 8, (const void *)0xffff888000000000));
	NUMBER("short string", bpf_probe_read_user_str(room, 4, (const void *)PT_REGS_PARM1(ctx)));
	TEXT_AT("short room", room);
	NUMBER("old read", bpf_probe_read(room, 6, (const void *)PT_REGS_PARM1(ctx)));
	NUMBER("no size", bpf_probe_read_user(room, 0, (const void *)PT_REGS_PARM1(ctx)));
	NUMBER("no string", bpf_probe_read_user_str(room, 0, (const void *)PT_REGS_PARM1(ctx)));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
