/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_record.c - which calls were seen, and the policy that allows them and no others.
 *
 * Of some calls it matters what for they are made: of these, the values of an argument or two are
 * kept, and the policy allows no others. They are of 32 bits, as the kernel takes them.
 */
#include "cli/seccomp.h"

#include <stdlib.h>
#include <string.h>

#define NUMBERS 600u
#define SELECTORS 64u
#define VALUES 64u  /* of one call; more say nothing */

struct selector {
	char call[40];
	unsigned args;           /* bit per argument */
};

struct seen {
	uint32_t nr;
	uint8_t arch;
	uint32_t values[6];      /* of arguments that matter, else 0 */
	struct seen *next;
};

struct seccomp_record {
	struct selector selectors[SELECTORS];
	size_t selector_count;
	bool made[SKEP_ARCH_COUNT][NUMBERS];
	uint8_t value_counts[SKEP_ARCH_COUNT][NUMBERS];
	struct seen *first, **last;
	bool failed;
};

static const struct selector usual_selectors[] = {
	{ "socket", 1 }, { "socketpair", 1 }, { "socketcall", 1 }, { "ioctl", 1 << 1 }, { "fcntl", 1 << 1 },
	{ "prctl", 1 }, { "arch_prctl", 1 }, { "clone", 1 }, { "unshare", 1 }, { "setns", 1 << 1 },
	{ "personality", 1 }, { "setsockopt", 3 << 1 }, { "getsockopt", 3 << 1 }, { "keyctl", 1 },
	{ "ptrace", 1 }, { "bpf", 1 }, { "seccomp", 1 }, { "ipc", 1 },
};

static bool add_selector(struct seccomp_record *record, const char *text, struct skep_diag *diag)
{
	const char *colon = strchr(text, ':');
	struct selector *selector = &record->selectors[record->selector_count];
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool known = false;

	if (!len || len >= sizeof(selector->call) || colon[1] < '0' || colon[1] > '5' || colon[2])
		return skep_report(diag, SKEP_ARG, NULL, "'%s' is not CALL:ARGUMENT, such as socket:0; arguments are 0 to 5", text) == 0;
	if (record->selector_count == SELECTORS)
		return skep_report(diag, SKEP_ARG, NULL, "more than %u calls of which arguments are kept", SELECTORS) == 0;
	memcpy(selector->call, text, len);
	selector->call[len] = '\0';
	selector->args = 1u << (colon[1] - '0');
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++)
		known |= skep_syscall_number((enum skep_seccomp_arch)arch, selector->call) >= 0;
	if (!known) {
		const char *near = skep_syscall_nearest(selector->call);

		skep_report(diag, SKEP_ARG, NULL, "there is no system call '%s'", selector->call);
		if (near)
			skep_help(diag, "did you mean '%s'?", near);
		return false;
	}
	record->selector_count++;
	return true;
}

struct seccomp_record *seccomp_record_new(const struct list *values, bool usual, struct skep_diag *diag)
{
	struct seccomp_record *record = calloc(1, sizeof(*record));
	bool good = record != NULL;

	if (!record) {
		skep_report(diag, SKEP_OOM, NULL, "recording calls");
		return NULL;
	}
	record->last = &record->first;
	for (size_t i = 0; usual && i < COUNT(usual_selectors); i++)
		record->selectors[record->selector_count++] = usual_selectors[i];
	for (size_t i = 0; good && i < values->count; i++)
		good = add_selector(record, values->items[i], diag);
	if (good)
		return record;
	seccomp_record_free(record);
	return NULL;
}

void seccomp_record_free(struct seccomp_record *record)
{
	struct seen *next;

	for (struct seen *seen = record ? record->first : NULL; seen; seen = next) {
		next = seen->next;
		free(seen);
	}
	free(record);
}

static uint32_t bit_of(int arch)
{
	return arch == SKEP_ARCH_X32 ? SKEP_X32_BIT : 0;
}

/* Arguments of which the values matter. */
static unsigned args_of(const struct seccomp_record *record, int arch, uint32_t nr)
{
	const char *name = skep_syscall_name((enum skep_seccomp_arch)arch, nr | bit_of(arch));
	unsigned args = 0;

	for (size_t i = 0; name && i < record->selector_count; i++) {
		if (strcmp(record->selectors[i].call, name) == 0)
			args |= record->selectors[i].args;
	}
	return args;
}

void seccomp_record_add(struct seccomp_record *record, const struct skep_cbpf_call *call)
{
	int arch = seccomp_arch_of(call);
	uint32_t nr = (uint32_t)call->nr & ~bit_of(arch);
	struct seen seen = { .nr = nr, .arch = (uint8_t)arch }, *copy;
	unsigned args;

	if (nr >= NUMBERS)
		return;
	record->made[arch][nr] = true;
	args = args_of(record, arch, nr);
	if (!args || record->value_counts[arch][nr] > VALUES)
		return;
	for (int i = 0; i < 6; i++)
		seen.values[i] = args >> i & 1 ? (uint32_t)call->args[i] : 0;
	for (copy = record->first; copy; copy = copy->next) {
		if (copy->nr == nr && copy->arch == arch && memcmp(copy->values, seen.values, sizeof(seen.values)) == 0)
			return;
	}
	copy = malloc(sizeof(*copy));
	if (!copy) {
		record->failed = true;
		return;
	}
	*copy = seen;
	*record->last = copy;
	record->last = &copy->next;
	record->value_counts[arch][nr]++;
}

static void write_call(FILE *out, int arch, uint32_t nr)
{
	const char *name = skep_syscall_name((enum skep_seccomp_arch)arch, nr | bit_of(arch));

	if (name)
		fprintf(out, "allow %s@%s", name, skep_arch_name((enum skep_seccomp_arch)arch));
	else
		fprintf(out, "allow %u@%s", nr | bit_of(arch), skep_arch_name((enum skep_seccomp_arch)arch));
}

static void write_values(const struct seccomp_record *record, FILE *out, int arch, uint32_t nr)
{
	unsigned args = args_of(record, arch, nr);

	for (const struct seen *seen = record->first; seen; seen = seen->next) {
		bool any = false;

		if (seen->nr != nr || seen->arch != arch)
			continue;
		write_call(out, arch, nr);
		for (int i = 0; i < 6; i++) {
			if (!(args >> i & 1))
				continue;
			fprintf(out, " %s arg%d & 0xffffffff == %#x", any ? "and" : "if", i, seen->values[i]);
			any = true;
		}
		fprintf(out, "\n");
	}
}

bool seccomp_record_write(const struct seccomp_record *record, FILE *out)
{
	fprintf(out, "arch");
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		if (memchr(record->made[arch], 1, sizeof(record->made[arch])))
			fprintf(out, " %s", skep_arch_name((enum skep_seccomp_arch)arch));
	}
	fprintf(out, "\ndefault errno EPERM\n");
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		for (uint32_t nr = 0; nr < NUMBERS; nr++) {
			if (!record->made[arch][nr])
				continue;
			if (record->value_counts[arch][nr] && record->value_counts[arch][nr] <= VALUES) {
				write_values(record, out, arch, nr);
				continue;
			}
			write_call(out, arch, nr);
			fprintf(out, "%s\n", record->value_counts[arch][nr] ? " # with too many different arguments" : "");
		}
	}
	return !record->failed;
}
