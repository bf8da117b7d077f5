/* SPDX-License-Identifier: BSD-2-Clause */
/* Dynptrs: what makes and ends them, and the memory they give. */
#include "kfuncs.h"

LICENSE;

#define TC SEC("tc") int
#define SKB struct __sk_buff *skb
#define GONE REJECTED("invalid mem access 'scalar'")
#define LEAK REJECTED("BPF_EXIT instruction in main prog would lead to reference leak")

/* --- slices --- */

ACCEPTED LOGS("=dynptr_skb(id=1)") LOGS("rdonly_mem_or_null(id=2,parent_id=1,sz=8)")
TC slice__read(SKB)
{
	struct bpf_dynptr ptr;
	char buffer[8];
	u8 *slice;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	slice = bpf_dynptr_slice(&ptr, 0, buffer, sizeof(buffer));
	return slice ? *slice : 0;
}

REJECTED("cannot write into rdonly_mem") TC slice__written_that_is_read_only(SKB)
{
	struct bpf_dynptr ptr;
	char buffer[8];
	u8 *slice;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	slice = bpf_dynptr_slice(&ptr, 0, buffer, sizeof(buffer));
	if (slice)
		*(volatile u8 *)slice = 1;
	return 0;
}

REJECTED("the prog does not allow writes to packet data")
SEC("cgroup_skb/ingress") int slice__to_write_where_packets_are_not(SKB)
{
	struct bpf_dynptr ptr;
	char buffer[8];
	u8 *slice;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	slice = bpf_dynptr_slice_rdwr(&ptr, 0, buffer, sizeof(buffer));
	if (slice)
		*slice = 1;
	return 1;
}

GONE TC slice__after_the_packet_changed(SKB)
{
	struct bpf_dynptr ptr;
	char buffer[8];
	u8 *slice;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	slice = bpf_dynptr_slice(&ptr, 0, buffer, sizeof(buffer));
	if (!slice)
		return 0;
	bpf_skb_pull_data(skb, 10);
	return *slice;
}

GONE TC slice__after_a_write_through_the_dynptr(SKB)
{
	struct bpf_dynptr ptr;
	char buffer[8] = { 0 };
	u8 *slice;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	slice = bpf_dynptr_slice(&ptr, 0, buffer, sizeof(buffer));
	if (!slice)
		return 0;
	bpf_dynptr_write(&ptr, 0, buffer, sizeof(buffer), 0);
	return *slice;
}

GONE SEC("xdp") int slice__after_the_frame_moved(struct xdp_md *xdp)
{
	struct bpf_dynptr ptr;
	char buffer[8];
	u8 *slice;

	bpf_dynptr_from_xdp(xdp, 0, &ptr);
	slice = bpf_dynptr_slice_rdwr(&ptr, 0, buffer, sizeof(buffer));
	if (!slice)
		return 0;
	bpf_xdp_adjust_head(xdp, 4);
	*slice = 1;
	return 0;
}

GONE TC slice__of_metadata_after_the_packet_changed(SKB)
{
	struct bpf_dynptr ptr;
	u8 *slice;

	bpf_dynptr_from_skb_meta(skb, 0, &ptr);
	slice = bpf_dynptr_slice_rdwr(&ptr, 0, 0, 8);
	if (!slice)
		return 0;
	bpf_skb_pull_data(skb, 10);
	*slice = 1;
	return 0;
}

GONE TC slice__of_a_dynptr_made_anew(SKB)
{
	struct bpf_dynptr ptr;
	u64 *memory = value();
	u8 *slice;

	if (!memory)
		return 0;
	bpf_dynptr_from_mem(memory, 64, 0, &ptr);
	slice = bpf_dynptr_data(&ptr, 0, 8);
	if (!slice)
		return 0;
	bpf_dynptr_from_mem(memory, 32, 0, &ptr);
	return *slice;
}

ACCEPTED TC slice__of_a_clone_outlives_the_original(SKB)
{
	struct bpf_dynptr ptr, clone;
	u64 *memory = value();
	u8 *slice;

	if (!memory)
		return 0;
	bpf_dynptr_from_mem(memory, 64, 0, &ptr);
	bpf_dynptr_clone(&ptr, &clone);
	slice = bpf_dynptr_data(&clone, 0, 8);
	if (!slice)
		return 0;
	bpf_dynptr_from_mem(memory, 32, 0, &ptr);
	return *slice;
}

REJECTED("R4 must be a known constant") TC slice__of_unknown_size(SKB)
{
	struct bpf_dynptr ptr;
	char buffer[8];

	bpf_dynptr_from_skb(skb, 0, &ptr);
	return bpf_dynptr_slice(&ptr, 0, buffer, skb->len) != 0;
}

LOGS("R3 and R4 memory, len pair leads to invalid memory access")
REJECTED("invalid read from stack R3") TC slice__larger_than_its_buffer(SKB)
{
	struct bpf_dynptr ptr;
	char buffer[8];

	bpf_dynptr_from_skb(skb, 0, &ptr);
	return bpf_dynptr_slice(&ptr, 0, buffer, 9000) != 0;
}

/* --- references --- */

LEAK TC ring__kept(SKB)
{
	struct bpf_dynptr ptr;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &ptr);
	return 0;
}

REJECTED("Expected an initialized dynptr as R1") TC ring__submitted_twice(SKB)
{
	struct bpf_dynptr ptr;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &ptr);
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	return 0;
}

REJECTED("Expected a dynptr of type ringbuf as R1") TC ring__submits_no_other(SKB)
{
	struct bpf_dynptr ptr;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	return 0;
}

REJECTED("Expected an initialized dynptr as R3") TC ring__read_after_its_clone_was_submitted(SKB)
{
	struct bpf_dynptr ptr, clone;
	char buffer[8];

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &ptr);
	bpf_dynptr_clone(&ptr, &clone);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	bpf_dynptr_read(buffer, sizeof(buffer), &ptr, 0, 0);
	return 0;
}

REJECTED("cannot overwrite referenced dynptr") TC ring__overwritten(SKB)
{
	struct bpf_dynptr ptr;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &ptr);
	*((volatile u8 *)&ptr + 9) = 0;
	return 0;
}

ACCEPTED TC ring__overwritten_when_a_clone_has_it(SKB)
{
	struct bpf_dynptr ptr, clone;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &ptr);
	bpf_dynptr_clone(&ptr, &clone);
	*(volatile u64 *)&ptr = 0;
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return 0;
}

ACCEPTED SEC("lsm/file_open") int file__read_and_discarded(u64 *ctx)
{
	struct file *file = (struct file *)ctx[0];
	struct bpf_dynptr ptr;
	char buffer[8];

	bpf_dynptr_from_file(file, 0, &ptr);
	bpf_dynptr_read(buffer, sizeof(buffer), &ptr, 0, 0);
	bpf_dynptr_file_discard(&ptr);
	return 0;
}

LEAK SEC("lsm/file_open") int file__kept(u64 *ctx)
{
	struct bpf_dynptr ptr;

	bpf_dynptr_from_file((struct file *)ctx[0], 0, &ptr);
	return 0;
}

REJECTED("Expected a dynptr of type file as R1") TC file__discards_no_other(SKB)
{
	struct bpf_dynptr ptr;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &ptr);
	bpf_dynptr_file_discard(&ptr);
	return 0;
}

REJECTED("Leaking reference id=") SEC("lsm/file_open") int file__put_before_its_dynptr(u64 *ctx)
{
	struct file *file = bpf_get_task_exe_file(bpf_get_current_task_btf());
	struct bpf_dynptr ptr;

	if (!file)
		return 0;
	bpf_dynptr_from_file(file, 0, &ptr);
	bpf_put_file(file);
	bpf_dynptr_file_discard(&ptr);
	return 0;
}

/* --- the slots --- */

REJECTED("invalid read from stack") TC slots__read(SKB)
{
	struct bpf_dynptr ptr;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	return *(volatile int *)&ptr;
}

REJECTED("Expected an initialized dynptr as R3") TC slots__at_the_second(SKB)
{
	struct bpf_dynptr ptr[2];
	char buffer[8];

	bpf_dynptr_from_skb(skb, 0, &ptr[0]);
	bpf_dynptr_read(buffer, sizeof(buffer), (void *)&ptr[0].words[1], 0, 0);
	return 0;
}

LOGS("dynptr has to be at a constant offset")
REJECTED("Expected an initialized dynptr as R3") TC slots__at_a_variable_offset(SKB)
{
	struct bpf_dynptr ptr[2];
	char buffer[8];

	bpf_dynptr_from_skb(skb, 0, &ptr[0]);
	bpf_dynptr_from_skb(skb, 0, &ptr[1]);
	bpf_dynptr_read(buffer, sizeof(buffer), (void *)ptr + (skb->len & 16), 0, 0);
	return 0;
}

REJECTED("Expected an initialized dynptr as R3") TC slots__half_overwritten_by_another(SKB)
{
	u64 words[3];
	char buffer[8];

	bpf_dynptr_from_skb(skb, 0, (void *)words);
	bpf_dynptr_from_skb(skb, 0, (void *)(words + 1));
	bpf_dynptr_read(buffer, sizeof(buffer), (void *)words, 0, 0);
	return 0;
}

/* --- as arguments --- */

GLOBAL reads(const struct bpf_dynptr *ptr)
{
	char buffer[8];

	return bpf_dynptr_read(buffer, sizeof(buffer), ptr, 0, 0);
}

ACCEPTED TC argument__of_a_global_function(SKB)
{
	struct bpf_dynptr ptr;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	return reads(&ptr);
}

REJECTED("Expected an initialized dynptr as R1") TC argument__not_made(SKB)
{
	struct bpf_dynptr ptr;

	return reads(&ptr);
}

static long submits(struct bpf_dynptr *ptr, void *ctx)
{
	(void)ctx;
	bpf_ringbuf_submit_dynptr(ptr, 0);
	return 0;
}

REJECTED("CONST_PTR_TO_DYNPTR cannot be released") TC argument__of_a_callback_is_not_its_own(SKB)
{
	bpf_user_ringbuf_drain(&user_ring, submits, 0, 0);
	return 0;
}

static long makes(struct bpf_dynptr *ptr, void *ctx)
{
	u64 *memory = value();

	(void)ctx;
	if (memory)
		bpf_dynptr_from_mem(memory, 8, 0, ptr);
	return 0;
}

REJECTED("Dynptr has to be an uninitialized dynptr") TC argument__of_a_callback_is_made(SKB)
{
	bpf_user_ringbuf_drain(&user_ring, makes, 0, 0);
	return 0;
}

static long returns_two(struct bpf_dynptr *ptr, void *ctx)
{
	(void)ptr, (void)ctx;
	return 2;
}

REJECTED("At callback return the register R0 has smin=2 smax=2 should have been in [0, 1]")
TC callback__returns_too_much(SKB)
{
	bpf_user_ringbuf_drain(&user_ring, returns_two, 0, 0);
	return 0;
}

/* --- read only --- */

REJECTED("R2 type=rdonly_mem expected=fp") TC slice__that_is_read_only_is_no_key(SKB)
{
	struct bpf_dynptr ptr;
	char buffer[8];
	u8 *slice;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	slice = bpf_dynptr_slice(&ptr, 0, buffer, sizeof(buffer));
	return slice ? bpf_map_lookup_elem(&values, slice) != 0 : 0;
}

LOGS("invalid access to memory, mem_size=0 off=0 size=1")
REJECTED("min value is outside of the allowed memory range") TC slice__of_no_bytes(SKB)
{
	struct bpf_dynptr ptr;
	u8 *slice;

	bpf_dynptr_from_skb(skb, 0, &ptr);
	slice = bpf_dynptr_slice(&ptr, 0, 0, 0);
	return slice ? *slice : 0;
}
