/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the agent's entries: what the supervisor calls in a target. [runtime,
 * in the agent's image only]
 *
 * They run in one of the target's threads, stopped for the purpose, on a stack
 * of the agent's own; every register is put back afterwards. So they may do
 * nothing that shows, and must return.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "agent/agent.h"
#include "agent/gate.h"
#include "agent/held.h"
#include "agent/hooks.h"
#include "agent/libc.h"
#include "agent/maps.h"
#include "agent/probes.h"
#include "agent/signal.h"
#include "agent/space.h"
#include "helper/task.h"
#include "hook/agent.h"
#include "hook/targets.h"
#include "map/memory.h"
#include "map/owner.h"
#include "map/sys.h"
#include "map/vcpu.h"
#include "vm/install.h"
#include "vm/vm.h"

/* The file begins with it; see struct agent_table. The note begins the data
 * and the stack ends the image, so that it grows away from what is in use. */
__asm__(".pushsection .agent_table, \"a\"\n"
	".globl agent_table\n"
	".hidden agent_table, agent_call, agent_main, agent_thread, agent_stop, agent_patch, agent_look, agent_settle, agent_leave\n"
	".hidden agent_note, agent_stack_end, agent_text_end, agent_image_end\n"
	"agent_table:\n"
	"	.quad 0x38304147454b53\n"
	"	.long agent_main - agent_table\n"
	"	.long agent_thread - agent_table\n"
	"	.long agent_leave - agent_table\n"
	"	.long agent_stop - agent_table\n"
	"	.long agent_patch - agent_table\n"
	"	.long agent_look - agent_table\n"
	"	.long agent_settle - agent_table\n"
	"	.long agent_stack_end - agent_table\n"
	"	.long agent_note - agent_table\n"
	"	.long agent_text_end - agent_table\n"
	"	.long agent_image_end - agent_table\n"
	"	.long agent_call - agent_table\n"
	"	.long agent_back - agent_table\n"
	"	.long agent_called - agent_table\n"
	".popsection\n"
	".pushsection .text.agent_call, \"ax\"\n"
	"agent_call:\n"
	AGENT_BLOCK
	"agent_begun:\n"
	"	mov %r15, %rsp\n"
	"	cld\n"
	"	call *%rax\n"
	"agent_back:\n"
	AGENT_MARK("agent_called")
	AGENT_BACK("agent_note")
	"agent_gone:\n"
	".popsection\n"
	".pushsection .bss.agent_stack, \"aw\", @nobits\n"
	"	.balign 4096\n"
	"	.zero 32768\n"
	"agent_stack_end:\n"
	".popsection\n");

/* The kernel lets user space read and write the base of fs. */
#define HWCAP2_FSGSBASE 2u

extern struct agent_start agent_note;
struct agent_start agent_note;

int64_t agent_main(struct agent_start *start, int64_t arena_fd);
int64_t agent_thread(struct agent_start *start);
int64_t agent_leave(struct agent_start *start);
int64_t agent_stop(struct agent_start *start);
int64_t agent_patch(struct agent_start *start);
int64_t agent_look(struct agent_start *start);
int64_t agent_settle(struct agent_start *start);

/* Maps the arena's file where the supervisor has it and becomes a participant. */
static int agent_join(const struct agent_start *start, int64_t fd)
{
	void *at = (void *)(uintptr_t)start->arena, *got;

	if (fd < 0)
		fd = sys_call4(SYS_openat, AT_FDCWD, start->arena_path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return (int)fd;
	got = mmap(at, start->arena_size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, (int)fd, 0);
	sys_call1(SYS_close, fd);
	if (got == MAP_FAILED)
		return -errno;
	madvise(got, start->arena_size, MADV_DONTDUMP); /* see memory_file.c */
	owner_known_as = (struct owner_name){ start->pid, start->space, start->began, start->image };
	return got == at ? memory_enter(at) : -EEXIST;
}

static int64_t ask_maps(char *text, size_t size)
{
	struct task_facts facts;

	hooks_ids(&facts);
	return agent_ask(MAIL_MAPS, &facts, (uintptr_t)text, size, 0);
}

/* What this process is to the machine. */
static void agent_introduce(const struct agent_start *start)
{
	struct targets *targets = (struct targets *)(uintptr_t)start->targets;
	struct process *process = &targets->process[start->process % PROCESSES];

	agent_self = (struct agent){
		.memory = (struct memory *)(uintptr_t)start->arena, .targets = targets,
		.process = process, .pid = (uint32_t)sys_call0(SYS_getpid), .why = start->why,
		.home_pid = start->pid,
		.clocks = { start->clocks[0], start->clocks[1] },
		.sockets = start->sockets || sys_call1(SYS_prctl, PR_GET_SECCOMP) == 0,
		.abroad = owner_is_abroad(memory_owners((struct memory *)(uintptr_t)start->arena)),
	};
	agent_look_at_clocks();
	task_outside = &agent_outside;
	task_home_users = start->users;
	maps_ask = ask_maps;
	process_describe(process, true);
	process->execs += start->why != AGENT_ATTACHED;
}

/* All that was mapped since. */
static void agent_clear(void)
{
	size_t size = memory_size(agent_self.memory);

	install_done();
	task_parts_done();
	owner_leave(memory_owners(agent_self.memory));
	owner_process_done();
	munmap(agent_self.memory, size);
}

/*
 * Where a thread goes on that waits in a call; 0: where it was. Should it have to go by itself, it
 * begins the call again there, as the kernel would.
 */
static uint64_t agent_resume(struct agent_start *start, const struct target_regs *regs)
{
	uint64_t to = gate_resume(regs);

	if (to)
		start->back.ip = (uintptr_t)gate_plain_syscall;
	return to;
}

extern const char agent_call[], agent_begun[], agent_called[], agent_gone[];

static bool is_between(uint64_t ip, const char *from, const char *to)
{
	return ip - (uintptr_t)from < (uintptr_t)(to - from);
}

/* The supervisor is dead, else nothing would come here: what is not begun yet is not, and the rest of
 * the way back is taken at once. */
void agent_back_to(struct signal_context *context)
{
	const struct agent_back *back = &agent_note.back;

	if (!is_between(context->ip, agent_call, agent_begun) &&
	    !is_between(context->ip, agent_called, agent_gone))
		return;
	memcpy(&context->r8, (const uint64_t[]){ back->r8, back->r9, back->r10, back->r11, back->r12,
	       back->r13, back->r14, back->r15, back->di, back->si, back->bp, back->bx, back->dx,
	       back->ax, back->cx, back->sp, back->ip }, 17 * sizeof(uint64_t));
	context->flags = 0x202 | (back->status >> 8 & 0xd5) | (back->status & 1) << 11 |
			 back->down << 10;
	context->mask = (context->mask & ~back->unblock) | back->block;
}

static struct target_regs agent_regs(const struct agent_start *start)
{
	return (struct target_regs){
		.ip = start->ip, .flags = start->flags, .ax = start->ax, .orig_ax = start->orig_ax,
		.di = start->arg[0], .si = start->arg[1], .dx = start->arg[2],
		.r10 = start->arg[3], .r8 = start->arg[4], .r9 = start->arg[5],
	};
}

/* A thread of a process that ran already has become ours. */
static int64_t agent_adopted(struct agent_start *start)
{
	const struct target_regs regs = agent_regs(start);
	uint64_t to = agent_resume(start, &regs);

	hooks_named(start->tid, start->pid);
	held_note(thread_here(), to ? to : regs.ip, !to && gate_is_restart(&regs) ? regs.ip - 2 : 0,
		  start->sp);
	return (int64_t)to;
}

static unsigned vcpus(void)
{
	return vcpu_count(memory_vcpus(agent_self.memory));
}

static void map_rest(void)
{
	task_parts_reserve(vcpus());
}

static int64_t agent_begin(struct agent_start *start, int64_t arena_fd)
{
	int error = agent_join(start, arena_fd);

	if (error < 0)
		return error;
	agent_introduce(start);
	error = engine_init();
	install_trims(agent_self.memory);
	if (error == 0)
		error = hooks_start(start->why != AGENT_ATTACHED);
	if (error < 0) {
		agent_clear();
		return error;
	}
	limit_start(start->arena_size + task_parts_size(vcpus()), map_rest);
	agent_knows(agent_self.process);
	process_set_state(agent_self.process, PROCESS_FOLLOWED);
	hooks_named(start->tid, start->pid);
	if (start->why != AGENT_ATTACHED)
		return 0;
	space_start();
	return agent_adopted(start);
}

int64_t agent_main(struct agent_start *start, int64_t arena_fd)
{
	agent_auxv_set((const uint64_t(*)[2])start->auxv);
	if (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)
		return agent_begin(start, arena_fd);
	if (arena_fd >= 0)
		sys_call1(SYS_close, arena_fd);
	return -ENODEV; /* threads are found by it: owner_thread_pointer() */
}

int64_t agent_thread(struct agent_start *start)
{
	int error = gate_adopt();

	return error < 0 && error != -EALREADY ? error : agent_adopted(start);
}

/* All threads have been through agent_thread(), and are stopped; or there is one, which has yet to
 * begin. The page that agent_main() was called from is the program's again. */
int64_t agent_patch(struct agent_start *start)
{
	int error = hooks_patch(start->shared != 0);

	if (error < 0)
		return error;
	agent_knows(agent_self.process);
	if (agent_self.why == AGENT_ATTACHED)
		return 0;
	/* What its programs bring with them is not taken for code that the process made. */
	hooks_began(start->exec_nr, start->exec_tid, start->ip, start->sp);
	space_start();
	return 0;
}

/* The thread may be anywhere, in the agent too: nothing is waited for. */
int64_t agent_look(struct agent_start *start)
{
	if (!probes_try_update(start->at_once != 0))
		return -EAGAIN;
	gate_look(start->ip);
	return 0;
}

/* All threads are stopped, anywhere. Those that are to go on elsewhere find it in their entries. */
int64_t agent_settle(struct agent_start *start)
{
	return probes_try_settle((struct agent_held *)(uintptr_t)start->threads, start->thread_count);
}

/* What the thread's way out did not give back. */
int64_t agent_leave(struct agent_start *start)
{
	struct target_thread *thread = thread_left();

	(void)start;
	if (thread)
		signal_thread_left(thread);
	return 0;
}

/*
 * Everything but the image itself, which the supervisor unmaps. Threads leave the agent
 * by themselves, so this is called again until all of them have. It may be another
 * machine's supervisor that calls, when ours is dead.
 */
int64_t agent_stop(struct agent_start *start)
{
	int error;

	if (start->orphan &&
	    mail_served(&agent_self.targets->mail, memory_owners(agent_self.memory)))
		return -EBUSY;
	if (hooks_dismiss() > 0 || start->inside)
		return -EAGAIN;
	if (!start->last)
		return 0;
	error = hooks_stop();
	if (error < 0)
		return error;
	limit_stop();
	process_set_state(agent_self.process, PROCESS_DETACHED);
	agent_clear();
	return 0;
}
