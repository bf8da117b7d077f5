/* SPDX-License-Identifier: BSD-2-Clause */
/* Three records at once, of which two fit. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} small SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_mkdir")
int makes(void *ctx)
{
	for (int i = 0; i < 3; i++) {
		char *record = bpf_ringbuf_reserve(&small, 1600, 0);

		if (!record)
			continue;
		__builtin_memset(record, 0, 8);
		bpf_ringbuf_submit(record, 0);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
