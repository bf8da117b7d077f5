/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends that are no exit: exceptions, packet loads that fail, tail calls that do not. */
#include "kfuncs.h"

LICENSE;

#define TC SEC("tc") int
#define SKB struct __sk_buff *skb
#define CATCHES(name) TAG("exception_callback:" name)
#define LOAD(skb) \
	__asm__ volatile("r6 = %0; r0 = *(u8 *)skb[0]" : : "r"(skb) \
			 : "r0", "r1", "r2", "r3", "r4", "r5", "r6")

GLOBAL same(u64 cookie) { return (int)cookie; }
GLOBAL zero(u64 cookie) { return 0 * (int)cookie; }
__noinline void nothing(u64 cookie) { sink = cookie; }
GLOBAL two(u64 a, u64 b) { return (int)(a + b); }
GLOBAL throws_again(u64 cookie) { bpf_throw(cookie); return 0; }
GLOBAL throws(u64 cookie) { if (cookie) bpf_throw(cookie); return 0; }
static __noinline int throws_here(u64 cookie) { if (cookie) bpf_throw(cookie); return 1; }

/* --- what is thrown, and what catches it --- */

ACCEPTED TC throw__any_number(SKB)
{
	bpf_throw(skb->len);
	return 0;
}

REJECTED("At program exit the register R1 has smin=64 smax=64 should have been in [0, 1]")
SEC("cgroup/sock_create") int throw__a_number_the_type_cannot_return(void *ctx)
{
	bpf_throw(64);
	return 1;
}

REJECTED("At program exit the register R1 has smin=64 smax=64 should have been in [0, 1]")
SEC("cgroup/sock_create") int throw__in_a_function(void *ctx)
{
	return throws_here(64) & 1;
}

REJECTED("At program exit the register R0 has") CATCHES("same")
SEC("cgroup/sock_create") int callback__returns_what_the_type_cannot(void *ctx)
{
	return 1;
}

ACCEPTED CATCHES("zero") SEC("cgroup/sock_create") int callback__decides_what_is_returned(void *ctx)
{
	bpf_throw(64);
	return 1;
}

REJECTED("exception cb cannot return void") CATCHES("nothing") TC callback__without_result(SKB)
{
	return 0;
}

REJECTED("exception cb only supports single integer argument") CATCHES("two")
TC callback__of_two_numbers(SKB)
{
	return 0;
}

REJECTED("exception callback 'absent' could not be found in BTF") CATCHES("absent")
TC callback__that_is_absent(SKB)
{
	return 0;
}

REJECTED("multiple exception callback tags for main subprog") CATCHES("same") CATCHES("zero")
TC callback__named_twice(SKB)
{
	return 0;
}

REJECTED("cannot be called from callback subprog") CATCHES("throws_again") TC callback__throws(SKB)
{
	return 0;
}

REJECTED("cannot call exception cb directly") CATCHES("same") TC callback__called(SKB)
{
	return same(skb->len);
}

/* --- where --- */

static int throws_in_loop(u32 i, void *ctx)
{
	(void)i, (void)ctx;
	bpf_throw(0);
	return 0;
}

REJECTED("cannot be called from callback subprog") TC throw__in_a_callback(SKB)
{
	bpf_loop(4, throws_in_loop, 0, 0);
	return 0;
}

REJECTED("bpf_throw would lead to reference leak") TC throw__with_a_reference(SKB)
{
	void *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	throws_here(skb->len);
	bpf_ringbuf_discard(record, 0);
	return 0;
}

REJECTED("bpf_throw would lead to reference leak") TC throw__by_a_global_function(SKB)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	throws(skb->len);
	bpf_iter_num_destroy(&it);
	return 0;
}

REJECTED("bpf_throw cannot be used inside bpf_rcu_read_lock-ed region")
TC throw__in_an_rcu_section(SKB)
{
	bpf_rcu_read_lock();
	throws_here(skb->len);
	bpf_rcu_read_unlock();
	return 0;
}

/* --- packet loads --- */

static __noinline int load_in_function(SKB)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	LOAD(skb);
	bpf_iter_num_destroy(&it);
	return 0;
}

REJECTED("BPF_EXIT instruction in main prog would lead to reference leak")
TC load__that_fails_returns_to_the_caller(SKB)
{
	return load_in_function(skb);
}

static __noinline int load_then_set(SKB, u64 *set)
{
	LOAD(skb);
	*set = 1;
	return 1;
}

REJECTED("invalid mem access 'scalar'") TC load__that_fails_sets_nothing(SKB)
{
	u64 set;

	load_then_set(skb, &set);
	if (set != 1)
		return *(volatile char *)0;
	return 0;
}

static __noinline void load_for_nothing(SKB) { LOAD(skb); sink = 1; }

REJECTED("LD_ABS is only allowed in functions that return 'int'.") TC load__where_nothing_is_returned(SKB)
{
	load_for_nothing(skb);
	return 0;
}

REJECTED("BPF_LD_[ABS|IND] cannot be used inside bpf_rcu_read_lock-ed region")
TC load__in_an_rcu_section(SKB)
{
	bpf_rcu_read_lock();
	LOAD(skb);
	bpf_rcu_read_unlock();
	return 0;
}

/* --- tail calls --- */

ACCEPTED TC tail_call__that_fails_leaves_the_packet(SKB)
{
	u8 *data = (u8 *)(u64)skb->data;

	if (data + 1 > (u8 *)(u64)skb->data_end)
		return 0;
	bpf_tail_call(skb, &programs, 0);
	return *data;
}

static __noinline int tail(SKB)
{
	bpf_tail_call(skb, &programs, 0);
	return 1;
}

REJECTED("invalid mem access 'scalar'") TC tail_call__in_a_function_may_change_the_packet(SKB)
{
	u8 *data = (u8 *)(u64)skb->data;

	if (data + 1 > (u8 *)(u64)skb->data_end)
		return 0;
	tail(skb);
	return *data;
}

static __noinline void tail_for_nothing(SKB) { bpf_tail_call(skb, &programs, 0); sink = 1; }

REJECTED("tail_call is only allowed in functions that return 'int'.")
TC tail_call__where_nothing_is_returned(SKB)
{
	tail_for_nothing(skb);
	return 0;
}

static __noinline int tail_with_record(SKB)
{
	void *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	bpf_tail_call(skb, &programs, 0);
	bpf_ringbuf_discard(record, 0);
	return 0;
}

REJECTED("BPF_EXIT instruction in main prog would lead to reference leak")
TC tail_call__in_a_function_with_a_reference(SKB)
{
	return tail_with_record(skb);
}
