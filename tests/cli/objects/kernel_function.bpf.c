/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel_function.bpf.c - a program that calls a function of the kernel. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct bpf_cpumask;
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;

SEC("tp_btf/sys_enter")
int calls(void *ctx)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (mask)
		bpf_cpumask_release(mask);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
