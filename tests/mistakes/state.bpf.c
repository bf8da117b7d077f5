/* SPDX-License-Identifier: BSD-2-Clause */
/* Things to give back, things given back already, and sections. */
#include "common.h"
#include <linux/pkt_cls.h>

struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} counters SEC(".maps");

struct task_struct;

void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;
struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
struct bpf_iter_num;
int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

SEC("xdp")
int leaked_record(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return XDP_DROP;
	event->id = 1;
	if (ctx->rx_queue_index > 3) // blame: the record | bpf_ringbuf_reserve() | bpf_ringbuf_discard()
		return XDP_ABORTED;
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}

SEC("xdp")
int never_submitted(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0); // blame: never given back | bpf_ringbuf_submit()

	if (event)
		event->id = ctx->rx_queue_index;
	return XDP_PASS;
}

SEC("xdp")
int used_after_submit(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return XDP_DROP;
	event->id = 1;
	bpf_ringbuf_submit(event, 0);
	event->len = 5; // blame: until bpf_ringbuf_submit() | before bpf_ringbuf_submit()
	return XDP_PASS;
}

SEC("xdp")
int submitted_twice(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return XDP_DROP;
	if (ctx->rx_queue_index)
		bpf_ringbuf_discard(event, 0);
	bpf_ringbuf_submit(event, 0); // blame: bpf_ringbuf_discard()
	return XDP_PASS;
}

SEC("xdp")
int record_not_tested(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	event->id = 1; // blame: 'event' may be NULL | ring buffer is full
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}

SEC("tc")
int leaked_socket(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);

	if (!sk)
		return TC_ACT_OK;
	if (sk->state == 10) // blame: the socket | bpf_sk_release()
		return TC_ACT_SHOT;
	bpf_sk_release(sk);
	return TC_ACT_OK;
}

SEC("tc")
int leaked_task(struct __sk_buff *skb)
{
	struct task_struct *task = bpf_task_from_pid(1); // blame: the task | bpf_task_release()

	return task ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("tc")
int still_locked(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&counters, &key);

	if (!value)
		return TC_ACT_OK;
	bpf_spin_lock(&value->lock);
	if (++value->count > 100) // blame: the lock | bpf_spin_unlock()
		return TC_ACT_SHOT;
	bpf_spin_unlock(&value->lock);
	return TC_ACT_OK;
}

SEC("tc")
int called_while_locked(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&counters, &key);

	if (!value)
		return TC_ACT_OK;
	bpf_spin_lock(&value->lock);
	value->count = bpf_get_prandom_u32(); // blame: bpf_get_prandom_u32() | bpf_spin_lock() | bpf_spin_unlock()
	bpf_spin_unlock(&value->lock);
	return TC_ACT_OK;
}

SEC("tc")
int locked_twice(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&counters, &key);

	if (!value)
		return TC_ACT_OK;
	bpf_spin_lock(&value->lock);
	bpf_spin_lock(&value->lock); // blame: bpf_spin_lock()
	bpf_spin_unlock(&value->lock);
	return TC_ACT_OK;
}

SEC("tc")
int unlocked_without_lock(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&counters, &key);

	if (!value)
		return TC_ACT_OK;
	bpf_spin_unlock(&value->lock); // blame: nothing is locked
	return TC_ACT_OK;
}

SEC("syscall")
int sleeps_in_rcu(void *ctx)
{
	char byte = 0;

	bpf_rcu_read_lock();
	bpf_copy_from_user(&byte, 1, (void *)4096); // blame: bpf_copy_from_user() | bpf_rcu_read_lock() | bpf_rcu_read_unlock()
	bpf_rcu_read_unlock();
	return byte;
}

SEC("syscall")
int rcu_not_left(void *ctx)
{
	bpf_rcu_read_lock(); // blame: the RCU section | bpf_rcu_read_unlock()
	return 0;
}

SEC("tc")
int iterator_not_destroyed(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *i, sum = 0;

	bpf_iter_num_new(&it, 0, 10);
	while ((i = bpf_iter_num_next(&it)))
		if (*i == (int)skb->len) // blame: the iterator | bpf_iter_num_destroy()
			return TC_ACT_SHOT;
	bpf_iter_num_destroy(&it);
	return TC_ACT_OK;
}

SEC("tc")
int slice_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *slice;

	if (bpf_ringbuf_reserve_dynptr(&events, 16, 0, &record)) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return TC_ACT_OK;
	}
	slice = bpf_dynptr_data(&record, 0, 8);
	if (!slice) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return TC_ACT_OK;
	}
	bpf_ringbuf_submit_dynptr(&record, 0);
	*slice = 1; // blame: until bpf_ringbuf_submit_dynptr()
	return TC_ACT_OK;
}

SEC("tc")
int task_used_after_release(struct __sk_buff *skb)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (!task)
		return TC_ACT_OK;
	bpf_task_release(task);
	bpf_task_release(task); // blame: bpf_task_release()
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
