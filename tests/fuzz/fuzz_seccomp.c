/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_seccomp.c - any bytes as a policy, in JSON or in text. What is read is compiled, and
 * what the filter does to calls is what its rules say, one after the other.
 */
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "cbpf/seccomp.h"
#include "cli/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool holds(const struct skep_seccomp_test *test, uint64_t arg)
{
	arg &= test->mask;
	switch ((enum skep_seccomp_op)test->op) {
	case SKEP_SECCOMP_EQ: return arg == test->value;
	case SKEP_SECCOMP_NE: return arg != test->value;
	case SKEP_SECCOMP_LT: return arg < test->value;
	case SKEP_SECCOMP_LE: return arg <= test->value;
	case SKEP_SECCOMP_GT: return arg > test->value;
	case SKEP_SECCOMP_GE: return arg >= test->value;
	}
	abort();
}

static bool matches(const struct seccomp_rule *rule, const struct skep_cbpf_call *call)
{
	if (rule->nr != (uint32_t)call->nr)
		return false;
	for (size_t i = 0; i < rule->test_count; i++) {
		if (!holds(&rule->tests[i], call->args[rule->tests[i].arg]))
			return false;
	}
	return true;
}

/* The first rule that matches decides. */
static uint32_t by_rules(const struct skep_seccomp *policy, const struct skep_cbpf_call *call,
			 enum skep_seccomp_arch arch)
{
	const struct seccomp_rule *rules = policy->rules.items;

	if (!skep_seccomp_has_arch(policy, arch))
		return policy->foreign;
	for (size_t i = 0; i < policy->rules.count; i++) {
		if (rules[i].arch == arch && matches(&rules[i], call))
			return rules[i].action;
	}
	return policy->normal;
}

static void compare(const struct skep_seccomp *policy, const struct skep_cbpf_insn *insns, size_t count,
		    enum skep_seccomp_arch arch, uint32_t nr, uint64_t arg)
{
	struct skep_cbpf_call call = { .nr = (int32_t)nr, .arch = skep_arch_audit(arch),
				       .args = { arg, arg, arg, arg, arg, arg } };
	bool x32 = nr >= SKEP_X32_BIT && nr != UINT32_MAX;

	/* these two share a number: it says which */
	if ((arch == SKEP_ARCH_X32 && !x32) || (arch == SKEP_ARCH_X86_64 && x32))
		return;
	if (skep_cbpf_run_call(insns, count, &call) != by_rules(policy, &call, arch))
		abort();
}

static void try_calls(const struct skep_seccomp *policy, const struct skep_cbpf_insn *insns, size_t count)
{
	for (size_t i = 0; i < policy->rules.count && i < 200; i++) {
		const struct seccomp_rule *rule = &policy->rules.items[i];
		uint64_t value = rule->test_count ? rule->tests[0].value : 0;

		for (int off = -1; off <= 1; off++) {
			compare(policy, insns, count, (enum skep_seccomp_arch)rule->arch, rule->nr, value + (uint64_t)off);
			compare(policy, insns, count, (enum skep_seccomp_arch)rule->arch, rule->nr + (uint32_t)off, value);
		}
	}
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		for (uint32_t nr = 0; nr < 480; nr += 7)
			compare(policy, insns, count, (enum skep_seccomp_arch)arch, arch == SKEP_ARCH_X32 ? nr | SKEP_X32_BIT : nr, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *caps[] = { "CAP_SYS_ADMIN", "CAP_BPF" };
	struct seccomp_host host = { .caps = { caps, size & 1 ? 2 : 0 }, .kernel = size & 2 ? "4.9" : NULL };
	struct skep_diag *diag = skep_diag_new();
	struct skep_seccomp *policy = skep_seccomp_new();
	struct skep_cbpf_insn *insns = NULL;
	char *text = calloc(1, size + 1);
	size_t count = 0;
	int error;

	if (!diag || !policy || !text)
		abort();
	memcpy(text, data, size);
	if (seccomp_is_profile(text))
		error = seccomp_read_profile(policy, text, "fuzz", &host, diag);
	else
		error = skep_seccomp_read(policy, (const char *)data, size, "fuzz", diag);
	if (error == 0)
		error = skep_seccomp_compile(policy, "fuzz", &insns, &count, diag);
	if ((error < 0) != (skep_diag_count(diag) > 0))
		abort();
	if (error == 0 && skep_cbpf_check(insns, count, SKEP_CBPF_SECCOMP, "fuzz", NULL) < 0)
		abort();
	if (error == 0)
		try_calls(policy, insns, count);
	free(insns);
	free(text);
	skep_seccomp_free(policy);
	skep_diag_free(diag);
	return 0;
}
