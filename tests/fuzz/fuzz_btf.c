/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_btf.c - any bytes as BTF and as .BTF.ext. What is accepted is printed in
 * every way, shown as values, and relocated against itself.
 */
#include <stdlib.h>
#include <string.h>

#include <skep/insn.h>
#include "base/base.h"
#include "btf/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_IDS = 48, VALUE = 256 };

static void print_types(const struct skep_btf *btf)
{
	unsigned char value[VALUE];
	struct skep_text out = { 0 };

	memset(value, 0x5a, sizeof(value));
	for (uint32_t id = 0; id <= MIN(skep_btf_count(btf) + 1, (uint32_t)MAX_IDS); id++) {
		int64_t size = skep_btf_size(btf, id), shown;

		skep_btf_print_raw(btf, id, &out);
		skep_btf_print_type(btf, id, &out);
		for (unsigned flags = 0; flags < 4; flags++) {
			shown = skep_btf_print_value(btf, id, value, sizeof(value), flags, &out);
			if (shown > (int64_t)sizeof(value) || (shown >= 0 && shown != size))
				abort();
		}
		text_done(&out);
	}
	skep_btf_print_c(btf, &out, NULL);
	text_done(&out);
}

static void relocate(const struct skep_btf *btf)
{
	static const uint8_t codes[] = { 0xb7, 0x61, 0x7b, 0x18, 0x85 };
	struct core_target *target = core_target_new(btf);

	for (uint32_t id = 0; target && id <= MIN(skep_btf_count(btf) + 1, (uint32_t)MAX_IDS); id++) {
		for (uint32_t kind = 0; kind < 14; kind++) {
			/* Somewhere in the strings there may be an access path. */
			for (uint32_t off = 1; off < 40; off += 3) {
				struct btf_core_relo relo = { 0, id, off, kind };
				struct skep_insn insns[2] = { { .code = codes[(id + off) % 5] } };
				char why[64];

				core_relocate(target, btf, &relo, insns, 2, 0, why, sizeof(why),
					      NULL);
			}
		}
	}
	core_target_free(target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_btf *btf = skep_btf_open(data, size, NULL, "fuzz", diag);
	struct btf_ext ext;

	if (btf) {
		print_types(btf);
		relocate(btf);
		if (btf_ext_open(btf, data, size, &ext, diag) == 0)
			btf_ext_done(&ext);
	} else if (skep_diag_count(diag) == 0) {
		abort();
	}
	skep_btf_unref(btf);
	skep_diag_free(diag);
	return 0;
}
