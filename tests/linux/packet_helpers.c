/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_packet_helpers.c - packet helpers do what the running kernel's do.
 *
 * Random sequences of helper calls on random packets: compiled to a small
 * program for BPF_PROG_TEST_RUN, and called here one by one. After each call
 * its result and the context's fields are mixed into a number. That number, and
 * the packet that comes out, must be the same.
 *
 * Skips, saying so, where programs may not be loaded.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "helper/list.h"
#include "bytecode.h"
#include "hook/frame.h"

enum { OPS_MAX = 6, BUFFER = 64 };

/* --- calls --- */

/* What an argument of a call is: a number, the context, or the buffer on the stack. */
enum { NUMBER, CONTEXT, SCRATCH };

struct op {
	uint32_t helper;
	uint8_t kind[5];
	uint64_t value[5];
	bool loads; /* the buffer is mixed in afterwards */
};

static void number(struct op *op, int at, uint64_t value)
{
	op->kind[at] = NUMBER;
	op->value[at] = value;
}

static uint32_t some_off(uint32_t size)
{
	return any(8) ? any(size + 4) : PICK(0, 14, 24, 36, 38, 40, 50, 65536, 0x7fffffff, 0xffffffff);
}

static uint32_t some_len(void) { return 1 + any(any(4) ? 8 : BUFFER); }

static void some_bytes(struct op *op, uint32_t helper, uint32_t size, bool loads)
{
	op->helper = helper;
	op->kind[0] = CONTEXT;
	number(op, 1, some_off(size));
	op->kind[2] = SCRATCH;
	number(op, 3, some_len());
	op->loads = loads;
}

/* A checksum helper: where, from, to, and flags with a field size. */
static void some_sum(struct op *op, uint32_t helper, uint32_t size, uint64_t flags)
{
	op->helper = helper;
	op->kind[0] = CONTEXT;
	number(op, 1, any(2) ? PICK(24, 40, 50, 36) : some_off(size));
	number(op, 2, any(3) ? any(0xffffffff) : 0);
	number(op, 3, any(4) ? any(0xffffffff) : PICK(0, 0xffff, 0xffffffff));
	number(op, 4, PICK(0, 2, 4, 2, 4, 1, 3, 6) | flags);
}

static void with_ctx(struct op *op, uint32_t helper, uint64_t a, uint64_t b)
{
	op->helper = helper;
	op->kind[0] = CONTEXT;
	number(op, 1, a);
	number(op, 2, b);
}

static uint64_t room_flags(void)
{
	uint64_t flags = 0;

	if (any(2))
		return 0;
	for (int n = (int)any(3); n >= 0; n--)
		flags |= 1ull << any(9);
	return any(3) ? flags : flags | 14ull << 56;
}

static void choose_skb(struct op *op, uint32_t size)
{
	switch (any(22)) {
	case 0: case 1:
		some_bytes(op, 26, size, true);
		break;
	case 2: case 3:
		some_bytes(op, 9, size, false);
		number(op, 4, any(5) ? any(4) : any(16));
		break;
	case 4: case 5:
		some_sum(op, 10, size, any(8) ? 0 : 16);
		break;
	case 6: case 7:
		some_sum(op, 11, size, (uint64_t)PICK(0, 16, 32, 64, 96, 112, 128, 256));
		break;
	case 8: case 9:
		with_ctx(op, 38, any(4) ? any(size + 40) : PICK(0, 14, 3712, 16064, 16065, 0xffffffff),
			 any(9) ? 0 : 1);
		break;
	case 10:
		with_ctx(op, 43, any(4) ? any(64) : PICK(0, 200, 0xfffffff0, 17000), any(9) ? 0 : 1);
		break;
	case 11: case 12:
		with_ctx(op, 50, any(4) ? any(120) - 60u : PICK(0, 0x1000, 0xfff, 0x80000000, 5),
			 any(9) ? any(2) : 2);
		number(op, 3, room_flags());
		break;
	case 13: case 14:
		with_ctx(op, 18, PICK(ETHER_8021Q, ETHER_8021AD, ETHER_IP, 0), any(0x10000));
		break;
	case 15:
		with_ctx(op, 19, 0, 0);
		break;
	case 16:
		with_ctx(op, 31, PICK(ETHER_IP, ETHER_IPV6, ETHER_IPV6, 0), any(9) ? 0 : 1);
		break;
	case 17:
		with_ctx(op, 32, any(6), 0);
		break;
	case 18:
		with_ctx(op, 39, any(2) ? any(size + 9) : 0, 0);
		break;
	case 19:
		with_ctx(op, PICK(40, 135, 135, 135), any(6), 0);
		break;
	case 20:
		with_ctx(op, PICK(41, 48, 97), any(0xffffffff), 0);
		break;
	default:
		some_bytes(op, 68, size, true);
		number(op, 4, any(8) ? any(2) : 2);
		break;
	}
}

static void choose_xdp(struct op *op, uint32_t size)
{
	switch (any(8)) {
	case 0: case 1:
		with_ctx(op, 44, any(4) ? any(160) - 80u : PICK(0, 0xffffff28, 0xffffff27, 0x80000000), 0);
		break;
	case 2:
		with_ctx(op, 54, any(4) ? (any(32) - 16u) * 4 : any(9) - 5u, 0);
		break;
	case 3: case 4:
		with_ctx(op, 65, any(4) ? any(160) - 80u : PICK(0, 3520, 4000, 0x80000000, 0x7fffffff), 0);
		break;
	case 5:
		some_bytes(op, 189, size, true);
		break;
	case 6:
		some_bytes(op, 190, size, false);
		break;
	default:
		with_ctx(op, 188, 0, 0);
		break;
	}
}

static void choose_any(struct op *op)
{
	op->helper = 28;
	op->kind[0] = SCRATCH;
	number(op, 1, any(9) * 4 * any(2));
	op->kind[2] = SCRATCH;
	number(op, 3, any(9) * 4);
	number(op, 4, any(2) ? 0 : any(0xffffffff));
	if (!op->value[1]) {
		op->kind[0] = NUMBER;
		op->value[0] = 0;
	}
	if (!op->value[3]) {
		op->kind[2] = NUMBER;
		op->value[2] = 0;
	}
}

/* --- the same sequence, twice --- */

struct run {
	uint32_t type;
	const struct frame_shape *shape;
	struct op ops[OPS_MAX];
	int count;
	uint8_t in[512], buffer[BUFFER];
	uint32_t size;
};

/* Context fields mixed in after each call: offset and, for us, the value. */
static const struct {
	int off;
	size_t member;
} skb_fields[] = {
	{ 0, offsetof(struct packet, len) }, { 4, offsetof(struct packet, pkt_type) },
	{ 16, offsetof(struct packet, protocol) }, { 20, offsetof(struct packet, vlan_present) },
	{ 24, offsetof(struct packet, vlan_tci) }, { 28, offsetof(struct packet, vlan_proto) },
};

static void emit_op(struct bytecode *code, const struct op *op, uint32_t type)
{
	for (unsigned a = 0; a < 5; a++) {
		if (op->kind[a] == CONTEXT) {
			emit(code, 0xbf, a + 1, 6, 0, 0);
		} else if (op->kind[a] == SCRATCH) {
			emit(code, 0xbf, a + 1, 10, 0, 0);
			emit(code, 0x07, a + 1, 0, 0, -BUFFER);
		} else {
			emit_value(code, a + 1, op->value[a]);
		}
	}
	emit(code, 0x85, 0, 0, 0, (int)op->helper);
	emit_mix(code, 0);
	for (int i = 0; op->loads && i < BUFFER; i += 4) {
		emit(code, 0x61, 1, 10, i - BUFFER, 0);
		emit_mix(code, 1);
	}
	for (size_t i = 0; type != BPF_PROG_TYPE_XDP && i < ARRAY_SIZE(skb_fields); i++) {
		emit(code, 0x61, 1, 6, skb_fields[i].off, 0);
		emit_mix(code, 1);
	}
}

static void emit_run(struct bytecode *code, const struct run *run)
{
	code->count = 0;
	emit(code, 0xbf, 6, 1, 0, 0);
	emit(code, 0xb7, 7, 0, 0, 0);
	for (int i = 0; i < BUFFER; i += 4) {
		uint32_t word;

		memcpy(&word, run->buffer + i, 4);
		emit(code, 0x62, 10, 0, i - BUFFER, (int)word);
	}
	for (int i = 0; i < run->count; i++)
		emit_op(code, &run->ops[i], run->type);
	emit(code, 0xbf, 0, 7, 0, 0);
	emit(code, 0x95, 0, 0, 0, 0);
}

static uint32_t run_here(const struct run *run, struct frame *frame)
{
	struct vm vm = { .ctx = &frame->packet, .packet = &frame->packet, .prog_type = run->type };
	uint8_t buffer[BUFFER];
	uint32_t sum = 0;

	memcpy(buffer, run->buffer, BUFFER);
	frame_load(frame, run->shape, run->shape->test_at_mac, run->in, run->size, PACKET_HEADROOM,
		   true);
	if (!run->shape->skb)
		frame->packet.limit = frame->packet.start + 4096 - 320;
	for (int i = 0; i < run->count; i++) {
		const struct op *op = &run->ops[i];
		uint64_t arg[5];

		for (int a = 0; a < 5; a++)
			arg[a] = op->kind[a] == CONTEXT   ? (uintptr_t)&frame->packet
				 : op->kind[a] == SCRATCH ? (uintptr_t)buffer
							  : op->value[a];
		sum = mix(sum, helper_get(op->helper, run->type, 0)->call(&vm, arg));
		for (int k = 0; op->loads && k < BUFFER; k += 4) {
			uint32_t word;

			memcpy(&word, buffer + k, 4);
			sum = mix(sum, word);
		}
		for (size_t k = 0; run->shape->skb && k < ARRAY_SIZE(skb_fields); k++)
			sum = mix(sum, *(uint32_t *)((char *)&frame->packet + skb_fields[k].member));
	}
	return sum;
}

/* --- packets --- */

static void fill_packet(struct run *run)
{
	static const uint8_t ip4[] = { 0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17, 0x12, 0x34,
				       10, 0, 0, 1, 10, 0, 0, 2 };
	uint32_t type = PICK(0x0800, 0x0800, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x0040);
	uint8_t *p = run->in;

	for (size_t i = 0; i < sizeof(run->in); i++)
		run->in[i] = (uint8_t)any(256);
	for (size_t i = 0; i < BUFFER; i++)
		run->buffer[i] = (uint8_t)any(256);
	run->size = 54 + any(any(4) ? 60 : 400);
	if (any(2))
		memset(p, 0, 6);
	p[12] = (uint8_t)(type >> 8);
	p[13] = (uint8_t)type;
	p += 14;
	while (type == 0x8100 || type == 0x88a8) {
		type = PICK(0x0800, 0x86dd, 0x8100);
		p[2] = (uint8_t)(type >> 8);
		p[3] = (uint8_t)type;
		p += 4;
		if (p > run->in + 30)
			break;
	}
	if (type == 0x0800) {
		memcpy(p, ip4, sizeof(ip4));
		p[1] = (uint8_t)any(256);
	} else if (type == 0x86dd) {
		p[0] = (uint8_t)(0x60 | any(16));
		p[6] = (uint8_t)PICK(6, 17, 58, 0);
	}
}

static void show(const struct run *run, uint32_t ours, uint32_t theirs)
{
	printf("type %u, packet of %u, mixed %x here and %x in the kernel\n  ", run->type, run->size,
	       ours, theirs);
	for (uint32_t i = 0; i < 40; i++)
		printf("%02x", run->in[i]);
	printf("\n");
	for (int i = 0; i < run->count; i++) {
		const struct op *op = &run->ops[i];

		printf("  %s(", helper_by_id(op->helper)->name);
		for (int a = 0; a < 5; a++)
			if (op->kind[a] == NUMBER)
				printf(" %#llx", (unsigned long long)op->value[a]);
			else
				printf(" %s", op->kind[a] == CONTEXT ? "ctx" : "buffer");
		printf(" )\n");
	}
}

/* 1: the same; 0: not. */
static int compare(struct run *run, struct frame *frame)
{
	static uint8_t theirs[32768];
	struct bytecode code;
	uint32_t mixed, size, ours, ours_size;
	const uint8_t *bytes;
	int fd, error;

	emit_run(&code, run);
	fd = bytecode_load(run->type, &code);
	if (fd < 0) {
		printf("the kernel refuses the program: %s\n%s\n", strerror(-fd), bytecode_log);
		show(run, 0, 0);
		return 0;
	}
	size = sizeof(theirs);
	error = bytecode_run(fd, run->in, run->size, theirs, &size, &mixed);
	close(fd);
	if (error < 0) {
		printf("the kernel's test run fails: %s\n", strerror(-error));
		show(run, 0, 0);
		return 0;
	}
	ours = run_here(run, frame);
	bytes = frame->packet.meta;
	ours_size = (uint32_t)(frame->packet.end - frame->packet.meta);
	if (run->shape->skb) {
		bytes = frame->packet.data;
		ours_size = frame->packet.len;
	}
	if (ours == mixed && ours_size == size && memcmp(bytes, theirs, size) == 0)
		return 1;
	show(run, ours, mixed);
	printf("  sizes %u here, %u in the kernel\n", ours_size, size);
	for (uint32_t i = 0; i < size && i < ours_size; i++) {
		if (bytes[i] != theirs[i]) {
			printf("  byte %u is %02x here, %02x in the kernel\n", i, bytes[i], theirs[i]);
			break;
		}
	}
	return 0;
}

/* How many bytes the call may put before the packet. */
static uint64_t growth(const struct op *op)
{
	int32_t count = (int32_t)op->value[1];

	if (op->helper == 18)
		return 4;
	if (op->helper == 31)
		return 20;
	return (op->helper == 43 || op->helper == 50) && count > 0 ? (uint64_t)count : 0;
}

/*
 * When a packet outgrows its headroom, Linux moves it and with it the place of a
 * transport header that was never set; what then happens is an accident, so
 * such a call is the last.
 */
static void choose(struct run *run, int ops)
{
	uint64_t grown = 0;

	memset(run->ops, 0, sizeof(run->ops));
	run->count = ops;
	for (int i = 0; i < run->count; i++) {
		if (!any(12))
			choose_any(&run->ops[i]);
		else if (run->type == BPF_PROG_TYPE_XDP)
			choose_xdp(&run->ops[i], run->size);
		else
			choose_skb(&run->ops[i], run->size);
		grown += growth(&run->ops[i]);
		if (grown > 60)
			run->count = i + 1;
		/* What was cut off shows again in room made later, if it was not moved. */
		if (run->ops[i].helper == 38)
			grown += 40;
	}
}

int main(int argc, char **argv)
{
	uint32_t total = argc > 1 ? (uint32_t)atoi(argv[1]) : 1500, failed = 0;
	struct frame frame;

	if (!bytecode_works())
		return SKIPPED;
	if (frame_init(&frame) < 0)
		return 1;
	for (uint32_t i = 0; i < total && failed < 10; i++) {
		struct run run = { .type = i % 3 ? BPF_PROG_TYPE_SCHED_CLS : BPF_PROG_TYPE_XDP };

		seed = i;
		any(0), any(0);
		run.shape = frame_shape(run.type);
		fill_packet(&run);
		choose(&run, 1 + (int)(i * 10 / (total + 1)) % OPS_MAX);
		if (!compare(&run, &frame)) {
			printf("  (sequence %u)\n", i);
			failed++;
		}
	}
	printf("%u of %u sequences differ\n", failed, total);
	frame_done(&frame);
	return failed != 0;
}
