/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libseccomp.c - the same policies by Skep and by libseccomp: what both filters do to every
 * system call of every architecture, how large they are, and how many steps a call takes.
 *
 *   libseccomp [-n PROFILES] [-s SEED] [-d POLICY] [-v]
 *
 * Policies are each group of system calls as a list of what is allowed and of what is
 * refused, and random ones: a few calls, many, with and without tests of arguments. Exit status 77:
 * there is no libseccomp.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "cbpf/seccomp.h"
#include "cbpf/syscall.h"

/* --- libseccomp's side --- */

struct scmp_test {
	unsigned arg;
	int op;
	uint64_t a, b;
};

static struct {
	void *(*init)(uint32_t);
	void (*release)(void *);
	int (*attr_set)(void *, int, uint32_t);
	int (*arch_add)(void *, uint32_t);
	int (*rule_add)(void *, uint32_t, int, unsigned, const struct scmp_test *);
	int (*export)(const void *, int);
	int (*resolve)(const char *);
	int (*resolve_on)(uint32_t, const char *);
} scmp;

enum { BADARCH = 2, OPTIMIZE = 8, MASKED_EQ = 7 };
static const int scmp_ops[] = {
	[SKEP_SECCOMP_EQ] = 4, [SKEP_SECCOMP_NE] = 1, [SKEP_SECCOMP_LT] = 2, [SKEP_SECCOMP_LE] = 3,
	[SKEP_SECCOMP_GT] = 6, [SKEP_SECCOMP_GE] = 5,
};
static const uint32_t scmp_archs[] = {
	[SKEP_ARCH_X86_64] = 0xC000003E, [SKEP_ARCH_X86] = 0x40000003, [SKEP_ARCH_X32] = 0x4000003E,
	[SKEP_ARCH_AARCH64] = 0xC00000B7,
};

static bool find_libseccomp(void)
{
	void *lib = dlopen("libseccomp.so.2", RTLD_NOW);
	const struct { const char *name; void *at; } symbols[] = {
		{ "seccomp_init", &scmp.init }, { "seccomp_release", &scmp.release },
		{ "seccomp_attr_set", &scmp.attr_set }, { "seccomp_arch_add", &scmp.arch_add },
		{ "seccomp_rule_add_array", &scmp.rule_add }, { "seccomp_export_bpf", &scmp.export },
		{ "seccomp_syscall_resolve_name", &scmp.resolve },
		{ "seccomp_syscall_resolve_name_arch", &scmp.resolve_on },
	};

	for (size_t i = 0; lib && i < ARRAY_SIZE(symbols); i++) {
		void *found = dlsym(lib, symbols[i].name);

		if (!found)
			return false;
		memcpy(symbols[i].at, &found, sizeof(found));
	}
	return lib != NULL;
}

/* --- a policy --- */

struct rule {
	const char *call;
	uint32_t action;
	struct skep_seccomp_test tests[3];
	unsigned count;
};

struct policy {
	const char *name;
	unsigned archs;
	uint32_t normal;
	VEC(struct rule) rules;
};

struct filter {
	struct skep_cbpf_insn *insns;
	size_t count;
};

static uint64_t state;

static uint32_t random_below(uint32_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((state >> 33) % below);
}

static void die(const char *what, const char *name)
{
	fprintf(stderr, "%s: %s\n", name, what);
	exit(1);
}

static struct filter by_skep(const struct policy *policy)
{
	struct skep_seccomp *made = skep_seccomp_new();
	struct skep_diag *diag = skep_diag_new();
	struct filter filter = { 0 };

	skep_seccomp_set_default(made, policy->normal);
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		if (policy->archs >> arch & 1)
			skep_seccomp_add_arch(made, (enum skep_seccomp_arch)arch);
	}
	for (size_t i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = &policy->rules.items[i];

		for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
			if (policy->archs >> arch & 1)
				skep_seccomp_add_rule(made, (enum skep_seccomp_arch)arch, rule->call, rule->action,
						      rule->tests, rule->count, diag);
		}
	}
	for (size_t i = 0; i < policy->rules.count; i++) {
		if (!policy->rules.items[i].count)
			skep_seccomp_add_multiplexed(made, policy->rules.items[i].call, policy->rules.items[i].action, diag);
	}
	if (skep_seccomp_compile(made, policy->name, &filter.insns, &filter.count, diag) < 0)
		die(skep_diag_text(diag, 0), policy->name);
	skep_seccomp_free(made);
	skep_diag_free(diag);
	return filter;
}

static void add_to_libseccomp(void *ctx, const struct policy *policy, const struct rule *rule)
{
	struct scmp_test tests[3];
	int nr = scmp.resolve(rule->call), error;

	for (unsigned i = 0; i < rule->count; i++) {
		const struct skep_seccomp_test *test = &rule->tests[i];
		bool masked = test->mask != UINT64_MAX;

		tests[i] = (struct scmp_test){ test->arg, masked ? MASKED_EQ : scmp_ops[test->op],
					       masked ? test->mask : test->value, masked ? test->value : 0 };
	}
	if (nr == -1)
		return;
	error = scmp.rule_add(ctx, rule->action, nr, rule->count, tests);
	if (error && error != -EEXIST && error != -EDOM)
		die(rule->call, policy->name);
}

static struct filter by_libseccomp(const struct policy *policy, uint32_t level)
{
	void *ctx = scmp.init(policy->normal);
	struct filter filter = { 0 };
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t size;

	if (!ctx || fd < 0 || scmp.attr_set(ctx, BADARCH, SECCOMP_RET_KILL_PROCESS) != 0)
		die("libseccomp cannot begin", policy->name);
	scmp.attr_set(ctx, OPTIMIZE, level);
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		if (policy->archs >> arch & 1)
			scmp.arch_add(ctx, scmp_archs[arch]);
	}
	for (size_t i = 0; i < policy->rules.count; i++)
		add_to_libseccomp(ctx, policy, &policy->rules.items[i]);
	if (scmp.export(ctx, fd) != 0)
		die("libseccomp cannot compile it", policy->name);
	size = lseek(fd, 0, SEEK_END);
	filter.insns = calloc(1, (size_t)size);
	filter.count = (size_t)size / sizeof(*filter.insns);
	if (!filter.insns || pread(fd, filter.insns, (size_t)size, 0) != size)
		die("libseccomp's filter cannot be read", policy->name);
	close(fd);
	scmp.release(ctx);
	return filter;
}

/* --- an interpreter that counts; of what seccomp filters consist of --- */

static uint32_t emulate(const struct filter *filter, const struct skep_cbpf_call *call, unsigned *steps)
{
	const uint32_t *words = (const uint32_t *)(const void *)call;
	uint32_t a = 0;

	for (size_t pc = 0; pc < filter->count; pc++) {
		const struct skep_cbpf_insn *insn = &filter->insns[pc];

		++*steps;
		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS: a = words[insn->k / 4]; break;
		case BPF_RET | BPF_K: return insn->k;
		case BPF_ALU | BPF_AND | BPF_K: a &= insn->k; break;
		case BPF_ALU | BPF_ADD | BPF_K: a += insn->k; break;
		case BPF_ALU | BPF_SUB | BPF_K: a -= insn->k; break;
		case BPF_ALU | BPF_RSH | BPF_K: a >>= insn->k; break;
		case BPF_ALU | BPF_LSH | BPF_K: a <<= insn->k; break;
		case BPF_JMP | BPF_JA: pc += insn->k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == insn->k ? insn->jt : insn->jf; break;
		case BPF_JMP | BPF_JGT | BPF_K: pc += a > insn->k ? insn->jt : insn->jf; break;
		case BPF_JMP | BPF_JGE | BPF_K: pc += a >= insn->k ? insn->jt : insn->jf; break;
		case BPF_JMP | BPF_JSET | BPF_K: pc += a & insn->k ? insn->jt : insn->jf; break;
		default: die("an instruction that is not expected", "emulate");
		}
	}
	die("the filter has no end", "emulate");
	return 0;
}

/* --- who is right where they differ --- */

static bool holds(const struct skep_seccomp_test *test, uint64_t arg, uint64_t bits)
{
	uint64_t value = test->value & bits;

	arg &= test->mask & bits;
	return (bool[]){ [SKEP_SECCOMP_EQ] = arg == value, [SKEP_SECCOMP_NE] = arg != value,
			 [SKEP_SECCOMP_LT] = arg < value, [SKEP_SECCOMP_LE] = arg <= value,
			 [SKEP_SECCOMP_GT] = arg > value, [SKEP_SECCOMP_GE] = arg >= value }[test->op];
}

static int arch_of(const struct skep_cbpf_call *call)
{
	if (call->arch == skep_arch_audit(SKEP_ARCH_X86_64))
		return (uint32_t)call->nr >= SKEP_X32_BIT && call->nr != -1 ? SKEP_ARCH_X32 : SKEP_ARCH_X86_64;
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		if (skep_arch_audit((enum skep_seccomp_arch)arch) == call->arch)
			return arch;
	}
	return -1;
}

static bool matches(const struct rule *rule, const struct skep_cbpf_call *call, int arch)
{
	uint64_t bits = arch == SKEP_ARCH_X86 || arch == SKEP_ARCH_X32 ? UINT32_MAX : UINT64_MAX;
	struct skep_seccomp_test through;
	const char *by = arch == SKEP_ARCH_X86 ? syscall_multiplexer(rule->call, &through) : NULL;

	if (by && skep_syscall_number(SKEP_ARCH_X86, by) == (uint32_t)call->nr && !rule->count)
		return holds(&through, call->args[0], bits);
	if (skep_syscall_number((enum skep_seccomp_arch)arch, rule->call) != (uint32_t)call->nr)
		return false;
	for (unsigned i = 0; i < rule->count; i++) {
		if (!holds(&rule->tests[i], call->args[rule->tests[i].arg], bits))
			return false;
	}
	return true;
}

static uint32_t by_rules(const struct policy *policy, const struct skep_cbpf_call *call)
{
	int arch = arch_of(call);

	if (arch < 0 || !(policy->archs >> arch & 1))
		return SECCOMP_RET_KILL_PROCESS;
	for (size_t i = 0; i < policy->rules.count; i++) {
		if (matches(&policy->rules.items[i], call, arch))
			return policy->rules.items[i].action;
	}
	return policy->normal;
}

/* --- the comparison --- */

struct sums {
	uint64_t calls, differ, libseccomp, sizes[3], steps[3];
	unsigned policies, larger, slower, worse, slower_calls;
	bool tell;
	const char *dump;        /* the policy of which both filters are shown */
};

static const char *name_of(const struct skep_cbpf_call *call)
{
	static char text[80];

	snprintf(text, sizeof(text), "%#x of %#x (%#llx, %#llx, %#llx, %#llx, %#llx, %#llx)", (unsigned)call->nr,
		 call->arch, (unsigned long long)call->args[0], (unsigned long long)call->args[1],
		 (unsigned long long)call->args[2], (unsigned long long)call->args[3],
		 (unsigned long long)call->args[4], (unsigned long long)call->args[5]);
	return text;
}

static void compare_call(const struct policy *policy, const struct filter *filters,
			 const struct skep_cbpf_call *call, struct sums *sums, uint64_t *steps)
{
	uint32_t results[3], wanted;
	unsigned taken[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		results[i] = emulate(&filters[i], call, &taken[i]);
		steps[i] += taken[i];
	}
	sums->calls++;
	sums->slower_calls += taken[0] > taken[1];
	if (skep_cbpf_run_call(filters[0].insns, filters[0].count, call) != results[0])
		die("two interpreters of one filter differ", name_of(call));
	if (results[0] == results[1] && results[0] == results[2])
		return;
	wanted = by_rules(policy, call);
	sums->libseccomp += results[0] == wanted;
	sums->differ += results[0] != wanted;
	if (results[0] != wanted || sums->libseccomp < 3)
		printf("%s: of %s: the rules say %#x, skep %#x, libseccomp %#x\n", policy->name, name_of(call), wanted,
		       results[0], results[1]);
}

/* Arguments that matter to the rules of this call, or to none. */
static void fill_arguments(const struct policy *policy, const struct rule *rule, struct skep_cbpf_call *call)
{
	static const uint64_t values[] = { 0, 1, 2, 8, 0xffffffff, 0x80000000, 0x100000000, 0x1234500000000, UINT64_MAX };

	for (unsigned i = 0; i < 6; i++)
		call->args[i] = values[random_below(ARRAY_SIZE(values))];
	for (unsigned i = 0; rule && i < rule->count; i++) {
		const struct skep_seccomp_test *test = &rule->tests[i];

		if (random_below(8))
			call->args[test->arg] = test->value + random_below(3) - 1;
		if (random_below(4) == 0)
			call->args[test->arg] ^= 1ull << random_below(64);
	}
	/* the upper half of ipc's argument is a version, which libseccomp compares */
	if (call->arch == skep_arch_audit(SKEP_ARCH_X86) && (call->nr == 102 || call->nr == 117))
		call->args[0] = random_below(26);
	(void)policy;
}

static void compare_number(const struct policy *policy, const struct filter *filters, uint32_t audit,
			   int arch, uint32_t nr, struct sums *sums, uint64_t *steps)
{
	struct skep_cbpf_call call = { .nr = (int32_t)nr, .arch = audit };
	unsigned rounds = 1;

	for (size_t i = 0; arch >= 0 && i < policy->rules.count; i++) {
		const struct rule *rule = &policy->rules.items[i];

		if (!rule->count || skep_syscall_number((enum skep_seccomp_arch)arch, rule->call) != nr)
			continue;
		for (unsigned round = 0; round < 12; round++) {
			fill_arguments(policy, rule, &call);
			compare_call(policy, filters, &call, sums, steps);
		}
	}
	if (arch == SKEP_ARCH_X86 && (nr == 102 || nr == 117))
		rounds = 60;
	for (unsigned round = 0; round < rounds; round++) {
		fill_arguments(policy, NULL, &call);
		compare_call(policy, filters, &call, sums, steps);
	}
}

/* What this libseccomp has under another number, or not at all, cannot be compared. */
static bool is_common(int arch, uint32_t nr)
{
	static signed char known[SKEP_ARCH_COUNT][600]; /* 1: yes, -1: no */
	uint32_t bit = arch == SKEP_ARCH_X32 ? SKEP_X32_BIT : 0;
	const char *name;

	if (nr >= 600)
		return true;
	if (!known[arch][nr]) {
		name = skep_syscall_name((enum skep_seccomp_arch)arch, nr | bit);
		known[arch][nr] = !name || scmp.resolve_on(scmp_archs[arch], name) == (int)(nr | bit) ? 1 : -1;
	}
	return known[arch][nr] == 1;
}

static void compare_all(const struct policy *policy, const struct filter *filters, struct sums *sums,
			uint64_t *steps)
{
	static const uint32_t others[] = { 600, 0x3fffffff, 0x40000400, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

	for (int arch = 0; arch <= SKEP_ARCH_COUNT; arch++) {
		bool foreign = arch == SKEP_ARCH_COUNT;
		uint32_t bit = arch == SKEP_ARCH_X32 ? SKEP_X32_BIT : 0;
		uint32_t audit = foreign ? 0x80000016 : skep_arch_audit((enum skep_seccomp_arch)arch);

		for (uint32_t nr = 0; nr < 560; nr++) {
			if (foreign || is_common(arch, nr))
				compare_number(policy, filters, audit, foreign ? -1 : arch, nr | bit, sums, steps);
		}
		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			compare_number(policy, filters, audit, -1, others[i], sums, steps);
	}
}

static void dump(const struct filter *filter)
{
	struct skep_text text = { 0 };

	skep_cbpf_write(filter->insns, filter->count, SKEP_CBPF_LISTING, &text);
	puts(text.data ? text.data : "");
	text_done(&text);
}

static void compare_policy(const struct policy *policy, struct sums *sums)
{
	struct filter filters[3] = { by_skep(policy), by_libseccomp(policy, 1), by_libseccomp(policy, 2) };
	uint64_t steps[3] = { 0 };
	bool larger, slower;

	compare_all(policy, filters, sums, steps);
	for (int i = 0; i < 2 && sums->dump && strcmp(sums->dump, policy->name) == 0; i++)
		dump(&filters[i]);
	larger = filters[0].count > filters[1].count;
	slower = steps[0] > steps[1];
	sums->worse += filters[0].count >= filters[2].count && steps[0] > steps[2];
	sums->policies++;
	sums->larger += larger;
	sums->slower += slower;
	if (sums->tell || larger || slower)
		printf("%s: %zu rules on archs %#x: %zu instructions (libseccomp %zu, as a tree %zu), %llu steps (%llu, %llu)\n",
		       policy->name, policy->rules.count, policy->archs, filters[0].count, filters[1].count,
		       filters[2].count, (unsigned long long)steps[0], (unsigned long long)steps[1],
		       (unsigned long long)steps[2]);
	for (int i = 0; i < 3; i++) {
		sums->sizes[i] += filters[i].count;
		sums->steps[i] += steps[i];
		free(filters[i].insns);
	}
}

/* --- policies --- */

static void add_rule(struct policy *policy, const char *call, uint32_t action)
{
	struct rule *rule = scmp.resolve(call) == -1 ? NULL : vec_push(&policy->rules);

	if (rule)
		*rule = (struct rule){ .call = call, .action = action };
}

static void compare_groups(struct sums *sums)
{
	static const unsigned archs[] = { 1, 3, 7, 15 };
	const char *name;

	for (size_t group = 0; (name = skep_syscall_group(group, NULL, NULL)); group++) {
		struct syscall_set set = { 0 };

		syscall_set_add_group(&set, name);
		for (int i = 0; i < 8; i++) {
			struct policy policy = { .name = name, .archs = archs[i / 2] };

			policy.normal = i % 2 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM;
			for (int row = 0; syscall_row_name(row); row++) {
				if (syscall_set_has(&set, row))
					add_rule(&policy, syscall_row_name(row),
						 i % 2 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW);
			}
			compare_policy(&policy, sums);
			vec_done(&policy.rules);
		}
	}
}

static void add_tests(struct rule *rule)
{
	static const uint64_t values[] = { 0, 1, 2, 8, 40, 0x7e020000, 0xffffffff, 0x80000000, 0x100000000,
					   0x1234500000000, INT64_MAX };
	unsigned first = random_below(6);

	/* what several tests of one argument mean to libseccomp is another matter */
	rule->count = 1 + random_below(3);
	for (unsigned i = 0; i < rule->count; i++) {
		struct skep_seccomp_test *test = &rule->tests[i];

		*test = (struct skep_seccomp_test){ .arg = (uint8_t)((first + i) % 6), .mask = UINT64_MAX,
						    .op = (uint8_t)random_below(6),
						    .value = values[random_below(ARRAY_SIZE(values))] };
		if (random_below(5) == 0) {
			test->op = SKEP_SECCOMP_EQ;
			test->mask = test->value;
			test->value &= values[random_below(ARRAY_SIZE(values))];
		}
	}
}

/* What is asked for once may not be asked for again, nor what is made through another call tested. */
static void add_random_rule(struct policy *policy, unsigned tested)
{
	static const uint32_t actions[] = { SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO,
					    SECCOMP_RET_LOG, SECCOMP_RET_TRAP };
	struct skep_seccomp_test through;
	const char *call, *by;
	uint32_t action = actions[random_below(ARRAY_SIZE(actions))];
	size_t count = policy->rules.count;
	int rows = 0;

	while (syscall_row_name(rows))
		rows++;
	call = syscall_row_name((int)random_below((uint32_t)rows));
	if (action == SECCOMP_RET_ERRNO)
		action |= random_below(134);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(policy->rules.items[i].call, call) == 0)
			return;
	}
	/* of ipc's calls, Skep's filters look at the number without the version behind it */
	by = syscall_multiplexer(call, &through);
	/* nor does this libseccomp know all that x32 has */
	if (action == policy->normal || strcmp(call, "map_shadow_stack") == 0 || strstr(call, "uprobe") ||
	    strstr(call, "uretprobe"))
		return;
	if (strcmp(call, "socketcall") == 0 || strcmp(call, "ipc") == 0 ||
	    (by && strcmp(by, "ipc") == 0))
		return;
	add_rule(policy, call, action);
	if (policy->rules.count > count && random_below(100) < tested && !by)
		add_tests(&policy->rules.items[count]);
}

static void compare_random(unsigned number, struct sums *sums)
{
	static const uint32_t normals[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW };
	static const unsigned most[] = { 4, 20, 60, 200, 400 };
	struct policy policy = { .archs = 1 | random_below(16), .normal = normals[random_below(3)] };
	unsigned wanted = 1 + random_below(most[number % ARRAY_SIZE(most)]);
	unsigned tested = (unsigned[]){ 0, 10, 30, 100 }[random_below(4)];
	char name[32];

	snprintf(name, sizeof(name), "random %u", number);
	policy.name = name;
	for (unsigned i = 0; i < wanted; i++)
		add_random_rule(&policy, tested);
	compare_policy(&policy, sums);
	vec_done(&policy.rules);
}

int main(int argc, char **argv)
{
	struct sums sums = { 0 };
	unsigned profiles = 100;

	state = 20;
	for (int option; (option = getopt(argc, argv, "n:s:d:v")) >= 0;) {
		if (option == 'n')
			profiles = (unsigned)strtoul(optarg, NULL, 0);
		else if (option == 's')
			state = strtoull(optarg, NULL, 0);
		else if (option == 'd')
			sums.dump = optarg;
		else
			sums.tell = true;
	}
	if (!find_libseccomp()) {
		printf("skipped: there is no libseccomp\n");
		return 77;
	}
	compare_groups(&sums);
	for (unsigned i = 0; i < profiles; i++)
		compare_random(i, &sums);
	for (int i = 0; i < 3; i++)
		printf("%-20s %8.1f instructions a policy, %6.2f steps a call\n",
		       (const char *[]){ "skep", "libseccomp", "libseccomp, as a tree" }[i],
		       (double)sums.sizes[i] / sums.policies, (double)sums.steps[i] / (double)sums.calls);
	printf("against their rules, libseccomp's filters decide %llu calls\n", (unsigned long long)sums.libseccomp);
	printf("%u policies, %llu calls: %llu differ; %u policies larger, %u slower, %u larger and slower than the tree; %.2f%% of calls slower\n",
	       sums.policies, (unsigned long long)sums.calls, (unsigned long long)sums.differ, sums.larger,
	       sums.slower, sums.worse, 100.0 * sums.slower_calls / (double)sums.calls);
	/* sharing what stands far apart is not tried: one in a hundred is a little larger, or slower */
	return sums.differ || sums.larger * 50 > sums.policies || sums.slower * 50 > sums.policies ||
	       sums.sizes[0] >= sums.sizes[1] || sums.steps[0] * 2 >= sums.steps[1];
}
