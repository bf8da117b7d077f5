/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - an object's programs into the running kernel.
 *
 * What src/object links is what the kernel gets: CO-RE applied against the
 * kernel's own types, function and line records beside it; references to maps
 * become descriptors here. A program that is rejected is loaded again for the
 * verifier's log, whose last words and last instruction are reported.
 */
#include "linux/impl.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_SIZE = 16 << 20, LOG_LINES = 8, TRIES = 5 };

/* One program on its way, everything in it owned. */
struct loading {
	const struct prog_spec *spec;
	struct skep_insn *insns;
	struct func_info *funcs;
	struct line_info *lines;
	uint32_t count, guard;   /* slots; of them in front of the program */
};

/* --- what the kernel gets --- */

static int copy_records(struct loading *l)
{
	const struct prog_spec *spec = l->spec;

	l->funcs = calloc(spec->func_count + 1, sizeof(*l->funcs));
	l->lines = calloc(spec->line_count + 1, sizeof(*l->lines));
	if (!l->funcs || !l->lines)
		return -ENOMEM;
	/* The first record of each is the program's own, and so takes in what stands before. */
	for (uint32_t i = 0; i < spec->func_count; i++) {
		l->funcs[i] = spec->funcs[i];
		l->funcs[i].insn += i ? l->guard : 0;
	}
	for (uint32_t i = 0; i < spec->line_count; i++) {
		l->lines[i] = spec->lines[i];
		l->lines[i].insn += i ? l->guard : 0;
	}
	return 0;
}

static void put_descriptors(const struct skep_linux *kernel, struct loading *l)
{
	for (uint32_t i = l->guard; i < l->count; i += skep_insn_slots(l->insns[i])) {
		struct skep_insn *insn = &l->insns[i];

		if (skep_insn_slots(*insn) != 2)
			continue;
		if (insn->src == IMM64_MAP_INDEX)
			insn->src = IMM64_MAP_FD;
		else if (insn->src == IMM64_MAP_INDEX_VALUE)
			insn->src = IMM64_MAP_VALUE;
		else
			continue;
		insn->imm = kernel->maps[insn->imm].fd;
	}
}

/* guarded: with what holds it to the tree, where that is asked for. */
static int prepare(const struct skep_linux *kernel, const struct prog_spec *spec, bool guarded,
		   struct loading *l, struct skep_diag *diag)
{
	struct skep_insn guard[LINUX_GUARD_MAX];
	int slots = 0;

	*l = (struct loading){ .spec = spec };
	if (guarded && kernel->tree.map >= 0)
		slots = linux_tree_guard(&kernel->tree, spec, guard, diag);
	if (slots < 0)
		return slots;
	l->guard = (uint32_t)slots;
	l->count = spec->len + l->guard;
	l->insns = calloc(l->count, sizeof(*l->insns));
	if (!l->insns || copy_records(l) < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "program '%s'", spec->name);
	memcpy(l->insns, guard, l->guard * sizeof(*guard));
	memcpy(l->insns + l->guard, spec->insns, spec->len * sizeof(*spec->insns));
	put_descriptors(kernel, l);
	return 0;
}

static void loading_done(struct loading *l)
{
	free(l->insns);
	free(l->funcs);
	free(l->lines);
	*l = (struct loading){ 0 };
}

/* A descriptor or a negative errno. log may be NULL. */
static int load(const struct skep_linux *kernel, const struct loading *l, char *log)
{
	const struct prog_spec *spec = l->spec;
	struct sys_prog attr = {
		.type = spec->type->id, .insns = (uintptr_t)l->insns, .insn_count = l->count,
		.license = (uintptr_t)spec->license, .flags = spec->flags, .attach = spec->attach,
		.attach_btf_id = spec->attach_btf_id,
	};
	int fd;

	snprintf(attr.name, sizeof(attr.name), "%.15s", spec->name);
	if (kernel->btf >= 0 && spec->func_count) {
		attr.btf_fd = (uint32_t)kernel->btf;
		attr.funcs = (uintptr_t)l->funcs;
		attr.func_count = spec->func_count;
		attr.func_size = sizeof(*l->funcs);
		attr.lines = (uintptr_t)l->lines;
		attr.line_count = spec->line_count;
		attr.line_size = spec->line_count ? sizeof(*l->lines) : 0;
	}
	if (log) {
		attr.log_level = 1;
		attr.log = (uintptr_t)log;
		attr.log_size = LOG_SIZE;
	}
	/* A signal may interrupt the verifier. */
	for (int i = 0; (fd = (int)sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr))) == -EAGAIN; i++)
		if (i == TRIES)
			break;
	return fd;
}

int linux_load_plain(uint32_t type, uint32_t attach, uint32_t attach_btf_id, const char *name,
		     const struct skep_insn *insns, size_t count)
{
	struct sys_prog attr = {
		.type = type, .insns = (uintptr_t)insns, .insn_count = (uint32_t)count,
		.license = (uintptr_t) "GPL", .attach = attach, .attach_btf_id = attach_btf_id,
	};

	snprintf(attr.name, sizeof(attr.name), "%.15s", name);
	return (int)sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}

/* --- what the verifier said --- */

static bool is_statistics(const char *line)
{
	static const char *const starts[] = { "processed ", "verification time", "stack depth",
					      "insns processed" };

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (strncmp(line, starts[i], strlen(starts[i])) == 0)
			return true;
	return *line == '\0';
}

/* Lines of a log, cut apart in place; the last ones that say something. */
struct tail {
	char *lines[LOG_LINES];
	size_t count;
	int64_t insn;            /* the last one that was looked at; -1: none */
};

static struct tail read_tail(char *log)
{
	struct tail tail = { .insn = -1 };
	char *save = NULL;

	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		long long insn;
		int used = 0;

		if (is_statistics(line))
			continue;
		/* "12: (79) r1 = ..." */
		if (sscanf(line, "%lld: (%*2x)%n", &insn, &used) == 1 && used)
			tail.insn = insn;
		if (tail.count == LOG_LINES)
			memmove(tail.lines, tail.lines + 1, --tail.count * sizeof(*tail.lines));
		tail.lines[tail.count++] = line;
	}
	return tail;
}

static int report_rejection(struct skep_object_prog *prog, int error, char *log,
			    struct skep_diag *diag)
{
	struct skep_where where = object_where(prog->object, prog->section,
					       skep_object_prog_name(prog)), source;
	struct tail tail = read_tail(log);

	if (tail.insn >= 0)
		where.insn = tail.insn;
	if (tail.insn >= 0 && skep_object_prog_source(prog, (size_t)tail.insn, &source))
		where = source;
	if (!tail.count)
		return skep_fail(diag, SKEP_LINUX_PROG, &where, "the running kernel does not load "
				 "'%s', which is of type %s: %s", skep_object_prog_name(prog),
				 prog->match.type->name, strerror(-error));
	skep_report(diag, SKEP_LINUX_PROG, &where, "%s", tail.lines[tail.count - 1]);
	skep_note(diag, NULL, "the end of the kernel's log (%s):", strerror(-error));
	for (size_t i = 0; i < tail.count; i++)
		skep_note(diag, NULL, "%s", tail.lines[i]);
	return error;
}

/* What was refused, as it is in the object: numbers of instructions are those of the log. */
static int refused(struct skep_linux *kernel, struct skep_object_prog *prog,
		   const struct prog_spec *spec, int error, struct skep_diag *diag)
{
	struct skep_where where = object_where(kernel->object, spec->section, spec->name);
	char *log = calloc(1, LOG_SIZE);
	struct loading l = { 0 };
	int fd = -ENOMEM;

	if (log && prepare(kernel, spec, false, &l, diag) == 0)
		fd = load(kernel, &l, log);
	if (fd >= 0) {
		/* It is the guard that it does not take: no fault of the program's. */
		close(fd);
		error = skep_fail(diag, SKEP_LINUX_PROG, &where, "the running kernel loads '%s', but "
				  "not held to a tree of processes: %s", spec->name,
				  strerror(-error));
	} else if (fd == -EPERM && log && !*log) {
		error = sys_denied(fd, "load programs", &where, diag);
	} else if (log && l.insns) {
		error = report_rejection(prog, fd, log, diag);
	}
	loading_done(&l);
	free(log);
	return error;
}

/* --- one program, all of them --- */

static bool prints(const struct prog_spec *spec)
{
	enum { TRACE_PRINTK = 6, TRACE_VPRINTK = 177 };

	for (uint32_t i = 0; i < spec->len; i += skep_insn_slots(spec->insns[i])) {
		const struct skep_insn *insn = &spec->insns[i];

		if (insn->code == 0x85 && insn->src == 0 &&
		    (insn->imm == TRACE_PRINTK || insn->imm == TRACE_VPRINTK))
			return true;
	}
	return false;
}

static int load_prog(struct skep_linux *kernel, struct skep_object_prog *prog,
		     struct skep_diag *diag)
{
	struct skep_where where;
	struct prog_spec spec;
	struct loading l;
	int error = object_prog_spec(prog, NULL, &spec, diag), fd = -EINVAL;

	if (error)
		return error;
	where = object_where(kernel->object, spec.section, spec.name);
	if (spec.map_count > kernel->object->maps.count)
		return skep_fail(diag, SKEP_LINUX_PROG, &where, "'%s' jumps through a table, which "
				 "can be checked but not loaded", spec.name);
	if (spec.target || spec.type->id == BPF_PROG_TYPE_STRUCT_OPS)
		return skep_fail(diag, SKEP_LINUX_PROG, &where, "'%s' takes the place of a function, "
				 "which can be checked but not loaded", spec.name);
	error = prepare(kernel, &spec, true, &l, diag);
	if (!error)
		fd = load(kernel, &l, NULL);
	loading_done(&l);
	if (error)
		return error;
	if (fd < 0)
		return refused(kernel, prog, &spec, fd, diag);
	kernel->progs[prog->index].fd = fd;
	kernel->progs[prog->index].prints = prints(&spec);
	return 0;
}

/* Linking reads settings and constants that maps are then made with. */
static int link_all(struct skep_linux *kernel, struct skep_diag *diag)
{
	struct skep_object *object = kernel->object;
	struct prog_spec spec;
	int error = 0;

	for (size_t i = 0; i < object->prog_count && !error; i++)
		if (object->progs[i].autoload)
			error = object_prog_spec(&object->progs[i], NULL, &spec, diag);
	return error;
}

/* Fields must be where this kernel has them, not where another has. */
static int check_types(const struct skep_object *object, struct skep_diag *diag)
{
	struct skep_where where = object_where(object, NULL, NULL);

	if (object->kernel || !object->core_records.count ||
	    access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		return 0;
	skep_report(diag, SKEP_BTF_NONE, &where, "the running kernel does not tell its types "
		    "(/sys/kernel/btf/vmlinux), which relocations of the object ask for");
	skep_help(diag, "give the types of this very kernel: --btf FILE");
	return -SKEP_BTF_NONE_ERRNO;
}

static int load_all(struct skep_linux *kernel, struct skep_diag *diag)
{
	struct skep_object *object = kernel->object;
	int error = check_types(object, diag);

	if (!error)
		error = link_all(kernel, diag);
	if (!error && object->btf)
		kernel->btf = linux_load_types(object->btf);
	if (!error && kernel->btf == -EPERM)
		error = sys_denied(kernel->btf, "load types", NULL, diag);
	if (!error && kernel->opts.tree)
		error = linux_tree_start(kernel, diag);
	if (!error)
		error = linux_make_maps(kernel, diag);
	for (size_t i = 0; i < object->prog_count && !error; i++)
		if (object->progs[i].autoload)
			error = load_prog(kernel, &object->progs[i], diag);
	if (!error)
		error = linux_fill_maps(kernel, diag);
	return error ? error : linux_open_rings(kernel, diag);
}

struct skep_linux *skep_linux_load(struct skep_object *object, const struct skep_linux_opts *opts,
				   struct skep_diag *diag)
{
	struct skep_linux *kernel = calloc(1, sizeof(*kernel));

	if (kernel) {
		kernel->maps = calloc(object->maps.count + 1, sizeof(*kernel->maps));
		kernel->progs = calloc(object->prog_count + 1, sizeof(*kernel->progs));
	}
	if (!kernel || !kernel->maps || !kernel->progs) {
		skep_report(diag, SKEP_OOM, NULL, "loading '%s'", object->name);
		if (kernel)
			free(kernel->maps);
		free(kernel);
		return NULL;
	}
	kernel->object = object;
	kernel->opts = opts ? *opts : (struct skep_linux_opts){ 0 };
	kernel->possible = sys_possible_cpus();
	kernel->btf = kernel->epoll = kernel->trace = -1;
	kernel->tree = (struct linux_tree){ -1, 0, -1, -1, { -1, -1 }, { -1, -1 } };
	for (size_t i = 0; i < object->maps.count; i++)
		kernel->maps[i] = (struct skep_linux_map){ .from = object->maps.items[i], .fd = -1 };
	for (size_t i = 0; i < object->prog_count; i++)
		kernel->progs[i].fd = -1;
	if (load_all(kernel, diag) == 0)
		return kernel;
	skep_linux_free(kernel);
	return NULL;
}

static void shut(int fd)
{
	if (fd >= 0)
		close(fd);
}

void skep_linux_free(struct skep_linux *kernel)
{
	if (!kernel)
		return;
	for (size_t i = 0; i < kernel->object->prog_count; i++) {
		for (size_t n = 0; n < kernel->progs[i].links.count; n++)
			shut(kernel->progs[i].links.items[n]);
		vec_done(&kernel->progs[i].links);
		shut(kernel->progs[i].fd);
	}
	linux_close_rings(kernel);
	linux_tree_stop(&kernel->tree);
	for (size_t i = 0; i < kernel->object->maps.count; i++)
		shut(kernel->maps[i].fd);
	shut(kernel->btf);
	free(kernel->packet);
	free(kernel->maps);
	free(kernel->progs);
	free(kernel);
}
