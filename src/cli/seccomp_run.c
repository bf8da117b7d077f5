/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_run.c - skep seccomp run and record: a command under a policy, with each refused call
 * told; and the policy that a command needs.
 *
 * The command gets the policy's filter with every answer but "allow" made "ask the tracer". Then
 * this process runs the filter itself on the call, says what comes of it, and does that: the
 * kernel runs only calls that the policy allows.
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
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBERS 600u
#define OPTIONS (PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
		 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

struct args {
	struct seccomp_host host;
	const char *out;
	bool json;
};

struct tracer {
	const struct args *args;
	struct seccomp_code code;     /* as the policy has it; record: none */
	struct seccomp_code asking;   /* what the command gets */
	FILE *out;
	bool record, seen[SKEP_ARCH_COUNT][NUMBERS];
	siginfo_t trap;               /* for the thread that is to get it; si_signo 0: none */
	pid_t trapped;
	pid_t command;
	int status;
};

/* --- the filter that asks --- */

static bool make_asking(struct tracer *tracer, const char *name, struct skep_diag *diag)
{
	static const struct skep_cbpf_insn ask = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE };
	const struct seccomp_code *from = &tracer->code;
	size_t count = tracer->record ? 1 : from->count;

	tracer->asking.insns = calloc(count, sizeof(ask));
	tracer->asking.count = count;
	if (!tracer->asking.insns)
		return skep_report(diag, SKEP_OOM, NULL, "a filter") == 0;
	memcpy(tracer->asking.insns, tracer->record ? &ask : from->insns, count * sizeof(ask));
	for (size_t i = 0; i < count; i++) {
		struct skep_cbpf_insn *insn = &tracer->asking.insns[i];

		if (insn->code == (BPF_RET | BPF_A))
			return skep_report(diag, SKEP_ARG, NULL, "the filter '%s' returns a number that it computes (instruction %zu)",
					   name, i) == 0;
		if (insn->code == (BPF_RET | BPF_K) && (insn->k & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW)
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

/* x32's calls have x86_64's audit number. */
static int arch_of(uint32_t audit, uint64_t nr)
{
	if (audit == skep_arch_audit(SKEP_ARCH_X86_64))
		return nr & SKEP_X32_BIT ? SKEP_ARCH_X32 : SKEP_ARCH_X86_64;
	return audit == skep_arch_audit(SKEP_ARCH_X86) ? SKEP_ARCH_X86 : SKEP_ARCH_AARCH64;
}

/* "libc.so.6+0x10a6d": the file that the address is from; the address alone if from none. */
static void name_place(pid_t pid, uint64_t address, char *text, size_t size)
{
	char path[32], line[512];
	FILE *maps;

	snprintf(text, size, "%#llx", (unsigned long long)address);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long long from, to, offset;
		int at = 0;

		if (sscanf(line, "%llx-%llx %*s %llx %*s %*s %n", &from, &to, &offset, &at) < 3 || !at ||
		    address < from || address >= to || line[at] != '/')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(text, size, "%s+%#llx", strrchr(line, '/') + 1, address - from + offset);
	}
	if (maps)
		fclose(maps);
}

static void tell(struct tracer *tracer, pid_t pid, const struct skep_cbpf_call *call, uint32_t action)
{
	char name[64], text[32], place[128];
	struct json json;

	seccomp_call_name((enum skep_seccomp_arch)arch_of(call->arch, (uint32_t)call->nr), (uint32_t)call->nr, name,
			  sizeof(name));
	skep_seccomp_action_text(action, text, sizeof(text));
	name_place(pid, call->ip, place, sizeof(place));
	if (!tracer->args->json) {
		fprintf(tracer->out, "[%d] %s(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx): %s, at %s\n", (int)pid, name,
			(unsigned long long)call->args[0], (unsigned long long)call->args[1],
			(unsigned long long)call->args[2], (unsigned long long)call->args[3],
			(unsigned long long)call->args[4], (unsigned long long)call->args[5], text, place);
		return;
	}
	json_begin(&json, tracer->out);
	json_int(&json, "pid", pid);
	json_text(&json, "call", name);
	json_open(&json, "args", '[');
	for (int i = 0; i < 6; i++)
		fprintf(tracer->out, "%s%llu", i ? "," : "", (unsigned long long)call->args[i]);
	json_close(&json, ']');
	json_text(&json, "action", text);
	json_text(&json, "place", place);
	json_end(&json);
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

static void act(struct tracer *tracer, pid_t pid, const struct skep_cbpf_call *call, uint32_t action)
{
	uint32_t data = action & SECCOMP_RET_DATA;

	switch (action & SECCOMP_RET_ACTION_FULL) {
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
		skip(pid, call->nr);
		tracer->trap = (siginfo_t){ .si_signo = SIGSYS, .si_errno = (int)data, .si_code = 1 };
		tracer->trap.si_call_addr = (void *)(uintptr_t)call->ip;
		tracer->trap.si_syscall = call->nr;
		tracer->trap.si_arch = call->arch;
		tracer->trapped = pid;
		syscall(SYS_tkill, pid, SIGSYS);
		break;
	default: /* a thread cannot be ended alone from outside */
		skip(pid, -ENOSYS);
		kill(pid, SIGKILL);
	}
}

static void decide(struct tracer *tracer, pid_t pid)
{
	struct __ptrace_syscall_info info;
	struct skep_cbpf_call call;
	uint32_t action;
	int arch;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return;
	call = (struct skep_cbpf_call){ .nr = (int32_t)info.seccomp.nr, .arch = info.arch,
					.ip = info.instruction_pointer };
	memcpy(call.args, info.seccomp.args, sizeof(call.args));
	if (tracer->record) {
		arch = arch_of(info.arch, info.seccomp.nr);
		if ((info.seccomp.nr & ~(uint64_t)SKEP_X32_BIT) < NUMBERS)
			tracer->seen[arch][info.seccomp.nr & ~(uint64_t)SKEP_X32_BIT] = true;
		return;
	}
	action = skep_cbpf_run_call(tracer->code.insns, tracer->code.count, &call);
	tell(tracer, pid, &call, action);
	act(tracer, pid, &call, action);
}

/* --- the tracer --- */

static void go_on(struct tracer *tracer, pid_t pid, int status)
{
	int event = status >> 16, signal = WSTOPSIG(status);

	if (event == PTRACE_EVENT_SECCOMP)
		decide(tracer, pid);
	if (event == PTRACE_EVENT_STOP && (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
					   signal == SIGTTOU)) {
		ptrace(PTRACE_LISTEN, pid, NULL, NULL);
		return;
	}
	if (!event && signal == SIGSYS && pid == tracer->trapped && tracer->trap.si_signo) {
		ptrace(PTRACE_SETSIGINFO, pid, NULL, &tracer->trap);
		tracer->trap.si_signo = 0;
	}
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
		if (WIFSTOPPED(status))
			go_on(tracer, pid, status);
		else if (pid == tracer->command)
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

static bool any_seen(const struct tracer *tracer, int arch)
{
	for (uint32_t nr = 0; nr < NUMBERS; nr++) {
		if (tracer->seen[arch][nr])
			return true;
	}
	return false;
}

static void write_record(const struct tracer *tracer)
{
	fprintf(tracer->out, "arch");
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		if (any_seen(tracer, arch))
			fprintf(tracer->out, " %s", skep_arch_name((enum skep_seccomp_arch)arch));
	}
	fprintf(tracer->out, "\ndefault errno EPERM\n");
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		uint32_t bit = arch == SKEP_ARCH_X32 ? SKEP_X32_BIT : 0;

		for (uint32_t nr = 0; nr < NUMBERS; nr++) {
			const char *name = skep_syscall_name((enum skep_seccomp_arch)arch, nr | bit);

			if (tracer->seen[arch][nr] && name)
				fprintf(tracer->out, "allow %s@%s\n", name, skep_arch_name((enum skep_seccomp_arch)arch));
			else if (tracer->seen[arch][nr])
				fprintf(tracer->out, "allow %u@%s\n", nr | bit, skep_arch_name((enum skep_seccomp_arch)arch));
		}
	}
}

static int trace(struct tracer *tracer, const char *policy, char **argv)
{
	struct skep_diag *diag = skep_diag_new();
	struct out_file out = { 0 };
	bool good;

	good = (tracer->record || seccomp_load(policy, &tracer->args->host, &tracer->code, diag)) &&
	       make_asking(tracer, policy, diag) &&
	       (!tracer->args->out || out_open(&out, tracer->args->out, diag) == 0);
	tracer->out = out.file ? out.file : tracer->record ? stdout : stderr;
	good = good && start(tracer, argv, diag);
	if (good) {
		follow(tracer);
		if (tracer->record)
			write_record(tracer);
	}
	if (tracer->args->out && out_close(&out, good, diag) < 0)
		good = false;
	if (!good)
		tracer->status = report(diag, false);
	free(tracer->code.insns);
	free(tracer->asking.insns);
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
		"Told are the process, the call with its arguments, what the policy does, and the\n"
		"place in the program. The command and all that it starts get what the policy says;\n"
		"kill-thread and kill-process end the process by SIGKILL. Exit status: the\n"
		"command's, or 128 and the signal that ended it.",
	.example = "  skep seccomp run docker.json -- make test",
	.opts = run_opts,
	.args_size = sizeof(struct args),
	.run = run_run,
};

static int run_record(const struct verb *verb, void *arg, int argc, char **argv)
{
	struct tracer tracer = { .args = arg, .record = true };

	if (argc < 1)
		return usage(verb, "a command: skep seccomp record -- COMMAND");
	return trace(&tracer, argv[0], argv);
}

static const struct opt record_opts[] = {
	OPT(OPT_TEXT, 'o', "output", out, "FILE", "the policy to FILE, not to standard output"),
	{ 0 },
};

const struct verb verb_seccomp_record = {
	.name = "seccomp record",
	.operands = "-- COMMAND [ARG...]",
	.summary = "Write the policy that a command needs",
	.detail =
		"The command is run, and every call that it and what it starts make is allowed; all\n"
		"others get EPERM. What a run does not do is not in it: run what matters.",
	.example = "  skep seccomp record -o policy -- ./server --self-test",
	.opts = record_opts,
	.args_size = sizeof(struct args),
	.run = run_record,
};
