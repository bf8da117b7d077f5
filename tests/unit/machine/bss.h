/* SPDX-License-Identifier: BSD-2-Clause */
/* bss.h - the variables of an object that is loaded, by name. */
#ifndef TEST_MACHINE_BSS_H
#define TEST_MACHINE_BSS_H

#include "../object/fixture.h"

#include <skep/machine.h>

#include "btf/btf.h"

/* What a variable of .bss holds: read, or written. */
static inline void bss_variable(struct skep_machine *machine, struct skep_object *object,
				const char *name, void *value, size_t size, bool write)
{
	struct skep_map *map = skep_machine_map(machine, map_named(object, ".bss"));
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
