/* SPDX-License-Identifier: BSD-2-Clause */
/* Which call a program that has begun was loaded by, as each kind of place tells. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sys_exit {
	__u64 common;
	long number, result;
};

long asked;

static int ask(long number)
{
	asked = number;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_execve")
int asked_plain(void *ctx)
{
	return ask(59);
}

SEC("tracepoint/syscalls/sys_enter_execveat")
int asked_at(void *ctx)
{
	return ask(322);
}

static int begun(long place, long number, long result)
{
	if (result == 0)
		bpf_printk("asked by %d, %d begun by %d", asked, place, number);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int begun_plain(struct sys_exit *ctx)
{
	return begun(59, ctx->number, ctx->result);
}

SEC("tracepoint/syscalls/sys_exit_execveat")
int begun_at(struct sys_exit *ctx)
{
	return begun(322, ctx->number, ctx->result);
}

char LICENSE[] SEC("license") = "GPL";
