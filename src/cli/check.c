/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - skep check OBJECT: say whether each program is safe, and why not. */
#include "cli/check.h"

#include <string.h>
#include <strings.h>

static const struct opt opts[] = {
	OPT(OPT_LIST, 'p', "program", programs, "NAME", "only this program (repeatable)"),
	OPT(OPT_TEXT, 0, "btf", btf, "FILE", "kernel types: of this file (.BTF or raw), or 'machine'"),
	OPT(OPT_TEXT, 0, "flags", flags, "F,...", "set program flags (see below)"),
	OPT(OPT_NUMBER, 0, "log", log, "LEVEL", "show the verifier's log: 1, 2; add 4 for statistics"),
	OPT(OPT_TEXT, 0, "kernel", kernel, "V[=BTF],...", "on which Linux releases it loads; 'all': see below"),
	OPT(OPT_FLAG, 0, "unprivileged", unprivileged, NULL, "judge as for a user without capabilities"),
	OPT(OPT_TEXT, 0, "caps", caps, "C,...", "judge as for a user with only these (see below)"),
	OPT(OPT_FLAG, 'q', "quiet", quiet, NULL, "only programs that are not accepted"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per program"),
	{ 0 },
};

/* --- flags by name --- */

static const struct {
	const char *name;
	unsigned flag;
} flag_names[] = {
	{ "strict_alignment", SKEP_VERIFY_STRICT_ALIGNMENT },
	{ "any_alignment", SKEP_VERIFY_ANY_ALIGNMENT },
	{ "test_rnd_hi32", SKEP_VERIFY_RND_HI32 },
	{ "test_state_freq", SKEP_VERIFY_STATE_FREQ },
	{ "sleepable", SKEP_VERIFY_SLEEPABLE },
	{ "xdp_has_frags", SKEP_VERIFY_XDP_HAS_FRAGS },
	{ "test_reg_invariants", SKEP_VERIFY_REG_INVARIANTS },
};

/* With or without BPF_F_ in front. */
static unsigned find_flag(const char *name, size_t len)
{
	if (len > 6 && strncasecmp(name, "BPF_F_", 6) == 0) {
		name += 6;
		len -= 6;
	}
	for (size_t i = 0; i < COUNT(flag_names); i++) {
		if (strlen(flag_names[i].name) == len &&
		    strncasecmp(flag_names[i].name, name, len) == 0)
			return flag_names[i].flag;
	}
	return 0;
}

static int parse_flags(const struct verb *verb, const char *text, unsigned *flags)
{
	while (*text) {
		size_t len = strcspn(text, ",");
		unsigned flag = find_flag(text, len);

		if (!flag)
			return usage(verb, "there is no program flag '%.*s'", (int)len, text);
		*flags |= flag;
		text += len + (text[len] == ',');
	}
	return EXIT_DONE;
}

/* --- capabilities by name --- */

static const struct {
	const char *name;
	unsigned cap;
} cap_names[] = {
	{ "bpf", SKEP_CAP_BPF },
	{ "perfmon", SKEP_CAP_PERFMON },
	{ "net_admin", SKEP_CAP_NET_ADMIN },
	{ "sys_admin", SKEP_CAP_SYS_ADMIN },
	{ "none", 0 },
};

/* With or without CAP_ in front. */
static bool find_cap(const char *name, size_t len, unsigned *caps)
{
	if (len > 4 && strncasecmp(name, "CAP_", 4) == 0) {
		name += 4;
		len -= 4;
	}
	for (size_t i = 0; i < COUNT(cap_names); i++) {
		if (strlen(cap_names[i].name) == len &&
		    strncasecmp(cap_names[i].name, name, len) == 0) {
			*caps |= cap_names[i].cap;
			return true;
		}
	}
	return false;
}

static int parse_caps(const struct verb *verb, const char *text, unsigned *caps)
{
	while (*text) {
		size_t len = strcspn(text, ",");

		if (!find_cap(text, len, caps))
			return usage(verb, "no capability '%.*s' matters to programs",
				     (int)len, text);
		text += len + (text[len] == ',');
	}
	return EXIT_DONE;
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct check check = { .args = args,
			       .print = args->json ? print_judged_json : print_judged_text };
	struct skep_btf *btf = NULL;
	unsigned flags = 0, caps = 0;
	int status;

	if (argc == 0)
		return usage(verb, "which object?");
	if (args->log > 7)
		return usage(verb, "--log wants 1 or 2, and 4 more for statistics");
	if (args->flags && (status = parse_flags(verb, args->flags, &flags)))
		return status;
	if (args->caps && args->unprivileged)
		return usage(verb, "--unprivileged is --caps none: give one of them");
	if (args->caps && (status = parse_caps(verb, args->caps, &caps)))
		return status;
	if (args->kernel)
		return check_kernels(verb, args, flags, caps, argc, argv);
	check.diag = skep_diag_new();
	if (args->btf) {
		btf = kernel_types(args->btf, check.diag);
		if (!btf) {
			status = report(check.diag, args->json);
			skep_diag_free(check.diag);
			return status;
		}
	}
	check.opts = (struct skep_verify_opts){ .log_level = (unsigned)args->log, .flags = flags,
						.unprivileged = args->unprivileged || args->caps,
						.caps = caps,
						.kernel_btf = btf };
	for (int i = 0; i < argc; i++)
		check_operand(&check, argv[i]);
	progress_clear();
	if (args->programs.count && !check.selected) {
		fprintf(stderr, "skep check: none of the objects has the programs asked for\n");
		check.bad_objects++;
	}
	if (!args->json)
		print_summary_text(&check);
	skep_btf_unref(btf);
	skep_diag_free(check.diag);
	return check.counts[REJECTED] + check.counts[UNLOADABLE] + check.bad_objects ?
		       EXIT_REJECTED : EXIT_DONE;
}

const struct verb verb_check = {
	.name = "check",
	.operands = "OBJECT[:PROGRAM]...",
	.summary = "Say whether each program is safe, and why not",
	.detail =
		"Every program gets a verdict: accepted; rejected, with the verifier's reason, the\n"
		"source line and the instruction; or unloadable, when it fails before the verifier\n"
		"(a kernel type that is missing, a map type that does not exist). Nothing is created\n"
		"and no privilege is needed. OBJECT may be a .c file, which clang compiles first.\n"
		"\n"
		"Kernel types are those of the running kernel, or of --btf; 'machine' names those of\n"
		"the objects that Skep itself shows to programs, which are the default where the\n"
		"kernel does not tell its own.\n"
		"\n"
		"Flags: strict_alignment, any_alignment, test_rnd_hi32, test_state_freq, sleepable,\n"
		"xdp_has_frags, test_reg_invariants.\n"
		"\n"
		"--kernel 5.4,6.1 says for each release whether the program loads there and what it is\n"
		"missing: instructions, helpers, kernel functions, map and program types, what its\n"
		"verifier could not follow. 6.1=VMLINUX judges CO-RE fields and attach points by that\n"
		"kernel's types too; a VMLINUX alone says its release itself.\n"
		"\n"
		"Capabilities: bpf, perfmon, net_admin, sys_admin; none. --caps bpf,net_admin says\n"
		"whether a service with just CAP_BPF and CAP_NET_ADMIN could load the program. Without\n"
		"CAP_PERFMON it may not see addresses, and what a mispredicting processor would do is\n"
		"checked too; without CAP_BPF it has no loops or functions and 4096 instructions.\n"
		"\n"
		"Exit status 0: all accepted; 1: not all; 2: usage.",
	.example = "  skep check xdp_firewall.bpf.o\n"
		   "  skep check -j /usr/lib/bpf/*.o\n"
		   "  skep check --kernel 5.10,6.1,7.3 fw.o\n"
		   "  skep check --log 2 --btf vmlinux tools.o:handle_exec",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
