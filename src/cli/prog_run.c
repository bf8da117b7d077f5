/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prog_run.c - skep prog run: one program on a given packet and context, as
 * bpf(BPF_PROG_TEST_RUN) would run it. Operands follow bpftool's grammar.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/load.h"

struct args {
	bool json, interpreter;
	const char *btf;
	struct list set;
};

static const struct opt opts[] = {
	OPT(OPT_LIST, 's', "set", set, "NAME=VALUE", "set a global variable before loading"),
	OPT(OPT_FLAG, 'i', "interpreter", interpreter, NULL, "interpret, do not compile"),
	OPT(OPT_TEXT, 0, "btf", btf, "FILE", "kernel types to relocate against"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "the result as JSON"),
	{ 0 },
};

/* Room for what a program may add to its packet, where data_size_out does not say. */
#define ROOM 4096

struct request {
	const char *data_in, *data_out, *ctx_in, *ctx_out;
	uint64_t data_size_out, ctx_size_out, repeat, flags;
};

struct word {
	const char *name;
	size_t offset;
	bool number;
};

static const struct word words[] = {
	{ "data_in", offsetof(struct request, data_in), false },
	{ "data_out", offsetof(struct request, data_out), false },
	{ "ctx_in", offsetof(struct request, ctx_in), false },
	{ "ctx_out", offsetof(struct request, ctx_out), false },
	{ "data_size_out", offsetof(struct request, data_size_out), true },
	{ "ctx_size_out", offsetof(struct request, ctx_size_out), true },
	{ "repeat", offsetof(struct request, repeat), true },
	{ "flags", offsetof(struct request, flags), true },
};

static int parse_word(const struct verb *verb, struct request *request, const char *name,
		      const char *value)
{
	uint64_t number;
	char *end;

	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcmp(words[i].name, name) != 0)
			continue;
		if (!value)
			return usage(verb, "%s wants a %s", name,
				     words[i].number ? "number" : "file");
		if (!words[i].number) {
			memcpy((char *)request + words[i].offset, &value, sizeof(value));
			return EXIT_DONE;
		}
		errno = 0;
		number = strtoull(value, &end, 0);
		if (errno || end == value || *end || number > UINT32_MAX)
			return usage(verb, "%s wants a number, not '%s'", name, value);
		memcpy((char *)request + words[i].offset, &number, sizeof(number));
		return EXIT_DONE;
	}
	return usage(verb, "unknown word '%s'", name);
}

static int parse_request(const struct verb *verb, struct request *request, int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		int status = parse_word(verb, request, argv[i], i + 1 < argc ? argv[i + 1] : NULL);

		if (status)
			return status;
	}
	return EXIT_DONE;
}

/* The buffers of a run; freed by buffers_done(). */
struct buffers {
	void *data_in, *data_out, *ctx_in, *ctx_out;
};

static bool buffers_init(struct buffers *b, struct skep_test_run *run,
			 const struct request *request, struct skep_diag *diag)
{
	size_t size = 0;

	if (request->data_in) {
		b->data_in = slurp(request->data_in, &size, diag);
		if (!b->data_in)
			return false;
		run->data_in = b->data_in;
		run->data_size_in = size;
	}
	if (request->ctx_in) {
		b->ctx_in = slurp(request->ctx_in, &size, diag);
		if (!b->ctx_in)
			return false;
		run->ctx_in = b->ctx_in;
		run->ctx_size_in = size;
	}
	run->data_size_out = request->data_size_out ? request->data_size_out :
			     request->data_in ? run->data_size_in + ROOM : 0;
	run->ctx_size_out = request->ctx_size_out ? request->ctx_size_out :
			    request->ctx_out ? run->ctx_size_in + ROOM : 0;
	b->data_out = calloc(1, run->data_size_out + 1);
	b->ctx_out = calloc(1, run->ctx_size_out + 1);
	run->data_out = run->data_size_out ? b->data_out : NULL;
	run->ctx_out = run->ctx_size_out ? b->ctx_out : NULL;
	run->repeat = (uint32_t)request->repeat;
	run->flags = (uint32_t)request->flags;
	if (!b->data_out || !b->ctx_out)
		skep_report(diag, SKEP_OOM, NULL, "buffers for the result");
	return b->data_out && b->ctx_out;
}

static void buffers_done(struct buffers *b)
{
	free(b->data_in);
	free(b->data_out);
	free(b->ctx_in);
	free(b->ctx_out);
}

static void print_result(const struct args *args, const struct skep_test_run *run)
{
	struct json json;

	if (!args->json) {
		printf("Return value: %u (0x%x), duration (average): %uns", run->retval,
		       run->retval, run->duration_ns);
		if (run->data_out)
			printf(", packet: %zu bytes", run->data_size_out);
		printf("\n");
		return;
	}
	json_begin(&json, stdout);
	json_uint(&json, "retval", run->retval);
	json_uint(&json, "duration_ns", run->duration_ns);
	if (run->data_out)
		json_uint(&json, "data_size_out", run->data_size_out);
	if (run->ctx_out)
		json_uint(&json, "ctx_size_out", run->ctx_size_out);
	json_end(&json);
}

static bool run_once(const struct args *args, const struct request *request,
		     struct skep_prog *prog, struct skep_diag *diag)
{
	struct skep_test_run run = { 0 };
	struct buffers buffers = { 0 };
	bool good;

	good = buffers_init(&buffers, &run, request, diag) &&
	       skep_prog_test_run(prog, &run, diag) == 0;
	if (good && request->data_out)
		good = spill(request->data_out, run.data_out, run.data_out ? run.data_size_out : 0,
			     diag) == 0;
	if (good && request->ctx_out)
		good = spill(request->ctx_out, run.ctx_out, run.ctx_out ? run.ctx_size_out : 0,
			     diag) == 0;
	if (good)
		print_result(args, &run);
	buffers_done(&buffers);
	return good;
}

/* The program named, or the only one there is. */
static struct skep_object_prog *choose(struct loaded *loaded)
{
	if (loaded->arg.program)
		return skep_object_prog_find(loaded->object, loaded->arg.program);
	return skep_object_prog_count(loaded->object) == 1 ? skep_object_prog_at(loaded->object, 0) :
							     NULL;
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct skep_diag *diag;
	struct request request = { 0 };
	struct loaded loaded = { 0 };
	struct skep_object_prog *prog = NULL;
	int status;

	if (argc == 0)
		return usage(verb, "which program? OBJECT:PROGRAM");
	status = parse_request(verb, &request, argc, argv);
	if (status)
		return status;
	diag = skep_diag_new();
	if (loaded_open(&loaded, argv[0], args->btf, diag)) {
		prog = choose(&loaded);
		if (!prog && !loaded.arg.program && skep_object_prog_count(loaded.object))
			skep_report(diag, SKEP_ARG, NULL, "'%s' has %zu programs: which? Say %s:PROGRAM",
				    argv[0], skep_object_prog_count(loaded.object), argv[0]);
		else if (!prog)
			no_such_program(loaded.object, loaded.arg.program, diag);
	}
	if (prog && !(loaded_set(&loaded, &args->set, diag) &&
		      loaded_load(&loaded, &prog, 1, args->interpreter, diag) &&
		      run_once(args, &request, skep_machine_prog(loaded.world.machine, prog), diag)))
		status = EXIT_REJECTED;
	if (skep_diag_count(diag))
		status = report(diag, args->json);
	loaded_done(&loaded);
	skep_diag_free(diag);
	return status;
}

const struct verb verb_prog_run = {
	.name = "prog run",
	.operands = "OBJECT:PROGRAM [data_in FILE] [data_out FILE] [data_size_out N] "
		    "[ctx_in FILE] [ctx_out FILE] [ctx_size_out N] [repeat N]",
	.summary = "Run one program on a given packet or context (BPF_PROG_TEST_RUN)",
	.detail = "data_in is the packet, ctx_in the context structure of the program's type; data_out\n"
		  "and ctx_out receive what they are after the program. '-' is standard input or\n"
		  "output. With repeat, the duration is the mean of N runs.",
	.example = "  skep prog run xdp_lb.o:xdp_lb data_in packet.bin data_out out.bin repeat 1000",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
