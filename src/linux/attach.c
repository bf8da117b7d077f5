/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.c - a loaded program to the place in the running kernel that its
 * section names.
 *
 * One row for each pattern of section names (src/prog/sections.c) that says all
 * that attaching takes. What is attached is held by a descriptor: of a link, or of
 * a perf event that the program was set on.
 */
#include "linux/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SAMPLE_HZ = 99 };

int attach_keep(const struct attaching *a, int fd)
{
	int *link;

	if (fd < 0)
		return fd;
	link = vec_push(&a->loaded->links);
	if (!link) {
		close(fd);
		return -ENOMEM;
	}
	*link = fd;
	return 0;
}

int attach_failed(const struct attaching *a, int error, const char *fmt, ...)
{
	char place[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(place, sizeof(place), fmt, args);
	va_end(args);
	if (error == -EPERM || error == -EACCES)
		return sys_denied(error, place, &a->where, a->diag);
	skep_report(a->diag, SKEP_LINUX_ATTACH, &a->where, "the running kernel does not let '%s' %s: "
		    "%s", a->where.program, place, strerror(-error));
	return error;
}

int attach_wants_target(const struct attaching *a, const char *form)
{
	skep_report(a->diag, SKEP_LINUX_ATTACH, &a->where, "section '%s' of '%s' does not say where "
		    "to attach it", a->prog->section, a->where.program);
	skep_help(a->diag, "SEC(\"%s\")", form);
	return -EINVAL;
}

int attach_event(const struct attaching *a, struct perf_event_attr *attr, int cpu)
{
	int fd = (int)sys_perf_event_open(attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC), error = 0;

	if (fd < 0)
		return fd;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, a->loaded->fd) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		error = -errno;
	if (!error)
		return attach_keep(a, fd);
	close(fd);
	return error;
}

/* --- tracepoints --- */

/* "category/name" */
static int attach_tracepoint(const struct attaching *a)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .sample_period = 1 };
	char path[256], id[32] = "";
	int fd, error;

	if (!strchr(a->target, '/'))
		return attach_wants_target(a, "tracepoint/CATEGORY/NAME");
	snprintf(path, sizeof(path), "events/%s/id", a->target);
	fd = tracefs_open(path, O_RDONLY);
	if (fd == -ENODEV)
		return attach_failed(a, fd, "be attached to tracepoints, whose ids tracefs tells, which is "
			      "not there");
	if (fd < 0)
		return attach_failed(a, fd, "be attached to tracepoint %s", a->target);
	error = read(fd, id, sizeof(id) - 1) > 0 ? 0 : -EIO;
	close(fd);
	attr.config = strtoull(id, NULL, 10);
	/* The program runs on all CPUs: the event only says whose it is. */
	if (!error)
		error = attach_event(a, &attr, 0);
	return error ? attach_failed(a, error, "be attached to tracepoint %s", a->target) : 0;
}

static int raw_open(const struct attaching *a, const char *name)
{
	struct sys_raw_tracepoint attr = { .name = (uintptr_t)name,
					   .fd = (uint32_t)a->loaded->fd };

	return attach_keep(a, (int)sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr)));
}

static int attach_raw(const struct attaching *a)
{
	int error;

	if (!*a->target)
		return attach_wants_target(a, "raw_tp/NAME");
	error = raw_open(a, a->target);
	return error ? attach_failed(a, error, "be attached to raw tracepoint %s", a->target) : 0;
}

/* The target is in the kernel's types, and was told when the program was loaded. */
static int attach_typed(const struct attaching *a)
{
	int error = raw_open(a, NULL);

	return error ? attach_failed(a, error, "be attached to %s", a->target) : 0;
}

/* --- time --- */

static int attach_sampling(const struct attaching *a)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.config = PERF_COUNT_SW_CPU_CLOCK, .freq = 1 };
	int error = 0;

	attr.sample_freq = a->kernel->opts.sample_hz ? a->kernel->opts.sample_hz : SAMPLE_HZ;
	for (unsigned cpu = 0; cpu < a->kernel->possible && !error; cpu++)
		if (sys_cpu_online(cpu))
			error = attach_event(a, &attr, (int)cpu);
	return error ? attach_failed(a, error, "sample at %llu Hz", (unsigned long long)attr.sample_freq)
		     : 0;
}

/* --- functions of the kernel --- */

int attach_device(const char *device, struct perf_event_attr *attr, bool returns)
{
	char path[128];
	int64_t type, bit = 0;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", device);
	type = sys_read_number(AT_FDCWD, path);
	if (type < 0)
		return -ENODEV;
	if (returns) {
		char text[32] = "";
		int fd;

		snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/format/retprobe",
			 device);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ||
		    sscanf(text, "config:%lld", (long long *)&bit) != 1)
			bit = 0;
		if (fd >= 0)
			close(fd);
		attr->config |= UINT64_C(1) << bit;
	}
	attr->type = (uint32_t)type;
	return 0;
}

static int attach_function(const struct attaching *a, const char *name, uint64_t off)
{
	struct perf_event_attr attr = { .sample_period = 1 };
	int error = attach_device("kprobe", &attr, a->flags & RETURN);

	if (error)
		return attach_failed(a, error, "be attached to function %s: it was built without kprobes",
			      name);
	attr.config1 = (uintptr_t)name;
	attr.config2 = off;
	error = attach_event(a, &attr, 0);
	return error ? attach_failed(a, error, "be attached to function %s", name) : 0;
}

/* "function" or "function+offset" */
static int attach_kprobe(const struct attaching *a)
{
	char name[128];
	size_t len = strcspn(a->target, "+");
	uint64_t off = a->target[len] ? strtoull(a->target + len + 1, NULL, 0) : 0;

	if (!len)
		return attach_wants_target(a, "kprobe/FUNCTION");
	snprintf(name, sizeof(name), "%.*s", (int)MIN(len, sizeof(name) - 1), a->target);
	return attach_function(a, name, off);
}

/* The function that does a system call has the architecture in its name. */
static int attach_ksyscall(const struct attaching *a)
{
	char name[128];

	if (!*a->target)
		return attach_wants_target(a, "ksyscall/NAME");
	snprintf(name, sizeof(name), "__x64_sys_%.100s", a->target);
	return attach_function(a, name, 0);
}

/*
 * A pattern: the kernel's own list says which functions can have a probe; those that begin a
 * function are probed at once by a link.
 */
static int attach_kprobe_multi(const struct attaching *a)
{
	struct sys_kprobe_multi attr = { .prog = (uint32_t)a->loaded->fd,
					 .attach = a->prog->match.attach,
					 .probe_flags = a->flags & RETURN };
	VEC(const char *) names = { 0 };
	struct arena strings = { 0 };
	char line[512];
	int fd = tracefs_open("available_filter_functions", O_RDONLY), error = -ENOENT;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "re");

	if (!*a->target)
		error = attach_wants_target(a, "kprobe.multi/PATTERN");
	while (*a->target && file && fgets(line, sizeof(line), file)) {
		const char **name;

		line[strcspn(line, " \t\n")] = '\0';
		if (fnmatch(a->target, line, 0) != 0 || !(name = vec_push(&names)))
			continue;
		*name = arena_strdup(&strings, line);
	}
	if (file)
		fclose(file);
	attr.count = (uint32_t)names.count;
	attr.symbols = (uintptr_t)names.items;
	if (names.count)
		error = attach_keep(a, (int)sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr)));
	vec_done(&names);
	arena_done(&strings);
	return error && *a->target ? attach_failed(a, error, "be attached to functions like %s",
						   a->target) : error;
}

/* --- the table --- */

struct attach_row {
	const char *prefix;      /* a pattern of src/prog/sections.c */
	int (*attach)(const struct attaching *a);
	unsigned flags;
};

static const struct attach_row rows[] = {
	{ "tracepoint+", attach_tracepoint, 0 },
	{ "tp+", attach_tracepoint, 0 },
	{ "raw_tracepoint+", attach_raw, 0 },
	{ "raw_tp+", attach_raw, 0 },
	{ "raw_tracepoint.w+", attach_raw, 0 },
	{ "raw_tp.w+", attach_raw, 0 },
	{ "tp_btf+", attach_typed, 0 },
	{ "fentry+", attach_typed, 0 },
	{ "fentry.s+", attach_typed, 0 },
	{ "fexit+", attach_typed, 0 },
	{ "fexit.s+", attach_typed, 0 },
	{ "fsession+", attach_typed, 0 },
	{ "fsession.s+", attach_typed, 0 },
	{ "fmod_ret+", attach_typed, 0 },
	{ "fmod_ret.s+", attach_typed, 0 },
	{ "lsm+", attach_typed, 0 },
	{ "lsm.s+", attach_typed, 0 },
	{ "perf_event", attach_sampling, 0 },
	{ "kprobe+", attach_kprobe, 0 },
	{ "kretprobe+", attach_kprobe, RETURN },
	{ "ksyscall+", attach_ksyscall, 0 },
	{ "kretsyscall+", attach_ksyscall, RETURN },
	{ "kprobe.multi+", attach_kprobe_multi, 0 },
	{ "kretprobe.multi+", attach_kprobe_multi, RETURN },
	{ "kprobe.session+", attach_kprobe_multi, 0 },
	{ "uprobe+", attach_uprobe, 0 },
	{ "uprobe.s+", attach_uprobe, 0 },
	{ "uretprobe+", attach_uprobe, RETURN },
	{ "uretprobe.s+", attach_uprobe, RETURN },
	{ "uprobe.multi+", attach_uprobe_multi, 0 },
	{ "uprobe.multi.s+", attach_uprobe_multi, 0 },
	{ "uretprobe.multi+", attach_uprobe_multi, RETURN },
	{ "uretprobe.multi.s+", attach_uprobe_multi, RETURN },
	{ "uprobe.session+", attach_uprobe_multi, 0 },
	{ "uprobe.session.s+", attach_uprobe_multi, 0 },
};

int skep_linux_attach(struct skep_linux *kernel, const struct skep_object_prog *prog,
		      const char *place, struct skep_diag *diag)
{
	const char *section = place ? place : prog->section;
	struct attaching a = {
		.kernel = kernel, .prog = prog, .loaded = linux_prog(kernel, prog), .diag = diag,
		.where = object_where(kernel->object, section, skep_object_prog_name(prog)),
	};
	struct section_match match;

	if (object_prog_place(prog, place, &match, diag) < 0)
		return -EINVAL;
	a.target = match.target ? match.target : "";
	if (a.loaded->fd < 0)
		return skep_fail(diag, SKEP_LINUX_ATTACH, &a.where, "'%s' is not loaded",
				 a.where.program);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].prefix, match.prefix) != 0)
			continue;
		a.flags = rows[i].flags;
		return rows[i].attach(&a);
	}
	skep_report(diag, SKEP_LINUX_ATTACH, &a.where, "'%s' is not attached: section '%s' does not "
		    "say to what", a.where.program, section);
	skep_help(diag, "another place: --attach PROGRAM=PLACE; packet programs run over a capture, -r FILE");
	return -EOPNOTSUPP;
}
