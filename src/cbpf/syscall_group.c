/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscall_group.c - groups of system calls, calls that x86 makes through another one, and what
 * a mistyped name may have meant.
 */
#include "cbpf/syscall.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define DEPTH 4 /* of groups in groups: a bound, not a wish */

/* --- groups --- */

static const struct group_row {
	const char *name, *about, *members;
} groups[] = {
#define GROUP(name, about, members) { name, about, members },
#include "cbpf/syscall_group.def"
#undef GROUP
	{ "@known", "every call that has a name", "" },
};

const char *skep_syscall_group(size_t index, const char **about, const char **members)
{
	if (index >= ARRAY_SIZE(groups))
		return NULL;
	if (about)
		*about = groups[index].about;
	if (members)
		*members = groups[index].members;
	return groups[index].name;
}

void syscall_set_add(struct syscall_set *set, int row)
{
	set->bits[row / 64] |= 1ull << row % 64;
}

bool syscall_set_has(const struct syscall_set *set, int row)
{
	return set->bits[row / 64] >> row % 64 & 1;
}

static bool add_group(struct syscall_set *set, const char *name, int depth)
{
	const struct group_row *group = NULL;
	char word[40];

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (strcmp(groups[i].name, name) == 0)
			group = &groups[i];
	}
	if (!group || depth > DEPTH)
		return false;
	for (int row = 0; !*group->members && syscall_row_name(row); row++)
		syscall_set_add(set, row);
	for (const char *at = group->members; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");
		int row;

		if (len >= sizeof(word))
			return false;
		memcpy(word, at, len);
		word[len] = '\0';
		at += len;
		if (*word == '@' && !add_group(set, word, depth + 1))
			return false;
		row = syscall_row(word);
		if (row >= 0)
			syscall_set_add(set, row);
	}
	return true;
}

bool syscall_set_add_group(struct syscall_set *set, const char *group)
{
	return add_group(set, group, 0);
}

/* --- calls through another one --- */

/* By linux/net.h and linux/ipc.h. */
static const struct { const char *name, *by; uint32_t number; } multiplexed[] = {
	{ "socket", "socketcall", 1 }, { "bind", "socketcall", 2 }, { "connect", "socketcall", 3 },
	{ "listen", "socketcall", 4 }, { "accept", "socketcall", 5 }, { "getsockname", "socketcall", 6 },
	{ "getpeername", "socketcall", 7 }, { "socketpair", "socketcall", 8 }, { "send", "socketcall", 9 },
	{ "recv", "socketcall", 10 }, { "sendto", "socketcall", 11 }, { "recvfrom", "socketcall", 12 },
	{ "shutdown", "socketcall", 13 }, { "setsockopt", "socketcall", 14 },
	{ "getsockopt", "socketcall", 15 }, { "sendmsg", "socketcall", 16 }, { "recvmsg", "socketcall", 17 },
	{ "accept4", "socketcall", 18 }, { "recvmmsg", "socketcall", 19 }, { "sendmmsg", "socketcall", 20 },
	{ "semop", "ipc", 1 }, { "semget", "ipc", 2 }, { "semctl", "ipc", 3 }, { "semtimedop", "ipc", 4 },
	{ "msgsnd", "ipc", 11 }, { "msgrcv", "ipc", 12 }, { "msgget", "ipc", 13 }, { "msgctl", "ipc", 14 },
	{ "shmat", "ipc", 21 }, { "shmdt", "ipc", 22 }, { "shmget", "ipc", 23 }, { "shmctl", "ipc", 24 },
};

const char *syscall_multiplexer(const char *name, struct skep_seccomp_test *test)
{
	for (size_t i = 0; i < ARRAY_SIZE(multiplexed); i++) {
		if (strcmp(multiplexed[i].name, name) != 0)
			continue;
		*test = (struct skep_seccomp_test){ .op = SKEP_SECCOMP_EQ, .value = multiplexed[i].number };
		test->mask = UINT32_MAX;
		return multiplexed[i].by;
	}
	return NULL;
}

/* --- what was meant --- */

/* Single letters that are to be added, taken away or exchanged; capped. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64], len = (unsigned)strlen(b);

	if (len >= ARRAY_SIZE(row) || strlen(a) >= ARRAY_SIZE(row))
		return UINT32_MAX;
	for (unsigned j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned corner = row[0];

		row[0] = i + 1;
		for (unsigned j = 0; j < len; j++) {
			unsigned change = corner + (a[i] != b[j]), step = MIN(row[j], row[j + 1]) + 1;

			/* two that changed places count once */
			if (i && j && a[i] == b[j - 1] && a[i - 1] == b[j] && a[i] != b[j])
				change = corner;
			corner = row[j + 1];
			row[j + 1] = MIN(change, step);
		}
	}
	return row[len];
}

const char *skep_syscall_nearest(const char *name)
{
	unsigned best = strlen(name) > 4 ? 3 : 2;
	const char *found = NULL, *candidate;

	for (int row = 0; *name != '@' && (candidate = syscall_row_name(row)); row++) {
		unsigned edits = distance(name, candidate);

		if (edits < best) {
			best = edits;
			found = candidate;
		}
	}
	for (size_t i = 0; *name == '@' && i < ARRAY_SIZE(groups); i++) {
		unsigned edits = distance(name, groups[i].name);

		if (edits < best + 1) {
			best = edits;
			found = groups[i].name;
		}
	}
	return found;
}
