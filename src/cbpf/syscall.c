/* SPDX-License-Identifier: BSD-2-Clause */
/* syscall.c - names and numbers: architectures, system calls, seccomp's actions. */
#include "cbpf/syscall.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* Older headers lack these. */
#ifndef SECCOMP_RET_USER_NOTIF
#define SECCOMP_RET_USER_NOTIF 0x7fc00000U
#endif

/* --- architectures --- */

static const struct arch_row {
	const char *names[5]; /* the first is ours */
	uint32_t audit, bit;
} archs[] = {
	[SKEP_ARCH_X86_64] = { { "x86_64", "amd64", "SCMP_ARCH_X86_64" }, AUDIT_ARCH_X86_64, 0 },
	[SKEP_ARCH_X86] = { { "x86", "i386", "386", "SCMP_ARCH_X86" }, AUDIT_ARCH_I386, 0 },
	[SKEP_ARCH_X32] = { { "x32", "SCMP_ARCH_X32" }, AUDIT_ARCH_X86_64, SKEP_X32_BIT },
	[SKEP_ARCH_AARCH64] = { { "aarch64", "arm64", "SCMP_ARCH_AARCH64" }, AUDIT_ARCH_AARCH64, 0 },
};

const char *skep_arch_name(enum skep_seccomp_arch arch)
{
	return archs[arch].names[0];
}

int skep_arch_find(const char *name)
{
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		for (size_t i = 0; i < 5 && archs[arch].names[i]; i++) {
			if (strcmp(archs[arch].names[i], name) == 0)
				return arch;
		}
	}
	return -ENOENT;
}

uint32_t skep_arch_audit(enum skep_seccomp_arch arch)
{
	return archs[arch].audit;
}

/* --- system calls --- */

static const struct call_row {
	const char *name;
	int16_t numbers[SKEP_ARCH_COUNT];
} calls[] = {
#define SYSCALL(name, x86_64, x86, x32, aarch64) { #name, { x86_64, x86, x32, aarch64 } },
#include "cbpf/syscall.def"
#undef SYSCALL
};

const char *skep_syscall_name(enum skep_seccomp_arch arch, uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].numbers[arch] >= 0 &&
		    ((uint32_t)calls[i].numbers[arch] | archs[arch].bit) == number)
			return calls[i].name;
	}
	return NULL;
}

static int compare_call(const void *name, const void *row)
{
	return strcmp(name, ((const struct call_row *)row)->name);
}

_Static_assert(ARRAY_SIZE(calls) <= SYSCALLS_MAX, "a set has no room for all calls");

const char *skep_syscall_each(size_t index)
{
	return index < ARRAY_SIZE(calls) ? calls[index].name : NULL;
}

int syscall_row(const char *name)
{
	const struct call_row *row = bsearch(name, calls, ARRAY_SIZE(calls), sizeof(calls[0]), compare_call);

	return row ? (int)(row - calls) : -ENOENT;
}

const char *syscall_row_name(int row)
{
	return row >= 0 ? skep_syscall_each((size_t)row) : NULL;
}

int64_t skep_syscall_number(enum skep_seccomp_arch arch, const char *name)
{
	char *end;
	int row;

	if (*name >= '0' && *name <= '9') {
		uint64_t number = strtoull(name, &end, 0);

		return *end || number > UINT32_MAX ? -ENOENT : (int64_t)number;
	}
	row = syscall_row(name);
	return row >= 0 && calls[row].numbers[arch] >= 0 ?
		       (int64_t)((uint32_t)calls[row].numbers[arch] | archs[arch].bit) :
		       -ENOENT;
}

/* --- actions --- */

static const struct action_row {
	const char *names[3]; /* the first is ours */
	uint32_t action;
	bool data;            /* the lower 16 bits mean something */
} actions[] = {
	{ { "kill-process", "SCMP_ACT_KILL_PROCESS", "kill" }, SECCOMP_RET_KILL_PROCESS, false },
	{ { "kill-thread", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL" }, SECCOMP_RET_KILL_THREAD, false },
	{ { "trap", "SCMP_ACT_TRAP" }, SECCOMP_RET_TRAP, true },
	{ { "errno", "SCMP_ACT_ERRNO" }, SECCOMP_RET_ERRNO, true },
	{ { "notify", "SCMP_ACT_NOTIFY" }, SECCOMP_RET_USER_NOTIF, false },
	{ { "trace", "SCMP_ACT_TRACE" }, SECCOMP_RET_TRACE, true },
	{ { "log", "SCMP_ACT_LOG" }, SECCOMP_RET_LOG, false },
	{ { "allow", "SCMP_ACT_ALLOW" }, SECCOMP_RET_ALLOW, false },
};

int skep_seccomp_action_text(uint32_t action, char *text, size_t size)
{
	uint32_t data = action & SECCOMP_RET_DATA;
	const struct action_row *row = &actions[0]; /* what Linux makes of unknown ones */

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (actions[i].action == (action & SECCOMP_RET_ACTION_FULL))
			row = &actions[i];
	}
	if (row->action == SECCOMP_RET_ERRNO && data && strerrorname_np((int)data))
		return snprintf(text, size, "errno %s", strerrorname_np((int)data));
	if (row->action == SECCOMP_RET_ERRNO || (row->data && data))
		return snprintf(text, size, "%s %u", row->names[0], data);
	return snprintf(text, size, "%s", row->names[0]);
}

static bool find_data(const char *text, uint32_t *data)
{
	char *end;
	unsigned long number = strtoul(text, &end, 0);

	if (*text >= '0' && *text <= '9') {
		*data = (uint32_t)number;
		return *end == '\0' && number <= SECCOMP_RET_DATA;
	}
	for (int error = 1; error < 4096; error++) {
		const char *name = strerrorname_np(error);

		if (name && strcmp(name, text) == 0) {
			*data = (uint32_t)error;
			return true;
		}
	}
	return false;
}

bool skep_seccomp_action_find(const char *word, const char *data, uint32_t *action)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		const struct action_row *row = &actions[i];
		uint32_t low = row->action == SECCOMP_RET_ERRNO ? EPERM : 0;

		for (size_t j = 0; j < 3 && row->names[j]; j++) {
			if (strcmp(row->names[j], word) != 0)
				continue;
			if (data && (!row->data || !find_data(data, &low)))
				return false;
			*action = row->action | low;
			return true;
		}
	}
	return false;
}
