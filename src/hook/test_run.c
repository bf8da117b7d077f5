/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_run.c - BPF_PROG_TEST_RUN: a program run on given bytes, with Linux's
 * rules about them.
 *
 * Packet types run here: the context in and out is struct __sk_buff or struct
 * xdp_md as user space lays it out. Other types are the machine's.
 *
 * As on Linux, repeated runs work on the packet that the run before left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "helper/checksum.h"
#include "hook/frame.h"
#include "machine/machine.h"


enum {
	PAGE = 4096,
	SHARED_INFO = 320,        /* Linux's skb_shared_info, at the end of a buffer */
	SKB_HEADROOM = 64,
	SKB_SIZE_MAX = PAGE - SKB_HEADROOM - SHARED_INFO,
	GSO_SEGS_MAX = 65535,
	WIRE_LEN_MAX = 65536,
	LOOPBACK = 1,             /* the interface that test runs are on */
};

/* struct __sk_buff and struct xdp_md of the user API, as far as runs set them. */
struct user_skb {
	uint32_t len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto;
	uint32_t priority, ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid;
	uint32_t data, data_end, napi_id, family, remote_ip4, local_ip4, remote_ip6[4];
	uint32_t local_ip6[4], remote_port, local_port, data_meta;
	uint64_t flow_keys, tstamp;
	uint32_t wire_len, gso_segs;
	uint64_t sk;
	uint32_t gso_size, tstamp_type;
	uint64_t hwtstamp;
};
_Static_assert(sizeof(struct user_skb) == 192, "struct __sk_buff has 192 bytes");

struct user_xdp {
	uint32_t data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

/* Copies a context in: what the caller's lacks is zero, what ours lacks must be. */
static int ctx_in(void *ctx, size_t size, const struct skep_test_run *run, struct skep_diag *diag)
{
	const uint8_t *given = run->ctx_in;
	size_t have = run->ctx_in ? run->ctx_size_in : 0;

	memset(ctx, 0, size);
	for (size_t i = size; i < have; i++)
		if (given[i])
			return skep_fail(diag, SKEP_TEST_RUN_CTX, NULL,
					 "%zu bytes given; the context has %zu", have, size);
	if (have)
		memcpy(ctx, given, have < size ? have : size);
	return 0;
}

/* Copies out as much as fits; the size needed is stored in any case. */
static int copy_out(void *to, size_t *room, const void *from, size_t size, const char *what,
		    struct skep_diag *diag)
{
	size_t have = *room;

	*room = size;
	if (!to)
		return 0;
	memcpy(to, from, have < size ? have : size);
	if (have < size)
		return skep_fail(diag, SKEP_TEST_RUN_SPACE, NULL, "%s has %zu bytes, room for %zu",
				 what, size, have);
	return 0;
}

static int ctx_out(const void *ctx, size_t size, struct skep_test_run *run, struct skep_diag *diag)
{
	if (!run->ctx_out)
		return 0;
	return copy_out(run->ctx_out, &run->ctx_size_out, ctx, size, "the context", diag);
}

/* The packet, then the context, as far as there is room; the first error counts. */
static int finish(struct skep_test_run *run, const void *data, size_t data_size, const void *ctx,
		  size_t ctx_size, struct skep_diag *diag)
{
	int error;

	if (run->data_out && !run->data_size_out)
		run->data_size_out = data_size;
	error = copy_out(run->data_out, &run->data_size_out, data, data_size, "the packet", diag);
	return error < 0 ? error : ctx_out(ctx, ctx_size, run, diag);
}

static int bad(struct skep_diag *diag, const char *why)
{
	return skep_fail(diag, SKEP_TEST_RUN_ARG, NULL, "%s", why);
}

/* --- sk_buff types --- */

/* Which fields of the context a run may set: all others must be zero. */
static bool skb_settable(size_t off)
{
	static const struct {
		size_t from, to;
	} ranges[] = {
#define FIELD(name) { offsetof(struct user_skb, name), \
		      offsetof(struct user_skb, name) + sizeof(((struct user_skb *)0)->name) }
		FIELD(mark), FIELD(priority), FIELD(ingress_ifindex), FIELD(ifindex), FIELD(cb),
		FIELD(tstamp), FIELD(wire_len), FIELD(gso_segs), FIELD(gso_size), FIELD(hwtstamp),
#undef FIELD
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (off >= ranges[i].from && off < ranges[i].to)
			return true;
	return false;
}

static int skb_take_ctx(struct packet *packet, const struct user_skb *ctx, struct skep_diag *diag)
{
	const uint8_t *bytes = (const uint8_t *)ctx;

	for (size_t i = 0; i < sizeof(*ctx); i++)
		if (bytes[i] && !skb_settable(i))
			return bad(diag, "the context sets a field that a test run may not set");
	if (ctx->wire_len && (ctx->wire_len < packet->len || ctx->wire_len > WIRE_LEN_MAX))
		return bad(diag, "wire_len is less than the packet or more than 65536");
	if (ctx->gso_segs > GSO_SEGS_MAX)
		return bad(diag, "gso_segs is more than 65535");
	packet->mark = ctx->mark;
	packet->priority = ctx->priority;
	packet->ingress_ifindex = ctx->ingress_ifindex;
	packet->tstamp = ctx->tstamp;
	memcpy(packet->cb, ctx->cb, sizeof(packet->cb));
	packet->wire_len = ctx->wire_len ? ctx->wire_len : packet->len;
	packet->gso_segs = ctx->gso_segs;
	packet->gso_size = (uint16_t)ctx->gso_size;
	packet->hwtstamp = ctx->hwtstamp;
	return 0;
}

static void skb_give_ctx(const struct packet *packet, struct user_skb *ctx)
{
	ctx->mark = packet->mark;
	ctx->priority = packet->priority;
	ctx->ingress_ifindex = packet->ingress_ifindex;
	ctx->ifindex = packet->ifindex;
	ctx->tstamp = packet->tstamp;
	memcpy(ctx->cb, packet->cb, sizeof(ctx->cb));
	ctx->wire_len = packet->wire_len;
	ctx->gso_segs = packet->gso_segs;
	ctx->hwtstamp = packet->hwtstamp;
}

static int skb_check_size(const struct skep_test_run *run, struct skep_diag *diag)
{
	if (run->data_size_in >= PACKET_ETH_LEN && run->data_size_in <= SKB_SIZE_MAX)
		return 0;
	return skep_fail(diag, SKEP_PACKET_SIZE, NULL, "%zu bytes; a test run takes %u to %d",
			 run->data_size_in, PACKET_ETH_LEN, SKB_SIZE_MAX);
}

/* The header that the Ethernet type promises must be there. */
static int skb_check_header(const struct packet *packet, struct skep_diag *diag)
{
	ptrdiff_t size = packet->end - packet->network;
	ptrdiff_t least = packet->protocol == ETHER_IP     ? 20
			  : packet->protocol == ETHER_IPV6 ? 40
							   : 0;

	if (size >= least)
		return 0;
	return skep_fail(diag, SKEP_PACKET_SIZE, NULL,
			 "%td bytes behind the Ethernet header, less than an IP header", size);
}

/* The sum of all from the network header, as a device would have computed it. */
static uint32_t skb_sum(const struct packet *packet)
{
	return sum_bytes(packet->network, (size_t)(packet->end - packet->network), 0);
}

/* Did the program's changes keep the packet's checksum right? */
static int skb_check_sum(const struct packet *packet, struct skep_diag *diag)
{
	if (packet->summed != SUMMED_COMPLETE ||
	    sum_to16(packet->csum) == sum_to16(skb_sum(packet)))
		return 0;
	return skep_fail(diag, SKEP_TEST_RUN_SUM, NULL, "it is %04x, kept as %04x",
			 sum_to16(skb_sum(packet)), sum_to16(packet->csum));
}

static int run_vm(struct skep_prog *prog, struct frame *frame, struct skep_test_run *run,
		  uint32_t *retval, struct skep_diag *diag)
{
	struct vm vm = { .ctx = &frame->packet, .packet = &frame->packet };
	uint64_t result = 0;
	int error = prog_run_repeat(prog, &vm, run->repeat ? run->repeat : 1, NULL, NULL, &result,
				    &run->duration_ns, diag);

	*retval = (uint32_t)result;
	return error;
}

static int skb_run(struct skep_prog *prog, const struct frame_shape *shape, struct frame *frame,
		   struct skep_test_run *run, struct skep_diag *diag)
{
	enum { CHECKSUM_COMPLETE_FLAG = 4 };
	struct packet *packet = &frame->packet;
	bool with_ctx = run->ctx_in || run->ctx_out;
	struct user_skb ctx;
	uint32_t retval;
	int error;

	if (run->flags & ~(uint32_t)CHECKSUM_COMPLETE_FLAG)
		return bad(diag, "a flag that programs of this type do not have");
	error = skb_check_size(run, diag);
	if (error < 0)
		return error;
	error = ctx_in(&ctx, sizeof(ctx), run, diag);
	if (error < 0)
		return error;
	if (ctx.ifindex > LOOPBACK)
		return skep_fail(diag, SKEP_TEST_RUN_DEVICE, NULL, "ifindex is %u", ctx.ifindex);
	frame_load(frame, shape, shape->test_at_mac, run->data_in, (uint32_t)run->data_size_in,
		   PACKET_HEADROOM, true);
	packet->ifindex = LOOPBACK;
	error = skb_check_header(packet, diag);
	if (error == 0 && with_ctx)
		error = skb_take_ctx(packet, &ctx, diag);
	if (error < 0)
		return error;
	if (run->flags & CHECKSUM_COMPLETE_FLAG) {
		packet->summed = SUMMED_COMPLETE;
		packet->csum = skb_sum(packet);
	}
	error = run_vm(prog, frame, run, &retval, diag);
	if (error == 0)
		error = skb_check_sum(packet, diag);
	if (error < 0)
		return error;
	run->retval = retval;
	/* Linux gives back zeros for a link header that the program did not see. */
	if (!shape->test_at_mac && packet_insert(packet, 0, PACKET_ETH_LEN) < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "the packet's link header");
	skb_give_ctx(packet, &ctx);
	return finish(run, packet->data, packet->len, &ctx, sizeof(ctx), diag);
}

/* --- XDP --- */

/*
 * The context's data is where the packet starts in the input, behind metadata;
 * data_end is how much of it a program may reach directly.
 */
static int xdp_take_ctx(const struct skep_test_run *run, const struct user_xdp *ctx,
			struct skep_diag *diag)
{
	if (ctx->data_meta || ctx->data_end > run->data_size_in || ctx->data > ctx->data_end)
		return bad(diag, "data_meta must be 0 and data <= data_end <= the input's size");
	if (ctx->data & 3 || ctx->data > PACKET_HEADROOM - PACKET_XDP_FRAME)
		return bad(diag, "metadata is not a multiple of 4 bytes, or too long");
	if (ctx->egress_ifindex)
		return bad(diag, "egress_ifindex must be 0");
	if (ctx->ingress_ifindex > LOOPBACK)
		return skep_fail(diag, SKEP_TEST_RUN_DEVICE, NULL, "ingress_ifindex is %u",
				 ctx->ingress_ifindex);
	if (ctx->rx_queue_index)
		return bad(diag, "the interface has no receive queue of that number");
	return 0;
}

static void xdp_load(struct frame *frame, const struct frame_shape *shape,
		     const struct skep_test_run *run, const struct user_xdp *ctx, bool with_ctx)
{
	struct packet *packet = &frame->packet;
	uint32_t size = (uint32_t)run->data_size_in, meta = ctx->data;
	uint32_t room = PAGE - PACKET_HEADROOM - SHARED_INFO + meta;
	uint32_t direct = with_ctx ? ctx->data_end : size;

	frame_load(frame, shape, true, run->data_in, size, PACKET_HEADROOM - meta, true);
	if (direct > room)
		direct = room;
	packet->data += meta;
	packet->end = packet->meta + direct;
	packet->paged = size - direct;
	/* Further buffers are pages; the last has room. */
	packet->paged_room = (PAGE - packet->paged % PAGE) % PAGE;
	packet->len = (uint32_t)(packet->end - packet->data);
	packet->limit = packet->start + PAGE - SHARED_INFO;
	packet->ingress_ifindex = LOOPBACK;
}

/*
 * Where the result is too long for its buffer, Linux cuts bytes out before those
 * in further buffers. Does the same; false where there is no room for even these,
 * so that nothing is given back.
 */
static bool xdp_squeeze(struct frame *frame, const struct skep_test_run *run)
{
	struct packet *packet = &frame->packet;
	size_t room = run->data_size_out, size = (size_t)(packet->end - packet->meta);

	if (!run->data_out || !room || !packet->paged || size + packet->paged <= room)
		return true;
	if (room < packet->paged)
		return false;
	memmove(packet->meta + (room - packet->paged), packet->end, packet->paged);
	return true;
}

static int xdp_run(struct skep_prog *prog, const struct frame_shape *shape, struct frame *frame,
		   struct skep_test_run *run, struct skep_diag *diag)
{
	enum { LIVE_FRAMES_FLAG = 2 };
	const struct packet *packet = &frame->packet;
	bool with_ctx = run->ctx_in || run->ctx_out; /* Linux makes one of zeros */
	struct user_xdp ctx;
	uint32_t retval;
	int error;

	if (prog->attach == BPF_XDP_DEVMAP || prog->attach == BPF_XDP_CPUMAP)
		return bad(diag, "programs in device and CPU maps have no test run");
	if (run->flags & ~(uint32_t)LIVE_FRAMES_FLAG)
		return bad(diag, "a flag that programs of this type do not have");
	if (run->flags & LIVE_FRAMES_FLAG)
		return skep_fail(diag, SKEP_PACKET_TYPE, NULL,
				 "live frames need interfaces to send them to");
	error = ctx_in(&ctx, sizeof(ctx), run, diag);
	if (error == 0 && with_ctx)
		error = xdp_take_ctx(run, &ctx, diag);
	if (error < 0)
		return error;
	if (run->data_size_in < PACKET_ETH_LEN + ctx.data || run->data_size_in > PACKET_MAX)
		return skep_fail(diag, SKEP_PACKET_SIZE, NULL,
				 "%zu bytes, of which %u metadata; a packet has %u to %u",
				 run->data_size_in, ctx.data, PACKET_ETH_LEN, PACKET_MAX);
	xdp_load(frame, shape, run, &ctx, with_ctx);
	error = run_vm(prog, frame, run, &retval, diag);
	if (error < 0)
		return error;
	if (!xdp_squeeze(frame, run))
		return skep_fail(diag, SKEP_TEST_RUN_SPACE, NULL,
				 "room for %zu bytes is not even enough for the packet's end",
				 run->data_size_out);
	run->retval = retval;
	ctx.data = (uint32_t)(packet->data - packet->meta);
	ctx.data_end = (uint32_t)(packet->end - packet->meta);
	return finish(run, packet->meta, ctx.data_end + packet->paged, &ctx, sizeof(ctx), diag);
}

int skep_prog_test_run(struct skep_prog *prog, struct skep_test_run *run, struct skep_diag *diag)
{
	const struct frame_shape *shape = frame_shape(prog->type->id);
	struct frame frame;
	int error;

	if (!shape)
		return plain_test_run(prog, run, diag);
	if (!run->data_in)
		return skep_fail(diag, SKEP_PACKET_SIZE, NULL, "no packet is given");
	if (!run->ctx_in != !run->ctx_size_in || !run->ctx_out != !run->ctx_size_out)
		return bad(diag, "a context without a size, or a size without a context");
	error = frame_init(&frame);
	if (error < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "buffers for a test run");
	error = shape->skb ? skb_run(prog, shape, &frame, run, diag)
			   : xdp_run(prog, shape, &frame, run, diag);
	frame_done(&frame);
	return error;
}
