/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the collection of mistakes shares. On the line that is to blame stands
 *
 *     blame: words | more words     (after two slashes)
 *
 * and the explanation must point at that line and use those words.
 */
#ifndef MISTAKES_COMMON_H
#define MISTAKES_COMMON_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pair {
	__u64 a, b;
};

struct table {
	__u32 count;
	__u32 item[10];
	__u32 end;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct pair);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct event {
	__u64 id;
	__u32 pid, len;
};

#endif
