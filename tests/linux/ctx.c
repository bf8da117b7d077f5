/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx.c - are the program tables the running kernel's?
 *
 * For every program type that loads without kernel BTF: each expected attach
 * type, each access (offset, size, load or store) to the context, what kind of
 * register a load gives, and each small return value. Prints what differs and
 * fails, or skips where the kernel does not answer.
 */
#include <stdio.h>

#include "isa/abi.h"
#include "kernel.h"
#include "prog/prog.h"

static unsigned asked, differ;

static void difference(const struct prog_type *type, uint32_t attach, const char *what, int a,
		       int b, bool kernel)
{
	printf("%s/%s: %s %d (%d): kernel %s, Skep %s\n", type->name, attach_type_name(attach),
	       what, a, b, kernel ? "allows" : "refuses", kernel ? "refuses" : "allows");
	differ++;
}

/* Later than the running kernel may be: Skep follows the later one. */
static bool is_newer(const struct prog_type *type, uint32_t attach, bool write)
{
	return (type->id == BPF_PROG_TYPE_KPROBE && write) || attach > BPF_TRACE_UPROBE_SESSION;
}

static uint32_t flags_for(const struct prog_type *type)
{
	return type->id == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0;
}

/* A value the type may return. */
static int good_return(const struct prog_type *type, uint32_t attach)
{
	return type->returns ? (int)type->returns(attach).min : 0;
}

static bool kernel_accesses(const struct prog_type *type, uint32_t attach, int off, unsigned log2,
			    bool write)
{
	static const uint8_t load[] = { 0x71, 0x69, 0x61, 0x79 };
	static const uint8_t store[] = { 0x72, 0x6a, 0x62, 0x7a };
	struct skep_insn insns[] = {
		{ .code = write ? store[log2] : load[log2], .dst = write ? 1 : 0,
		  .src = write ? 0 : 1, .off = (int16_t)off },
		{ .code = 0xb7, .imm = good_return(type, attach) },
		{ .code = 0x95 },
	};

	asked++;
	return kernel_load(type->id, attach, flags_for(type), insns, 3) == 0;
}

/* Only a number may be multiplied. */
static bool kernel_gives_number(const struct prog_type *type, uint32_t attach, int off,
				unsigned log2)
{
	static const uint8_t load[] = { 0x71, 0x69, 0x61, 0x79 };
	struct skep_insn insns[] = {
		{ .code = load[log2], .dst = 0, .src = 1, .off = (int16_t)off },
		{ .code = 0x27, .dst = 0, .imm = 3 },
		{ .code = 0xb7, .imm = good_return(type, attach) },
		{ .code = 0x95 },
	};

	asked++;
	return kernel_load(type->id, attach, flags_for(type), insns, 4) == 0;
}

static void compare_access(const struct prog_type *type, uint32_t attach, int off, unsigned log2,
			   bool write)
{
	const struct ctx_field *field = NULL;
	bool ours = ctx_access(type->ctx, off, 1u << log2, write, attach, &field);
	bool kernel = kernel_accesses(type, attach, off, log2, write);
	bool number;

	/* The kernel lets tracepoints read before their record, by mistake; Skep does not. */
	if (off < 0 && type->id == BPF_PROG_TYPE_TRACEPOINT)
		kernel = false;
	if (ours != kernel && !(ours && is_newer(type, attach, write)))
		difference(type, attach, write ? "store to" : "load from", off, 1 << log2, kernel);
	if (!ours || !kernel || write)
		return;
	number = !field || field->kind == FIELD_SCALAR;
	if (number != kernel_gives_number(type, attach, off, log2))
		difference(type, attach, "number at", off, 1 << log2, !number);
}

static void compare_ctx(const struct prog_type *type, uint32_t attach)
{
	uint32_t size = type->ctx->size;
	/* Long plain contexts: their first and last parts. */
	int head = size > 400 ? 64 : (int)size + 8;

	for (unsigned log2 = 0; log2 < 4; log2++) {
		for (int off = -8; off < head; off++) {
			compare_access(type, attach, off, log2, false);
			compare_access(type, attach, off, log2, true);
		}
		for (int off = (int)size - 8; size > 400 && off < (int)size + 8 && off < 32768; off++)
			compare_access(type, attach, off, log2, false);
	}
}

static void compare_returns(const struct prog_type *type, uint32_t attach)
{
	struct return_range range = { 0 };

	if (type->returns)
		range = type->returns(attach);
	for (int value = -5; value < 6; value++) {
		struct skep_insn insns[] = { { .code = 0xb7, .imm = value }, { .code = 0x95 } };
		bool ours = !range.checked || (value >= range.min && value <= range.max);
		bool kernel = kernel_load(type->id, attach, flags_for(type), insns, 2) == 0;

		asked++;
		if (ours != kernel)
			difference(type, attach, "return of", value, 0, kernel);
	}
}

static void compare_type(const struct prog_type *type)
{
	bool one_done = false;

	for (uint32_t attach = 0; attach < __MAX_BPF_ATTACH_TYPE; attach++) {
		struct skep_insn insns[] = {
			{ .code = 0xb7, .imm = good_return(type, attach) }, { .code = 0x95 },
		};
		bool kernel = kernel_load(type->id, attach, flags_for(type), insns, 2) == 0;

		asked++;
		if (kernel != prog_type_attaches(type, attach) && !is_newer(type, attach, false))
			difference(type, attach, "load at", (int)attach, 0, kernel);
		/* Where loading does not look at it, all but a few are alike. */
		if (!kernel || (type->any_attach && one_done && attach != BPF_XDP_DEVMAP &&
				attach != BPF_TRACE_KPROBE_SESSION))
			continue;
		one_done = true;
		compare_returns(type, attach);
		compare_ctx(type, attach);
	}
}

int main(void)
{
	if (!kernel_answers()) {
		printf("SKIPPED: the running kernel loads no programs for this user\n");
		return SKIPPED;
	}
	for (uint32_t id = 1; id < __MAX_BPF_PROG_TYPE; id++) {
		const struct prog_type *type = prog_type(id);

		/* BTF decides for these; lirc needs hardware support in the kernel. */
		if (!type->ctx->btf_args && id != BPF_PROG_TYPE_LIRC_MODE2)
			compare_type(type);
	}
	printf("%u questions, %u different answers\n", asked, differ);
	return differ ? 1 : 0;
}
