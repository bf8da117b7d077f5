/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - skep run: programs in a command's processes (run_command.c), in the running kernel
 * (run_linux.c), and here packet programs over captured traffic.
 *
 * Each packet goes through the chosen programs in order, each seeing what the
 * one before left, until one does not let it pass. Events are printed as they
 * come, verdict counts and maps at the end.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/capture.h"
#include "cli/load.h"
#include "cli/run_command.h"
#include "cli/run_linux.h"
#include "cli/show.h"

struct args {
	const char *in, *out, *filter, *btf, *on, *output, *flame, *folded, *machine;
	struct list programs, attach, set, events, pids;
	uint64_t count, repeat, ifindex, seconds, sample_hz;
	bool verbose, json, egress, interpreter, no_maps, all;
};

static const struct opt opts[] = {
	OPT(OPT_TEXT, 'r', "read", in, "FILE", "packets from this pcap or pcapng file"),
	OPT(OPT_TEXT, 'w', "write", out, "FILE", "write what was not dropped to this pcap file"),
	OPT(OPT_LIST, 'p', "program", programs, "NAME", "run this program (repeatable, in order)"),
	OPT(OPT_LIST, 0, "attach", attach, "PROGRAM=PLACE", "attach it there, not where its section says"),
	OPT(OPT_LIST, 's', "set", set, "NAME=VALUE", "set a global variable before loading"),
	OPT(OPT_LIST, 'e', "event", events, "[MAP=]TYPE", "decode records of MAP as this struct"),
	OPT(OPT_TEXT, 'f', "filter", filter, "EXPR", "only packets that match (as tcpdump)"),
	OPT(OPT_NUMBER, 'c', "count", count, "N", "stop after N packets"),
	OPT(OPT_NUMBER, 0, "repeat", repeat, "N", "go through the capture N times"),
	OPT(OPT_NUMBER, 0, "ifindex", ifindex, "N", "the interface packets arrive on (default 1)"),
	OPT(OPT_FLAG, 0, "egress", egress, NULL, "packets leave rather than arrive"),
	OPT(OPT_FLAG, 'v', "verbose", verbose, NULL, "one line per packet"),
	OPT(OPT_FLAG, 0, "no-maps", no_maps, NULL, "do not print maps at the end"),
	OPT(OPT_FLAG, 'a', "all", all, NULL, "all entries of maps, not the first 32 of each"),
	OPT(OPT_FLAG, 'i', "interpreter", interpreter, NULL, "interpret, do not compile"),
	OPT(OPT_TEXT, 'o', "output", output, "FILE", "events and maps to FILE, not among a command's output"),
	OPT(OPT_TEXT, 0, "on", on, "WHERE", "'linux': in the running kernel, not in Skep's machine"),
	OPT(OPT_NUMBER, 't', "time", seconds, "N", "stop after N seconds (targets, --on linux)"),
	OPT(OPT_TEXT, 0, "flame", flame, "FILE", "counted stacks as a flame graph, an SVG image"),
	OPT(OPT_TEXT, 0, "folded", folded, "FILE", "counted stacks as lines: 'comm;outer;inner count'"),
	OPT(OPT_LIST, 0, "pid", pids, "PID", "run programs in this running process (repeatable; -p PID does too)"),
	OPT(OPT_NUMBER, 0, "sample", sample_hz, "HZ", "how often perf_event programs run (default 99)"),
	OPT(OPT_TEXT, 'm', "machine", machine, "NAME", "load into this machine, where maps stay"),
	OPT(OPT_TEXT, 0, "btf", btf, "FILE", "kernel types to relocate against"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "events, packets, counts and maps as JSON lines"),
	{ 0 },
};

#define PROGRAMS 16
#define ACTIONS 12

/* One program with what it did. */
struct stage {
	struct skep_object_prog *definition;
	uint64_t packets, changed, faults, too_short;
	struct {
		char name[32];
		uint64_t count;
	} actions[ACTIONS];
};

struct session {
	const struct args *args;
	struct loaded loaded;
	struct show show;
	struct stage stages[PROGRAMS];
	size_t stage_count;
	struct capture_out *out;
	uint64_t packets, bytes, written, first_ns;
	struct skep_diag *diag;
};

/* --- choosing programs --- */

static bool runs_on_packets(const struct skep_object_prog *prog)
{
	static const char *const types[] = { "xdp", "sched_cls", "sched_act", "socket_filter",
					     "cgroup_skb" };
	const char *type = skep_object_prog_type(prog);

	for (size_t i = 0; type && i < COUNT(types); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

static bool add_stage(struct session *session, struct skep_object_prog *prog)
{
	if (session->stage_count == PROGRAMS) {
		skep_report(session->diag, SKEP_ARG, NULL, "more than %d programs", PROGRAMS);
		return false;
	}
	session->stages[session->stage_count++].definition = prog;
	return true;
}

static bool add_named(struct session *session, const char *name)
{
	struct skep_object_prog *prog = skep_object_prog_find(session->loaded.object, name);
	struct skep_where where = { .object = session->loaded.arg.path, .insn = -1 };

	if (!prog) {
		no_such_program(session->loaded.object, name, session->diag);
		return false;
	}
	if (!runs_on_packets(prog)) {
		where.program = name;
		skep_report(session->diag, SKEP_NO_PACKETS, &where,
			    "a program of type %s does not run on packets",
			    skep_object_prog_type(prog) ? skep_object_prog_type(prog) : "unknown");
		return false;
	}
	return add_stage(session, prog);
}

/* Packet programs; entries: without those that others jump to. Counts them, notes the last. */
static size_t packet_programs(const struct session *session, bool entries,
			      struct skep_object_prog **last, char *names, size_t size)
{
	struct skep_object *object = session->loaded.object;
	size_t count = 0;

	*names = '\0';
	for (size_t i = 0; i < skep_object_prog_count(object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (!runs_on_packets(prog) || (entries && skep_object_prog_is_tail_target(prog)))
			continue;
		*last = prog;
		count++;
		snprintf(names + strlen(names), size - strlen(names), " -p %s",
			 skep_object_prog_name(prog));
	}
	return count;
}

/*
 * The only packet program there is, or the only one that no program array holds;
 * else the user must choose.
 */
static bool add_only(struct session *session)
{
	struct skep_where where = { .object = session->loaded.arg.path, .insn = -1 };
	struct skep_object_prog *found = NULL;
	char names[512];
	size_t count = packet_programs(session, true, &found, names, sizeof(names));

	if (!count)
		count = packet_programs(session, false, &found, names, sizeof(names));
	if (count == 1)
		return add_stage(session, found);
	skep_report(session->diag, SKEP_NO_PACKETS, &where,
		    count ? "it has %zu programs that run on packets: which?" :
			    "it has no program that runs on packets", count);
	if (count)
		skep_help(session->diag, "choose one, or several to run in that order:%s", names);
	return false;
}

static bool choose(struct session *session)
{
	const struct list *names = &session->args->programs;

	if (session->loaded.arg.program)
		return add_named(session, session->loaded.arg.program);
	for (size_t i = 0; i < names->count; i++) {
		if (!add_named(session, names->items[i]))
			return false;
	}
	return names->count || add_only(session);
}

static bool load(struct session *session)
{
	struct skep_object_prog *chosen[PROGRAMS];

	for (size_t i = 0; i < session->stage_count; i++)
		chosen[i] = session->stages[i].definition;
	if (session->args->on ?
	    !loaded_load_linux(&session->loaded, chosen, session->stage_count, NULL,
			       session->diag) :
	    !loaded_load(&session->loaded, chosen, session->stage_count,
			 session->args->interpreter, session->diag))
		return false;
	session->show = (struct show){ .object = session->loaded.object,
				       .world = &session->loaded.world,
				       .event_types = &session->args->events,
				       .json = session->args->json,
				       .all = session->args->all };
	return show_check_types(&session->show, session->diag);
}

/* --- packets --- */

/* Set by the first interrupt, which ends the run with its summary. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* A second interrupt kills, as usual. */
static void catch_interrupt(void)
{
	struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
}

static void count_action(struct stage *stage, const struct skep_packet_out *out)
{
	static const char *const verdicts[] = { "pass", "drop", "tx", "redirect", "aborted" };
	const char *name = out->action ? out->action : verdicts[out->verdict];
	size_t i = 0;

	stage->packets++;
	stage->changed += out->changed && out->verdict != SKEP_VERDICT_DROP;
	while (i < ACTIONS - 1 && stage->actions[i].count && strcmp(stage->actions[i].name, name))
		i++;
	if (i == ACTIONS - 1)
		name = "other";
	stage->actions[i].count++;
	snprintf(stage->actions[i].name, sizeof(stage->actions[i].name), "%s", name);
}

static void print_packet(const struct session *session, const struct stage *stage,
			 const struct skep_packet_in *in, const struct skep_packet_out *out)
{
	uint64_t since = in->time_ns - session->first_ns;
	struct json json;

	if (!session->args->json) {
		printf("#%-6llu %4llu.%06llu  %5u bytes  %s  %s", (unsigned long long)session->packets,
		       (unsigned long long)(since / 1000000000u),
		       (unsigned long long)(since / 1000 % 1000000), in->size,
		       skep_object_prog_name(stage->definition), out->action ? out->action : "?");
		if (out->verdict == SKEP_VERDICT_REDIRECT && out->redirect_ifindex)
			printf(" to interface %u", out->redirect_ifindex);
		if (out->changed)
			printf("  changed, %u bytes", out->size);
		printf("\n");
		return;
	}
	json_begin(&json, stdout);
	json_uint(&json, "packet", session->packets);
	json_uint(&json, "time_ns", in->time_ns);
	json_uint(&json, "size", in->size);
	json_text(&json, "program", skep_object_prog_name(stage->definition));
	json_text(&json, "action", out->action);
	json_int(&json, "retval", out->retval);
	json_uint(&json, "size_out", out->size);
	json_bool(&json, "changed", out->changed);
	if (out->verdict == SKEP_VERDICT_REDIRECT)
		json_uint(&json, "ifindex", out->redirect_ifindex);
	json_end(&json);
}

/* One program on one packet. false: it went no further. */
static bool run_stage(struct session *session, struct stage *stage, struct skep_packet_in *in,
		      struct skep_packet_out *out)
{
	int error = world_run_packet(&session->loaded.world, stage->definition, in, out,
				     session->diag);

	if (error == -EINVAL)
		stage->too_short++;
	else if (error)
		stage->faults++;
	/* The first fault is told in full, the rest are counted. */
	if (error && error != -EINVAL && stage->faults == 1)
		report(session->diag, session->args->json);
	skep_diag_clear(session->diag);
	if (error) {
		out->verdict = SKEP_VERDICT_ABORTED;
		return false;
	}
	count_action(stage, out);
	if (session->args->verbose)
		print_packet(session, stage, in, out);
	return out->verdict == SKEP_VERDICT_PASS;
}

static void run_packet(struct session *session, struct skep_packet_in in)
{
	struct skep_packet_out out = { .verdict = SKEP_VERDICT_PASS, .data = in.data,
				       .size = in.size };

	session->packets++;
	session->bytes += in.size;
	if (session->packets == 1)
		session->first_ns = in.time_ns;
	in.ifindex = (uint32_t)session->args->ifindex;
	in.egress = session->args->egress;
	for (size_t i = 0; i < session->stage_count; i++) {
		if (!run_stage(session, &session->stages[i], &in, &out))
			break;
		in.data = out.data;
		if (in.size != out.size)
			in.wire_size = in.size = out.size;
	}
	if (session->out && out.verdict != SKEP_VERDICT_DROP &&
	    out.verdict != SKEP_VERDICT_ABORTED) {
		capture_write(session->out, in.time_ns, out.data, out.size);
		session->written++;
	}
	show_events(&session->show, 0);
}

/* Once through the capture. Negative errno with the reason in diag. */
static int run_capture(struct session *session)
{
	const struct args *args = session->args;
	struct capture_in *in = capture_open(args->in, args->filter, session->diag);
	struct skep_packet_in packet;
	int got = 0;

	if (!in)
		return -EINVAL;
	while (!interrupted && !(args->count && session->packets >= args->count)) {
		got = capture_next(in, &packet, session->diag);
		if (got <= 0)
			break;
		run_packet(session, packet);
		if (session->packets % 1024 == 0)
			progress(session->packets, 0, "packets");
	}
	capture_close(in);
	progress_clear();
	return got < 0 ? got : 0;
}

/* --- the end --- */

static void print_stage(const struct session *session, const struct stage *stage)
{
	printf("%s%s%s: %llu packets", colour(stdout, COLOUR_BOLD),
	       skep_object_prog_name(stage->definition), colour(stdout, COLOUR_NONE),
	       (unsigned long long)stage->packets);
	if (stage->changed)
		printf(", %llu changed", (unsigned long long)stage->changed);
	if (stage->too_short)
		printf(", %llu too short for it", (unsigned long long)stage->too_short);
	if (stage->faults)
		printf(", %llu ended by a fault", (unsigned long long)stage->faults);
	printf("\n");
	for (size_t i = 0; i < ACTIONS && stage->actions[i].count; i++)
		printf("  %-20s %10llu  %5.1f%%\n", stage->actions[i].name,
		       (unsigned long long)stage->actions[i].count,
		       100.0 * (double)stage->actions[i].count / (double)stage->packets);
	(void)session;
}

static void json_stage(const struct session *session, const struct stage *stage)
{
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "object", session->loaded.arg.path);
	json_text(&json, "program", skep_object_prog_name(stage->definition));
	json_uint(&json, "packets", stage->packets);
	json_uint(&json, "changed", stage->changed);
	json_uint(&json, "too_short", stage->too_short);
	json_uint(&json, "faults", stage->faults);
	json_open(&json, "actions", '{');
	for (size_t i = 0; i < ACTIONS && stage->actions[i].count; i++)
		json_uint(&json, stage->actions[i].name, stage->actions[i].count);
	json_close(&json, '}');
	json_end(&json);
}

static void print_end(struct session *session, bool good)
{
	for (size_t i = 0; i < session->stage_count; i++) {
		if (session->args->json)
			json_stage(session, &session->stages[i]);
		else
			print_stage(session, &session->stages[i]);
	}
	if (session->out && good && !session->args->json)
		printf("%llu packets written to %s\n", (unsigned long long)session->written,
		       session->args->out);
	if (session->show.lost)
		fprintf(stderr, "skep: %llu events were lost: the buffer was full\n",
			(unsigned long long)session->show.lost);
	if (!session->args->no_maps)
		show_maps(&session->show);
}

static bool run_all(struct session *session)
{
	uint64_t rounds = session->args->repeat ? session->args->repeat : 1;

	if (session->args->out) {
		session->out = capture_create(session->args->out, session->diag);
		if (!session->out)
			return false;
	}
	catch_interrupt();
	for (uint64_t i = 0; i < rounds && !interrupted; i++) {
		if (run_capture(session) < 0)
			return false;
	}
	return true;
}

/* Programs attached in the running kernel, with a command or until an interrupt. */
static int run_attached(struct session *session, char **argv)
{
	const struct args *args = session->args;
	struct live live = {
		.loaded = &session->loaded, .programs = &args->programs,
		.attach = &args->attach, .event_types = &args->events, .command = argv[1] ? argv + 1 : NULL,
		.pids = &args->pids, .seconds = args->seconds, .sample_hz = args->sample_hz, .json = args->json,
		.all = args->all, .no_maps = args->no_maps, .output = args->output,
		.flame = args->flame, .folded = args->folded,
	};
	int status = -1;

	session->diag = skep_diag_new();
	if (loaded_open(&session->loaded, argv[0], args->btf, session->diag) &&
	    loaded_set(&session->loaded, &args->set, session->diag))
		status = run_linux(&live, session->diag);
	if (skep_diag_count(session->diag) || status < 0)
		status = report(session->diag, args->json);
	loaded_done(&session->loaded);
	skep_diag_free(session->diag);
	return status;
}

/* Programs in a command's processes, or in running ones. */
static int run_in_targets(struct session *session, char **argv)
{
	const struct args *args = session->args;
	struct command command = {
		.loaded = &session->loaded, .programs = &args->programs, .pids = &args->pids,
		.attach = &args->attach, .event_types = &args->events, .argv = argv[1] ? argv + 1 : NULL,
		.out = args->output, .seconds = args->seconds, .json = args->json,
		.sample_hz = args->sample_hz, .flame = args->flame, .folded = args->folded,
		.all = args->all, .no_maps = args->no_maps, .interpreter = args->interpreter,
	};
	int status = -1;

	session->loaded.join = args->machine;
	session->diag = skep_diag_new();
	if (loaded_open(&session->loaded, argv[0], args->btf, session->diag) &&
	    loaded_set(&session->loaded, &args->set, session->diag))
		status = run_command(&command, session->diag);
	if (status < 0)
		status = report(session->diag, args->json);
	loaded_done(&session->loaded);
	skep_diag_free(session->diag);
	return status >= RUN_SIGNALLED ? end_by_signal(status - RUN_SIGNALLED) : status;
}

/* -p 4711 is what users of other tools say for a process: no program's name is a number. */
static bool tell_processes(struct args *args)
{
	struct list *programs = &args->programs, *pids = &args->pids;
	size_t kept = 0;

	if (!programs->count)
		return true;
	pids->items = realloc(pids->items, (pids->count + programs->count) * sizeof(*pids->items));
	if (!pids->items)
		return false;
	for (size_t i = 0; i < programs->count; i++) {
		const char *word = programs->items[i];

		if (*word && word[strspn(word, "0123456789")] == '\0')
			pids->items[pids->count++] = word;
		else
			programs->items[kept++] = word;
	}
	programs->count = kept;
	return true;
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	struct session session = { .args = arg };
	int status = EXIT_DONE;
	bool good;

	if (!tell_processes(arg))
		return usage(verb, "no memory for so many programs");
	if (argc == 0)
		return usage(verb, "which object?");
	if (session.args->on && strcmp(session.args->on, "linux") != 0)
		return usage(verb, "--on '%s'? 'linux' is the running kernel", session.args->on);
	if (session.args->on && session.args->machine)
		return usage(verb, "--on linux and --machine exclude each other");
	if (session.args->on && !session.args->in)
		return run_attached(&session, argv);
	if (!session.args->in && (argc > 1 || session.args->pids.count || session.args->machine))
		return run_in_targets(&session, argv);
	if (argc > 1)
		return usage(verb, "one object at a time, please; got '%s' too", argv[1]);
	if (!session.args->in)
		return usage(verb, "run on what? -- COMMAND, --pid PID, --machine NAME whose targets run, "
				   "or -r FILE with packets");
	session.loaded.join = session.args->machine;
	session.diag = skep_diag_new();
	good = loaded_open(&session.loaded, argv[0], session.args->btf, session.diag) &&
	       choose(&session) &&
	       loaded_set(&session.loaded, &session.args->set, session.diag) && load(&session);
	if (good) {
		good = run_all(&session);
		good &= capture_finish(session.out, good, session.diag) == 0;
		if (good || session.packets)
			print_end(&session, good);
	}
	if (!good)
		status = EXIT_REJECTED;
	if (skep_diag_count(session.diag))
		status = report(session.diag, session.args->json);
	loaded_done(&session.loaded);
	skep_diag_free(session.diag);
	return status;
}

const struct verb verb_run = {
	.name = "run",
	.operands = "OBJECT[:PROGRAM] [-- COMMAND [ARGUMENT]...]",
	.summary = "Run programs in a command's processes, or packet programs over a capture",
	.detail =
		"Loads the object, as the kernel would: every program must pass the verifier.\n"
		"\n"
		"With a command, the programs that can be attached to what its processes do (system\n"
		"calls, exec, fork and exit, signals, functions, CPU time) run in it and in all it\n"
		"starts, without root. The command keeps the terminal, its input and output and its exit\n"
		"status; events, maps, the processes that were seen and what was missed go to standard\n"
		"error, or to -o.\n"
		"\n"
		"With -r, each packet of the capture goes through the chosen programs (XDP, tc, socket filter,\n"
		"cgroup_skb) in order, until one does not let it pass. Events of ring buffers and perf\n"
		"arrays are printed as they come, decoded by their type, and so is what programs print;\n"
		"verdict counts and maps follow at the end, maps named like histograms as such.\n"
		"\n"
		"OBJECT may be a .c file, which clang compiles first. -w writes every packet that was\n"
		"not dropped, as the programs left it.\n"
		"\n"
		"--on linux loads the object into the running kernel instead, if it lets this user. With -r,\n"
		"its programs get the packets one by one. Without, they are attached where their\n"
		"sections say, and their events printed: of COMMAND and all it starts, until it ends\n"
		"(its exit status becomes skep's), of --pid's processes and what they start; or of the\n"
		"whole system, until an interrupt.\n"
		"\n"
		"--attach gives a program another place than its section, or several: a section\n"
		"(uprobe/FILE:FUNCTION) or what would follow its own section's prefix.\n"
		"\n"
		"--flame and --folded take stacks that a map counts (as examples/profile.bpf.c does),\n"
		"and those in records, which are then not printed: members named '...stack...'.\n"
		"\n"
		"With --machine, maps and programs go into a machine that 'skep machine create' made, and\n"
		"stay there: 'skep map dump' reads them from another terminal, now and later. Without a\n"
		"command, a process or packets, programs run in the targets that the machine has already.",
	.example = "  skep run opensnoop.bpf.c -- ls -R\n"
		   "  skep run xdp_firewall.bpf.o -r web.pcap -w passed.pcap\n"
		   "  skep run http_count.bpf.c -r web.pcap --set 'port=8080'\n"
		   "  skep run -v tc.o:ingress -r web.pcap -f 'tcp port 80'\n"
		   "  skep run --on linux opensnoop.bpf.o -- make -j2",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
