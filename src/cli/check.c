/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - skep check OBJECT: say whether each program is safe, and why not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <skep/object.h>

#include "cli/object.h"

struct args {
	struct list programs;
	const char *btf, *flags;
	uint64_t log;
	bool json, quiet, unprivileged;
};

static const struct opt opts[] = {
	OPT(OPT_LIST, 'p', "program", programs, "NAME", "only this program (repeatable)"),
	OPT(OPT_TEXT, 0, "btf", btf, "FILE", "kernel types: of this file (.BTF or raw), or 'machine'"),
	OPT(OPT_TEXT, 0, "flags", flags, "F,...", "set program flags (see below)"),
	OPT(OPT_NUMBER, 0, "log", log, "LEVEL", "show the verifier's log: 1, 2; add 4 for statistics"),
	OPT(OPT_FLAG, 0, "unprivileged", unprivileged, NULL, "judge as for a user without privileges"),
	OPT(OPT_FLAG, 'q', "quiet", quiet, NULL, "only programs that are not accepted"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per program"),
	{ 0 },
};

enum verdict { ACCEPTED, REJECTED, UNLOADABLE, VERDICTS };
static const char *const verdicts[] = { "accepted", "rejected", "unloadable" };

struct check {
	const struct args *args;
	struct skep_verify_opts opts;
	struct skep_diag *diag;
	size_t counts[VERDICTS];
	size_t objects, bad_objects;
	size_t selected;         /* programs that --program did not leave out */
	size_t done;
};

/* One program judged. */
struct judged {
	const char *object;
	struct skep_object_prog *prog;
	enum verdict verdict;
	int error;
	const char *message;
	size_t insns;
	struct skep_where where;     /* where.line 0: unknown */
	struct skep_verify_result result;
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

/* --- what is printed --- */

static void print_json(const struct check *check, const struct judged *j)
{
	const struct skep_verify_result *r = &j->result;
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "object", j->object);
	if (j->prog) {
		json_text(&json, "program", skep_object_prog_name(j->prog));
		json_text(&json, "section", skep_object_prog_section(j->prog));
		json_text(&json, "type", skep_object_prog_type(j->prog));
		json_text(&json, "attach", skep_object_prog_attach(j->prog));
		json_uint(&json, "insns", j->insns);
	}
	json_text(&json, "verdict", verdicts[j->verdict]);
	if (j->verdict != ACCEPTED) {
		json_text(&json, "errno", errno_name(j->error));
		json_text(&json, "message", j->message);
	}
	if (j->verdict == REJECTED && r->insn >= 0)
		json_int(&json, "insn", r->insn);
	if (j->where.line)
		json_source(&json, &j->where);
	if (j->verdict != UNLOADABLE) {
		json_uint(&json, "processed", r->processed);
		json_uint(&json, "states", r->states);
		json_uint(&json, "peak_states", r->peak_states);
		json_uint(&json, "time_us", r->time_us);
	}
	if (check->args->log && r->log)
		json_text(&json, "log", r->log);
	json_end(&json);
}

static void print_why(const struct check *check, const struct judged *j)
{
	char *text;

	if (skep_diag_count(check->diag) == 0) {
		printf("    %s (%s)\n", j->message, errno_name(j->error));
		return;
	}
	text = skep_diag_text(check->diag, colour_on(stdout));
	printf("%s", text ? text : "");
	free(text);
}

static void print_text(const struct check *check, const struct judged *j)
{
	static const enum colour colours[] = { COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN };
	const struct skep_verify_result *r = &j->result;

	if (check->args->quiet && j->verdict == ACCEPTED)
		return;
	printf("%s%-10s%s  %-28s", colour(stdout, colours[j->verdict]), verdicts[j->verdict],
	       colour(stdout, COLOUR_NONE), skep_object_prog_name(j->prog));
	printf("  %-14s", skep_object_prog_type(j->prog) ? skep_object_prog_type(j->prog) : "?");
	if (j->verdict == UNLOADABLE)
		printf("  %6zu insns\n", j->insns);
	else
		printf("  %6zu insns, %7u processed, %6u states, %8.3f ms\n", j->insns,
		       r->processed, r->states, (double)r->time_us / 1000);
	if (j->verdict != ACCEPTED)
		print_why(check, j);
	if (check->args->log && r->log)
		printf("%s%s", r->log, *r->log && r->log[strlen(r->log) - 1] != '\n' ? "\n" : "");
}

/* --- judging --- */

static void judge(struct check *check, const char *object, struct skep_object_prog *prog)
{
	struct judged j = { .object = object, .prog = prog, .message = "", .where = SKEP_NOWHERE,
			    .result.insn = -1 };
	const struct skep_insn *insns;

	progress(check->done++, 0, skep_object_prog_name(prog));
	skep_diag_clear(check->diag);
	if (skep_object_prog_insns(prog, &insns, &j.insns, NULL) < 0)
		j.insns = 0;
	j.error = skep_object_check(prog, &check->opts, &j.result, check->diag);
	if (j.error) {
		j.verdict = UNLOADABLE;
		j.message = last_message(check->diag);
	} else if (j.result.error) {
		j.verdict = REJECTED;
		j.error = j.result.error;
		j.message = j.result.message;
		if (j.result.insn < 0 ||
		    !skep_object_prog_source(prog, (size_t)j.result.insn, &j.where))
			j.where.line = 0;
	}
	check->counts[j.verdict]++;
	progress_clear();
	if (check->args->json)
		print_json(check, &j);
	else
		print_text(check, &j);
	fflush(stdout);
	skep_verify_result_done(&j.result);
}

/* A file that is no object: still one line for each name given. */
static void bad_object(struct check *check, const char *operand)
{
	struct judged j = { .object = operand, .verdict = UNLOADABLE, .where = SKEP_NOWHERE,
			    .message = last_message(check->diag) };
	const struct skep_diag_item *item = skep_diag_get(check->diag, 0);

	j.error = item ? skep_code_errno(item->code) : EINVAL;
	check->bad_objects++;
	progress_clear();
	if (check->args->json)
		print_json(check, &j);
	else
		report(check->diag, false);
}

static void check_operand(struct check *check, const char *operand)
{
	struct object_arg arg = { 0 };
	struct skep_object *object;
	size_t selected = 0;

	skep_diag_clear(check->diag);
	object = object_arg_open(&arg, operand, check->diag);
	if (!object) {
		bad_object(check, operand);
		return;
	}
	check->objects++;
	if (check->opts.kernel_btf)
		skep_object_set_kernel_btf(object, check->opts.kernel_btf);
	if (!check->args->json && !check->args->quiet)
		printf("%s%s%s\n", colour(stdout, COLOUR_BOLD), arg.path,
		       colour(stdout, COLOUR_NONE));
	for (size_t i = 0; i < skep_object_prog_count(object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (!object_arg_selects(&arg, prog) || !list_selects(&check->args->programs, prog))
			continue;
		selected++;
		judge(check, arg.path, prog);
	}
	check->selected += selected;
	if (!selected && arg.program) {
		no_such_program(object, arg.program, check->diag);
		bad_object(check, operand);
	} else if (skep_object_prog_count(object) == 0 && !check->args->json) {
		printf("(no programs)\n");
	}
	skep_object_free(object);
	object_arg_done(&arg);
}

static void print_summary(const struct check *check)
{
	const size_t *n = check->counts;

	if (check->args->json || n[ACCEPTED] + n[REJECTED] + n[UNLOADABLE] < 2)
		return;
	printf("%s%zu accepted, %zu rejected, %zu unloadable%s in %zu object%s\n",
	       colour(stdout, COLOUR_BOLD), n[ACCEPTED], n[REJECTED], n[UNLOADABLE],
	       colour(stdout, COLOUR_NONE), check->objects, check->objects == 1 ? "" : "s");
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct check check = { .args = args };
	struct skep_btf *btf = NULL;
	unsigned flags = 0;
	int status;

	if (argc == 0)
		return usage(verb, "which object?");
	if (args->log > 7)
		return usage(verb, "--log wants 1 or 2, and 4 more for statistics");
	if (args->flags && (status = parse_flags(verb, args->flags, &flags)))
		return status;
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
						.unprivileged = args->unprivileged,
						.kernel_btf = btf };
	for (int i = 0; i < argc; i++)
		check_operand(&check, argv[i]);
	progress_clear();
	if (args->programs.count && !check.selected) {
		fprintf(stderr, "skep check: none of the objects has the programs asked for\n");
		check.bad_objects++;
	}
	print_summary(&check);
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
		"Exit status 0: all accepted; 1: not all; 2: usage.",
	.example = "  skep check xdp_firewall.bpf.o\n"
		   "  skep check -j /usr/lib/bpf/*.o\n"
		   "  skep check --log 2 --btf vmlinux tools.o:handle_exec",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
