/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp.c - a policy on system calls: its parts as they are added. */
#include "cbpf/seccomp.h"
#include "cbpf/syscall.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

struct skep_seccomp *skep_seccomp_new(void)
{
	struct skep_seccomp *policy = calloc(1, sizeof(*policy));

	if (policy) {
		policy->normal = SECCOMP_RET_KILL_PROCESS;
		policy->foreign = SECCOMP_RET_KILL_PROCESS;
	}
	return policy;
}

void skep_seccomp_free(struct skep_seccomp *policy)
{
	if (!policy)
		return;
	vec_done(&policy->rules);
	free(policy);
}

void skep_seccomp_set_default(struct skep_seccomp *policy, uint32_t action)
{
	policy->normal = action;
}

void skep_seccomp_set_foreign(struct skep_seccomp *policy, uint32_t action)
{
	policy->foreign = action;
}

void skep_seccomp_add_arch(struct skep_seccomp *policy, enum skep_seccomp_arch arch)
{
	policy->archs |= 1u << arch;
}

bool skep_seccomp_has_arch(const struct skep_seccomp *policy, enum skep_seccomp_arch arch)
{
	return policy->archs >> arch & 1;
}

/* Registers of these hold 32 bits that count: the halves above are not looked at. */
static bool is_32_bit(enum skep_seccomp_arch arch)
{
	return arch == SKEP_ARCH_X86 || arch == SKEP_ARCH_X32;
}

/* x86_64 and x32 share their numbers: those with a bit, and not -1, are x32's. */
static bool is_of(enum skep_seccomp_arch arch, uint32_t nr)
{
	bool x32 = nr >= SKEP_X32_BIT && nr != UINT32_MAX;

	return (arch != SKEP_ARCH_X32 || x32) && (arch != SKEP_ARCH_X86_64 || !x32);
}

int skep_seccomp_add_rule(struct skep_seccomp *policy, enum skep_seccomp_arch arch,
			  const char *call, uint32_t action, const struct skep_seccomp_test *tests,
			  size_t count, struct skep_diag *diag)
{
	int64_t nr = skep_syscall_number(arch, call);
	struct seccomp_rule *rule;

	if (count > SKEP_SECCOMP_TESTS)
		return skep_report(diag, SKEP_ARG, NULL, "a rule for %s has %zu tests, and at most %u are possible",
				   call, count, SKEP_SECCOMP_TESTS);
	for (size_t i = 0; i < count; i++) {
		if (tests[i].arg > 5)
			return skep_report(diag, SKEP_ARG, NULL, "a rule for %s tests argument %u, and the last is 5",
					   call, tests[i].arg);
	}
	if (nr < 0 || !is_of(arch, (uint32_t)nr))
		return 0;
	rule = vec_push(&policy->rules);
	if (!rule)
		return skep_report(diag, SKEP_OOM, NULL, "a rule for %s", call);
	*rule = (struct seccomp_rule){ .nr = (uint32_t)nr, .action = action, .arch = (uint8_t)arch,
				       .test_count = (uint8_t)count, .order = (uint32_t)policy->rules.count,
				       .line = policy->line, .named = policy->named };
	for (size_t i = 0; i < count; i++) {
		rule->tests[i] = tests[i];
		if (is_32_bit(arch)) {
			rule->tests[i].mask = (uint32_t)tests[i].mask;
			rule->tests[i].value = (uint32_t)tests[i].value;
		}
	}
	return 0;
}

int skep_seccomp_add_multiplexed(struct skep_seccomp *policy, const char *call, uint32_t action,
				 struct skep_diag *diag)
{
	struct skep_seccomp_test test;
	const char *by = syscall_multiplexer(call, &test);

	/* the upper half of ipc's number is a version: what is refused is refused in every version */
	if (by && strcmp(by, "ipc") == 0 && action != SECCOMP_RET_ALLOW)
		test.mask = UINT16_MAX;
	if (!by || !skep_seccomp_has_arch(policy, SKEP_ARCH_X86))
		return 0;
	return skep_seccomp_add_rule(policy, SKEP_ARCH_X86, by, action, &test, 1, diag);
}

/* --- rules that never decide --- */

static bool has_test(const struct seccomp_rule *rule, const struct skep_seccomp_test *test)
{
	for (size_t i = 0; i < rule->test_count; i++) {
		const struct skep_seccomp_test *own = &rule->tests[i];

		if (own->arg == test->arg && own->op == test->op && own->mask == test->mask && own->value == test->value)
			return true;
	}
	return false;
}

/* The rule before this one that matches whatever this one matches; NULL: there is none. */
static const struct seccomp_rule *taken_by(const struct skep_seccomp *policy, size_t index)
{
	const struct seccomp_rule *rule = &policy->rules.items[index];

	for (size_t i = 0; i < index; i++) {
		const struct seccomp_rule *before = &policy->rules.items[i];
		bool all = before->arch == rule->arch && before->nr == rule->nr;

		for (size_t j = 0; j < before->test_count && all; j++)
			all = has_test(rule, &before->tests[j]);
		if (all)
			return before;
	}
	return NULL;
}

/* Of a line of groups it is meant that single calls have been decided, not that all have. */
static bool line_decides(const struct skep_seccomp *policy, uint32_t line)
{
	for (size_t i = 0; i < policy->rules.count; i++) {
		if (policy->rules.items[i].line == line && !taken_by(policy, i))
			return true;
	}
	return false;
}

bool skep_seccomp_unreached(const struct skep_seccomp *policy, size_t *from,
			    struct skep_seccomp_unreached *out)
{
	for (; *from < policy->rules.count; ++*from) {
		const struct seccomp_rule *rule = &policy->rules.items[*from], *before = NULL;

		/* the same line on a further architecture, or for a further call of a group, is the same mistake */
		if (rule->line && !(out->line == rule->line && (!rule->named || out->nr == rule->nr)))
			before = taken_by(policy, *from);
		if (!before || before->action == rule->action || before->line == rule->line || !before->line)
			continue;
		if (out->line == rule->line && out->named && strcmp(out->call, skep_syscall_name(rule->arch, rule->nr) ?: "") == 0)
			continue;
		if (!rule->named && line_decides(policy, rule->line))
			continue;
		*out = (struct skep_seccomp_unreached){ rule->line, before->line, rule->action, before->action, rule->nr,
							skep_syscall_name(rule->arch, rule->nr) ?: "the call", rule->named };
		++*from;
		return true;
	}
	return false;
}
