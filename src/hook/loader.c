/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader.c - see loader.h.
 *
 * The code and all it needs are written where nothing is: behind the end of what the last page of
 * some code holds, mostly the vDSO's. It is run at one stretch (stops are what costs time here),
 * and goes back by itself (struct agent_back), so that a supervisor may die at any moment:
 *
 *   ... code | struct loader: code, struct agent_back, numbers, path | 0 | end of page
 *
 * What the agent is told at its start, it finds in the image's file. Only where no page has room
 * is the code written over the page that the thread is in; should the supervisor be killed in that
 * very moment, the process is lost.
 */
#include "hook/loader.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "hook/interrupted.h"

/* Closes the pair of the parcel that r15 is the address of, and unmaps it. */
#define DROP_PARCEL                                                                           \
	"	mov $3, %eax\n"                                                                \
	"	mov (%r15), %edi\n"                                                            \
	"	syscall\n"                                                                     \
	"	mov $3, %eax\n"                                                                \
	"	mov 4(%r15), %edi\n"                                                           \
	"	syscall\n"                                                                     \
	"	mov $11, %eax\n" /* munmap(parcel, 4096) */                                    \
	"	mov %r15, %rdi\n"                                                              \
	"	mov $4096, %esi\n"                                                             \
	"	syscall\n"

/*
 * rbx is the address of the loader's struct agent_back, which may not be written; r15 that of one of
 * the four ways; rbp that of the parcel.
 */
extern const uint8_t loader_code[], loader_map[], loader_pair[], loader_take[], loader_unmap[],
	loader_done[], loader_paired[];
__asm__(".pushsection .rodata\n"
	".hidden loader_code, loader_map, loader_pair, loader_take, loader_unmap, loader_done\n"
	".hidden loader_paired\n"
	"loader_code:\n"
	AGENT_BLOCK
	"	jmp *%r15\n"
	"loader_map:\n"
	"	mov $-1, %r13\n"  /* no descriptor of the arena's */
	"	mov $257, %eax\n" /* openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC) */
	"	mov $-100, %rdi\n"
	"	lea 248(%rbx), %rsi\n"
	"	mov $0x80000, %edx\n"
	"	xor %r10d, %r10d\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 9f\n"
	"	mov %rax, %rbp\n"
	"1:	mov $9, %eax\n" /* mmap(base, size, R-X, PRIVATE | FIXED_NOREPLACE, fd, 0) */
	"	mov 184(%rbx), %rdi\n"
	"	mov 192(%rbx), %rsi\n"
	"	mov $5, %edx\n"
	"	mov $0x100002, %r10d\n"
	"	mov %rbp, %r8\n"
	"	xor %r9d, %r9d\n"
	"	syscall\n"
	"	mov %rax, %r12\n"
	"	mov $3, %eax\n" /* close(fd) */
	"	mov %rbp, %rdi\n"
	"	syscall\n"
	"	test %r12, %r12\n"
	"	js 7f\n"
	"	mov $10, %eax\n" /* mprotect(data, its size, RW-) */
	"	mov 200(%rbx), %rdi\n"
	"	mov 208(%rbx), %rsi\n"
	"	mov $3, %edx\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 6f\n"
	"	mov 216(%rbx), %rsp\n"
	"	mov 232(%rbx), %rdi\n"
	"	mov %r13, %rsi\n"
	"	mov $-1, %r13\n" /* it is closed there */
	"	cld\n"
	"	call *224(%rbx)\n"
	"	test %rax, %rax\n"
	"	js 5f\n"
	"	mov 240(%rbx), %rcx\n" /* calls from here are not the application's any more */
	"	mov 232(%rbx), %rbx\n"
	"	jmp *%rcx\n"
	"5:	mov 152(%rbx), %rsp\n" /* the other goes */
	"6:	mov %rax, %r12\n" /* leave nothing behind */
	"	mov $11, %eax\n"
	"	mov 184(%rbx), %rdi\n"
	"	mov 192(%rbx), %rsi\n"
	"	syscall\n"
	"7:	mov $3, %eax\n" /* close(arena) */
	"	mov %r13, %rdi\n"
	"	test %r13, %r13\n"
	"	js 8f\n"
	"	syscall\n"
	"8:	mov %r12, %rax\n"
	"9:\n"
	AGENT_MARK("loader_done")
	"10:\n"
	AGENT_BACK("loader_code + 768")
	"loader_pair:\n"
	"	mov $9, %eax\n" /* mmap(NULL, 4096, RW-, PRIVATE | ANONYMOUS, -1, 0) */
	"	xor %edi, %edi\n"
	"	mov $4096, %esi\n"
	"	mov $3, %edx\n"
	"	mov $0x22, %r10d\n"
	"	mov $-1, %r8\n"
	"	xor %r9d, %r9d\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 12f\n"
	"	mov %rax, %r15\n"
	"	mov $53, %eax\n" /* socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) */
	"	mov $1, %edi\n"
	"	mov $0x80001, %esi\n"
	"	xor %edx, %edx\n"
	"	mov %r15, %r10\n"
	"	syscall\n"
	"	mov %rax, %r13\n"
	"	mov %r15, %rax\n"
	"	test %r13, %r13\n"
	"	jns 12f\n"
	"	mov $11, %eax\n" /* munmap(parcel, 4096) */
	"	mov %r15, %rdi\n"
	"	mov $4096, %esi\n"
	"	syscall\n"
	"	mov %r13, %rax\n"
	"12:\n"
	AGENT_MARK("loader_paired")
	"	test %r12, %r12\n" /* nobody takes it from here: undone */
	"	js 10b\n"
	DROP_PARCEL
	"	jmp 10b\n"
	"loader_take:\n"
	"	mov %rbp, %r15\n"
	"	mov $47, %eax\n" /* recvmsg(pair[0], message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) */
	"	mov (%r15), %edi\n"
	"	lea 8(%r15), %rsi\n"
	"	mov $0x40000040, %edx\n"
	"	syscall\n"
	"	mov %rax, %r12\n"
	"	movslq 96(%r15), %rbp\n"
	"	movslq 100(%r15), %r13\n"
	DROP_PARCEL
	"	test %r12, %r12\n"
	"	js 8b\n"
	"	test %r13, %r13\n"
	"	jns 1b\n"
	"	mov $-24, %r12\n" /* EMFILE: there was no room for both */
	"	mov %rbp, %r13\n"
	"	jmp 7b\n"
	"loader_unmap:\n"
	"	mov $11, %eax\n" /* munmap(base, size) */
	"	mov 184(%rbx), %rdi\n"
	"	mov 192(%rbx), %rsi\n"
	"	syscall\n"
	"	jmp 9b\n"
	"	.org loader_code + 768\n" /* LOADER_CODE: an error here if it is longer */
	".popsection\n");

static const struct {
	const uint8_t *code, *end;
} ways[] = {
	[LOADER_MAP] = { loader_map, loader_done },
	[LOADER_PAIR] = { loader_pair, loader_paired },
	[LOADER_TAKE] = { loader_take, loader_done },
	[LOADER_UNMAP] = { loader_unmap, loader_done },
};

#define LOADER_AT(field) (offsetof(struct loader, field) - LOADER_CODE)
_Static_assert(LOADER_AT(base) == 184 && LOADER_AT(data) == 200 && LOADER_AT(stack) == 216 &&
	       LOADER_AT(entry) == 224 && LOADER_AT(note) == 232 && LOADER_AT(leave) == 240 &&
	       LOADER_AT(path) == 248,
	       "the code above knows where things are");

/* --- a place for the loader --- */

/* Nothing, or what somebody who was killed has left. */
static bool is_free(const uint8_t *bytes, size_t size)
{
	bool free = true;

	for (size_t i = 0; i < size && free; i++)
		free = bytes[i] == 0;
	return free || memcmp(bytes, loader_code, LOADER_CODE) == 0;
}

static bool place_free(pid_t pid, uint64_t at)
{
	uint8_t bytes[sizeof(struct loader)];

	return trace_read(pid, at, bytes, sizeof(bytes)) == 0 && is_free(bytes, sizeof(bytes));
}

static uint64_t page_up(uint64_t at)
{
	return (at + 4095) & ~(uint64_t)4095;
}

/* Behind the end of the vDSO's file, whose sections come last. 0: there is no room. */
static uint64_t place_in_vdso(pid_t pid, const struct agent_start *start)
{
	uint64_t base = 0, at;
	Elf64_Ehdr head;

	for (size_t i = 0; i < AGENT_AUXV; i++)
		if (start->auxv[i][0] == AT_SYSINFO_EHDR)
			base = start->auxv[i][1];
	if (base == 0 || base % 4096 != 0 || trace_read(pid, base, &head, sizeof(head)) < 0 ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_shoff > 1 << 20)
		return 0;
	at = base + ((head.e_shoff + (uint64_t)head.e_shnum * head.e_shentsize + 63) & ~(uint64_t)63);
	return page_up(at) - at >= sizeof(struct loader) && place_free(pid, at) ? at : 0;
}

/* The end of the last page of any code. */
static uint64_t place_in_code(pid_t pid)
{
	unsigned long start, end;
	char path[40], line[512], perms[5];
	uint64_t found = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && !found && fgets(line, sizeof(line), maps)) {
		uint64_t at;

		if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) != 3 || perms[0] != 'r' ||
		    perms[2] != 'x' || perms[3] != 'p' || strstr(line, "/memfd:" IMAGE_NAME))
			continue;
		at = (end - sizeof(struct loader)) & ~(uint64_t)63;
		if (at >= start && place_free(pid, at))
			found = at;
	}
	if (maps)
		fclose(maps);
	return found;
}

/* --- running it --- */

static void loader_fill(struct loader *loader, const struct injector *injector,
			const struct agent_at *at)
{
	const struct agent_table *table = &at->table;

	*loader = (struct loader){
		.base = at->base, .size = table->size,
		.data = at->base + table->text, .data_size = table->size - table->text,
		.stack = at->base + table->stack, .entry = at->base + table->start,
		.note = at->base + table->note, .leave = at->base + table->back,
	};
	memcpy(loader->code, loader_code, LOADER_CODE);
	memcpy(loader->path, injector->image_path, LOADER_PATH);
}

int loading_begin(struct loading *loading, pid_t tid, const struct injector *injector,
		  const struct agent_at *at, const struct agent_start *start, uint64_t free)
{
	struct loader loader;
	int error = trace_regs_read(tid, &loading->saved);
	uint64_t place = error < 0 ? 0 : place_in_vdso(tid, start);

	if (error == 0)
		error = trace_run_begin(tid, free, &loading->saved, &loading->run);
	if (error < 0)
		return error;
	if (place == 0)
		place = place_in_code(tid);
	if (place == 0)
		place = loading->saved.rip & ~(uint64_t)4095;
	else if (loading->saved.rip - place < sizeof(loader))
		return -EAGAIN; /* it is just going back from another's */
	loader_fill(&loader, injector, at);
	loader.back = loading->run.back;
	loading->tid = tid;
	loading->at = place;
	loading->started = 0;
	error = trace_read(tid, place, loading->bytes, sizeof(loading->bytes));
	if (error == 0 && is_free(loading->bytes, sizeof(loading->bytes)))
		memset(loading->bytes, 0, sizeof(loading->bytes));
	return error < 0 ? error : trace_write(tid, place, &loader, sizeof(loader));
}

int64_t loading_run(struct loading *loading, enum loader_way way, uint64_t parcel)
{
	struct user_regs_struct regs = loading->saved;
	int error;

	regs.rip = loading->at;
	regs.r15 = loading->at + (uint64_t)(ways[way].code - loader_code);
	regs.rbx = loading->at + LOADER_CODE;
	regs.rbp = parcel;
	error = trace_run(loading->tid, &loading->run, &regs,
			  loading->at + (uint64_t)(ways[way].end - loader_code), loading->started);
	return error < 0 ? error : (int64_t)regs.r12;
}

int loading_end(struct loading *loading, int64_t result)
{
	int back;

	interrupted_go_on(&loading->saved, result);
	back = trace_regs_write(loading->tid, &loading->saved);
	if (back == 0)
		back = trace_write(loading->tid, loading->at, loading->bytes, sizeof(loading->bytes));
	return result < 0 ? (int)result : back;
}
