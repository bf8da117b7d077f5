/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_calls.c - skep seccomp explain and diff: filters by system call.
 *
 * Each number that some architecture uses is looked at by itself, the others together, and all
 * other architectures together, so that no call is left out.
 */
#include "cli/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 600u /* above all calls that there are, also those that x32 has from 512 on */

struct args {
	struct seccomp_host host;
	uint64_t pid;
	bool all, json;
};

/* --- the calls, one after the other --- */

struct each {
	int arch;                /* SKEP_ARCH_COUNT: all others */
	uint32_t nr;             /* without x32's bit; NUMBERS: the others of this architecture; one
				  * more: what a tracer makes of a call that it skips */
};

static bool next_calls(struct each *each, struct skep_seccomp_calls *calls)
{
	uint32_t bit = each->arch == SKEP_ARCH_X32 ? SKEP_X32_BIT : 0;

	if (each->arch > SKEP_ARCH_COUNT)
		return false;
	*calls = (struct skep_seccomp_calls){ .other_archs = each->arch == SKEP_ARCH_COUNT };
	if (calls->other_archs) {
		each->arch++;
		return true;
	}
	calls->audit = skep_arch_audit((enum skep_seccomp_arch)each->arch);
	calls->low = bit | each->nr;
	calls->high = each->arch == SKEP_ARCH_X86_64 ? SKEP_X32_BIT - 1 : UINT32_MAX - 1;
	calls->other_numbers = each->nr == NUMBERS;
	if (each->nr > NUMBERS)
		calls->low = UINT32_MAX;
	/* x32 has its number -1 in common with x86_64 */
	if (each->nr++ == (each->arch == SKEP_ARCH_X32 ? NUMBERS : NUMBERS + 1)) {
		each->nr = 0;
		each->arch++;
	}
	return true;
}

static void name_calls(const struct skep_seccomp_calls *calls, int arch, char *text, size_t size)
{
	if (calls->other_archs)
		snprintf(text, size, "(any)");
	else if (calls->other_numbers)
		snprintf(text, size, "(others)");
	else if (calls->low == UINT32_MAX)
		snprintf(text, size, "(-1)");
	else
		seccomp_call_name((enum skep_seccomp_arch)arch, calls->low, text, size);
}

static const char *name_arch(int arch)
{
	return arch == SKEP_ARCH_COUNT ? "(others)" : skep_arch_name((enum skep_seccomp_arch)arch);
}

static bool wants_arch(const struct args *args, int arch)
{
	for (size_t i = 0; i < args->host.archs.count; i++) {
		if (skep_arch_find(args->host.archs.items[i]) == arch)
			return true;
	}
	return args->host.archs.count == 0;
}

static bool archs_known(const struct args *args, struct skep_diag *diag)
{
	for (size_t i = 0; i < args->host.archs.count; i++) {
		if (skep_arch_find(args->host.archs.items[i]) < 0) {
			skep_report(diag, SKEP_ARG, NULL, "there is no architecture '%s': x86_64, x86, x32 or aarch64",
				    args->host.archs.items[i]);
			return false;
		}
	}
	return true;
}

/* --- explain --- */

static int explain_calls(const struct seccomp_code *code, const struct skep_seccomp_calls *calls,
			 struct skep_text *text, struct skep_diag *diag)
{
	int error = skep_seccomp_explain(code->insns, code->count, calls, text);

	if (error == -E2BIG) {
		free(text->data);
		*text = (struct skep_text){ .data = strdup("more ways than can be told") };
		error = text->data ? 0 : -ENOMEM;
	}
	return error ? skep_report(diag, SKEP_OOM, NULL, "explaining a filter") : 0;
}

static void print_row(const struct args *args, struct table *table, const char *arch, const char *call,
		      const char *says)
{
	struct json json;

	if (!args->json) {
		table_add(table, "%s", arch);
		table_add(table, "%s", call);
		table_add(table, "%s", says);
		return;
	}
	json_begin(&json, stdout);
	json_text(&json, "arch", arch);
	json_text(&json, "call", call);
	json_text(&json, "decision", says);
	json_end(&json);
}

/* What most calls of an architecture get is said once: of others, or of all without a name. */
static int explain_arch(const struct args *args, const struct seccomp_code *code, int arch,
			struct table *table, struct skep_diag *diag)
{
	struct each others = { arch, arch < SKEP_ARCH_COUNT ? NUMBERS : 0 }, each = { arch, 0 };
	struct skep_text usual = { 0 };
	struct skep_seccomp_calls calls;
	int error;

	next_calls(&others, &calls);
	error = explain_calls(code, &calls, &usual, diag);
	while (error == 0 && each.arch == arch && next_calls(&each, &calls)) {
		struct skep_text says = { 0 };
		char name[64];

		error = explain_calls(code, &calls, &says, diag);
		name_calls(&calls, arch, name, sizeof(name));
		if (error == 0 && (calls.other_numbers || calls.other_archs || strcmp(says.data, usual.data) != 0 ||
				   (args->all && skep_syscall_name((enum skep_seccomp_arch)arch, calls.low))))
			print_row(args, table, name_arch(arch), name, says.data);
		free(says.data);
	}
	free(usual.data);
	return error;
}

static bool explain_filter(const struct args *args, const struct seccomp_code *code, struct skep_diag *diag)
{
	static const char *const heads[] = { "ARCH", "CALL", "DECISION" };
	struct table table;
	bool good = true;

	table_init(&table, heads, COUNT(heads), 0);
	for (int arch = 0; good && arch <= SKEP_ARCH_COUNT; arch++) {
		if (wants_arch(args, arch))
			good = explain_arch(args, code, arch, &table, diag) == 0;
	}
	if (good && !args->json)
		table_print(&table, stdout);
	table_done(&table);
	return good;
}

static int run_explain(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct seccomp_host host = args->host;
	struct seccomp_stack stack = { 0 };
	struct skep_diag *diag;
	bool good;

	if (argc != (args->pid ? 0 : 1))
		return usage(verb, "one policy or filter, or --pid, please");
	host.archs = (struct list){ 0 }; /* which are shown, not which the policy is for */
	diag = skep_diag_new();
	good = archs_known(args, diag) && seccomp_load_stack(argv[0], args->pid, &host, &stack, diag);
	if (good && !stack.count)
		printf("process %llu has no seccomp filter\n", (unsigned long long)args->pid);
	for (size_t i = 0; i < stack.count && good; i++) {
		if (args->pid && !args->json)
			seccomp_stack_head(&stack, i, stdout);
		good = explain_filter(args, &stack.filters[i].code, diag);
	}
	seccomp_stack_done(&stack);
	if (!good)
		report(diag, args->json);
	skep_diag_free(diag);
	return good ? EXIT_DONE : EXIT_REJECTED;
}

static const struct opt explain_opts[] = {
	OPT(OPT_NUMBER, 'p', "pid", pid, "PID", "the filters of a running process or thread, one after the other"),
	OPT(OPT_LIST, 'a', "arch", host.archs, "ARCH", "show only x86_64, x86, x32 or aarch64 (repeatable)"),
	OPT(OPT_LIST, 'C', "cap", host.caps, "CAP", "a capability that the container has (repeatable; JSON)"),
	OPT(OPT_TEXT, 'k', "kernel", host.kernel, "X.Y", "the host's kernel (JSON; default: the newest)"),
	OPT(OPT_FLAG, 'A', "all", all, NULL, "also calls that are treated as those without a name"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per call"),
	{ 0 },
};

const struct verb verb_seccomp_explain = {
	.name = "seccomp explain",
	.operands = "[POLICY]",
	.summary = "Say what a policy or filter does, system call by system call",
	.detail =
		"Every way through the filter is followed. A call that is not listed is treated as\n"
		"(others) of its architecture. With --pid, each filter of a running process is told,\n"
		"the newest first: of their answers the strictest counts.",
	.example = "  skep seccomp explain --arch x86_64 docker.json",
	.opts = explain_opts,
	.args_size = sizeof(struct args),
	.run = run_explain,
};

/* --- diff --- */

struct diff {
	const struct args *args;
	struct seccomp_code codes[2];
	unsigned differ, unknown;
};

static void print_call(const struct skep_cbpf_call *call, const char *name)
{
	printf("%s(", name);
	for (int i = 0; i < 6; i++)
		printf("%s%#llx", i ? ", " : "", (unsigned long long)call->args[i]);
	printf(")");
}

static void print_difference(const struct diff *diff, const char *arch, const char *name,
			     const struct skep_cbpf_call *call)
{
	char actions[2][32], where[96];
	struct json json;

	for (int i = 0; i < 2; i++)
		skep_seccomp_action_text(skep_cbpf_run_call(diff->codes[i].insns, diff->codes[i].count, call),
					 actions[i], sizeof(actions[i]));
	snprintf(where, sizeof(where), "%s %s", arch, name);
	if (diff->args->json) {
		json_begin(&json, stdout);
		json_text(&json, "arch", arch);
		json_text(&json, "call", name);
		json_uint(&json, "number", (uint32_t)call->nr);
		json_open(&json, "args", '[');
		for (int i = 0; i < 6; i++)
			printf("%s%llu", i ? "," : "", (unsigned long long)call->args[i]);
		json_close(&json, ']');
		json_text(&json, "first", actions[0]);
		json_text(&json, "second", actions[1]);
		json_end(&json);
		return;
	}
	printf("%-32s %s, then %s: of ", where, actions[0], actions[1]);
	print_call(call, name);
	printf("\n");
}

static void print_unknown(const struct diff *diff, const char *arch, const char *name)
{
	struct json json;

	if (!diff->args->json) {
		printf("%s %s: unknown, it cannot be followed\n", arch, name);
		return;
	}
	json_begin(&json, stdout);
	json_text(&json, "arch", arch);
	json_text(&json, "call", name);
	json_bool(&json, "unknown", true);
	json_end(&json);
}

static bool compare_calls(struct diff *diff, const struct skep_seccomp_calls *calls, int arch,
			  struct skep_diag *diag)
{
	struct skep_cbpf_call call = { 0 };
	int verdict = skep_seccomp_compare(diff->codes[0].insns, diff->codes[0].count, diff->codes[1].insns,
					   diff->codes[1].count, calls, &call);
	char name[64];

	name_calls(calls, arch, name, sizeof(name));
	if (verdict == SKEP_CBPF_DIFFER) {
		diff->differ++;
		print_difference(diff, name_arch(arch), name, &call);
	} else if (verdict == SKEP_CBPF_UNKNOWN) {
		diff->unknown++;
		print_unknown(diff, name_arch(arch), name);
	} else if (verdict < 0) {
		skep_report(diag, SKEP_OOM, NULL, "comparing two filters");
	}
	return verdict >= 0;
}

static int run_diff(const struct verb *verb, void *arg, int argc, char **argv)
{
	struct diff diff = { .args = arg };
	struct seccomp_host host = diff.args->host;
	struct skep_seccomp_calls calls;
	struct each each = { 0 };
	struct skep_diag *diag;
	bool good;

	if (argc != 2)
		return usage(verb, "two policies or filters, please");
	host.archs = (struct list){ 0 };
	diag = skep_diag_new();
	good = archs_known(diff.args, diag) && seccomp_load(argv[0], &host, &diff.codes[0], diag) &&
	       seccomp_load(argv[1], &host, &diff.codes[1], diag);
	for (int arch = 0; good && next_calls(&each, &calls); arch = each.arch) {
		if (wants_arch(diff.args, arch))
			good = compare_calls(&diff, &calls, arch, diag);
	}
	if (good && !diff.args->json && !diff.differ && !diff.unknown)
		printf("equal: every call is treated the same\n");
	free(diff.codes[0].insns);
	free(diff.codes[1].insns);
	if (!good)
		report(diag, diff.args->json);
	skep_diag_free(diag);
	return good && !diff.differ && !diff.unknown ? EXIT_DONE : EXIT_REJECTED;
}

static const struct opt diff_opts[] = {
	OPT(OPT_LIST, 'a', "arch", host.archs, "ARCH", "show only x86_64, x86, x32 or aarch64 (repeatable)"),
	OPT(OPT_LIST, 'C', "cap", host.caps, "CAP", "a capability that the container has (repeatable; JSON)"),
	OPT(OPT_TEXT, 'k', "kernel", host.kernel, "X.Y", "the host's kernel (JSON; default: the newest)"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per difference"),
	{ 0 },
};

const struct verb verb_seccomp_diff = {
	.name = "seccomp diff",
	.operands = "POLICY POLICY",
	.summary = "Show which system calls two policies or filters treat differently",
	.detail =
		"For each, a call with arguments on which they differ, which both were run on; where\n"
		"none is shown, there is none: every way through both filters was followed. Exit\n"
		"status 1 if they differ, or if something could not be followed.",
	.example = "  skep seccomp diff docker.json mine.json",
	.opts = diff_opts,
	.args_size = sizeof(struct args),
	.run = run_diff,
};
