/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that is not free and calls what only free programs may. */
#include "common.h"

SEC("kprobe/do_unlinkat")
int not_free(void *ctx)
{
	char byte = 0;

	bpf_probe_read_kernel(&byte, 1, (void *)4096); // blame: bpf_probe_read_kernel() | "Proprietary" | license
	return byte;
}

char LICENSE[] SEC("license") = "Proprietary";
