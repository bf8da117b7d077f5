/* SPDX-License-Identifier: BSD-2-Clause */
/* task_proc.c - see task_proc.h. [runtime] */
#include "helper/task_proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/task.h"
#include "map/sys.h"

size_t task_decimal(char *to, uint32_t number)
{
	char digits[10];
	size_t count = 0, len = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	while (count)
		to[len++] = digits[--count];
	to[len] = '\0';
	return len;
}

void task_path(char path[TASK_PATH], uint32_t tid, const char *name)
{
	static const char head[] = "/proc/", own[] = "thread-self";
	size_t at = sizeof(head) - 1;

	memcpy(path, head, sizeof(head));
	if (tid) {
		at += task_decimal(path + at, tid);
	} else {
		memcpy(path + at, own, sizeof(own));
		at += sizeof(own) - 1;
	}
	path[at++] = '/';
	memcpy(path + at, name, strlen(name) + 1);
}

/* "\nUid:\t1000\t1000...": the n-th number of the line; none if there is no such line. */
uint32_t task_line(const char *text, const char *line, unsigned n, uint32_t none)
{
	const char *at = strstr(text, line);
	uint32_t value = none;
	unsigned i = 0;

	if (!at)
		return none;
	at += strlen(line);
	for (; i <= n && *at == '\t'; i++)
		for (value = 0, at++; *at >= '0' && *at <= '9'; at++)
			value = value * 10 + (uint32_t)(*at - '0');
	return i > n ? value : none;
}

/* "Name:\tmy prog\n", where newlines and backslashes are escaped. */
void task_read_name(const char *text, char comm[16])
{
	size_t length = 0;

	if (strncmp(text, "Name:\t", 6) != 0)
		return;
	for (text += 6; *text && *text != '\n' && length < 15; text++) {
		if (*text == '\\' && text[1])
			comm[length++] = *++text == 'n' ? '\n' : *text;
		else
			comm[length++] = *text;
	}
}

/* "\nSigBlk:\t0000000000010000" */
uint64_t task_mask(const char *text, const char *line)
{
	const char *at = strstr(text, line);
	uint64_t value = 0;

	for (at = at ? at + strlen(line) : ""; *at == '\t'; at++)
		;
	for (; (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f'); at++)
		value = value << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
	return value;
}

void task_read_cred(const char *text, struct own_cred *cred)
{
	static const uint32_t nobody = UINT32_MAX; /* no user at all */

	cred->uid = task_line(text, "\nUid:", 0, nobody);
	cred->euid = task_line(text, "\nUid:", 1, nobody);
	cred->suid = task_line(text, "\nUid:", 2, nobody);
	cred->gid = task_line(text, "\nGid:", 0, nobody);
	cred->egid = task_line(text, "\nGid:", 1, nobody);
	cred->sgid = task_line(text, "\nGid:", 2, nobody);
	cred->fsuid = task_line(text, "\nUid:", 3, nobody);
	cred->fsgid = task_line(text, "\nGid:", 3, nobody);
	cred->cap_inheritable = task_mask(text, "\nCapInh:");
	cred->cap_permitted = task_mask(text, "\nCapPrm:");
	cred->cap_effective = task_mask(text, "\nCapEff:");
	cred->cap_bset = task_mask(text, "\nCapBnd:");
	cred->cap_ambient = task_mask(text, "\nCapAmb:");
}

size_t task_text(const char *path, char *text, size_t size)
{
	int64_t fd = sys_call3(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), got = 0;

	if (fd >= 0) {
		got = sys_call3(SYS_read, fd, text, size - 1);
		sys_call1(SYS_close, fd);
	}
	got = got > 0 ? got : 0;
	text[got] = '\0';
	return (size_t)got;
}

int64_t task_number(const char *path, int64_t none)
{
	char text[24];
	size_t size = task_text(path, text, sizeof(text)), at = text[0] == '-';
	int64_t value = 0;

	for (; text[at] >= '0' && text[at] <= '9'; at++)
		value = value * 10 + (text[at] - '0');
	return size == 0 ? none : text[0] == '-' ? -value : value;
}

/* A name may hold anything, also the bracket that ends it. */
static const char *behind_name(const char *text)
{
	const char *at = text;

	for (; *text; text++)
		if (*text == ')')
			at = text + 1;
	return at;
}

char task_state(const char *stat)
{
	const char *at = behind_name(stat);

	return *at == ' ' ? at[1] : '\0';
}

bool task_stat(const char *path, const uint8_t *fields, uint64_t *values, unsigned count)
{
	char text[1024];
	const char *at;
	unsigned field = 2, found = 0;

	if (task_text(path, text, sizeof(text)) == 0)
		return false;
	at = behind_name(text);
	while (*at && found < count) {
		uint64_t value = 0;

		bool negative = at[1] == '-';

		for (at++, field++; *at && *at != ' '; at++)
			value = *at >= '0' && *at <= '9' ? value * 10 + (uint64_t)(*at - '0') : value;
		if (fields[found] == field)
			values[found++] = negative ? 0 - value : value;
	}
	return found == count;
}

uint32_t task_inode(const char *path)
{
	struct stat st;

	if (sys_call4(SYS_newfstatat, AT_FDCWD, path, &st, 0) < 0)
		return 0;
	return (uint32_t)st.st_ino;
}
