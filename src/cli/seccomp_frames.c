/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_frames.c - who in a stopped thread made a call: the innermost function, and the first one
 * outwards of which the source line is known.
 *
 * By elfutils' libdw, which is loaded when the first call is to be told. Without it, or its header
 * when Skep was built, there are no lines.
 */
#include "cli/seccomp.h"

#include <stdlib.h>
#include <string.h>

#if __has_include(<elfutils/libdwfl.h>)
#include <dlfcn.h>
#include <elfutils/libdwfl.h>

#define DEPTH 64 /* frames that are looked at */

static struct {
	__typeof__(dwfl_begin) *begin;
	__typeof__(dwfl_end) *end;
	__typeof__(dwfl_linux_proc_report) *report;
	__typeof__(dwfl_linux_proc_attach) *attach;
	__typeof__(dwfl_report_end) *report_end;
	__typeof__(dwfl_getthread_frames) *frames;
	__typeof__(dwfl_frame_pc) *pc;
	__typeof__(dwfl_addrmodule) *module;
	__typeof__(dwfl_getmodules) *modules;
	__typeof__(dwfl_module_addrname) *name;
	__typeof__(dwfl_module_getsrc) *source;
	__typeof__(dwfl_lineinfo) *line;
	__typeof__(dwfl_standard_find_debuginfo) *find_debuginfo;
	__typeof__(dwfl_linux_proc_find_elf) *find_elf;
} dw;

static bool load_libdw(void)
{
	const struct { const char *name; void *at; } symbols[] = {
		{ "dwfl_begin", &dw.begin }, { "dwfl_end", &dw.end }, { "dwfl_linux_proc_report", &dw.report },
		{ "dwfl_linux_proc_attach", &dw.attach }, { "dwfl_report_end", &dw.report_end },
		{ "dwfl_getthread_frames", &dw.frames }, { "dwfl_frame_pc", &dw.pc },
		{ "dwfl_addrmodule", &dw.module }, { "dwfl_getmodules", &dw.modules }, { "dwfl_module_addrname", &dw.name },
		{ "dwfl_module_getsrc", &dw.source }, { "dwfl_lineinfo", &dw.line },
		{ "dwfl_standard_find_debuginfo", &dw.find_debuginfo },
		{ "dwfl_linux_proc_find_elf", &dw.find_elf },
	};
	static int state; /* 1: there, -1: not there */
	void *lib = state ? NULL : dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);

	if (state)
		return state > 0;
	state = -1;
	for (size_t i = 0; lib && i < COUNT(symbols); i++) {
		void *found = dlsym(lib, symbols[i].name);

		if (!found)
			return false;
		memcpy(symbols[i].at, &found, sizeof(found));
	}
	state = lib ? 1 : -1;
	return lib != NULL;
}

/* The file that was executed is the first that the kernel mapped, and the first that is reported. */
static int take_first(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr start, void *arg)
{
	(void)user;
	(void)name;
	(void)start;
	*(Dwfl_Module **)arg = module;
	return DWARF_CB_ABORT;
}

static bool is_program(Dwfl *dwfl, Dwfl_Module *module)
{
	Dwfl_Module *first = NULL;

	dw.modules(dwfl, take_first, &first, 0);
	return first == module;
}

struct walk {
	Dwfl *dwfl;
	struct seccomp_frames *frames;
	Dwfl_Module *first;      /* the innermost frame's: mostly the C library */
	int depth;
	bool lost;               /* some frame is of no file that is known */
};

static void take_line(struct seccomp_frames *frames, Dwfl_Line *line)
{
	int number = 0;
	const char *file = dw.line(line, NULL, &number, NULL, NULL, NULL);

	if (file)
		snprintf(frames->source, sizeof(frames->source), "%s:%d", file, number);
}

/*
 * One frame: the innermost gives the function, the first one of another file the caller. Lines of
 * the C library say nothing, unless it is a part of the program.
 */
static int look(Dwfl_Frame *frame, void *arg)
{
	struct walk *walk = arg;
	struct seccomp_frames *frames = walk->frames;
	Dwfl_Module *module;
	Dwfl_Line *line;
	Dwarf_Addr pc;
	bool exact;
	const char *name;

	if (!dw.pc(frame, &pc, &exact) || walk->depth >= DEPTH)
		return DWARF_CB_ABORT;
	/* a return address stands behind the call; so does a thread in a system call */
	pc -= 1;
	module = dw.module(walk->dwfl, pc);
	walk->lost |= !module;
	name = module ? dw.name(module, pc) : NULL;
	line = module ? dw.source(module, pc) : NULL;
	if (walk->depth++ == 0) {
		walk->first = module;
		snprintf(frames->function, sizeof(frames->function), "%s", name ? name : "");
		if (module && line && is_program(walk->dwfl, module))
			take_line(frames, line);
		return *frames->source ? DWARF_CB_ABORT : DWARF_CB_OK;
	}
	if (!module || (module == walk->first && !(line && is_program(walk->dwfl, module))))
		return DWARF_CB_OK;
	if (!frames->address)
		snprintf(frames->caller, sizeof(frames->caller), "%s", name ? name : "");
	frames->address = frames->address ? frames->address : pc + 1;
	if (!line)
		return DWARF_CB_OK;
	take_line(frames, line);
	snprintf(frames->caller, sizeof(frames->caller), "%s", name ? name : "");
	return DWARF_CB_ABORT;
}

/* --- processes that are known --- */

#define KNOWN 8

static struct known { pid_t pid; Dwfl *dwfl; } known[KNOWN];

void seccomp_forget_frames(pid_t pid)
{
	for (size_t i = 0; i < KNOWN; i++) {
		if (known[i].dwfl && (known[i].pid == pid || pid == 0)) {
			dw.end(known[i].dwfl);
			known[i] = (struct known){ 0 };
		}
	}
}

static Dwfl *open_process(pid_t pid)
{
	static char *path;
	static Dwfl_Callbacks callbacks;
	Dwfl *dwfl;

	callbacks = (Dwfl_Callbacks){ .find_elf = dw.find_elf, .find_debuginfo = dw.find_debuginfo,
				      .debuginfo_path = &path };
	dwfl = dw.begin(&callbacks);
	if (dwfl && dw.report(dwfl, pid) == 0 && dw.report_end(dwfl, NULL, NULL) == 0 &&
	    dw.attach(dwfl, pid, true) == 0)
		return dwfl;
	if (dwfl)
		dw.end(dwfl);
	return NULL;
}

static Dwfl *find_process(pid_t pid)
{
	static size_t next;
	struct known *own = &known[next];

	for (size_t i = 0; i < KNOWN; i++) {
		if (known[i].dwfl && known[i].pid == pid)
			return known[i].dwfl;
	}
	if (own->dwfl)
		dw.end(own->dwfl);
	*own = (struct known){ pid, open_process(pid) };
	next = (next + 1) % KNOWN;
	return own->dwfl;
}

void seccomp_find_frames(pid_t pid, pid_t thread, struct seccomp_frames *frames)
{
	/* a library may have been loaded since: then all is read again, once */
	for (int round = 0; round < 2; round++) {
		struct walk walk = { .frames = frames };

		*frames = (struct seccomp_frames){ 0 };
		if (!load_libdw() || !(walk.dwfl = find_process(pid)))
			return;
		dw.frames(walk.dwfl, thread, look, &walk);
		if (walk.first && !walk.lost)
			return;
		seccomp_forget_frames(pid);
	}
}

#else

void seccomp_forget_frames(pid_t pid)
{
	(void)pid;
}

void seccomp_find_frames(pid_t pid, pid_t thread, struct seccomp_frames *frames)
{
	(void)pid;
	(void)thread;
	*frames = (struct seccomp_frames){ 0 };
}

#endif
