/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_profile.c - seccomp profiles in JSON, as Docker, Podman and the OCI runtime
 * specification have them.
 *
 * As these treat them: of several rules for one call, one without tests decides, whatever the
 * others test; otherwise the first that matches. x86's socketcall and ipc are treated as the calls
 * that they make, where a rule for these tests nothing. A rule whose names an architecture does not
 * have is nothing there; a name that no architecture has may be of a later kernel.
 */
#include "cli/seccomp.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct profile {
	struct skep_seccomp *policy;
	const char *name;
	const struct seccomp_host *host;
	enum skep_seccomp_arch native;
	struct skep_diag *diag;
};

static const struct { const char *name; enum skep_seccomp_op op; } ops[] = {
	{ "SCMP_CMP_EQ", SKEP_SECCOMP_EQ }, { "SCMP_CMP_NE", SKEP_SECCOMP_NE },
	{ "SCMP_CMP_LT", SKEP_SECCOMP_LT }, { "SCMP_CMP_LE", SKEP_SECCOMP_LE },
	{ "SCMP_CMP_GT", SKEP_SECCOMP_GT }, { "SCMP_CMP_GE", SKEP_SECCOMP_GE },
	{ "SCMP_CMP_MASKED_EQ", SKEP_SECCOMP_EQ },
};

#define FAIL(profile, ...) skep_report((profile)->diag, SKEP_SECCOMP_PROFILE, \
				       &(struct skep_where){ .file = (profile)->name, .insn = -1 }, __VA_ARGS__)

bool seccomp_is_profile(const char *text)
{
	text += strspn(text, " \t\r\n");
	if (*text != '{')
		return false;
	text++;
	text += strspn(text, " \t\r\n");
	return *text == '"' || *text == '}';
}

/* --- actions --- */

static int read_action(const struct profile *profile, const json_t *object, const char *key,
		       const char *errno_key, uint32_t *action)
{
	const char *word = json_string_value(json_object_get(object, key));
	const json_t *data = json_object_get(object, errno_key);
	char number[24];

	if (!word)
		return FAIL(profile, "a rule has no \"%s\"", key);
	if (json_is_null(data))
		data = NULL;
	if (data && !json_is_integer(data))
		return FAIL(profile, "\"%s\" is not a number", errno_key);
	snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(data));
	if (strncmp(word, "SCMP_ACT_", 9) != 0 || !skep_seccomp_action_find(word, NULL, action))
		return FAIL(profile, "\"%s\": '%s' is not an action", key, word);
	/* the number is for errno and trace; other actions have none */
	if (data && skep_seccomp_action_find("errno", number, &(uint32_t){ 0 }))
		skep_seccomp_action_find(word, number, action);
	else if (data)
		return FAIL(profile, "\"%s\": %s is not 0 to 65535", errno_key, number);
	return 0;
}

/* --- conditions on the host --- */

static bool has_cap(const struct profile *profile, const char *cap)
{
	for (size_t i = 0; i < profile->host->caps.count; i++) {
		const char *have = profile->host->caps.items[i];

		if (strcasecmp(have, cap) == 0 ||
		    (strncasecmp(cap, "CAP_", 4) == 0 && strcasecmp(have, cap + 4) == 0))
			return true;
	}
	return false;
}

static bool names_arch(const json_t *array, enum skep_seccomp_arch native)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (text && skep_arch_find(text) == (int)native)
			return true;
	}
	return false;
}

static bool kernel_is_older(const char *kernel, const char *least)
{
	unsigned have[2] = { 0 }, want[2] = { 0 };

	if (!kernel || sscanf(kernel, "%u.%u", &have[0], &have[1]) < 1 ||
	    sscanf(least, "%u.%u", &want[0], &want[1]) < 1)
		return false;
	return have[0] != want[0] ? have[0] < want[0] : have[1] < want[1];
}

static bool applies(const struct profile *profile, const json_t *rule)
{
	const json_t *with = json_object_get(rule, "includes"), *without = json_object_get(rule, "excludes");
	const json_t *caps = json_object_get(with, "caps"), *archs = json_object_get(with, "arches");
	const char *least = json_string_value(json_object_get(with, "minKernel"));
	const char *newest = json_string_value(json_object_get(without, "minKernel"));

	for (size_t i = 0; i < json_array_size(caps); i++) {
		if (!has_cap(profile, json_string_value(json_array_get(caps, i)) ?: ""))
			return false;
	}
	if (json_array_size(archs) && !names_arch(archs, profile->native))
		return false;
	if (least && kernel_is_older(profile->host->kernel, least))
		return false;
	caps = json_object_get(without, "caps");
	for (size_t i = 0; i < json_array_size(caps); i++) {
		if (has_cap(profile, json_string_value(json_array_get(caps, i)) ?: ""))
			return false;
	}
	if (names_arch(json_object_get(without, "arches"), profile->native))
		return false;
	return !newest || kernel_is_older(profile->host->kernel, newest);
}

/* --- rules --- */

static bool read_number(const json_t *object, const char *key, uint64_t *value)
{
	const json_t *number = json_object_get(object, key);

	*value = 0;
	if (json_is_integer(number))
		*value = (uint64_t)json_integer_value(number);
	else if (json_is_real(number) && json_real_value(number) >= 0 && json_real_value(number) < 0x1p64)
		*value = (uint64_t)json_real_value(number); /* above 2^63 */
	else
		return !number;
	return true;
}

static int read_test(const struct profile *profile, const json_t *arg, struct skep_seccomp_test *test)
{
	const char *word = json_string_value(json_object_get(arg, "op"));
	uint64_t index, value, second;

	if (!read_number(arg, "index", &index) || index > 5 || !read_number(arg, "value", &value) ||
	    !read_number(arg, "valueTwo", &second))
		return FAIL(profile, "a test of an argument has an \"index\" from 0 to 5, a \"value\" and perhaps \"valueTwo\"");
	for (size_t i = 0; i < COUNT(ops); i++) {
		if (!word || strcmp(word, ops[i].name) != 0)
			continue;
		*test = (struct skep_seccomp_test){ .arg = (uint8_t)index, .op = (uint8_t)ops[i].op,
						    .mask = UINT64_MAX, .value = value };
		if (strcmp(word, "SCMP_CMP_MASKED_EQ") == 0) {
			test->mask = value;
			test->value = second;
		}
		return 0;
	}
	return FAIL(profile, "'%s' is not a comparison: SCMP_CMP_EQ, NE, LT, LE, GT, GE or MASKED_EQ", word ? word : "");
}

/* Calls of architectures that Skep does not know, which profiles for all of them name. */
static const char *const elsewhere[] = {
	"breakpoint", "cachectl", "cacheflush", "dipc", "exec_with_loader", "execv", "fstatat",
	"get_tls", "getdomainname", "getdtablesize", "gethostname", "getpagesize", "getxgid",
	"getxpid", "getxuid", "kern_features", "llseek", "memory_ordering", "multiplexer",
	"newfstat", "old_adjtimex", "oldumount", "perfctr", "rtas", "sched_get_affinity",
	"sched_set_affinity", "set_tls", "sethae", "setpgrp", "subpage_prot", "swapcontext",
	"switch_endian", "sync_file_range2", "sys_debug_setcontext", "syscall", "sysmips",
	"timerfd", "usr26", "usr32", "utrap_install",
};

static const char *const elsewhere_begins[] = {
	"s390_", "osf_", "arm_", "arc_", "or1k_", "riscv_", "pciconfig_", "atomic_", "spu_",
};

static bool is_elsewhere(const char *call)
{
	for (size_t i = 0; i < COUNT(elsewhere); i++) {
		if (strcmp(elsewhere[i], call) == 0)
			return true;
	}
	for (size_t i = 0; i < COUNT(elsewhere_begins); i++) {
		if (strncmp(elsewhere_begins[i], call, strlen(elsewhere_begins[i])) == 0)
			return true;
	}
	return false;
}

/* Runtimes pass over names that they do not know, and so over mistyped ones: then they guard nothing. */
static void warn_unknown(const struct profile *profile, const char *call)
{
	const char *name, *near;

	for (size_t i = 0; (name = skep_syscall_each(i)); i++) {
		if (strcmp(name, call) == 0)
			return;
	}
	if (!profile->host->warn || is_elsewhere(call))
		return;
	near = skep_syscall_nearest(call);
	fprintf(stderr, "skep: warning: %s: there is no system call '%s': it is passed over%s%s%s\n", profile->name, call,
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Rules are added in this order: what comes first decides. */
enum pass { WITHOUT_TESTS, MULTIPLEXED, WITH_TESTS, PASSES };

static int add_call(const struct profile *profile, const char *call, uint32_t action,
		    const struct skep_seccomp_test *tests, size_t count, enum pass pass)
{
	int error = 0;

	if (pass == MULTIPLEXED)
		return skep_seccomp_add_multiplexed(profile->policy, call, action, profile->diag);
	for (int arch = 0; arch < SKEP_ARCH_COUNT && error == 0; arch++) {
		if (skep_seccomp_has_arch(profile->policy, (enum skep_seccomp_arch)arch))
			error = skep_seccomp_add_rule(profile->policy, (enum skep_seccomp_arch)arch, call, action,
						      tests, count, profile->diag);
	}
	return error;
}

/* As runtimes have it: where two tests are of one argument, each is a rule of its own. */
static bool tests_argument_twice(const struct skep_seccomp_test *tests, size_t count)
{
	unsigned seen = 0;

	for (size_t i = 0; i < count; i++) {
		if (seen >> tests[i].arg & 1)
			return true;
		seen |= 1u << tests[i].arg;
	}
	return false;
}

static int add_rule(const struct profile *profile, const char *call, uint32_t action,
		    const struct skep_seccomp_test *tests, size_t count, enum pass pass)
{
	int error = 0;

	if (pass != MULTIPLEXED)
		warn_unknown(profile, call);
	if (!tests_argument_twice(tests, count))
		return add_call(profile, call, action, tests, count, pass);
	for (size_t i = 0; i < count && error == 0; i++)
		error = add_call(profile, call, action, &tests[i], 1, pass);
	return error;
}

static int read_rule(const struct profile *profile, const json_t *rule, enum pass pass)
{
	const json_t *args = json_object_get(rule, "args"), *names = json_object_get(rule, "names");
	const char *name = json_string_value(json_object_get(rule, "name"));
	struct skep_seccomp_test tests[SKEP_SECCOMP_TESTS];
	size_t count = json_array_size(args);
	uint32_t action = 0;
	int error;

	if ((count > 0) != (pass == WITH_TESTS) || !applies(profile, rule))
		return 0;
	if (count > SKEP_SECCOMP_TESTS)
		return FAIL(profile, "more than %u tests in one rule", SKEP_SECCOMP_TESTS);
	error = read_action(profile, rule, "action", "errnoRet", &action);
	for (size_t i = 0; i < count && error == 0; i++)
		error = read_test(profile, json_array_get(args, i), &tests[i]);
	if (error == 0 && name)
		error = add_rule(profile, name, action, tests, count, pass);
	for (size_t i = 0; i < json_array_size(names) && error == 0; i++) {
		name = json_string_value(json_array_get(names, i));
		error = name ? add_rule(profile, name, action, tests, count, pass) :
			       FAIL(profile, "\"names\" are names of system calls");
	}
	if (error == 0 && !name)
		error = FAIL(profile, "a rule has neither \"names\" nor \"name\"");
	return error;
}

/* --- architectures --- */

/* Those in the array that are known; others are for other machines. */
static void add_archs(struct profile *profile, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *name = json_string_value(json_array_get(array, i));
		int arch = name ? skep_arch_find(name) : -1;

		if (arch >= 0)
			skep_seccomp_add_arch(profile->policy, (enum skep_seccomp_arch)arch);
	}
}

static int read_archs(struct profile *profile, const json_t *root)
{
	const struct list *wanted = &profile->host->archs;
	const json_t *map = json_object_get(root, "archMap");

	profile->native = SKEP_ARCH_X86_64;
	for (size_t i = 0; i < wanted->count; i++) {
		int arch = skep_arch_find(wanted->items[i]);

		if (arch < 0)
			return skep_report(profile->diag, SKEP_ARG, NULL, "there is no architecture '%s': x86_64, x86, x32 or aarch64",
					   wanted->items[i]);
		if (i == 0)
			profile->native = (enum skep_seccomp_arch)arch;
		skep_seccomp_add_arch(profile->policy, (enum skep_seccomp_arch)arch);
	}
	if (wanted->count)
		return 0;
	skep_seccomp_add_arch(profile->policy, profile->native);
	add_archs(profile, json_object_get(root, "architectures"));
	for (size_t i = 0; i < json_array_size(map); i++) {
		const json_t *row = json_array_get(map, i);
		const char *name = json_string_value(json_object_get(row, "architecture"));

		if (name && skep_arch_find(name) == (int)profile->native)
			add_archs(profile, json_object_get(row, "subArchitectures"));
	}
	return 0;
}

static int read_root(struct profile *profile, const json_t *root)
{
	const json_t *rules;
	uint32_t normal = 0;
	int error;

	/* an OCI bundle's config.json has it inside */
	if (json_object_get(root, "linux"))
		root = json_object_get(json_object_get(root, "linux"), "seccomp");
	rules = json_object_get(root, "syscalls");
	if (rules && !json_is_array(rules))
		return FAIL(profile, "\"syscalls\" is a list of rules");
	error = read_action(profile, root, "defaultAction", "defaultErrnoRet", &normal);
	if (error < 0 || (error = read_archs(profile, root)) < 0)
		return error;
	skep_seccomp_set_default(profile->policy, normal);
	for (int pass = 0; pass < PASSES; pass++) {
		for (size_t i = 0; i < json_array_size(rules) && error == 0; i++)
			error = read_rule(profile, json_array_get(rules, i), (enum pass)pass);
	}
	return error;
}

int seccomp_read_profile(struct skep_seccomp *policy, const char *text, const char *name,
			 const struct seccomp_host *host, struct skep_diag *diag)
{
	struct profile profile = { .policy = policy, .name = name, .host = host, .diag = diag };
	json_error_t why;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	int error;

	if (!root)
		return skep_report(diag, SKEP_SECCOMP_PROFILE, &(struct skep_where){ .file = name,
				   .line = (uint32_t)why.line, .column = (uint32_t)why.column, .insn = -1 },
				   "%s", why.text);
	error = read_root(&profile, root);
	json_decref(root);
	return error;
}
