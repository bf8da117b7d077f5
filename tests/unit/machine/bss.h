/* SPDX-License-Identifier: BSD-2-Clause */
/* bss.h - a machine with one object in it, and its variables by name: for tests of what programs see. */
#ifndef TEST_MACHINE_BSS_H
#define TEST_MACHINE_BSS_H

struct bench {
	struct skep_object *object;
	struct skep_machine *machine;
	struct skep_diag *diag;
};

static void bench_free(struct bench *b)
{
	skep_machine_free(b->machine);
	skep_object_free(b->object);
	skep_diag_free(b->diag);
}

/* What a variable of .bss holds: read, or written. */
static void variable(struct bench *b, const char *name, void *value, size_t size, bool write)
{
	struct skep_map *map = skep_machine_map(b->machine, map_named(b->object, ".bss"));
	struct skep_map_info info;
	uint32_t zero = 0;
	uint8_t *bytes;

	skep_map_info(map, &info);
	bytes = malloc(info.value_size);
	assert_int_equal(skep_map_lookup(map, &zero, bytes), 0);
	for (uint32_t i = 1; i <= skep_btf_count(info.btf); i++) {
		const struct btf_type *t = btf_type(info.btf, i);
		const struct btf_secinfo *var = btf_data(t);

		if (btf_kind(t) != BTF_DATASEC || strcmp(btf_name(info.btf, t), ".bss") != 0)
			continue;
		for (uint32_t n = 0; n < btf_vlen(t); n++) {
			if (strcmp(skep_btf_type_name(info.btf, var[n].type), name) != 0)
				continue;
			memcpy(write ? bytes + var[n].offset : value,
			       write ? value : bytes + var[n].offset, size);
		}
	}
	if (write)
		assert_int_equal(skep_map_update(map, &zero, bytes, 0), 0);
	free(bytes);
}

#endif
