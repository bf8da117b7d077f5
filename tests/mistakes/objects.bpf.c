/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel objects, dynptrs, locks in values, calls between functions. */
#include "common.h"
#include <linux/pkt_cls.h>

struct bpf_dynptr;

int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym;
void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer, __u32 size) __ksym;

struct locked {
	struct bpf_spin_lock lock;
	__u32 count, limit;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct locked);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} next_programs SEC(".maps");

SEC("tc")
int slice_after_change(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[4] = {}, *bytes;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return TC_ACT_OK;
	bytes = bpf_dynptr_slice(&packet, 0, buffer, sizeof(buffer));
	if (!bytes)
		return TC_ACT_OK;
	bpf_skb_pull_data(skb, 64);
	return bytes[0] ? TC_ACT_OK : TC_ACT_SHOT; // blame: bpf_skb_pull_data()
}

SEC("tc")
int lock_copied(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&counters, &key);
	volatile __u32 *lock;

	if (!value)
		return TC_ACT_OK;
	lock = (volatile __u32 *)&value->lock;
	return *lock; // blame: only its functions
}

SEC("tc")
int other_lock(struct __sk_buff *skb)
{
	__u32 key = 0, other = 1;
	struct locked *a = bpf_map_lookup_elem(&counters, &key);
	struct locked *b = bpf_map_lookup_elem(&counters, &other);

	if (!a || !b)
		return TC_ACT_OK;
	bpf_spin_lock(&a->lock);
	a->count++;
	bpf_spin_unlock(&b->lock); // blame: another lock
	return TC_ACT_OK;
}

SEC("tc")
int leaked_by_tail_call(struct __sk_buff *skb)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return TC_ACT_OK;
	bpf_tail_call(skb, &next_programs, 0); // blame: the record | bpf_ringbuf_submit()
	bpf_ringbuf_submit(event, 0);
	return TC_ACT_OK;
}

SEC("tc")
int half_a_pointer(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	__u32 low = (__u32)(unsigned long)data + 14; // blame: pointer | 32 bits

	asm volatile("" : "+r"(low));
	return *(__u8 *)(unsigned long)low;
}

SEC("tc")
int string_not_constant(struct __sk_buff *skb)
{
	char text[4] = "abc", other[4] = "abd";

	asm volatile("" : : "r"(text), "r"(other) : "memory");
	return bpf_strncmp(text, sizeof(text), other); // blame: argument 3
}

static __attribute__((noinline)) int first_byte(__u8 *bytes)
{
	return bytes[0]; // blame: may be NULL | bpf_map_lookup_elem()
}

SEC("tc")
int null_passed_on(struct __sk_buff *skb)
{
	__u32 key = 0;

	return first_byte(bpf_map_lookup_elem(&pairs, &key));
}

__attribute__((noinline)) int sum(struct pair *pair)
{
	return pair ? pair->a + pair->b : 0;
}

SEC("tc")
int number_for_pointer(struct __sk_buff *skb)
{
	return sum((struct pair *)(unsigned long)skb->mark); // blame: argument 1 of sum()
}

char LICENSE[] SEC("license") = "GPL";
