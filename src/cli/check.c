/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - skep check OBJECT: say whether each program is safe, and why not. */
#include "cli/check.h"
#include "cli/html.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct opt opts[] = {
	OPT(OPT_LIST, 'p', "program", programs, "NAME", "only this program (repeatable)"),
	OPT(OPT_LIST, 'f', "filter", filters, "FILTER", "only what matches (repeatable; see below)"),
	OPT(OPT_LIST, 0, "target", targets, "OBJECT[:PROGRAM]",
	    "what freplace, fentry and fexit programs attach to (repeatable)"),
	OPT(OPT_TEXT, 0, "btf", btf, "FILE", "kernel types: of this file (.BTF or raw), or 'machine'"),
	OPT(OPT_TEXT, 0, "flags", flags, "F,...", "set program flags (see below)"),
	OPT(OPT_TEXT, 0, "kernel", kernel, "V[=BTF],...", "on which Linux releases it loads; 'all': see below"),
	OPT(OPT_FLAG, 0, "unprivileged", unprivileged, NULL, "judge as for a user without capabilities"),
	OPT(OPT_TEXT, 0, "caps", caps, "C,...", "judge as for a user with only these (see below)"),
	OPT(OPT_NUMBER, 0, "log", log, "LEVEL", "show the verifier's log: 1, 2; add 4 for statistics"),
	OPT(OPT_NUMBER, 0, "log-size", log_size, "BYTES", "at most this much of its end (16777216)"),
	OPT(OPT_FLAG, 0, "all", all, NULL, "report independent errors after the first, too"),
	OPT(OPT_COUNT, 'v', "verbose", verbose, NULL,
	    "show each step to the error and its state; twice: the whole log"),
	OPT(OPT_FLAG, 'q', "quiet", quiet, NULL, "only programs that are not accepted"),
	OPT(OPT_TEXT, 'e', "columns", columns, "NAME,...", "what the table shows (see below)"),
	OPT(OPT_TEXT, 's', "sort", sort, "NAME,...", "order by these; < or > behind a name: up or down"),
	OPT(OPT_NUMBER, 'n', "top", top, "N", "show only the first N"),
	OPT(OPT_TEXT, 'C', "compare", compare, "OLD.json", "with the output of an earlier check -j"),
	OPT(OPT_TEXT, 0, "html", html, "REPORT", "write a page that shows how they were verified"),
	OPT(OPT_TEXT, 'o', "format", format, "FORMAT", "text (default), json, csv or sarif"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per program"),
	OPT(OPT_NUMBER, 0, "jobs", jobs, "N", "verify N at a time (default: one per processor)"),
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

/* --- the order of things --- */

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV, FORMAT_SARIF, FORMATS };

struct run {
	const struct verb *verb;
	const struct args *args;
	enum format format;
	struct filters filters;
	struct sorting *sorting;
	struct columns columns;
	struct results earlier, results;
	struct judging judging;
	struct skep_btf *btf;
	struct skep_diag *diag;
	unsigned flags, caps;
};

static int parse_format(struct run *run)
{
	static const char *const names[FORMATS] = { "text", "json", "csv", "sarif" };
	const char *name = run->args->format;

	if (run->args->json && name && strcmp(name, "json") != 0)
		return usage(run->verb, "-j and --format %s contradict each other", name);
	run->format = run->args->json ? FORMAT_JSON : FORMAT_TEXT;
	if (!name)
		return EXIT_DONE;
	for (run->format = 0; run->format < FORMATS; run->format++)
		if (strcmp(names[run->format], name) == 0)
			return EXIT_DONE;
	return usage(run->verb, "--format wants text, json, csv or sarif, not '%s'", name);
}

/* Everything that may be wrong with a command line, before any work is done. */
static int prepare(struct run *run, int argc)
{
	const struct args *args = run->args;
	int status;

	if (argc == 0)
		return usage(run->verb, "which object?");
	if (args->log > 7)
		return usage(run->verb, "--log wants 1 or 2, and 4 more for statistics");
	if (args->jobs > 4096)
		return usage(run->verb, "--jobs wants at most 4096");
	if (args->caps && args->unprivileged)
		return usage(run->verb, "--unprivileged is --caps none: give one of them");
	if ((status = parse_format(run)) ||
	    (args->caps && (status = parse_caps(run->verb, args->caps, &run->caps))) ||
	    (args->flags && (status = parse_flags(run->verb, args->flags, &run->flags))) ||
	    (status = columns_parse(run->verb, args->columns, args, argc > 1, &run->columns)) ||
	    (status = filters_parse(run->verb, &args->filters, &run->filters)) ||
	    (status = sorting_parse(run->verb, args->sort, args->compare, &run->sorting)))
		return status;
	if (args->kernel && (args->html || args->compare || args->sort || args->columns ||
			     args->top || args->filters.count ||
			     run->format == FORMAT_CSV || run->format == FORMAT_SARIF))
		return usage(run->verb, "--kernel has a table of its own: no --html, --compare, "
			     "--sort, --columns, --top, --filter or --format with it");
	if ((args->btf && !(run->btf = kernel_types(args->btf, run->diag))) ||
	    (args->compare && earlier_read(args->compare, &run->earlier, run->diag) < 0))
		return report(run->diag, run->format == FORMAT_JSON);
	run->judging = (struct judging){
		.args = args,
		.names = run->filters.names,
		.opts = { .log_level = (unsigned)args->log | (args->verbose > 1 ? 2 : 0),
			  .log_size = args->log_size, .explain = run->format != FORMAT_CSV, .all = args->all, .flags = run->flags,
			  .unprivileged = args->unprivileged || args->caps, .caps = run->caps,
			  .kernel_btf = run->btf },
	};
	return EXIT_DONE;
}

/* Is it printed at once, not sorted, counted or compared first? */
static bool streams(const struct run *run)
{
	return run->format == FORMAT_JSON && !run->args->sort && !run->args->top &&
	       !run->args->compare;
}

static bool is_shown(const struct run *run, const struct verdict_row *row)
{
	if (run->args->quiet && row->now && row->now->n.verdict == ACCEPTED)
		return false;
	return row_wanted(run->filters.stats, row);
}

/* A verdict as it comes; in order. */
static void show(void *arg, const struct judged *j)
{
	const struct run *run = arg;
	struct verdict_row row = { .now = j };

	if (run->format == FORMAT_TEXT) {
		/* With --compare, a filter may ask for more than is known yet. */
		if (run->args->compare || is_shown(run, &row))
			show_failure_text(j, run->args);
	} else if (streams(run) && is_shown(run, &row)) {
		progress_clear();
		print_verdict_json(&row, wants_log(run->args));
		fflush(stdout);
	}
}

static void print_report(struct run *run)
{
	struct report report = { .args = run->args, .columns = run->columns,
				 .results = &run->results, .compare = run->args->compare };
	size_t count = 0;
	struct verdict_row *rows = rows_pair(&run->results, &run->earlier, &count);

	for (size_t i = 0; rows && i < count; i++) {
		if (rows[i].now && rows[i].old) {
			report.paired++;
			report.changed += rows[i].now->n.verdict != rows[i].old->n.verdict;
		}
		/* A file that could not be read has been told of, and is no row of a table. */
		bool file = rows[i].now && !rows[i].now->program &&
			    (run->format == FORMAT_TEXT || run->format == FORMAT_CSV);

		if (!file && is_shown(run, &rows[i]))
			rows[report.count++] = rows[i];
	}
	if (rows)
		rows_sort(run->sorting, rows, report.count);
	if (run->args->top && report.count > run->args->top)
		report.count = run->args->top;
	report.rows = rows;
	if (run->format == FORMAT_TEXT)
		print_report_text(&report);
	else if (run->format == FORMAT_CSV)
		print_report_csv(&report);
	else if (run->format == FORMAT_SARIF)
		print_report_sarif(&report);
	else
		for (size_t i = 0; i < report.count; i++)
			print_verdict_json(&rows[i], wants_log(run->args));
	free(rows);
}

static size_t default_jobs(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors > 0 ? (size_t)processors : 1;
}

static int exit_status(const struct run *run, int argc)
{
	const struct results *results = &run->results;
	bool all = !results->interrupted;

	for (size_t i = 0; i < results->count; i++)
		all &= results->rows[i]->n.verdict == ACCEPTED;
	if (results->interrupted)
		fprintf(stderr, "skep check: interrupted: %zu of %d objects are done\n",
			results->operands_done, argc);
	if (!results->counts.selected && results->counts.objects && !results->interrupted &&
	    (run->args->programs.count || run->filters.names)) {
		fprintf(stderr, "skep check: none of the objects has the programs asked for\n");
		all = false;
	}
	return all ? EXIT_DONE : EXIT_REJECTED;
}

static int judge_and_print(struct run *run, int argc, char **argv)
{
	size_t jobs = run->args->jobs ? run->args->jobs : default_jobs();

	if (run->args->html)
		judge_into_page(&run->judging, argc, argv, show, run, &run->results);
	else if (!judge_all(&run->judging, jobs, argc, argv, show, run, &run->results)) {
		fprintf(stderr, "skep check: no process can be started\n");
		return EXIT_REJECTED;
	}
	if (!streams(run))
		print_report(run);
	return exit_status(run, argc);
}

/* The page stays though programs are rejected: it shows why. */
static int judge_with_page(struct run *run, int argc, char **argv)
{
	struct html html;
	int status;

	if (html_open(&html, run->args->html, run->btf, run->diag) < 0)
		return report(run->diag, run->format == FORMAT_JSON);
	run->judging.html = &html;
	status = judge_and_print(run, argc, argv);
	if (html_close(&html, true, run->diag) < 0)
		return report(run->diag, run->format == FORMAT_JSON);
	return status;
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	struct run run = { .verb = verb, .args = arg, .diag = skep_diag_new() };
	int status = prepare(&run, argc);

	if (status == EXIT_DONE && run.args->kernel)
		status = check_kernels(verb, run.args, run.flags, run.caps, argc, argv);
	else if (status == EXIT_DONE)
		status = run.args->html ? judge_with_page(&run, argc, argv)
					: judge_and_print(&run, argc, argv);
	results_done(&run.results);
	results_done(&run.earlier);
	sorting_done(run.sorting);
	filters_done(&run.filters);
	skep_btf_unref(run.btf);
	skep_diag_free(run.diag);
	return status;
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
		"An extension (freplace) is judged as what it replaces: a function of a program of\n"
		"--target, the first of them that has it, which must be accepted itself. So are fentry\n"
		"and fexit programs whose section names such a function.\n"
		"\n"
		"A rejection is explained: Linux's words, the line at fault, how the program gets\n"
		"there (where a value came from, which branch was taken, where a bound was lost, where\n"
		"a reference was acquired) and the usual fix. -v shows every step that the value took,\n"
		"with the registers there; -vv the log of all paths, as Linux's at level 2. --all goes on\n"
		"with other paths and functions after the first error, and reports what has nothing to\n"
		"do with the errors before.\n"
		"\n"
		"With -j, a rejected program has \"cause\" (in plain words), \"blame\" (the line at fault:\n"
		"insn and source), \"path\" (a list of {insn, source, event, text}, in the order in which\n"
		"things happen; event is start, value, change, check, call, acquire, release, lost,\n"
		"loop or stop; \"detail\":true marks what only -v shows) and \"fix\"; --all adds\n"
		"\"errors\", a list of the others, each with id, message, insn, source and the same.\n"
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
		"What is wrong with a program is explained as it is found; a table and totals follow.\n"
		"Its columns: object, program, section, type, attach, verdict, time, processed\n"
		"(instructions), states, peak, max_states, memory, size (instructions), stack, line,\n"
		"source, message. veristat's names for them work too: insns is processed.\n"
		"\n"
		"A filter is a pattern for the name of an object or program ('xdp_*'), OBJECT/PROGRAM\n"
		"(each a pattern, or nothing for any), a condition ('processed>10k', 'verdict=rejected',\n"
		"several joined by '&&'), or @FILE with one a line. A '!' in front leaves out what\n"
		"matches. Of several filters of a kind, one must match. Names decide what is checked,\n"
		"conditions what is shown.\n"
		"\n"
		"With --compare, a name's value in the earlier run is NAME_a, in this one NAME or NAME_b,\n"
		"their difference NAME_d, in percent NAME_p, and |NAME_d| its amount: -s '|processed_p|',\n"
		"-f 'verdict=changed'. Programs are paired by their names and those of their objects.\n"
		"\n"
		"--html writes one page, to be opened in a browser: source, instructions and their graph\n"
		"side by side, what the verifier knew at each step of each path, and where paths ended.\n"
		"\n"
		"Exit status 0: all accepted; 1: not all, or interrupted; 2: usage.",
	.example = "  skep check xdp_firewall.bpf.o\n"
		   "  skep check --kernel 5.10,6.1,7.3 fw.o\n"
		   "  skep check -s time -n 10 /usr/lib/bpf/*.o\n"
		   "  skep check -f 'xdp*' -f 'processed>10k&&verdict=accepted' *.bpf.o\n"
		   "  skep check -j build/*.o > old.json; skep check --compare old.json build/*.o\n"
		   "  skep check --html report.html fw.bpf.c\n"
		   "  skep check --target fw.bpf.o:xdp_fw plugin.bpf.o\n"
		   "  skep check -o sarif *.bpf.c > skep.sarif\n"
		   "  skep check --log 2 --btf vmlinux tools.o:handle_exec",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
