/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.bpf.c - the records of system calls' tracepoints. */
#include "values.h"

struct sys_enter {
	__u64 common;
	long number;
	unsigned long args[6];
};

struct sys_exit {
	__u64 common;
	long number;
	long result;
};

/* 4 bytes: the record of a call without arguments ends behind it. */
static __always_inline void number_of(const char *place, long *at)
{
	NUMBER("number", *(int *)at);
}

static __always_inline int entered(const char *place, struct sys_enter *ctx, int args)
{
	if (args > 0)
		NUMBER("args[0]", ctx->args[0]);
	if (args > 1)
		NUMBER("args[1]", ctx->args[1]);
	if (args > 2)
		NUMBER("args[2]", ctx->args[2]);
	if (args > 3)
		NUMBER("args[3]", ctx->args[3]);
	if (args > 4)
		NUMBER("args[4]", ctx->args[4]);
	if (args > 5)
		NUMBER("args[5]", ctx->args[5]);
	return 0;
}

static __always_inline int left(const char *place, struct sys_exit *ctx)
{
	NUMBER("result", ctx->result);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_enter") int any_enter(struct sys_enter *ctx)
{
	const char *place = "raw_syscalls/sys_enter";

	NUMBER("id", ctx->number);
	return entered(place, ctx, 6);
}

SEC("tp/raw_syscalls/sys_exit") int any_exit(struct sys_exit *ctx)
{
	const char *place = "raw_syscalls/sys_exit";

	NUMBER("id", ctx->number);
	return left(place, ctx);
}

#define CALL(name, args)                                                                      \
	SEC("tracepoint/syscalls/sys_enter_" #name) int enter_##name(struct sys_enter *ctx)   \
	{                                                                                     \
		number_of("sys_enter_" #name, &ctx->number);                                  \
		return entered("sys_enter_" #name, ctx, args);                                \
	}                                                                                     \
	SEC("tracepoint/syscalls/sys_exit_" #name) int exit_##name(struct sys_exit *ctx)      \
	{                                                                                     \
		number_of("sys_exit_" #name, &ctx->number);                                   \
		return left("sys_exit_" #name, ctx);                                          \
	}

CALL(process_vm_readv, 6)
CALL(close, 1)
CALL(dup3, 3)
CALL(getppid, 0)
CALL(lseek, 3)
CALL(mmap, 6)
CALL(newfstat, 2)
CALL(exit_group, 1)
CALL(fork, 0)
CALL(vfork, 0)
CALL(clone, 5)
CALL(clone3, 2)
CALL(execve, 3)
CALL(rt_sigaction, 4)
CALL(rt_sigreturn, 0)
CALL(kill, 2)
CALL(wait4, 4)
CALL(pause, 0)
CALL(clock_gettime, 2)

SEC("tracepoint/syscalls/sys_enter_openat") int enter_openat(struct sys_enter *ctx)
{
	const char *place = "sys_enter_openat";

	user_text(place, "name", (const void *)ctx->args[1]);
	return entered(place, ctx, 4);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
