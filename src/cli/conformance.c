/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conformance.c - skep conformance: run bare bytecode and print r0, in the way
 * that the public conformance suite of RFC 9669 asks its plugins to.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <skep/engine.h>

struct args {
	bool interpreter, jit;
	uint64_t budget;
	const char *program;
};

static const struct opt opts[] = {
	OPT(OPT_FLAG, 'i', "interpreter", interpreter, NULL, "interpret, do not compile"),
	OPT(OPT_FLAG, 0, "jit", jit, NULL, "compile, or fail (by default: where code may be mapped)"),
	OPT(OPT_NUMBER, 0, "budget", budget, "N", "stop the interpreter after N instructions"),
	OPT(OPT_TEXT, 0, "program", program, "HEX", "the bytecode, instead of standard input"),
	{ 0 },
};

/* The bytecode; NULL with the reason in diag. *count instructions. */
static struct skep_insn *read_program(const struct args *args, size_t *count,
				      struct skep_diag *diag)
{
	size_t len = 0, size = 0;
	char *text = args->program ? strdup(args->program) : slurp("-", &len, diag);
	uint8_t *bytes;

	if (!text)
		return NULL;
	bytes = hex_bytes(text, strlen(text), &size, diag);
	free(text);
	if (bytes && (size == 0 || size % sizeof(struct skep_insn))) {
		skep_report(diag, SKEP_ARG, NULL,
			    "the bytecode has %zu bytes; instructions are 8 each", size);
		free(bytes);
		bytes = NULL;
	}
	*count = size / sizeof(struct skep_insn);
	return (struct skep_insn *)(void *)bytes;
}

/* All operands together are the memory, with or without blanks. */
static uint8_t *read_memory(int argc, char **argv, size_t *size, struct skep_diag *diag)
{
	uint8_t *bytes = NULL;
	char *text = NULL;
	size_t len;
	FILE *all = open_memstream(&text, &len);

	if (!all) {
		skep_report(diag, SKEP_OOM, NULL, "the memory");
		return NULL;
	}
	for (int i = 0; i < argc; i++)
		fprintf(all, "%s ", argv[i]);
	if (fclose(all) == 0)
		bytes = hex_bytes(text, len, size, diag);
	free(text);
	return bytes;
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct skep_diag *diag = skep_diag_new();
	size_t count = 0, size = 0;
	uint8_t *memory = read_memory(argc, argv, &size, diag);
	struct skep_insn *insns = memory ? read_program(args, &count, diag) : NULL;
	uint64_t r0;
	int error = -1;

	(void)verb;
	if (insns)
		error = skep_run_bare(insns, count, size ? memory : NULL, size,
				      (args->interpreter ? SKEP_BARE_INTERPRET : 0u) |
					      (args->jit ? SKEP_BARE_COMPILE : 0u),
				      args->budget, &r0, diag);
	if (error == 0)
		printf("%llx\n", (unsigned long long)r0);
	else
		report(diag, false);
	free(insns);
	free(memory);
	skep_diag_free(diag);
	return error == 0 ? EXIT_DONE : EXIT_REJECTED;
}

const struct verb verb_conformance = {
	.name = "conformance",
	.operands = "[MEMORY_HEX]",
	.summary = "Run bytecode given in hexadecimal and print what r0 holds at the end",
	.detail = "Reads the bytecode from standard input, runs it with r1 pointing at the memory\n"
		  "given in hexadecimal and r2 its size, and prints r0 in hexadecimal: the protocol\n"
		  "of the plugins of the public bpf_conformance suite. The bytecode is not verified:\n"
		  "compiled, it can read and write whatever this process can.",
	.example = "  skep asm sum.s | skep conformance --interpreter 'aa bb 11 22'",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
