/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * helpers.c - may the running kernel's programs call what Skep's may?
 *
 * For every program type that loads without kernel BTF, each of its attach
 * types and every helper: a program that calls the helper with no arguments set
 * up. The kernel refuses it for its arguments, or because programs of this type
 * may not call it; that is compared with the helpers' table.
 */
#include <stdio.h>

#include "helper/helper.h"
#include "isa/abi.h"
#include "kernel.h"
#include "prog/prog.h"

/* Kernels are built, or locked down, without these. */
static int is_optional(uint32_t id)
{
	return id == 36 || id == 58; /* probe_write_user, override_return */
}

/* The kernel's own answer, from its log. */
static int kernel_allows(const struct prog_type *type, uint32_t attach, uint32_t id)
{
	const struct skep_insn insns[] = {
		{ .code = 0x85, .imm = (int32_t)id }, { .code = 0xb7, .imm = 0 }, { .code = 0x95 },
	};
	uint32_t flags = type->id == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0;

	kernel_load(type->id, attach, flags, insns, 3);
	return !strstr(kernel_log, "program of this type cannot use helper") &&
	       !strstr(kernel_log, "unknown func") && !strstr(kernel_log, "invalid func");
}

static unsigned compare(const struct prog_type *type, uint32_t attach)
{
	unsigned differ = 0;

	for (uint32_t id = 1; id < HELPER_ID_MAX; id++) {
		int kernel = kernel_allows(type, attach, id);
		int ours = helper_get(id, type->id, attach) != NULL;

		if (kernel == ours || (!kernel && is_optional(id)))
			continue;
		printf("%s/%s: helper %u (%s): kernel %s\n", type->name, attach_type_name(attach), id,
		       helper_by_id(id) ? helper_by_id(id)->name : "unknown",
		       kernel ? "allows" : "refuses");
		differ++;
	}
	return differ;
}

int main(void)
{
	unsigned differ = 0;

	if (!kernel_answers()) {
		printf("SKIPPED: the running kernel loads no programs for this user\n");
		return SKIPPED;
	}
	for (uint32_t id = 1; id < __MAX_BPF_PROG_TYPE; id++) {
		const struct prog_type *type = prog_type(id);

		if (type->ctx->btf_args || id == BPF_PROG_TYPE_LIRC_MODE2)
			continue;
		if (type->attach[0] == ATTACH_END)
			differ += compare(type, 0);
		for (const uint8_t *at = type->attach; *at != ATTACH_END; at++)
			differ += compare(type, *at);
	}
	printf("%u different answers\n", differ);
	return differ ? 1 : 0;
}
