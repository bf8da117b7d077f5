/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_run.c - BPF_PROG_TEST_RUN of packet programs: result, packet, context and
 * errors as the running kernel's.
 *
 * A program of each type mixes every context field it may read and some bytes of
 * its packet into its result, and changes what it may. It runs there and here on
 * random packets with random contexts, sizes and flags, also bad ones. In this
 * way the packet's placement, the context tables, the verifier's rewriting and
 * both engines are compared too.
 */
#include <stdlib.h>

#include "base/base.h"
#include "base/fault.h"
#include "bytecode.h"
#include "helper/packet.h"
#include "machine/machine.h"

#define FIELDS(...) (const int[]){ __VA_ARGS__, -1 }
#define SKB_FIELDS 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 84, 164, 176

static const struct kind {
	const char *name;
	uint32_t type;
	const int *read, *write; /* context offsets of 4 bytes */
	bool direct;             /* may read the packet through data and data_end */
	bool bytes;              /* may call bpf_skb_load_bytes() */
	bool one_bit;            /* may return 0 and 1 only */
	uint32_t ctx_size;
} kinds[] = {
	{ "sched_cls", BPF_PROG_TYPE_SCHED_CLS, FIELDS(SKB_FIELDS, 72, 160),
	  FIELDS(8, 32, 44, 48, 64), true, true, false, 192 },
	{ "sched_act", BPF_PROG_TYPE_SCHED_ACT, FIELDS(SKB_FIELDS, 72, 160), FIELDS(8, 52), true,
	  true, false, 192 },
	{ "xdp", BPF_PROG_TYPE_XDP, FIELDS(12, 16), FIELDS(-1), true, false, false, 24 },
	{ "socket_filter", BPF_PROG_TYPE_SOCKET_FILTER, FIELDS(SKB_FIELDS), FIELDS(48, 56), false,
	  true, false, 192 },
	{ "cgroup_skb", BPF_PROG_TYPE_CGROUP_SKB,
	  FIELDS(SKB_FIELDS, 88, 92, 96, 100, 104, 108, 112, 116, 120, 124, 128),
	  FIELDS(8, 32, 48), true, true, true, 192 },
	{ "lwt_in", BPF_PROG_TYPE_LWT_IN, FIELDS(SKB_FIELDS), FIELDS(8, 32, 60), true, true, false,
	  192 },
	{ "lwt_xmit", BPF_PROG_TYPE_LWT_XMIT, FIELDS(SKB_FIELDS), FIELDS(8, 32, 60), true, true,
	  false, 192 },
};

/* r2 = data, r3 = data_end; the byte at off is mixed in where there is one. */
static void emit_byte(struct bytecode *code, bool xdp, int off)
{
	emit(code, 0x61, 2, 6, xdp ? 0 : 76, 0);
	emit(code, 0x61, 3, 6, xdp ? 4 : 80, 0);
	emit(code, 0xbf, 1, 2, 0, 0);
	emit(code, 0x07, 1, 0, 0, off + 1);
	emit(code, 0x2d, 1, 3, 3, 0);
	emit(code, 0x71, 1, 2, off, 0);
	emit_mix(code, 1);
}

static void emit_load_bytes(struct bytecode *code, int off)
{
	emit(code, 0x62, 10, 0, -4, 0x55555555);
	emit(code, 0xbf, 1, 6, 0, 0);
	emit(code, 0xb7, 2, 0, 0, off);
	emit(code, 0xbf, 3, 10, 0, 0);
	emit(code, 0x07, 3, 0, 0, -4);
	emit(code, 0xb7, 4, 0, 0, 4);
	emit(code, 0x85, 0, 0, 0, 26);
	emit_mix(code, 0);
	emit(code, 0x61, 1, 10, -4, 0);
	emit_mix(code, 1);
}

static void emit_sizes(struct bytecode *code, bool xdp)
{
	emit(code, 0x61, 1, 6, xdp ? 4 : 80, 0);
	emit(code, 0x61, 2, 6, xdp ? 0 : 76, 0);
	emit(code, 0x1f, 1, 2, 0, 0);
	emit_mix(code, 1);
	if (!xdp)
		return;
	emit(code, 0x61, 1, 6, 0, 0);
	emit(code, 0x61, 2, 6, 8, 0);
	emit(code, 0x1f, 1, 2, 0, 0);
	emit_mix(code, 1);
	emit(code, 0xbf, 1, 6, 0, 0);
	emit(code, 0x85, 0, 0, 0, 188);
	emit_mix(code, 0);
}

static void emit_program(struct bytecode *code, const struct kind *kind, int change)
{
	bool xdp = kind->type == BPF_PROG_TYPE_XDP;

	code->count = 0;
	emit(code, 0xbf, 6, 1, 0, 0);
	emit(code, 0xb7, 7, 0, 0, 0);
	for (const int *at = kind->read; *at >= 0; at++) {
		emit(code, 0x61, 1, 6, *at, 0);
		emit_mix(code, 1);
	}
	for (int off = 0; kind->bytes && off < 60; off += 13)
		emit_load_bytes(code, off);
	for (int off = 0; kind->direct && off < 60; off += 7)
		emit_byte(code, xdp, off);
	if (kind->direct)
		emit_sizes(code, xdp);
	for (const int *at = kind->write; *at >= 0; at++) {
		emit(code, 0xb7, 1, 0, 0, 1000 + *at);
		emit(code, 0x63, 6, 1, *at, 0);
	}
	if (xdp) {
		emit(code, 0xbf, 1, 6, 0, 0);
		emit(code, 0xb7, 2, 0, 0, change);
		emit(code, 0x85, 0, 0, 0, change & 1 ? 65 : change & 2 ? 44 : 54);
		emit_mix(code, 0);
	} else if (kind->type == BPF_PROG_TYPE_SCHED_CLS) {
		emit(code, 0xbf, 1, 6, 0, 0);
		emit(code, 0xb7, 2, 0, 0, ETHER_8021Q);
		emit(code, 0xb7, 3, 0, 0, change & 0xfff);
		emit(code, 0x85, 0, 0, 0, change & 1 ? 18 : 19);
		emit_mix(code, 0);
	}
	emit(code, 0xbf, 0, 7, 0, 0);
	if (kind->one_bit)
		emit(code, 0x57, 0, 0, 0, 1);
	emit(code, 0x95, 0, 0, 0, 0);
}

/* --- what a run is given and gives --- */

struct given {
	uint8_t data[8192], ctx[256];
	uint32_t size, ctx_size, out_size, ctx_out_size, flags, repeat;
	bool with_ctx, with_out, with_ctx_out;
};

struct outcome {
	int error;
	uint32_t retval, size, ctx_size;
	uint8_t data[8192], ctx[256];
};

static void kernel_outcome(int fd, const struct given *g, struct outcome *o)
{
	struct {
		uint32_t fd, retval, size_in, size_out;
		uint64_t in, out;
		uint32_t repeat, duration, ctx_size_in, ctx_size_out;
		uint64_t ctx_in, ctx_out;
		uint32_t flags, cpu, batch, pad;
	} attr = { .fd = (uint32_t)fd, .size_in = g->size, .in = (uintptr_t)g->data,
		   .repeat = g->repeat, .flags = g->flags };

	if (g->with_out) {
		attr.out = (uintptr_t)o->data;
		attr.size_out = g->out_size;
	}
	if (g->with_ctx) {
		attr.ctx_in = (uintptr_t)g->ctx;
		attr.ctx_size_in = g->ctx_size;
	}
	if (g->with_ctx_out) {
		attr.ctx_out = (uintptr_t)o->ctx;
		attr.ctx_size_out = g->ctx_out_size;
	}
	o->error = (int)sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr));
	o->retval = attr.retval;
	o->size = attr.size_out;
	o->ctx_size = attr.ctx_size_out;
}

static void our_outcome(struct skep_prog *prog, const struct given *g, struct outcome *o,
			struct skep_diag *diag)
{
	struct skep_test_run run = { .data_in = g->data, .data_size_in = g->size,
				     .repeat = g->repeat, .flags = g->flags };

	if (g->with_out) {
		run.data_out = o->data;
		run.data_size_out = g->out_size;
	}
	if (g->with_ctx) {
		run.ctx_in = g->ctx;
		run.ctx_size_in = g->ctx_size;
	}
	if (g->with_ctx_out) {
		run.ctx_out = o->ctx;
		run.ctx_size_out = g->ctx_out_size;
	}
	skep_diag_clear(diag);
	o->error = skep_prog_test_run(prog, &run, diag);
	o->retval = run.retval;
	o->size = (uint32_t)run.data_size_out;
	o->ctx_size = (uint32_t)run.ctx_size_out;
}

/* A packet that looks like one, of any length. */
static void some_packet(struct given *g)
{
	uint32_t type = PICK(0x0800, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x0040);

	for (size_t i = 0; i < 600; i++)
		g->data[i] = (uint8_t)any(256);
	if (any(2))
		memset(g->data, any(3) ? 0 : 0xff, 6);
	g->data[12] = (uint8_t)(type >> 8);
	g->data[13] = (uint8_t)type;
	g->size = any(5) ? 54 + any(500) : PICK(0, 13, 14, 33, 34, 53, 54, 3520, 3521, 3712, 3713, 4096);
}

static void some_skb_ctx(struct given *g)
{
	static const int allowed[] = { 8, 32, 36, 40, 48, 56, 64, 152, 160, 164, 176, 184 };

	for (int n = (int)any(4); n; n--) {
		int at = any(9) ? allowed[any(ARRAY_SIZE(allowed))] : (int)any(48) * 4;
		uint32_t value = at == 40 ? any(2) : at == 160 ? g->size + any(9) : any(100);

		memcpy(g->ctx + at, &value, 4);
	}
}

static void some_xdp_ctx(struct given *g)
{
	uint32_t ctx[6] = { any(3) ? 0 : any(20) * 4, any(9) ? g->size : any(g->size + 2) };

	ctx[2] = any(20) ? 0 : 4;
	ctx[3] = any(8) ? 0 : any(2);
	ctx[4] = any(20) ? 0 : any(3);
	ctx[5] = any(20) ? 0 : 1;
	memcpy(g->ctx, ctx, sizeof(ctx));
}

static void some_given(struct given *g, const struct kind *kind)
{
	memset(g, 0, sizeof(*g));
	some_packet(g);
	g->with_ctx = any(3);
	g->with_out = any(9);
	g->with_ctx_out = any(4);
	g->out_size = any(6) ? sizeof(g->data) : any(200);
	g->ctx_size = any(6) ? kind->ctx_size : any(kind->ctx_size + 20);
	g->ctx_out_size = any(9) ? kind->ctx_size : any(kind->ctx_size + 20);
	g->flags = any(20) ? 0 : PICK(1, 4, 8);
	g->repeat = any(4) ? 1 : any(4);
	if (kind->type == BPF_PROG_TYPE_XDP)
		some_xdp_ctx(g);
	else
		some_skb_ctx(g);
	if (!any(30))
		g->ctx[g->ctx_size ? any(g->ctx_size) : 0] = 1;
}

static bool same(const struct kind *kind, const struct given *g, const struct outcome *a,
		 const struct outcome *b)
{
	const char *what = NULL;
	bool ran = b->error == 0 || b->error == -ENOSPC;

	if (a->error != b->error)
		what = "error";
	else if (ran && a->retval != b->retval)
		what = "result";
	else if (ran && g->with_out && a->size != b->size)
		what = "packet size";
	else if (ran && memcmp(a->data, b->data, sizeof(a->data)) != 0)
		what = "packet";
	else if (b->error == 0 && g->with_ctx_out && a->ctx_size != b->ctx_size)
		what = "context size";
	else if (b->error == 0 && memcmp(a->ctx, b->ctx, sizeof(a->ctx)) != 0)
		what = "context";
	if (!what)
		return true;
	printf("%s: %s differs: error %d here, %d there; result %x, %x; size %u, %u; context %u, %u\n",
	       kind->name, what, a->error, b->error, a->retval, b->retval, a->size, b->size,
	       a->ctx_size, b->ctx_size);
	printf("  in %u%s (%u) out %d (%u) ctx out %d (%u) flags %u repeat %u\n", g->size,
	       g->with_ctx ? " with ctx" : "", g->ctx_size, g->with_out, g->out_size,
	       g->with_ctx_out, g->ctx_out_size, g->flags, g->repeat);
	for (uint32_t i = 0; i < sizeof(a->data); i++)
		if (a->data[i] != b->data[i]) {
			printf("  packet byte %u: %02x here, %02x there\n", i, a->data[i], b->data[i]);
			break;
		}
	for (uint32_t i = 0; i < sizeof(a->ctx); i++)
		if (a->ctx[i] != b->ctx[i]) {
			printf("  context byte %u: %02x here, %02x there\n", i, a->ctx[i], b->ctx[i]);
			break;
		}
	for (uint32_t i = 0; g->with_ctx && i < kind->ctx_size; i += 4) {
		uint32_t value;

		memcpy(&value, g->ctx + i, 4);
		if (value)
			printf("  context in at %u: %u\n", i, value);
	}
	return false;
}

/* --- a program here --- */

static struct skep_prog *load_here(struct skep_machine *machine, const struct kind *kind,
				   struct bytecode *bytecode, struct skep_diag *diag)
{
	struct prog_spec spec = { .name = kind->name, .type = prog_type(kind->type),
				  .insns = (const struct skep_insn *)bytecode->insns,
				  .len = (uint32_t)bytecode->count, .license = "GPL" };
	struct skep_verify_opts opts = { 0 };
	struct skep_verify_result result = { 0 };
	struct verified verified = { 0 };
	struct skep_prog *prog = calloc(1, sizeof(*prog));
	int error;

	if (!prog || verify(&spec, &opts, &result, &verified, diag) < 0 || result.error < 0) {
		printf("%s: the verifier here says: %s\n", kind->name, result.message);
		free(prog);
		return NULL;
	}
	prog->machine = machine;
	prog->type = spec.type;
	prog->name = (char *)kind->name;
	prog->code = code_new(&verified, &spec, NULL, machine->world,
			      machine->engine != SKEP_ENGINE_INTERPRETER, &error, diag);
	verified_done(&verified);
	skep_verify_result_done(&result);
	if (!prog->code) {
		free(prog);
		return NULL;
	}
	return prog;
}

static unsigned compare(struct skep_machine *machine, const struct kind *kind, uint32_t number,
			struct skep_diag *diag)
{
	static struct given given;
	static struct outcome ours, theirs;
	struct bytecode code;
	struct skep_prog *prog;
	unsigned failed = 0;
	int fd;

	seed = number;
	any(0);
	emit_program(&code, kind, (int)any(60) - 30);
	fd = bytecode_load(kind->type, &code);
	if (fd < 0) {
		printf("%s: the kernel refuses the program\n%s\n", kind->name, bytecode_log);
		return 1;
	}
	prog = load_here(machine, kind, &code, diag);
	if (!prog) {
		char *text = skep_diag_text(diag, 0);

		printf("%s: does not load here: %s\n", kind->name, text ? text : "");
		free(text);
		close(fd);
		return 1;
	}
	for (int i = 0; i < 40 && !failed; i++) {
		some_given(&given, kind);
		memset(&ours, 0, sizeof(ours));
		memset(&theirs, 0, sizeof(theirs));
		our_outcome(prog, &given, &ours, diag);
		kernel_outcome(fd, &given, &theirs);
		failed += !same(kind, &given, &ours, &theirs);
	}
	close(fd);
	code_free(prog->code, machine->world);
	free(prog);
	return failed;
}

int main(int argc, char **argv)
{
	uint32_t total = argc > 1 ? (uint32_t)atoi(argv[1]) : 70, failed = 0;
	struct skep_diag *diag = skep_diag_new();

	if (!bytecode_works())
		return SKIPPED;
	for (int engine = SKEP_ENGINE_INTERPRETER; engine <= SKEP_ENGINE_JIT; engine++) {
		struct skep_machine_opts opts = { .engine = (enum skep_engine)engine };
		struct skep_machine *machine = skep_machine_new(&opts, diag);

		if (!machine)
			return 1;
		for (uint32_t i = 0; i < total && failed < 10; i++)
			failed += compare(machine, &kinds[i % ARRAY_SIZE(kinds)], i, diag);
		skep_machine_free(machine);
	}
	printf("%u of %u programs differ\n", failed, 2 * total);
	skep_diag_free(diag);
	return failed != 0;
}
