/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_run.c - skep seccomp run and record: a command under a policy, with each refused call
 * told; and the policy that a command needs.
 *
 * The command gets the policy's filter with every answer but "allow" made "ask the tracer". Then
 * this process runs the filter itself on the call and says what comes of it. To end a thread or to
 * send SIGSYS is left to the kernel, so that all is as it would be: the call gets a number that
 * is nobody's, of which a few instructions in front of the filter know what to do.
 *
 *   ld nr ─ jeq nobody's ─► kill-process, kill-thread, trap      the policy's filter, asking
 */
#include "cli/seccomp.h"

#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRONT 7u /* instructions before the policy's own */
#define OPTIONS (PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
		 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

struct args {
	struct seccomp_host host;
	struct list values;
	const char *out;
	bool json, usual;
};

/* A thread to which the kernel is sending SIGSYS for a call. */
struct trap {
	pid_t thread;
	struct skep_cbpf_call call;
	uint32_t data;
	struct trap *next;
};

struct tracer {
	const struct args *args;
	struct seccomp_code code;     /* as the policy has it; record: none */
	struct seccomp_code numbered; /* the same, but each return returns its place */
	struct seccomp_code asking;   /* what the command gets */
	FILE *out;
	struct seccomp_record *record; /* NULL: run */
	struct trap *traps;
	uint32_t nobody;              /* three numbers that no call has: to kill the process, the thread; trap */
	pid_t command;
	int status;
};

/* --- the filter that asks --- */

static bool copy_code(struct seccomp_code *to, const struct seccomp_code *from, size_t front)
{
	to->count = from->count + front;
	to->insns = calloc(to->count, sizeof(*to->insns));
	if (to->insns && from->count)
		memcpy(to->insns + front, from->insns, from->count * sizeof(*to->insns));
	return to->insns != NULL;
}

/* A number beyond those of calls on any architecture; another one in each run. */
static void write_front(struct tracer *tracer)
{
	static const uint32_t actions[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP };
	struct skep_cbpf_insn *insns = tracer->asking.insns;

	if (getrandom(&tracer->nobody, sizeof(tracer->nobody), 0) < 0)
		tracer->nobody = (uint32_t)getpid();
	tracer->nobody = 0x20000000u | (tracer->nobody & 0x0fffffffu);
	*insns++ = (struct skep_cbpf_insn){ BPF_LD | BPF_W | BPF_ABS, 0, 0, 0 };
	for (uint32_t i = 0; i < COUNT(actions); i++) {
		*insns++ = (struct skep_cbpf_insn){ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, tracer->nobody + i };
		*insns++ = (struct skep_cbpf_insn){ BPF_RET | BPF_K, 0, 0, actions[i] };
	}
}

static bool make_asking(struct tracer *tracer, const char *name, struct skep_diag *diag)
{
	static const struct skep_cbpf_insn ask = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE };
	const struct seccomp_code all = { (struct skep_cbpf_insn *)&ask, 1 };
	const struct seccomp_code *from = tracer->record ? &all : &tracer->code;

	if (from->count + FRONT > SKEP_CBPF_MAX)
		return skep_report(diag, SKEP_ARG, NULL, "the filter '%s' has %zu instructions, and to run it takes %u more than fit",
				   name, from->count, FRONT) == 0;
	if (!copy_code(&tracer->asking, from, FRONT) || !copy_code(&tracer->numbered, from, 0))
		return skep_report(diag, SKEP_OOM, NULL, "a filter") == 0;
	write_front(tracer);
	for (size_t i = 0; i < from->count; i++) {
		struct skep_cbpf_insn *insn = &tracer->asking.insns[FRONT + i];

		if (insn->code == (BPF_RET | BPF_A))
			return skep_report(diag, SKEP_ARG, NULL, "the filter '%s' returns a number that it computes (instruction %zu)",
					   name, i) == 0;
		if (insn->code != (BPF_RET | BPF_K))
			continue;
		tracer->numbered.insns[i].k = (uint32_t)i;
		if ((insn->k & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW)
			insn->k = SECCOMP_RET_TRACE;
	}
	return true;
}

/* The child: waits until it is traced, and becomes the command. */
static void become(const struct tracer *tracer, int go, char **argv)
{
	struct sock_fprog program = { (unsigned short)tracer->asking.count, (void *)tracer->asking.insns };
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(126);
	close(go);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		fprintf(stderr, "skep: the kernel does not take the filter: %s\n", strerror(errno));
		_exit(126);
	}
	execvp(argv[0], argv);
	fprintf(stderr, "skep: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* --- one call --- */

int seccomp_arch_of(const struct skep_cbpf_call *call)
{
	if (call->arch == skep_arch_audit(SKEP_ARCH_X86_64))
		return (uint32_t)call->nr & SKEP_X32_BIT ? SKEP_ARCH_X32 : SKEP_ARCH_X86_64;
	return call->arch == skep_arch_audit(SKEP_ARCH_X86) ? SKEP_ARCH_X86 : SKEP_ARCH_AARCH64;
}

/* The call is not made; the thread sees result in its place. */
static void skip(pid_t pid, int64_t result)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		return;
	regs.orig_rax = UINT64_MAX;
	regs.rax = (uint64_t)result;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

/* The kernel runs the filters again, on the new number. */
static void renumber(pid_t pid, uint32_t number)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		return;
	regs.orig_rax = number;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

static void send_trap(struct tracer *tracer, pid_t pid, const struct skep_cbpf_call *call, uint32_t data)
{
	struct trap *trap = malloc(sizeof(*trap));

	if (trap) {
		*trap = (struct trap){ pid, *call, data, tracer->traps };
		tracer->traps = trap;
	}
	renumber(pid, tracer->nobody + 2);
}

/* SIGSYS is about to arrive: it is told of the call that was made, as are the registers. */
static void finish_trap(struct tracer *tracer, pid_t pid)
{
	struct user_regs_struct regs;
	siginfo_t info;

	for (struct trap **at = &tracer->traps; *at; at = &(*at)->next) {
		struct trap *trap = *at;

		if (trap->thread != pid)
			continue;
		if (ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) == 0 && info.si_code == 1) {
			info.si_errno = (int)trap->data;
			info.si_syscall = trap->call.nr;
			ptrace(PTRACE_SETSIGINFO, pid, NULL, &info);
		}
		if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0 && regs.rax == tracer->nobody + 2) {
			regs.rax = regs.orig_rax = (uint32_t)trap->call.nr;
			ptrace(PTRACE_SETREGS, pid, NULL, &regs);
		}
		*at = trap->next;
		free(trap);
		return;
	}
}

static void act(struct tracer *tracer, pid_t pid, const struct skep_cbpf_call *call, uint32_t action)
{
	uint32_t data = action & SECCOMP_RET_DATA;

	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		break;
	case SECCOMP_RET_ERRNO:
		skip(pid, -(int64_t)(data < 4095 ? data : 4095));
		break;
	case SECCOMP_RET_TRACE: /* as where nobody traces or listens */
	case SECCOMP_RET_USER_NOTIF:
		skip(pid, -ENOSYS);
		break;
	case SECCOMP_RET_TRAP:
		send_trap(tracer, pid, call, data);
		break;
	case SECCOMP_RET_KILL_THREAD:
		renumber(pid, tracer->nobody + 1);
		break;
	default:
		renumber(pid, tracer->nobody);
	}
}

static void decide(struct tracer *tracer, pid_t pid)
{
	struct __ptrace_syscall_info info;
	struct seccomp_refusal refusal = { .thread = pid };
	struct skep_cbpf_call *call = &refusal.call;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return;
	*call = (struct skep_cbpf_call){ .nr = (int32_t)info.seccomp.nr, .arch = info.arch,
					 .ip = info.instruction_pointer };
	memcpy(call->args, info.seccomp.args, sizeof(call->args));
	if (tracer->record) {
		seccomp_record_add(tracer->record, call);
		return;
	}
	refusal.action = skep_cbpf_run_call(tracer->code.insns, tracer->code.count, call);
	refusal.instruction = skep_cbpf_run_call(tracer->numbered.insns, tracer->numbered.count, call);
	seccomp_tell(tracer->out, tracer->args->json, &refusal);
	act(tracer, pid, call, refusal.action);
}

/* --- the tracer --- */

static void go_on(struct tracer *tracer, pid_t pid, int status)
{
	int event = status >> 16, signal = WSTOPSIG(status);

	if (event == PTRACE_EVENT_SECCOMP)
		decide(tracer, pid);
	if (event == PTRACE_EVENT_EXEC)
		seccomp_forget_frames(pid);
	if (event == PTRACE_EVENT_STOP && (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
					   signal == SIGTTOU)) {
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
		return;
	}
	if (!event && signal == SIGSYS)
		finish_trap(tracer, pid);
	ptrace(PTRACE_CONT, pid, NULL, (uintptr_t)(event ? 0 : signal));
}

static void follow(struct tracer *tracer)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		if (WIFSTOPPED(status)) {
			go_on(tracer, pid, status);
			continue;
		}
		seccomp_forget_frames(pid);
		if (pid == tracer->command)
			tracer->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

static bool start(struct tracer *tracer, char **argv, struct skep_diag *diag)
{
	int go[2];

	fflush(NULL);
	if (pipe(go) != 0 || (tracer->command = fork()) < 0)
		return skep_report(diag, SKEP_LINUX_DENIED, NULL, "cannot start '%s': %s", argv[0],
				   strerror(errno)) == 0;
	if (tracer->command == 0) {
		close(go[1]);
		become(tracer, go[0], argv);
	}
	close(go[0]);
	if (ptrace(PTRACE_SEIZE, tracer->command, NULL, OPTIONS) != 0) {
		int error = errno;

		close(go[1]);
		waitpid(tracer->command, NULL, 0);
		return skep_report(diag, SKEP_LINUX_DENIED, NULL, "cannot trace '%s': %s", argv[0],
				   strerror(error)) == 0;
	}
	if (write(go[1], "", 1) != 1)
		kill(tracer->command, SIGKILL);
	close(go[1]);
	return true;
}

static void done(struct tracer *tracer)
{
	seccomp_forget_frames(0);
	free(tracer->code.insns);
	free(tracer->numbered.insns);
	free(tracer->asking.insns);
	seccomp_record_free(tracer->record);
	while (tracer->traps) {
		struct trap *next = tracer->traps->next;

		free(tracer->traps);
		tracer->traps = next;
	}
}

/* policy: NULL to record. */
static int trace(struct tracer *tracer, const char *policy, char **argv)
{
	struct skep_diag *diag = skep_diag_new();
	struct out_file out = { 0 };
	bool good;

	if (policy)
		good = seccomp_load(policy, &tracer->args->host, &tracer->code, diag);
	else
		good = (tracer->record = seccomp_record_new(&tracer->args->values, tracer->args->usual, diag)) != NULL;
	good = good && make_asking(tracer, policy, diag) &&
	       (!tracer->args->out || out_open(&out, tracer->args->out, diag) == 0);
	tracer->out = out.file ? out.file : tracer->record ? stdout : stderr;
	good = good && start(tracer, argv, diag);
	if (good) {
		follow(tracer);
		if (tracer->record && !seccomp_record_write(tracer->record, tracer->out))
			good = skep_report(diag, SKEP_OOM, NULL, "recording calls") == 0;
	}
	if (tracer->args->out && out_close(&out, good, diag) < 0)
		good = false;
	if (!good)
		tracer->status = report(diag, false);
	done(tracer);
	skep_diag_free(diag);
	return tracer->status;
}

static int run_run(const struct verb *verb, void *arg, int argc, char **argv)
{
	struct tracer tracer = { .args = arg };

	if (argc < 2)
		return usage(verb, "a policy and a command: skep seccomp run POLICY -- COMMAND");
	return trace(&tracer, argv[0], argv + 1);
}

static const struct opt run_opts[] = {
	OPT(OPT_TEXT, 'o', "output", out, "FILE", "what is refused to FILE, not to standard error"),
	OPT(OPT_LIST, 'C', "cap", host.caps, "CAP", "a capability that the container has (repeatable; JSON)"),
	OPT(OPT_TEXT, 'k', "kernel", host.kernel, "X.Y", "the host's kernel (JSON; default: the newest)"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per refused call"),
	{ 0 },
};

const struct verb verb_seccomp_run = {
	.name = "seccomp run",
	.operands = "POLICY -- COMMAND [ARG...]",
	.summary = "Run a command under a policy and tell each refused call",
	.detail =
		"Told are the process, the call with its arguments, what the policy does and which\n"
		"instruction of the filter ('skep seccomp disasm'), the place in the program, and,\n"
		"where debug information and elfutils' libdw are there, the source line that it came\n"
		"from. The command and all that it starts get what the policy says, as from the\n"
		"kernel; with trace and notify, which nobody waits for, ENOSYS. What is only logged\n"
		"is not in the kernel's log. The command is traced, so it cannot be traced by others,\n"
		"and programs with raised rights run without them. Exit status: the command's, or\n"
		"128 and the signal that ended it.",
	.example = "  skep seccomp run docker.json -- make test",
	.opts = run_opts,
	.args_size = sizeof(struct args),
	.run = run_run,
};

static int run_record(const struct verb *verb, void *arg, int argc, char **argv)
{
	struct tracer tracer = { .args = arg };

	if (argc < 1)
		return usage(verb, "a command: skep seccomp record -- COMMAND");
	return trace(&tracer, NULL, argv);
}

static const struct opt record_opts[] = {
	OPT(OPT_FLAG, 'A', "arguments", usual, NULL, "also which sockets, ioctls, prctls, clone flags and so on"),
	OPT(OPT_LIST, 'V', "value", values, "CALL:N", "also the values of argument N, from 0 on, of CALL (repeatable)"),
	OPT(OPT_TEXT, 'o', "output", out, "FILE", "the policy to FILE, not to standard output"),
	{ 0 },
};

const struct verb verb_seccomp_record = {
	.name = "seccomp record",
	.operands = "-- COMMAND [ARG...]",
	.summary = "Write the policy that a command needs",
	.detail =
		"The command is run, and every call that it and what it starts make is allowed; all\n"
		"others get EPERM. What a run does not do is not in it: run what matters. With\n"
		"--arguments, calls whose purpose is in an argument (socket's family, ioctl's\n"
		"command, prctl's option, clone's flags ...) are allowed with the values seen, and\n"
		"no others. The command is traced (ptrace), and every call of it stops: it runs\n"
		"slowly.",
	.example = "  skep seccomp record -o policy --arguments -- ./server --self-test",
	.opts = record_opts,
	.args_size = sizeof(struct args),
	.run = run_record,
};
