/* SPDX-License-Identifier: BSD-2-Clause */
/* asm.c - skep asm FILE: instructions as text into bytecode. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <skep/insn.h>

struct args {
	const char *out, *format;
};

static const struct opt opts[] = {
	OPT(OPT_TEXT, 'o', "output", out, "FILE", "write to FILE instead of standard output"),
	OPT(OPT_TEXT, 'f', "format", format, "FORMAT", "hex (default), raw (bytes) or c (an array)"),
	{ 0 },
};

static void write_hex(FILE *out, const struct skep_insn *insns, size_t count)
{
	const uint8_t *bytes = (const uint8_t *)insns;

	for (size_t i = 0; i < count * sizeof(*insns); i++)
		fprintf(out, "%02x%c", bytes[i], i % 8 == 7 ? '\n' : ' ');
}

/* In the names of linux/bpf.h, with the text of each beside it. */
static void write_c(FILE *out, const struct skep_insn *insns, size_t count)
{
	fprintf(out, "static const struct bpf_insn program[] = {\n");
	for (size_t i = 0; i < count; i++) {
		char text[128];

		skep_disasm(insns, count, i, text, sizeof(text));
		fprintf(out, "\t{ .code = 0x%02x, .dst_reg = %u, .src_reg = %u, .off = %d, "
			     ".imm = %d },", insns[i].code, insns[i].dst, insns[i].src,
			insns[i].off, insns[i].imm);
		if (*text)
			fprintf(out, " /* %s */", text);
		fputc('\n', out);
	}
	fprintf(out, "};\n");
}

static void write_raw(FILE *out, const struct skep_insn *insns, size_t count)
{
	fwrite(insns, sizeof(*insns), count, out);
}

typedef void writer(FILE *out, const struct skep_insn *insns, size_t count);

static writer *find_writer(const char *format)
{
	static const struct {
		const char *name;
		writer *write;
	} writers[] = { { "hex", write_hex }, { "raw", write_raw }, { "c", write_c } };

	for (size_t i = 0; i < COUNT(writers); i++) {
		if (strcmp(writers[i].name, format) == 0)
			return writers[i].write;
	}
	return NULL;
}

static int assemble(const struct args *args, const char *path, writer *write,
		    struct skep_diag *diag)
{
	struct skep_insn *insns = NULL;
	char *text = NULL, *output = NULL;
	size_t size, count, output_size = 0;
	FILE *memory;
	int error = -1;

	text = slurp(path, &size, diag);
	if (text)
		error = skep_assemble(text, size, strcmp(path, "-") ? path : "<stdin>", &insns,
				      &count, diag);
	memory = error == 0 ? open_memstream(&output, &output_size) : NULL;
	if (memory) {
		write(memory, insns, count);
		error = fclose(memory) == 0 ? spill(args->out ? args->out : "-", output,
						    output_size, diag) : -1;
	}
	free(output);
	free(insns);
	free(text);
	return error;
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	writer *write = find_writer(args->format ? args->format : "hex");
	struct skep_diag *diag;
	int status = EXIT_DONE;

	if (!write)
		return usage(verb, "there is no format '%s': hex, raw or c", args->format);
	if (argc > 1)
		return usage(verb, "one file at a time, please");
	diag = skep_diag_new();
	if (assemble(args, argc ? argv[0] : "-", write, diag) < 0)
		status = report(diag, false);
	skep_diag_free(diag);
	return status;
}

const struct verb verb_asm = {
	.name = "asm",
	.operands = "[FILE]",
	.summary = "Turn instructions written as text into bytecode",
	.detail =
		"The text is that of the Linux verifier's log, which 'skep dis' writes, one\n"
		"instruction a line:\n"
		"\n"
		"  r0 = 1                 w0 += w1              r1 = (s8)r2\n"
		"  r1 = 0x1122334455667788                      r1 = be16 r1\n"
		"  r1 = *(u32 *)(r2 +4)   *(u8 *)(r10 -1) = 7   lock *(u64 *)(r1 +0) += r2\n"
		"  if r1 s> 0x5 goto pc+3 goto loop             call bpf_ktime_get_ns\n"
		"  r1 = map[fd:3]         r1 = map[idx:0][0]+8  exit\n"
		"\n"
		"'name:' is a label; ';', '#' and '//' start comments; a leading index '12:' and\n"
		"opcode '(b7)' are ignored. A number in hexadecimal given to an r register is a\n"
		"64-bit load of two slots. Without FILE, or with '-', standard input is read.",
	.example = "  skep asm prog.s -f raw -o prog.bin\n"
		   "  printf 'r0 = 42\\nexit\\n' | skep asm | skep conformance",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
