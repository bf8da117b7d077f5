/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp.c - skep seccomp compile, disasm and emulate: policies on system calls, as filters,
 * in words, and what they do to one call.
 */
#include "cli/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct args {
	struct seccomp_host host;
	const char *out, *form;
	uint64_t pid;
	bool raw, json;
};

#define HOST_OPTS \
	OPT(OPT_LIST, 'a', "arch", host.archs, "ARCH", "x86_64, x86, x32 or aarch64 (repeatable; of JSON, the first is the host's)"), \
	OPT(OPT_LIST, 'C', "cap", host.caps, "CAP", "a capability that the container has (repeatable; JSON)"), \
	OPT(OPT_TEXT, 'k', "kernel", host.kernel, "X.Y", "the host's kernel (JSON; default: the newest)")

/* --- a filter from any notation --- */

static bool take_bytes(const char *bytes, size_t size, struct seccomp_code *code)
{
	code->count = size / sizeof(*code->insns);
	code->insns = calloc(code->count, sizeof(*code->insns));
	if (code->insns)
		memcpy(code->insns, bytes, size);
	return code->insns != NULL;
}

static void warn_unreached(const struct skep_seccomp *policy, const char *path)
{
	struct skep_seccomp_unreached found = { 0 };
	char action[32], by[32];
	size_t from = 0;

	while (skep_seccomp_unreached(policy, &from, &found)) {
		skep_seccomp_action_text(found.action, action, sizeof(action));
		skep_seccomp_action_text(found.by_action, by, sizeof(by));
		fprintf(stderr, "skep: warning: %s:%u: '%s' for %s%s never decides: %s:%u says '%s' before; of a call's rules "
				"the first that matches decides\n",
			path, found.line, action, found.call, found.named ? "" : " and the rest of its groups", path, found.by, by);
	}
}

static bool load_policy(const char *path, const char *text, size_t size, const struct seccomp_host *host,
			struct seccomp_code *code, struct skep_diag *diag)
{
	struct skep_seccomp *policy = skep_seccomp_new();
	int error = 0;

	if (!policy)
		return skep_report(diag, SKEP_OOM, NULL, "the policy '%s'", path) == 0;
	if (seccomp_is_profile(text)) {
		struct seccomp_host warned = *host;

		warned.warn = true;
		error = seccomp_read_profile(policy, text, path, &warned, diag);
	} else {
		for (size_t i = 0; i < host->archs.count && error == 0; i++) {
			int arch = skep_arch_find(host->archs.items[i]);

			if (arch < 0)
				error = skep_report(diag, SKEP_ARG, NULL, "there is no architecture '%s': x86_64, x86, x32 or aarch64",
						    host->archs.items[i]);
			else
				skep_seccomp_add_arch(policy, (enum skep_seccomp_arch)arch);
		}
		if (error == 0)
			error = skep_seccomp_read(policy, text, size, path, diag);
		if (error == 0)
			warn_unreached(policy, path);
	}
	if (error == 0)
		error = skep_seccomp_compile(policy, path, &code->insns, &code->count, diag);
	skep_seccomp_free(policy);
	return error == 0;
}

bool seccomp_load(const char *path, const struct seccomp_host *host, struct seccomp_code *code,
		  struct skep_diag *diag)
{
	size_t size;
	char *text = slurp(path, &size, diag);
	bool good = text != NULL;

	*code = (struct seccomp_code){ 0 };
	if (good && size > 4 && memcmp(text, "\177ELF", 4) == 0) {
		skep_report(diag, SKEP_SECCOMP_TEXT, NULL, "'%s' is a program or object, not a policy", path);
		good = false;
	} else if (good && size && size % sizeof(*code->insns) == 0 && memchr(text, '\0', size)) {
		good = take_bytes(text, size, code);
		if (!good)
			skep_report(diag, SKEP_OOM, NULL, "the filter '%s'", path);
	} else if (good && (seccomp_is_profile(text) ||
			    skep_cbpf_read(text, size, path, &code->insns, &code->count, NULL) < 0)) {
		good = load_policy(path, text, size, host, code, diag);
	}
	if (good)
		good = skep_cbpf_check(code->insns, code->count, SKEP_CBPF_SECCOMP, path, diag) == 0;
	free(text);
	if (!good) {
		free(code->insns);
		*code = (struct seccomp_code){ 0 };
	}
	return good;
}

bool seccomp_load_stack(const char *path, uint64_t pid, const struct seccomp_host *host,
			struct seccomp_stack *stack, struct skep_diag *diag)
{
	if (pid)
		return seccomp_of_process(pid, stack, diag);
	*stack = (struct seccomp_stack){ .filters = calloc(1, sizeof(*stack->filters)) };
	if (!stack->filters)
		return skep_report(diag, SKEP_OOM, NULL, "the filter '%s'", path) == 0;
	stack->count = 1;
	if (seccomp_load(path, host, &stack->filters[0].code, diag))
		return true;
	seccomp_stack_done(stack);
	return false;
}

/* --- compile and disasm --- */

static const struct { const char *name; enum skep_cbpf_form form; } forms[] = {
	{ "listing", SKEP_CBPF_LISTING }, { "c", SKEP_CBPF_C }, { "decimal", SKEP_CBPF_DECIMAL },
	{ "asm", SKEP_CBPF_ASM }, { "line", SKEP_CBPF_LINE }, { "macros", SKEP_CBPF_MACROS },
};

static int write_code(const struct args *args, const struct seccomp_code *code, int form,
		      struct skep_diag *diag)
{
	const char *path = args->out ? args->out : "-";
	struct skep_text text = { 0 };
	int error;

	if (args->raw)
		return spill(path, code->insns, code->count * sizeof(*code->insns), diag);
	error = skep_cbpf_write(code->insns, code->count, (enum skep_cbpf_form)form, &text);
	error = error < 0 ? skep_report(diag, SKEP_OOM, NULL, "writing the filter") :
			    spill(path, text.data, text.len, diag);
	free(text.data);
	return error;
}

static int find_form(const struct verb *verb, const struct args *args)
{
	for (size_t i = 0; args->form && i < COUNT(forms); i++) {
		if (strcmp(forms[i].name, args->form) == 0)
			return (int)forms[i].form;
	}
	if (!args->form)
		return SKEP_CBPF_LISTING;
	usage(verb, "--form is listing, c, decimal, asm, line or macros, not '%s'", args->form);
	return -1;
}

static int run_compile(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	int form = find_form(verb, args), status = EXIT_DONE;
	struct seccomp_code code;
	struct skep_diag *diag;

	if (form < 0)
		return EXIT_USAGE;
	if (argc != 1)
		return usage(verb, "one policy, please");
	diag = skep_diag_new();
	if (!seccomp_load(argv[0], &args->host, &code, diag) || write_code(args, &code, form, diag) < 0)
		status = report(diag, false);
	free(code.insns);
	skep_diag_free(diag);
	return status;
}

static const struct opt compile_opts[] = {
	OPT(OPT_TEXT, 'o', "output", out, "FILE", "to FILE, not to standard output"),
	OPT(OPT_TEXT, 'f', "form", form, "FORM", "listing (default), c, decimal, asm, line or macros"),
	OPT(OPT_FLAG, 'b', "binary", raw, NULL, "as bytes: struct sock_filter, as bubblewrap reads them"),
	HOST_OPTS,
	{ 0 },
};

const struct verb verb_seccomp_compile = {
	.name = "seccomp compile",
	.operands = "POLICY",
	.summary = "Compile a policy on system calls to a seccomp filter",
	.detail =
		"POLICY is a JSON profile, as Docker and OCI runtimes have them, a policy in text,\n"
		"or a filter in any notation. In text, a line is one of\n"
		"\n"
		"  arch x86_64 x86 x32 aarch64     architectures (default: x86_64)\n"
		"  default ACTION                  calls without a rule (default: kill-process)\n"
		"  foreign ACTION                  calls of other architectures (the same)\n"
		"  ACTION CALL... [if TEST [and TEST]...]\n"
		"\n"
		"ACTION is allow, log, errno [ERROR], trace [N], trap [N], notify, kill-thread or\n"
		"kill-process. CALL is a name or number, CALL@ARCH, or a group such as @basic-io\n"
		"('skep seccomp groups' shows all); ~CALL and ~@GROUP are left out of what else the\n"
		"line names. TEST is arg0 == 1, arg1 & 0xff != 3 or arg2 in 5..9; operators are\n"
		"== != < <= > and >=. Of a call's rules, the first that matches decides, and one that\n"
		"never can is told; in JSON, a rule without tests comes first. '#' begins a comment.\n"
		"\n"
		"On x86 and x32 the lower 32 bits of an argument alone are compared. On x86 a rule\n"
		"for socket without tests is one for socketcall's socket as well, and so on, also for\n"
		"ipc; with tests it is not, for the arguments of these are in memory, where no\n"
		"filter sees them.",
	.example = "  skep seccomp compile docker.json --cap SYS_PTRACE --binary -o filter.bpf\n"
		   "  printf 'default allow\\nerrno EPERM @mount ptrace\\n' | skep seccomp compile -",
	.opts = compile_opts,
	.args_size = sizeof(struct args),
	.run = run_compile,
};

static int run_disasm(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct seccomp_stack stack;
	struct skep_diag *diag;
	int status = EXIT_DONE;

	if (argc != (args->pid ? 0 : 1))
		return usage(verb, "one policy or filter, or --pid, please");
	diag = skep_diag_new();
	if (!seccomp_load_stack(argv[0], args->pid, &args->host, &stack, diag))
		status = report(diag, false);
	for (size_t i = 0; i < stack.count; i++) {
		if (args->pid)
			seccomp_stack_head(&stack, i, stdout);
		seccomp_list(&stack.filters[i].code, stdout);
	}
	if (status == EXIT_DONE && !stack.count)
		printf("process %llu has no seccomp filter\n", (unsigned long long)args->pid);
	seccomp_stack_done(&stack);
	skep_diag_free(diag);
	return status;
}

static const struct opt disasm_opts[] = {
	OPT(OPT_NUMBER, 'p', "pid", pid, "PID", "the filters of a running process or thread"),
	HOST_OPTS,
	{ 0 },
};

const struct verb verb_seccomp_disasm = {
	.name = "seccomp disasm",
	.operands = "[POLICY]",
	.summary = "List a seccomp filter with the names of calls, arguments and actions",
	.detail =
		"POLICY is as for 'skep seccomp compile': also the bytes or the text of a filter\n"
		"that another program made. With --pid, all filters of a running process are listed,\n"
		"the newest first, with their flags; that takes CAP_SYS_ADMIN, and no filter on the\n"
		"reading process. All are run on each call, and the strictest answer counts.",
	.example = "  skep seccomp disasm filter.bpf\n"
		   "  skep seccomp disasm --pid $(pidof -s systemd-resolved)",
	.opts = disasm_opts,
	.args_size = sizeof(struct args),
	.run = run_disasm,
};

/* --- emulate --- */

static bool parse_call(const struct args *args, int argc, char **argv, struct skep_cbpf_call *call,
		       struct skep_diag *diag)
{
	const char *name = args->host.archs.count ? args->host.archs.items[0] : "x86_64";
	int arch = skep_arch_find(name);
	int64_t nr = arch < 0 ? -1 : skep_syscall_number((enum skep_seccomp_arch)arch, argv[0]);

	if (arch < 0)
		return skep_report(diag, SKEP_ARG, NULL, "there is no architecture '%s': x86_64, x86, x32 or aarch64",
				   name) == 0;
	if (nr < 0) {
		const char *near = skep_syscall_nearest(argv[0]);

		skep_report(diag, SKEP_ARG, NULL, "there is no system call '%s' on %s", argv[0], name);
		if (near && strcmp(near, argv[0]) != 0)
			skep_help(diag, "did you mean '%s'?", near);
		return false;
	}
	call->nr = (int32_t)nr;
	call->arch = skep_arch_audit((enum skep_seccomp_arch)arch);
	for (int i = 1; i < argc; i++) {
		char *end;

		errno = 0;
		call->args[i - 1] = strtoull(argv[i], &end, 0);
		if (errno || end == argv[i] || *end)
			return skep_report(diag, SKEP_ARG, NULL, "argument %d, '%s', is not a number", i - 1,
					   argv[i]) == 0;
	}
	return true;
}

static int run_emulate(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct seccomp_host host = args->host;
	int skipped = args->pid ? 0 : 1, status = EXIT_DONE;
	struct skep_cbpf_call call = { 0 };
	struct seccomp_stack stack = { 0 };
	struct skep_diag *diag;
	char text[64];

	if (argc < 1 + skipped || argc > 7 + skipped)
		return usage(verb, "a policy (or --pid), a system call, and up to six arguments");
	host.archs = (struct list){ 0 };
	diag = skep_diag_new();
	if (parse_call(args, argc - skipped, argv + skipped, &call, diag) &&
	    seccomp_load_stack(argv[0], args->pid, &host, &stack, diag)) {
		uint32_t action = seccomp_decide(&stack, &call);

		skep_seccomp_action_text(action, text, sizeof(text));
		if (args->json)
			printf("{\"v\":1,\"action\":\"%s\",\"value\":%u}\n", text, action);
		else
			printf("%s\n", text);
	} else {
		status = report(diag, args->json);
	}
	seccomp_stack_done(&stack);
	skep_diag_free(diag);
	return status;
}

static const struct opt emulate_opts[] = {
	OPT(OPT_NUMBER, 'p', "pid", pid, "PID", "by the filters of a running process, not by a policy"),
	OPT(OPT_LIST, 'a', "arch", host.archs, "ARCH", "of the call: x86_64 (default), x86, x32 or aarch64"),
	OPT(OPT_LIST, 'C', "cap", host.caps, "CAP", "a capability that the container has (repeatable; JSON)"),
	OPT(OPT_TEXT, 'k', "kernel", host.kernel, "X.Y", "the host's kernel (JSON; default: the newest)"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "as a JSON line"),
	{ 0 },
};

const struct verb verb_seccomp_emulate = {
	.name = "seccomp emulate",
	.operands = "[POLICY] CALL [ARG...]",
	.summary = "Say what a policy or filter does to one system call",
	.detail =
		"CALL is a name or a number; arguments that are not given are 0. Nothing is called:\n"
		"the filter is run on the call's description, as the kernel would.",
	.example = "  skep seccomp emulate docker.json clone 0x10000000\n"
		   "  skep seccomp emulate --arch x86 filter.bpf socketcall 1",
	.opts = emulate_opts,
	.args_size = sizeof(struct args),
	.run = run_emulate,
};
