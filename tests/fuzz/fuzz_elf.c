/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_elf.c - any bytes as an object. What opens is linked, judged against
 * its own types as if they were a kernel's, and asked everything there is to
 * ask.
 */
#include <stdlib.h>

#include <skep/object.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_PROGS = 16, MAX_INSNS = 4096 };

static void look_at_prog(struct skep_object_prog *prog)
{
	struct skep_verify_opts opts = { .log_level = 2 };
	struct skep_verify_result result = { 0 };
	const struct skep_insn *insns;
	struct skep_where where;
	size_t count;

	if (!skep_object_prog_name(prog) || !skep_object_prog_section(prog) ||
	    !skep_object_prog_type(prog) || !skep_object_prog_attach(prog) ||
	    !skep_object_prog_target(prog))
		abort();
	if (skep_object_prog_insns(prog, &insns, &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count && i < MAX_INSNS; i++) {
		char text[128];

		skep_disasm(insns, count, i, text, sizeof(text));
		skep_object_prog_source(prog, i, &where);
		skep_object_prog_subprog_at(prog, i);
	}
	if (count <= MAX_INSNS)
		skep_object_check(prog, &opts, &result, NULL);
	skep_verify_result_done(&result);
}

static void look_at_map(struct skep_object_map *map)
{
	struct skep_map_info info;
	unsigned char *bytes;
	size_t size = 0;

	skep_object_map_info(map, &info);
	if (!info.name || !info.type_name)
		abort();
	skep_object_map_set_max_entries(map, 77);
	if (info.value_size > 1 << 20)
		return;
	bytes = skep_object_map_data(map, &size);
	if (bytes && size)
		bytes[size - 1]++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_object *object = skep_object_open(data, size, "fuzz.o", diag);

	if (!object && skep_diag_count(diag) == 0)
		abort(); /* a failure must say why */
	skep_diag_free(diag);
	if (!object)
		return 0;
	skep_object_set_kernel_btf(object, skep_object_btf(object));
	for (size_t i = 0; i < skep_object_map_count(object); i++)
		look_at_map(skep_object_map_at(object, i));
	for (size_t i = 0; i < skep_object_prog_count(object) && i < MAX_PROGS; i++)
		look_at_prog(skep_object_prog_at(object, i));
	skep_object_set_global(object, "counter", "17", NULL);
	skep_object_free(object);
	return 0;
}
