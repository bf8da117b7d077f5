/* SPDX-License-Identifier: BSD-2-Clause */
/* sys.c - asking the running kernel, and saying why it does not answer (see sys.h). */
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"

long sys_bpf(int command, void *attr, size_t size)
{
	long result = syscall(SYS_bpf, command, attr, size);

	return result < 0 ? -errno : result;
}

long sys_perf_event_open(struct perf_event_attr *attr, int pid, int cpu, int group,
			 unsigned long flags)
{
	long result;

	attr->size = sizeof(*attr);
	result = syscall(SYS_perf_event_open, attr, pid, cpu, group, flags);
	return result < 0 ? -errno : result;
}

static int read_line(int at, const char *path, char *text, size_t size)
{
	int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, size - 1);
	close(fd);
	if (got < 0)
		return -EIO;
	text[got] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int64_t sys_read_number(int at, const char *path)
{
	char text[64], *end;
	int error = read_line(at, path, text, sizeof(text));
	int64_t number;

	if (error < 0)
		return error;
	number = strtoll(text, &end, 10);
	return end == text ? -EINVAL : number;
}

/* --- CPUs: "0-3,8" --- */

static bool list_has(const char *list, unsigned long cpu, unsigned long *last)
{
	bool found = false;

	while (*list) {
		char *end;
		unsigned long from = strtoul(list, &end, 10), to = from;

		if (end == list)
			break;
		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		found |= cpu >= from && cpu <= to;
		*last = to;
		list = *end == ',' ? end + 1 : end;
	}
	return found;
}

unsigned sys_possible_cpus(void)
{
	unsigned long last = 0;
	char list[256];

	if (read_line(AT_FDCWD, "/sys/devices/system/cpu/possible", list, sizeof(list)) < 0)
		return 1;
	list_has(list, 0, &last);
	return (unsigned)last + 1;
}

bool sys_cpu_online(unsigned cpu)
{
	unsigned long last = 0;
	char list[256];

	if (read_line(AT_FDCWD, "/sys/devices/system/cpu/online", list, sizeof(list)) < 0)
		return cpu == 0;
	return list_has(list, cpu, &last);
}

/* --- refusals --- */

enum { CAP_SYS_ADMIN_BIT = 21, CAP_PERFMON_BIT = 38, CAP_BPF_BIT = 39 };

static uint64_t effective_caps(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (file)
		fclose(file);
	return caps;
}

/* What of the rights is missing; "" if nothing is. */
static const char *missing_caps(void)
{
	uint64_t caps = effective_caps();
	bool bpf = caps >> CAP_BPF_BIT & 1, perfmon = caps >> CAP_PERFMON_BIT & 1;

	if (caps >> CAP_SYS_ADMIN_BIT & 1 || (bpf && perfmon))
		return "";
	return bpf ? "CAP_PERFMON" : perfmon ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
}

int sys_denied(int error, const char *what, const struct skep_where *where,
	       struct skep_diag *diag)
{
	const char *missing = missing_caps();
	int64_t disabled = sys_read_number(AT_FDCWD, "/proc/sys/kernel/unprivileged_bpf_disabled");
	int64_t paranoid = sys_read_number(AT_FDCWD, "/proc/sys/kernel/perf_event_paranoid");
	char lockdown[128] = "";

	skep_report(diag, SKEP_LINUX_DENIED, where, "the running kernel does not let this user %s: %s",
		    what, strerror(-error));
	if (*missing)
		skep_note(diag, NULL, "what is missing: %s (kernel.unprivileged_bpf_disabled is %lld, "
			  "kernel.perf_event_paranoid %lld)", missing, (long long)disabled,
			  (long long)paranoid);
	if (read_line(AT_FDCWD, "/sys/kernel/security/lockdown", lockdown, sizeof(lockdown)) == 0 &&
	    !strstr(lockdown, "[none]"))
		skep_note(diag, NULL, "the kernel is locked down: %s", lockdown);
	else if (!*missing)
		skep_note(diag, NULL, "the capabilities are there: lockdown, a container's seccomp "
			  "filter or a security module forbids it");
	return -EPERM;
}
