/* SPDX-License-Identifier: BSD-2-Clause */
/* dis.c - skep dis OBJECT: instructions beside the source they came from, and maps. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <skep/object.h>

#include "cli/object.h"

struct args {
	struct list programs;
	bool no_source, bytes, json, raw, hex;
	const char *btf;
};

static const struct opt opts[] = {
	OPT(OPT_LIST, 'p', "program", programs, "NAME", "only this program (repeatable)"),
	OPT(OPT_FLAG, 'S', "no-source", no_source, NULL, "no source lines"),
	OPT(OPT_FLAG, 'x', "bytes", bytes, NULL, "the bytes of each instruction too"),
	OPT(OPT_TEXT, 0, "btf", btf, "FILE", "kernel types to relocate against"),
	OPT(OPT_FLAG, 0, "raw", raw, NULL, "FILE is bare bytecode, not an object"),
	OPT(OPT_FLAG, 0, "hex", hex, NULL, "FILE is bare bytecode in hexadecimal"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per instruction and map"),
	{ 0 },
};

/* What is printed: a program of an object, or bare instructions. */
struct listing {
	const struct args *args;
	struct skep_object *object;     /* or NULL */
	struct skep_object_prog *prog;  /* or NULL */
	const struct skep_insn *insns;
	size_t count;
	const char *file;               /* of the source line printed last */
	uint32_t line;
};

/* Kernel types, for the names of kernel functions: --btf, or the running
 * kernel's once they are wanted. */
static struct skep_btf *kernel;
static bool kernel_tried;

static const char *kfunc_name(void *arg, int32_t id)
{
	(void)arg;
	if (!kernel && !kernel_tried)
		kernel = skep_btf_open_kernel(NULL);
	kernel_tried = true;
	if (!kernel || id <= 0 || (uint32_t)id > skep_btf_count(kernel))
		return NULL;
	return skep_btf_type_name(kernel, (uint32_t)id);
}

static const char *map_name(void *arg, int32_t index)
{
	const struct listing *l = arg;
	const struct skep_object *object = l->object;
	struct skep_map_info info;

	if (index < 0 || (size_t)index >= skep_object_map_count(object))
		return NULL;
	skep_object_map_info(skep_object_map_at(object, (size_t)index), &info);
	return info.name;
}

static int print_text(struct listing *l, size_t i, char *text, size_t size)
{
	struct skep_disasm_names names = { .arg = l, .map = map_name, .kfunc = kfunc_name };

	return skep_disasm_named(l->insns, l->count, i, l->object ? &names : NULL, text, size);
}

/* As the verifier's log shows it: the line, then the file without its folders. */
static void print_source(struct listing *l, const struct skep_where *where)
{
	const char *slash = where->file ? strrchr(where->file, '/') : NULL;
	const char *text = where->text ? where->text + strspn(where->text, " \t") : "";

	if (where->line == 0) /* the compiler's own: no line of the source */
		return;
	if (where->line == l->line && l->file && where->file && strcmp(where->file, l->file) == 0)
		return;
	l->file = where->file;
	l->line = where->line;
	printf("%s; %s%s@ %s:%u%s\n", colour(stdout, COLOUR_DIM), text, *text ? " " : "",
	       slash ? slash + 1 : where->file ? where->file : "?", where->line,
	       colour(stdout, COLOUR_NONE));
}

static void print_bytes(const struct skep_insn *insn)
{
	const uint8_t *bytes = (const uint8_t *)insn;

	for (size_t i = 0; i < sizeof(*insn); i++)
		printf("%02x ", bytes[i]);
}

static void print_insn(struct listing *l, size_t i)
{
	struct skep_where where = SKEP_NOWHERE;
	const char *name = l->prog ? skep_object_prog_subprog_at(l->prog, i) : NULL;
	unsigned slots = skep_insn_slots(l->insns[i]);
	char text[256];

	if (name)
		printf("%s%s%s:%s\n", i ? "\n" : "", colour(stdout, COLOUR_BOLD), name,
		       colour(stdout, COLOUR_NONE));
	if (l->prog && !l->args->no_source && skep_object_prog_source(l->prog, i, &where))
		print_source(l, &where);
	print_text(l, i, text, sizeof(text));
	printf("%6zu: ", i);
	if (l->args->bytes)
		print_bytes(&l->insns[i]);
	printf("(%02x) %s\n", l->insns[i].code, text);
	if (slots == 2 && l->args->bytes && i + 1 < l->count) {
		printf("%8s", "");
		print_bytes(&l->insns[i + 1]);
		printf("\n");
	}
}

static void json_insn(struct listing *l, size_t i)
{
	struct skep_where where = SKEP_NOWHERE;
	const uint8_t *bytes = (const uint8_t *)&l->insns[i];
	unsigned slots = skep_insn_slots(l->insns[i]);
	struct json json;
	char text[256];

	print_text(l, i, text, sizeof(text));
	json_begin(&json, stdout);
	if (l->object)
		json_text(&json, "object", skep_object_name(l->object));
	if (l->prog)
		json_text(&json, "program", skep_object_prog_name(l->prog));
	if (l->prog && skep_object_prog_subprog_at(l->prog, i))
		json_text(&json, "function", skep_object_prog_subprog_at(l->prog, i));
	json_uint(&json, "insn", i);
	json_key(&json, "bytes");
	fputc('"', stdout);
	for (size_t b = 0; b < slots * sizeof(*l->insns) && i + b / 8 < l->count; b++)
		printf("%02x", bytes[b]);
	fputc('"', stdout);
	json_text(&json, "text", text);
	if (l->prog && skep_object_prog_source(l->prog, i, &where))
		json_source(&json, &where);
	json_end(&json);
}

static void list_all(struct listing *l)
{
	for (size_t i = 0; i < l->count; i += skep_insn_slots(l->insns[i])) {
		if (l->args->json)
			json_insn(l, i);
		else
			print_insn(l, i);
	}
}

/* --- objects --- */

static bool wanted(const struct args *args, const struct object_arg *operand,
		   const struct skep_object_prog *prog)
{
	return object_arg_selects(operand, prog) && list_selects(&args->programs, prog);
}

static int dis_program(const struct args *args, struct skep_object *object,
		       struct skep_object_prog *prog, struct skep_diag *diag)
{
	struct listing l = { .args = args, .object = object, .prog = prog };
	const char *attach = skep_object_prog_attach(prog), *target = skep_object_prog_target(prog);

	if (skep_object_prog_insns(prog, &l.insns, &l.count, diag) < 0)
		return report(diag, args->json);
	if (!args->json) {
		printf("%sprogram %s%s  section %s, type %s", colour(stdout, COLOUR_BOLD),
		       skep_object_prog_name(prog), colour(stdout, COLOUR_NONE),
		       skep_object_prog_section(prog), skep_object_prog_type(prog));
		if (attach && *attach)
			printf(", attach %s", attach);
		if (target && *target)
			printf(", target %s", target);
		printf(", %zu instructions\n\n", l.count);
	}
	list_all(&l);
	if (!args->json)
		printf("\n");
	return EXIT_DONE;
}

static void json_map(const struct skep_object *object, const struct skep_map_info *info)
{
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "object", skep_object_name(object));
	json_text(&json, "map", info->name);
	json_text(&json, "type", info->type_name);
	json_uint(&json, "key_size", info->key_size);
	json_uint(&json, "value_size", info->value_size);
	json_uint(&json, "max_entries", info->max_entries);
	json_uint(&json, "flags", info->flags);
	json_bool(&json, "internal", info->internal);
	json_end(&json);
}

static void dis_maps(const struct args *args, const struct skep_object *object)
{
	static const char *const heads[] = { "map", "type", "key", "value", "entries", "flags" };
	struct table table;

	table_init(&table, heads, COUNT(heads), 1u << 2 | 1u << 3 | 1u << 4);
	for (size_t i = 0; i < skep_object_map_count(object); i++) {
		struct skep_map_info info;

		skep_object_map_info(skep_object_map_at(object, i), &info);
		if (args->json)
			json_map(object, &info);
		table_add(&table, "%s", info.name);
		table_add(&table, "%s", info.type_name);
		table_add(&table, "%u", info.key_size);
		table_add(&table, "%u", info.value_size);
		table_add(&table, "%u", info.max_entries);
		table_add(&table, "%#x", info.flags);
	}
	if (!args->json && skep_object_map_count(object))
		table_print(&table, stdout);
	table_done(&table);
}

static int dis_object(const struct args *args, const char *operand, struct skep_diag *diag)
{
	struct object_arg arg = { 0 };
	struct skep_object *object;
	size_t selected = 0;
	int status = EXIT_DONE;

	object = object_arg_open(&arg, operand, diag);
	if (!object)
		return report(diag, args->json);
	if (args->btf)
		skep_object_set_kernel_btf(object, kernel);
	for (size_t i = 0; i < skep_object_prog_count(object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (!wanted(args, &arg, prog))
			continue;
		selected++;
		status |= dis_program(args, object, prog, diag);
		skep_diag_clear(diag);
	}
	if (selected || (!arg.program && !args->programs.count))
		dis_maps(args, object);
	else
		no_such_program(object, arg.program, diag);
	if (skep_diag_count(diag))
		status = report(diag, args->json);
	skep_object_free(object);
	object_arg_done(&arg);
	return status;
}

/* --- bare bytecode --- */

static int dis_bytecode(const struct args *args, const char *path, struct skep_diag *diag)
{
	struct listing l = { .args = args };
	size_t size = 0, hex_size;
	uint8_t *bytes = slurp(path, &size, diag), *decoded;

	if (bytes && args->hex) {
		decoded = hex_bytes((const char *)bytes, size, &hex_size, diag);
		free(bytes);
		bytes = decoded;
		size = hex_size;
	}
	if (!bytes)
		return report(diag, args->json);
	if (size % sizeof(struct skep_insn)) {
		skep_report(diag, SKEP_ARG, NULL, "'%s' has %zu bytes; instructions are 8 each", path,
			    size);
		free(bytes);
		return report(diag, args->json);
	}
	l.insns = (const struct skep_insn *)(const void *)bytes;
	l.count = size / sizeof(struct skep_insn);
	list_all(&l);
	free(bytes);
	return EXIT_DONE;
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct skep_diag *diag = skep_diag_new();
	int status = EXIT_DONE;

	if (argc == 0 && !args->hex && !args->raw) {
		skep_diag_free(diag);
		return usage(verb, "which object?");
	}
	if (args->btf) {
		kernel = kernel_types(args->btf, diag);
		if (!kernel)
			status = report(diag, args->json);
	}
	for (int i = 0; i < argc && (kernel || !args->btf); i++) {
		status |= args->raw || args->hex ? dis_bytecode(args, argv[i], diag) :
						   dis_object(args, argv[i], diag);
		skep_diag_clear(diag);
	}
	if (argc == 0)
		status |= dis_bytecode(args, "-", diag);
	skep_btf_unref(kernel);
	skep_diag_free(diag);
	return status;
}

const struct verb verb_dis = {
	.name = "dis",
	.operands = "OBJECT[:PROGRAM]...",
	.summary = "Show instructions beside their source, and the maps they use",
	.detail = "Instructions are in the notation of the Linux verifier's log, with subprograms\n"
		  "appended and field offsets relocated as they would be loaded. With --raw or --hex,\n"
		  "bare bytecode is read (from standard input without a file).",
	.example = "  skep dis xdp_firewall.bpf.o\n"
		   "  skep dis -S -x tools.o:handle_exec\n"
		   "  skep asm prog.s | skep dis --hex",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
