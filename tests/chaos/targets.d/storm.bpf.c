/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm.bpf.c - what each worker does is counted in maps of all kinds, and told in a ring.
 *
 * A worker makes one system call that fails over and over, with its number as an argument
 * (worker.c); what the programs have committed is compared with what it knows that it did.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define WORKERS_MAX 65536
#define TOLD_EVERY 16
#define CALL 0x5eed

struct sys_call {
	__u64 common;
	__s64 nr;
	__u64 args[6];
};

struct told {
	__u32 worker;
	__u32 pad;
	__u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} ended SEC(".maps");

/* Which worker a thread that is in the call is. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} inside SEC(".maps");

/* Comes and goes with every other call. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u64);
} fleeting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u64);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} total_percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 64);
	__type(value, __u32);
} passing SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

const struct told *unused_told __attribute__((unused));


static __u64 *counter(void *map, __u32 worker)
{
	__u64 *count = bpf_map_lookup_elem(map, &worker), none = 0;

	if (count)
		return count;
	bpf_map_update_elem(map, &worker, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, &worker);
}

static void touch(__u32 worker, __u64 count)
{
	__u32 few = worker % 64, first;
	__u64 many = worker * 7 + count % 128;

	if (count % 2)
		bpf_map_update_elem(&fleeting, &few, &count, BPF_ANY);
	else
		bpf_map_delete_elem(&fleeting, &few);
	bpf_map_update_elem(&recent, &many, &count, BPF_ANY);
	if (bpf_map_push_elem(&passing, &worker, 0) == 0)
		bpf_map_pop_elem(&passing, &first);
}

static void tell(__u32 worker, __u64 count)
{
	struct told *told = bpf_ringbuf_reserve(&events, sizeof(*told), 0);

	if (!told)
		return;
	told->worker = worker;
	told->pad = 0;
	told->count = count;
	bpf_ringbuf_submit(told, 0);
}

SEC("tracepoint/syscalls/sys_enter_getpriority")
int on_enter(struct sys_call *call)
{
	__u32 worker = call->args[1], first = 0, thread = (__u32)bpf_get_current_pid_tgid();
	__u64 *count, *sum, now;

	if (call->args[0] != CALL)
		return 0;
	count = counter(&begun, worker);
	if (!count)
		return 0;
	now = *count + 1; /* nobody else counts there */
	*count = now;
	sum = bpf_map_lookup_elem(&total, &first);
	if (sum)
		__sync_fetch_and_add(sum, 1);
	sum = bpf_map_lookup_elem(&total_percpu, &first);
	if (sum)
		*sum += 1;
	touch(worker, now);
	bpf_map_update_elem(&inside, &thread, &worker, BPF_ANY);
	if (now % TOLD_EVERY == 0)
		tell(worker, now);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_getpriority")
int on_exit(void *call)
{
	__u32 thread = (__u32)bpf_get_current_pid_tgid();
	__u32 *worker = bpf_map_lookup_elem(&inside, &thread);
	__u64 *count = worker ? counter(&ended, *worker) : 0;

	if (count)
		*count += 1;
	bpf_map_delete_elem(&inside, &thread);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
