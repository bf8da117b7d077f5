/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.c - skep machine create|list|show|remove: worlds that stay while programs
 * come and go, and who is in them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <skep/machine.h>

#include "cli/cli.h"

enum { PARTICIPANTS = 1024 };

struct args { /* of all four */
	const char *memory;
	uint64_t cpus;
	bool json, force;
};

/* --- words for sizes, times and processes --- */

static const char *size_text(uint64_t size, char *text, size_t room)
{
	static const char units[] = "BKMGT";
	double value = (double)size;
	unsigned unit = 0;

	for (; value >= 1024 && unit < sizeof(units) - 2; unit++)
		value /= 1024;
	if (unit == 0)
		snprintf(text, room, "%llu B", (unsigned long long)size);
	else
		snprintf(text, room, "%.1f %ciB", value, units[unit]);
	return text;
}

/* "64M": bytes, with a unit of 1024 behind them. */
static bool parse_size(const char *text, size_t *size)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long value;
	const char *unit;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-' || value == 0)
		return false;
	unit = *end ? strchr(units, *end) : NULL;
	if (*end && (!unit || end[1]))
		return false;
	if (unit && value > UINT64_MAX >> 10 * (unit - units + 1))
		return false;
	*size = unit ? value << 10 * (unit - units + 1) : value;
	return true;
}

/* The name and state that /proc tells of a process; state 0: it is gone. */
struct process {
	char name[32];
	char state;
};

static struct process process_read(uint32_t pid)
{
	struct process process = { .name = "?" };
	char path[64], text[512], *open, *close_at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return process;
	if (fgets(text, sizeof(text), file)) {
		open = strchr(text, '(');
		close_at = strrchr(text, ')');
		if (open && close_at && close_at[1] == ' ') {
			*close_at = '\0';
			snprintf(process.name, sizeof(process.name), "%s", open + 1);
			process.state = close_at[2];
		}
	}
	fclose(file);
	return process;
}

/* A pid of another namespace is somebody else's here. */
static struct process participant_read(const struct skep_participant *in)
{
	const struct process elsewhere = { .name = "in another namespace" };

	return in->abroad ? elsewhere : process_read(in->pid);
}

static bool is_stopped(const struct process *process)
{
	return process->state == 'T' || process->state == 't';
}

/* --- create --- */

static const struct opt create_opts[] = {
	OPT(OPT_TEXT, 0, "memory", memory, "SIZE", "address space for its maps: 512M, 64G (default)"),
	OPT(OPT_NUMBER, 0, "cpus", cpus, "N", "virtual CPUs (default: twice the possible CPUs)"),
	{ 0 },
};

static int create_run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct skep_machine_opts opts = { .cpus = (unsigned)args->cpus };
	struct skep_machine *machine;
	struct skep_diag *diag;
	int status = EXIT_DONE;

	if (argc != 1)
		return usage(verb, argc ? "one name at a time, please" : "what is its name?");
	if (args->cpus > 8192)
		return usage(verb, "--cpus wants at most 8192");
	if (args->memory && !parse_size(args->memory, &opts.memory))
		return usage(verb, "--memory wants a size like 512M or 64G, not '%s'", args->memory);
	opts.name = argv[0];
	diag = skep_diag_new();
	machine = skep_machine_new(&opts, diag);
	if (!machine)
		status = report(diag, false);
	skep_machine_free(machine);
	skep_diag_free(diag);
	return status;
}

const struct verb verb_machine_create = {
	.name = "machine create",
	.operands = "NAME",
	.summary = "Make a machine that stays, with its maps and programs",
	.detail = "A machine is a world of maps and programs. A named one is a directory of files in\n"
		  "memory, $XDG_RUNTIME_DIR/skep/NAME or else /dev/shm/skep-UID/NAME, which only its\n"
		  "user may open. It stays until it is removed or the system restarts.",
	.example = "  skep machine create web\n"
		   "  skep run --machine web fw.bpf.o -r web.pcap\n"
		   "  skep map dump name drops --machine web",
	.opts = create_opts,
	.args_size = sizeof(struct args),
	.run = create_run,
};

/* --- list --- */

static const struct opt list_opts[] = {
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per machine"),
	{ 0 },
};

/* The processes in a machine but this one. */
static size_t others(struct skep_machine *machine, struct skep_participant *in)
{
	size_t count = skep_machine_participants(machine, in, PARTICIPANTS), kept = 0;

	for (size_t i = 0; i < count && i < PARTICIPANTS; i++)
		if (in[i].pid != (uint32_t)getpid() || in[i].abroad)
			in[kept++] = in[i];
	return kept;
}

struct listing {
	bool json;
	struct table table;
	struct skep_participant *in; /* PARTICIPANTS of them */
};

static void list_good(struct listing *l, const char *name, struct skep_machine *machine)
{
	struct skep_machine_info info;
	size_t processes = others(machine, l->in);
	struct json json;
	char size[32];

	skep_machine_info(machine, &info);
	if (!l->json) {
		table_add(&l->table, "%s", name);
		table_add(&l->table, "%u", info.maps);
		table_add(&l->table, "%u", info.progs);
		table_add(&l->table, "%zu", processes);
		table_add(&l->table, "%s", size_text(info.memory_used, size, sizeof(size)));
		table_add(&l->table, "%s", "");
		return;
	}
	json_begin(&json, stdout);
	json_text(&json, "machine", name);
	json_text(&json, "path", info.path);
	json_uint(&json, "maps", info.maps);
	json_uint(&json, "programs", info.progs);
	json_uint(&json, "processes", processes);
	json_uint(&json, "memory_used", info.memory_used);
	json_end(&json);
}

static void list_bad(struct listing *l, const char *name, const struct skep_diag *diag)
{
	struct json json;

	if (!l->json) {
		table_add(&l->table, "%s", name);
		for (int i = 0; i < 4; i++)
			table_add(&l->table, "%s", "-");
		table_add(&l->table, "%s", last_message(diag));
		return;
	}
	json_begin(&json, stdout);
	json_text(&json, "machine", name);
	json_text(&json, "error", last_message(diag));
	json_end(&json);
}

/* One that cannot be joined is listed with the reason. */
static int list_one(void *arg, const char *name)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = skep_machine_open(name, NULL, diag);

	if (machine)
		list_good(arg, name, machine);
	else
		list_bad(arg, name, diag);
	skep_machine_free(machine);
	skep_diag_free(diag);
	return 0;
}

static int list_run(const struct verb *verb, void *arg, int argc, char **argv)
{
	static const char *const heads[] = { "machine", "maps", "programs", "processes", "memory", "" };
	const struct args *args = arg;
	struct listing l = { .json = args->json };
	struct skep_diag *diag;
	int status = EXIT_DONE;

	if (argc)
		return usage(verb, "it takes no operand, not '%s'", argv[0]);
	l.in = calloc(PARTICIPANTS, sizeof(*l.in));
	if (!l.in)
		return EXIT_REJECTED;
	diag = skep_diag_new();
	table_init(&l.table, heads, COUNT(heads), 0x1e);
	if (skep_machine_list(list_one, &l, diag) < 0)
		status = report(diag, args->json);
	else if (!args->json && l.table.count > COUNT(heads))
		table_print(&l.table, stdout);
	table_done(&l.table);
	skep_diag_free(diag);
	free(l.in);
	return status;
}

const struct verb verb_machine_list = {
	.name = "machine list",
	.operands = "",
	.summary = "List the machines of this user",
	.detail = "One that cannot be joined, being of another version or damaged, is listed with the\n"
		  "reason.",
	.example = "  skep machine list",
	.opts = list_opts,
	.args_size = sizeof(struct args),
	.run = list_run,
};

/* --- show --- */

static void show_json(const struct skep_machine_info *info, const struct skep_participant *in,
		      size_t count)
{
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "machine", info->name);
	json_text(&json, "path", info->path);
	json_uint(&json, "made_ns", info->made_ns);
	json_uint(&json, "memory", info->memory);
	json_uint(&json, "memory_used", info->memory_used);
	json_uint(&json, "memory_waiting", info->memory_waiting);
	json_uint(&json, "cpus", info->cpus);
	json_uint(&json, "cpus_busy", info->cpus_busy);
	json_uint(&json, "missed", info->missed);
	json_uint(&json, "maps", info->maps);
	json_uint(&json, "programs", info->progs);
	json_open(&json, "processes", '[');
	for (size_t i = 0; i < count; i++) {
		struct process process = participant_read(&in[i]);

		json_open(&json, NULL, '{');
		json_uint(&json, "pid", in[i].pid);
		json_text(&json, "name", process.name);
		json_bool(&json, "stopped", is_stopped(&process));
		json_uint(&json, "cpus", in[i].cpus);
		json_bool(&json, "abroad", in[i].abroad);
		json_bool(&json, "holds_memory", in[i].holds_memory);
		json_bool(&json, "holds_lock", in[i].holds_lock);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_end(&json);
}

static void show_process(const struct skep_participant *in)
{
	struct process process = participant_read(in);

	printf("    %-8u %s", in->pid, process.name);
	if (is_stopped(&process))
		printf(", %sstopped%s", colour(stdout, COLOUR_WARN), colour(stdout, COLOUR_NONE));
	if (in->cpus)
		printf(", runs %u program%s", in->cpus, in->cpus == 1 ? "" : "s");
	if (in->holds_memory)
		printf(", what others freed waits for it");
	if (in->holds_lock)
		printf(", keeps the directory locked: loading waits for it");
	printf("\n");
}

static void show_text(const struct skep_machine_info *info, const struct skep_participant *in,
		      size_t count)
{
	char a[32], b[32], c[32], when[64] = "?";
	time_t made = (time_t)(info->made_ns / 1000000000u);
	struct tm tm;

	if (localtime_r(&made, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s%s%s  %s\n", colour(stdout, COLOUR_BOLD), info->name, colour(stdout, COLOUR_NONE),
	       info->path);
	printf("  made       %s\n", when);
	printf("  memory     %s used of %s; %s freed and waiting\n",
	       size_text(info->memory_used, a, sizeof(a)), size_text(info->memory, b, sizeof(b)),
	       size_text(info->memory_waiting, c, sizeof(c)));
	printf("  CPUs       %u virtual, %u busy; %llu events found none free\n", info->cpus,
	       info->cpus_busy, (unsigned long long)info->missed);
	printf("  maps       %u\n  programs   %u\n  processes  %zu\n", info->maps, info->progs, count);
	for (size_t i = 0; i < count; i++)
		show_process(&in[i]);
}

static int show_run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct skep_participant *in;
	struct skep_machine_info info;
	struct skep_machine *machine;
	struct skep_diag *diag;
	int status = EXIT_DONE;
	size_t count;

	if (argc != 1)
		return usage(verb, argc ? "one machine at a time, please" : "which machine?");
	in = calloc(PARTICIPANTS, sizeof(*in));
	if (!in)
		return EXIT_REJECTED;
	diag = skep_diag_new();
	machine = skep_machine_open(argv[0], NULL, diag);
	if (machine) {
		skep_machine_info(machine, &info);
		count = others(machine, in);
		if (args->json)
			show_json(&info, in, count);
		else
			show_text(&info, in, count);
	} else {
		status = report(diag, args->json);
	}
	skep_machine_free(machine);
	skep_diag_free(diag);
	free(in);
	return status;
}

static const struct opt show_opts[] = {
	OPT(OPT_FLAG, 'j', "json", json, NULL, "as one JSON object"),
	{ 0 },
};

const struct verb verb_machine_show = {
	.name = "machine show",
	.operands = "NAME",
	.summary = "Show a machine's sizes, its processes, and what waits for whom",
	.detail = "A stopped process may hold up others: memory that was freed is used again when every\n"
		  "program that ran then has ended, and loading waits for who holds the directory's lock.",
	.example = "  skep machine show web",
	.opts = show_opts,
	.args_size = sizeof(struct args),
	.run = show_run,
};

/* --- remove --- */

static const struct opt remove_opts[] = {
	OPT(OPT_FLAG, 'f', "force", force, NULL, "even while processes are in it: they go on, unnamed"),
	{ 0 },
};

static int remove_run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct skep_diag *diag;
	int status = EXIT_DONE;

	if (argc == 0)
		return usage(verb, "which machine?");
	diag = skep_diag_new();
	for (int i = 0; i < argc; i++)
		if (skep_machine_remove(argv[i], args->force, diag) < 0)
			status = EXIT_REJECTED;
	if (status)
		report(diag, false);
	skep_diag_free(diag);
	return status;
}

const struct verb verb_machine_remove = {
	.name = "machine remove",
	.operands = "NAME...",
	.summary = "Remove machines with all that is in them",
	.detail = "A machine that processes are in is not removed, unless --force is given. One that is\n"
		  "damaged, or was made by another version, is removed like any other.",
	.example = "  skep machine remove web",
	.opts = remove_opts,
	.args_size = sizeof(struct args),
	.run = remove_run,
};
