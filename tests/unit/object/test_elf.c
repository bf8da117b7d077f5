/* SPDX-License-Identifier: BSD-2-Clause */
/* test_elf.c - files that are damaged, or not eBPF objects at all. */
#include "fixture.h"

static void build_minimal(struct built *b)
{
	uint32_t xdp;

	built_init(b);
	xdp = built_section(b, "xdp", SHT_PROGBITS, CODE, code_ret0, sizeof(code_ret0), 0);
	built_section(b, "license", SHT_PROGBITS, SHF_ALLOC, "GPL", 4, 0);
	built_symbol(b, "pass", xdp, STB_GLOBAL, STT_FUNC, 0, sizeof(code_ret0));
	built_finish(b);
}

/* The diagnostic an image is refused with; -1: it is accepted. */
static int refusal(const void *bytes, size_t size)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_object *object = skep_object_open(bytes, size, "broken.o", diag);
	int code = -1;

	if (!object) {
		assert_true(skep_diag_count(diag) > 0);
		code = (int)skep_diag_get(diag, 0)->code;
	}
	skep_object_free(object);
	skep_diag_free(diag);
	return code;
}

static void elf__a_minimal_object_opens(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_object *object;
	struct built b;

	(void)state;
	build_minimal(&b);
	object = skep_object_open(b.bytes, b.size, "dir/minimal.bpf.o", diag);
	assert_non_null(object);
	assert_int_equal(skep_diag_count(diag), 0);
	assert_string_equal(skep_object_license(object), "GPL");
	assert_string_equal(skep_object_name(object), "dir/minimal.bpf.o");
	assert_int_equal(skep_object_prog_count(object), 1);
	assert_string_equal(skep_object_prog_type(skep_object_prog_at(object, 0)), "xdp");
	assert_ptr_equal(skep_object_prog_find(object, "xdp"), skep_object_prog_at(object, 0));
	assert_null(skep_object_prog_find(object, "tc"));
	assert_null(skep_object_btf(object));
	skep_object_free(object);
	skep_diag_free(diag);
}

static void elf__a_file_cut_short_anywhere_is_refused(void **state)
{
	struct built b;

	(void)state;
	build_minimal(&b);
	assert_int_equal(refusal(b.bytes, b.size), -1);
	for (size_t size = 0; size < b.size; size++)
		assert_int_not_equal(refusal(b.bytes, size), -1);
}

static void elf__other_files_are_told_apart(void **state)
{
	static const struct { size_t at; unsigned char byte; } changes[] = {
		{ EI_MAG1, 'X' }, { EI_CLASS, ELFCLASS32 }, { EI_DATA, ELFDATA2MSB },
		{ offsetof(Elf64_Ehdr, e_machine), 62 }, { offsetof(Elf64_Ehdr, e_type), ET_EXEC },
	};
	struct built b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		build_minimal(&b);
		b.bytes[changes[i].at] = changes[i].byte;
		assert_int_equal(refusal(b.bytes, b.size), SKEP_ELF_FOREIGN);
	}
	assert_int_equal(refusal("#!/bin/sh\n", 10), SKEP_ELF_FOREIGN);
	assert_int_equal(refusal("", 0), SKEP_ELF_FOREIGN);
}

static void elf__huge_counts_and_offsets_are_refused(void **state)
{
	struct built b;
	Elf64_Ehdr *header = (Elf64_Ehdr *)b.bytes;
	Elf64_Shdr *sections;

	(void)state;
	build_minimal(&b);
	header->e_shoff = UINT64_MAX - 8;
	assert_int_equal(refusal(b.bytes, b.size), SKEP_ELF_BAD);
	build_minimal(&b);
	header->e_shnum = 0; /* then the null section's size counts */
	sections = (Elf64_Shdr *)(b.bytes + header->e_shoff);
	sections[0].sh_size = UINT64_MAX / 2;
	assert_int_equal(refusal(b.bytes, b.size), SKEP_ELF_BAD);
	build_minimal(&b);
	header->e_shstrndx = 99;
	assert_int_equal(refusal(b.bytes, b.size), SKEP_ELF_BAD);
	for (unsigned i = 1; i < 5; i++) {
		build_minimal(&b);
		sections = (Elf64_Shdr *)(b.bytes + header->e_shoff);
		sections[i].sh_size = UINT64_MAX - 4;
		assert_int_equal(refusal(b.bytes, b.size), SKEP_ELF_BAD);
		build_minimal(&b);
		sections = (Elf64_Shdr *)(b.bytes + header->e_shoff);
		sections[i].sh_name = 100000;
		assert_int_equal(refusal(b.bytes, b.size), SKEP_ELF_BAD);
	}
}

static void elf__functions_outside_their_section_are_refused(void **state)
{
	static const struct { uint64_t value, size; } bad[] = {
		{ 0, 0 }, { 4, 8 }, { 0, 12 }, { 8, 16 }, { 16, 8 }, { UINT64_MAX - 7, 8 },
		{ 8, UINT64_MAX - 7 },
	};
	struct built b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t xdp;

		built_init(&b);
		xdp = built_section(&b, "xdp", SHT_PROGBITS, CODE, code_ret0, sizeof(code_ret0), 0);
		built_symbol(&b, "bad", xdp, STB_GLOBAL, STT_FUNC, bad[i].value, bad[i].size);
		built_finish(&b);
		assert_int_equal(refusal(b.bytes, b.size), SKEP_OBJECT_PROG);
	}
}

static void elf__many_functions_over_the_same_bytes_are_refused(void **state)
{
	static unsigned char code[2048];
	struct built b;
	uint32_t xdp;

	(void)state;
	built_init(&b);
	for (size_t i = 0; i < sizeof(code); i += 8)
		code[i] = 0x95;
	xdp = built_section(&b, "xdp", SHT_PROGBITS, CODE, code, sizeof(code), 0);
	for (int i = 0; i < 14; i++)
		built_symbol(&b, "same", xdp, STB_GLOBAL, STT_FUNC, 0, sizeof(code));
	built_finish(&b);
	assert_int_equal(refusal(b.bytes, b.size), SKEP_OBJECT_PROG);
}

static void elf__bss_larger_than_memory_is_refused(void **state)
{
	struct built b;

	(void)state;
	built_init(&b);
	built_section(&b, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, NULL, UINT32_MAX, 0);
	built_finish(&b);
	assert_int_equal(refusal(b.bytes, b.size), SKEP_OBJECT_TOO_BIG);
}

/* Untyped definitions: five words each, or iproute2's nine. */
static void elf__legacy_maps_are_read(void **state)
{
	const uint32_t defs[2][9] = {
		{ BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 8, 0, 0, 0, 42, 0 },
		{ BPF_MAP_TYPE_HASH, 4, 16, 100, 1, 42, 0, 0, 0 },
	};
	struct skep_map_info info;
	struct skep_object *object;
	struct built b;
	uint32_t maps;

	(void)state;
	built_init(&b);
	maps = built_section(&b, "maps", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, defs, sizeof(defs), 0);
	built_symbol(&b, "inner", maps, STB_GLOBAL, STT_OBJECT, sizeof(defs[0]), sizeof(defs[0]));
	built_symbol(&b, "outer", maps, STB_GLOBAL, STT_OBJECT, 0, sizeof(defs[0]));
	built_finish(&b);
	object = skep_object_open(b.bytes, b.size, "legacy.o", NULL);
	assert_non_null(object);
	assert_int_equal(skep_object_map_count(object), 2);
	skep_object_map_info(map_named(object, "inner"), &info);
	assert_int_equal(info.type, BPF_MAP_TYPE_HASH);
	assert_int_equal(info.value_size, 16);
	assert_int_equal(info.max_entries, 100);
	assert_int_equal(info.flags, 1);
	assert_ptr_equal(map_named(object, "outer")->spec.inner, &map_named(object, "inner")->spec);
	skep_object_free(object);
}

static void elf__legacy_maps_cut_short_are_refused(void **state)
{
	uint32_t def[4] = { 1, 4, 4, 1 };
	struct built b;
	uint32_t maps;

	(void)state;
	built_init(&b);
	maps = built_section(&b, "maps", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, def, sizeof(def), 0);
	built_symbol(&b, "short", maps, STB_GLOBAL, STT_OBJECT, 0, sizeof(def));
	built_finish(&b);
	assert_int_equal(refusal(b.bytes, b.size), SKEP_OBJECT_MAP);
}

/* One wide load with a relocation of the given type against the given symbol. */
static int relocation_error(uint32_t symbol_section, unsigned symbol_type, uint32_t relo_type,
			    uint64_t offset, unsigned char code0)
{
	unsigned char code[24] = { code0 };
	struct skep_diag *diag = skep_diag_new();
	const struct skep_insn *insns;
	struct skep_object *object;
	Elf64_Rel rel = { .r_offset = offset };
	uint32_t xdp, symbol;
	struct built b;
	size_t count;
	int code_found = -1;

	code[16] = 0x95;
	built_init(&b);
	xdp = built_section(&b, "xdp", SHT_PROGBITS, CODE, code, sizeof(code), 0);
	built_symbol(&b, "prog", xdp, STB_GLOBAL, STT_FUNC, 0, sizeof(code));
	symbol = built_symbol(&b, "thing", symbol_section, STB_GLOBAL, symbol_type, 0, 0);
	rel.r_info = ELF64_R_INFO((uint64_t)symbol, relo_type);
	built_section(&b, ".relxdp", SHT_REL, 0, &rel, sizeof(rel), xdp);
	built_finish(&b);
	object = skep_object_open(b.bytes, b.size, "relo.o", diag);
	if (!object ||
	    skep_object_prog_insns(skep_object_prog_at(object, 0), &insns, &count, diag) < 0)
		code_found = (int)skep_diag_get(diag, 0)->code;
	skep_object_free(object);
	skep_diag_free(diag);
	return code_found;
}

static void elf__relocations_that_mean_nothing_are_refused(void **state)
{
	(void)state;
	/* against nothing, a section of neither code nor data, an absolute number */
	assert_int_equal(relocation_error(SHN_UNDEF, STT_NOTYPE, 1, 0, 0x18), SKEP_OBJECT_EXTERN);
	assert_int_equal(relocation_error(2, STT_OBJECT, 1, 0, 0x18), SKEP_OBJECT_RELO);
	assert_int_equal(relocation_error(SHN_ABS, STT_OBJECT, 1, 0, 0x18), SKEP_OBJECT_RELO);
	/* a type not for code; an instruction that takes none; a place between two */
	assert_int_equal(relocation_error(1, STT_NOTYPE, 3, 0, 0x18), SKEP_OBJECT_RELO);
	assert_int_equal(relocation_error(1, STT_NOTYPE, 1, 0, 0xb7), SKEP_OBJECT_RELO);
	assert_int_equal(relocation_error(1, STT_NOTYPE, 1, 4, 0x18), SKEP_OBJECT_RELO);
	assert_int_equal(relocation_error(1, STT_NOTYPE, 1, 800, 0x18), SKEP_OBJECT_RELO);
	/* a call to a helper number against a function */
	assert_int_equal(relocation_error(1, STT_NOTYPE, 10, 0, 0x85), SKEP_OBJECT_RELO);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Opens, links everything, and looks at it. */
static void exercise(const void *bytes, size_t size)
{
	struct skep_object *object = skep_object_open(bytes, size, "damaged.o", NULL);

	for (size_t i = 0; object && i < skep_object_prog_count(object); i++) {
		const struct skep_insn *insns;
		struct skep_where where;
		size_t count;

		if (skep_object_prog_insns(skep_object_prog_at(object, i), &insns, &count, NULL))
			continue;
		for (size_t n = 0; n < count; n++)
			skep_object_prog_source(skep_object_prog_at(object, i), n, &where);
	}
	for (size_t i = 0; object && i < skep_object_map_count(object); i++)
		skep_object_map_data(skep_object_map_at(object, i), &size);
	skep_object_free(object);
}

static void damage(const char *path)
{
	uint32_t random = 12345;
	unsigned char *copy;
	void *bytes;
	size_t size;

	if (read_file(path, &bytes, &size, 1 << 20) < 0) {
		print_message("no %s: clang was not there to make it\n", path);
		skip();
	}
	copy = malloc(size);
	assert_non_null(copy);
	for (int round = 0; round < 1500; round++) {
		memcpy(copy, bytes, size);
		for (uint32_t n = 1 + next_random(&random) % 8; n; n--)
			copy[next_random(&random) % size] = (unsigned char)next_random(&random);
		exercise(copy, size);
	}
	for (size_t cut = 0; cut < size; cut += 1 + size / 300)
		exercise(bytes, cut);
	free(copy);
	free(bytes);
}

static void elf__damaged_objects_never_crash(void **state)
{
	(void)state;
	damage(FIXTURE("maps"));
	damage(FIXTURE("subprogs"));
	damage(FIXTURE("externs"));
	damage(FIXTURE("core"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf__a_minimal_object_opens),
		cmocka_unit_test(elf__a_file_cut_short_anywhere_is_refused),
		cmocka_unit_test(elf__other_files_are_told_apart),
		cmocka_unit_test(elf__huge_counts_and_offsets_are_refused),
		cmocka_unit_test(elf__functions_outside_their_section_are_refused),
		cmocka_unit_test(elf__many_functions_over_the_same_bytes_are_refused),
		cmocka_unit_test(elf__bss_larger_than_memory_is_refused),
		cmocka_unit_test(elf__legacy_maps_are_read),
		cmocka_unit_test(elf__legacy_maps_cut_short_are_refused),
		cmocka_unit_test(elf__relocations_that_mean_nothing_are_refused),
		cmocka_unit_test(elf__damaged_objects_never_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
