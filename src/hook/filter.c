/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - classic filters at native speed, without a machine.
 *
 * A filter becomes eBPF of a program type of its own, is verified as any program is, and
 * compiled. Its context is struct cbpf_native_ctx, or the call for seccomp. What
 * neither calls nor uses the stack is a plain C function; the rest is entered as programs are.
 * Of what needs only the packet's bytes there is a loop over packets too: a call for each
 * would take longer than most filters.
 */
#include <skep/cbpf.h>

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdio.h>

#include "cbpf/program.h"
#include "helper/packet.h"
#include "prog/ctx.h"
#include "vm/draft.h"
#include "vm/install.h"

/* --- the program types --- */

#define PLAIN(member)                                                                      \
	FIELD(#member, offsetof(struct cbpf_native_ctx, member), 4, 4, .kind = FIELD_SCALAR, READ)
#define PACKET_POINTER(member, kind_)                                                      \
	FIELD(#member, offsetof(struct cbpf_native_ctx, member), 8, 8, .kind = (kind_), READ)

static const struct ctx_field packet_rows[] = {
	PACKET_POINTER(data, FIELD_PACKET), PACKET_POINTER(data_end, FIELD_PACKET_END),
	PLAIN(len), PLAIN(protocol), PLAIN(type), PLAIN(has_device), PLAIN(ifindex), PLAIN(hatype),
	PLAIN(mark), PLAIN(queue), PLAIN(hash), PLAIN(vlan_tci), PLAIN(vlan_present),
	PLAIN(vlan_tpid), PLAIN(cpu), PLAIN(random), PLAIN(payload),
	FIELDS_END,
};

static const struct ctx_layout packet_layout = { .name = "classic_filter", .fields = packet_rows,
						 .size = sizeof(struct cbpf_native_ctx) };
static const struct ctx_layout call_layout = { .name = "seccomp_data", .plain = true,
					       .size = sizeof(struct skep_cbpf_call) };

static const struct prog_type types[] = {
	[SKEP_CBPF_SOCKET] = { .id = BPF_PROG_TYPE_SOCKET_FILTER, .name = "classic_filter",
			       .ctx = &packet_layout, .any_attach = true, .direct_packet_read = true,
			       .legacy_packet = true },
	[SKEP_CBPF_SECCOMP] = { .id = BPF_PROG_TYPE_SOCKET_FILTER, .name = "seccomp_filter",
				.ctx = &call_layout, .any_attach = true },
};

typedef uint64_t leaf_fn(const void *ctx);
typedef uint64_t loop_fn(const struct skep_cbpf_packet *packets, uint32_t *results, size_t count);

/* Compiled, and this process's copy. */
struct compiled {
	struct code *code;       /* owned; NULL: none */
	uint32_t *at;            /* owned: by instruction of eBPF, where in the code it begins; or NULL */
	uint32_t len;
	const struct installed *home;
};

struct skep_filter {
	struct skep_cbpf_insn *insns; /* owned */
	struct cbpf_code code;   /* these, and the sets */
	struct cbpf_sets sets;   /* owned */
	enum skep_cbpf_use use;
	struct cbpf_program program; /* owned; count 0: interpreted */
	struct compiled one, many; /* for one packet or call; over packets */
	leaf_fn *leaf;           /* the code itself, where it needs no more than its context; or NULL */
	leaf_fn *plain;          /* the same, where that is the packet's bytes only; or NULL */
	loop_fn *loop;           /* or NULL */
};

/* --- opening --- */

/* leaf: called directly, so that no fault in it can be answered for. */
static int compile(struct compiled *compiled, const struct insn *insns, uint32_t len,
		   const struct verified_subprog *subprogs, uint32_t subprog_count,
		   const struct insn_fact *facts, bool leaf)
{
	struct draft draft;
	void *memory = NULL;
	int error = draft_init(&draft, insns, len, subprogs, subprog_count);

	draft.facts = facts;
	if (error == 0)
		error = draft_finish(&draft, true);
	if (error == 0) {
		draft.native.fault_count = leaf ? 0 : draft.native.fault_count;
		memory = calloc(1, draft_size(&draft)); /* aligned to 16, as any memory */
		error = memory ? 0 : -ENOMEM;
	}
	if (error == 0) {
		compiled->code = draft_fill(&draft, memory);
		compiled->home = install_find(compiled->code);
		compiled->at = draft.native.insn_at;
		compiled->len = len;
		draft.native.insn_at = NULL;
	}
	draft_done(&draft);
	return error;
}

static void compiled_done(struct compiled *compiled)
{
	if (compiled->code)
		install_remove(compiled->code);
	free(compiled->code);
	free(compiled->at);
	*compiled = (struct compiled){ 0 };
}

static const void *compiled_entry(const struct compiled *compiled)
{
	if (!compiled->home || !compiled->home->executable)
		return NULL;
	return compiled->home->native + compiled->code->subprogs[0].native_off;
}

static bool is_leaf(const struct skep_filter *filter)
{
	return !filter->program.calls && !filter->program.stack;
}

/* The sets' tables lie where they are: their addresses become numbers. */
static void place_data(const struct skep_filter *filter, const struct cbpf_program *program,
		       struct insn *insns)
{
	for (size_t i = 0; i < program->data_count; i++) {
		struct insn *insn = &insns[program->data[i]];
		uint64_t off = (uint64_t)insn->imm >> 32;

		insn->op = IMM64_VALUE;
		insn->imm = (int64_t)((uintptr_t)filter->sets.data + off);
	}
}

/* That there is no loop is no error: packets are given to the filter one by one. */
static int compile_loop(struct skep_filter *filter)
{
	struct verified_subprog subprog = { 0 };
	struct cbpf_program program;
	struct insn *insns;
	int error = cbpf_convert_loop(&filter->code, &program);

	if (error < 0)
		return error == -EOPNOTSUPP ? 0 : error;
	subprog.end = (uint32_t)program.count;
	insns = calloc(program.count, sizeof(*insns));
	error = insns ? insn_decode_all(program.insns, program.count, insns, &(size_t){ 0 }, NULL)
		      : -ENOMEM;
	if (error == 0) {
		place_data(filter, &program, insns);
		error = compile(&filter->many, insns, subprog.end, &subprog, 1, NULL, true);
	}
	if (error == 0)
		filter->loop = (loop_fn *)(uintptr_t)compiled_entry(&filter->many);
	free(insns);
	cbpf_program_done(&program);
	return error;
}

static int filter_verify(struct skep_filter *filter, const char *name, struct verified *verified,
			 struct skep_diag *diag)
{
	struct skep_verify_result result = { 0 };
	struct map_spec tables = { .name = "sets", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				   .value_size = (uint32_t)filter->sets.size, .max_entries = 1,
				   .flags = BPF_F_RDONLY_PROG };
	const struct map_spec *maps[] = { &tables };
	struct prog_spec spec = { .name = name, .type = &types[filter->use], .license = "GPL",
				  .insns = filter->program.insns,
				  .len = (uint32_t)filter->program.count, .maps = maps,
				  .map_count = filter->sets.size > 0 };
	int error = verify(&spec, &(struct skep_verify_opts){ 0 }, &result, verified, diag);

	if (error == 0)
		error = result.error;
	skep_verify_result_done(&result);
	return error;
}

/* Where a filter cannot be compiled it is interpreted: what the reason is, diag says. */
static int filter_compile(struct skep_filter *filter, const char *name, struct skep_diag *diag)
{
	enum cbpf_target target = filter->use == SKEP_CBPF_SOCKET ? CBPF_TO_NATIVE : CBPF_TO_SECCOMP;
	struct verified verified = { 0 };
	int error = engine_init();

	if (error < 0)
		return skep_report(diag, SKEP_ENGINE_FAULT, NULL, "no fault handler"), error;
	error = cbpf_convert(&filter->code, target, name, &filter->program, diag);
	if (error < 0)
		return error;
	error = filter_verify(filter, name, &verified, diag);
	if (error == 0) {
		place_data(filter, &filter->program, verified.insns);
		error = compile(&filter->one, verified.insns, verified.len, verified.subprogs,
				verified.subprog_count, verified.facts, is_leaf(filter));
		verified_done(&verified);
	}
	if (error == 0 && filter->use == SKEP_CBPF_SOCKET)
		error = compile_loop(filter);
	if (error == -ENOMEM)
		return skep_report(diag, SKEP_OOM, NULL, "filter '%s'", name), error;
	if (error == 0 && !compiled_entry(&filter->one))
		error = skep_fail(diag, SKEP_ENGINE_COMPILE, NULL,
				  "no compiler for this machine, or code may not be mapped");
	return error;
}

static void filter_forget_code(struct skep_filter *filter)
{
	compiled_done(&filter->one);
	compiled_done(&filter->many);
	filter->loop = NULL;
	cbpf_program_done(&filter->program);
}

static int filter_prepare(struct skep_filter *filter, unsigned flags, const char *name,
			  struct skep_diag *diag)
{
	struct skep_diag *quiet = flags & SKEP_FILTER_COMPILE ? diag : NULL;
	int error;

	if (flags & SKEP_FILTER_INTERPRET)
		return 0;
	error = filter_compile(filter, name, quiet);
	if (error == -ENOMEM && !quiet)
		return skep_fail(diag, SKEP_OOM, NULL, "filter '%s'", name);
	if (error < 0) {
		filter_forget_code(filter);
		return quiet || error == -ENOMEM ? error : 0;
	}
	if (is_leaf(filter))
		filter->leaf = (leaf_fn *)(uintptr_t)compiled_entry(&filter->one);
	if (!filter->program.metadata)
		filter->plain = filter->leaf;
	return 0;
}

/* Its own copy. False: no memory; what there is of it is freed with the filter. */
static bool copy_code(struct skep_filter *filter, const struct cbpf_code *code)
{
	filter->insns = malloc(code->count * sizeof(*filter->insns));
	if (!filter->insns)
		return false;
	memcpy(filter->insns, code->insns, code->count * sizeof(*filter->insns));
	filter->code = (struct cbpf_code){ filter->insns, code->count, NULL };
	if (!code->sets)
		return true;
	filter->code.sets = &filter->sets;
	return sets_copy(&filter->sets, code->sets) == 0;
}

static struct skep_filter *filter_open(const struct cbpf_code *code, enum skep_cbpf_use use,
				       unsigned flags, const char *name, struct skep_diag *diag)
{
	struct skep_filter *filter = calloc(1, sizeof(*filter));

	if (!filter || !copy_code(filter, code)) {
		skep_report(diag, SKEP_OOM, NULL, "filter '%s'", name);
		skep_filter_free(filter);
		return NULL;
	}
	filter->use = use;
	if (filter_prepare(filter, flags, name, diag) < 0) {
		skep_filter_free(filter);
		return NULL;
	}
	return filter;
}

struct skep_filter *skep_filter_open(const struct skep_cbpf_insn *insns, size_t count,
				     enum skep_cbpf_use use, unsigned flags, const char *name,
				     struct skep_diag *diag)
{
	struct cbpf_code code = { insns, count, NULL };

	if (skep_cbpf_check(insns, count, use, name, diag) < 0)
		return NULL;
	return filter_open(&code, use, flags, name, diag);
}

struct skep_filter *skep_filter_open_program(const struct skep_cbpf_program *program, unsigned flags,
					     struct skep_diag *diag)
{
	struct cbpf_code code = program_code(program);

	return filter_open(&code, SKEP_CBPF_SOCKET, flags, program->name, diag);
}

void skep_filter_free(struct skep_filter *filter)
{
	if (!filter)
		return;
	filter_forget_code(filter);
	free(filter->insns);
	sets_done(&filter->sets);
	free(filter);
}

/* --- running --- */

static void ctx_metadata(struct cbpf_native_ctx *ctx, const struct skep_cbpf_packet *packet,
			 bool payload)
{
	ctx->protocol = packet->protocol;
	ctx->type = packet->type & 7u;
	ctx->has_device = packet->has_device;
	ctx->ifindex = packet->ifindex;
	ctx->hatype = packet->hatype;
	ctx->mark = packet->mark;
	ctx->queue = packet->queue;
	ctx->hash = packet->hash;
	ctx->vlan_tci = packet->vlan_tci;
	ctx->vlan_present = packet->vlan_present;
	ctx->vlan_tpid = packet->vlan_tpid;
	ctx->cpu = packet->cpu;
	ctx->random = packet->random;
	if (payload)
		ctx->payload = cbpf_payload_offset(packet);
}

/* Entered as programs are: with a stack, and a packet for LD_ABS and LD_IND. */
static __attribute__((noinline)) uint64_t run_entered(const struct skep_filter *filter,
						      const void *ctx, struct packet *packet)
{
	uint8_t stack[INSN_STACK_SIZE] __attribute__((aligned(16)));
	struct vm vm = { .code = filter->one.code, .packet = packet };
	const uint64_t args[5] = { (uint64_t)(uintptr_t)ctx };
	struct run run;
	const struct compiled *one = &filter->one;
	jit_enter_fn *enter = (jit_enter_fn *)(uintptr_t)(one->home->native + one->code->native_enter);

	/* Of the rest, which the interpreter uses, nothing is looked at. */
	run.frame = (struct jit_frame){ .vm = &vm };
	return enter(&run.frame, compiled_entry(one), args, stack + sizeof(stack));
}

static __attribute__((noinline)) uint32_t run_packet_slowly(const struct skep_filter *filter,
							    const struct cbpf_native_ctx *ctx,
							    const struct skep_cbpf_packet *in)
{
	uint8_t *data = (uint8_t *)(uintptr_t)in->data;
	struct packet packet = { .data = data };

	if (!filter->program.calls)
		return (uint32_t)run_entered(filter, ctx, NULL);
	packet.start = data - in->headroom;
	packet.end = data + in->size;
	packet.network = data + in->network;
	packet.mac = in->has_link ? data + in->link : NULL;
	return (uint32_t)run_entered(filter, ctx, &packet);
}

/* The members that every filter may look at. */
static inline void ctx_bytes(struct cbpf_native_ctx *ctx, const struct skep_cbpf_packet *packet)
{
	ctx->data = packet->data;
	ctx->data_end = (const uint8_t *)packet->data + packet->size;
	ctx->len = packet->len ? packet->len : packet->size;
}

static __attribute__((noinline)) uint32_t run_any(const struct skep_filter *filter,
						  const struct skep_cbpf_packet *packet)
{
	struct cbpf_native_ctx ctx;

	if (!filter->one.code)
		return cbpf_run(&filter->code, packet);
	ctx_bytes(&ctx, packet);
	if (filter->program.metadata)
		ctx_metadata(&ctx, packet, filter->program.payload);
	return filter->leaf ? (uint32_t)filter->leaf(&ctx) : run_packet_slowly(filter, &ctx, packet);
}

/* A call costs as much as a small filter: nothing stands between it and the code. */
uint32_t skep_filter_run(const struct skep_filter *filter, const struct skep_cbpf_packet *packet)
{
	struct cbpf_native_ctx ctx;

	if (__builtin_expect(!filter->plain, 0))
		return run_any(filter, packet);
	ctx_bytes(&ctx, packet);
	return (uint32_t)filter->plain(&ctx);
}

size_t skep_filter_run_many(const struct skep_filter *filter,
			    const struct skep_cbpf_packet *packets, size_t count,
			    uint32_t *results)
{
	size_t passed = 0;

	if (filter->loop && count > 0 && !filter->code.sets)
		return filter->loop(packets, results, count);
	if (filter->loop && count > 0) {
		filter->loop(packets, results, count);
		for (size_t i = 0; i < count; i++)
			passed += results[i] != 0;
		return passed;
	}
	for (size_t i = 0; i < count; i++) {
		results[i] = skep_filter_run(filter, &packets[i]);
		passed += results[i] != 0;
	}
	return passed;
}

uint32_t skep_filter_run_call(const struct skep_filter *filter, const struct skep_cbpf_call *call)
{
	if (!filter->one.code)
		return skep_cbpf_run_call(filter->code.insns, filter->code.count, call);
	return (uint32_t)(filter->leaf ? filter->leaf(call) : run_entered(filter, call, NULL));
}

/* --- what it became --- */

const struct skep_insn *skep_filter_ebpf(const struct skep_filter *filter, size_t *count)
{
	*count = filter->program.count;
	return filter->program.insns;
}

const void *skep_filter_native(const struct skep_filter *filter, size_t *size)
{
	*size = 0;
	if (!filter->one.code)
		return NULL;
	*size = filter->one.code->native_size - filter->one.code->subprogs[0].native_off;
	return compiled_entry(&filter->one);
}

/* The filter's instruction whose eBPF became what is at this offset. */
static size_t origin_of(const struct skep_filter *filter, size_t at)
{
	const struct compiled *one = &filter->one;
	uint32_t slot = 0;
	size_t of = SIZE_MAX;

	while (one->at && slot + 1 < one->len && one->at[slot + 1] <= at)
		slot++;
	for (size_t i = 0; one->at && i < filter->code.count; i++) {
		if (filter->program.starts[i] <= slot)
			of = i;
	}
	return of;
}

size_t skep_filter_native_line(const struct skep_filter *filter, size_t offset, char *text,
			       size_t size, size_t *of)
{
	size_t all;
	const uint8_t *bytes = skep_filter_native(filter, &all);
	ZydisDisassembledInstruction line;

	if (!bytes || offset >= all ||
	    ZYAN_FAILED(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64, offset, bytes + offset, all - offset, &line)))
		return 0;
	snprintf(text, size, "%s", line.text);
	*of = origin_of(filter, filter->one.code->subprogs[0].native_off + offset);
	return line.info.length;
}
