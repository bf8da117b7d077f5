/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - the rows of cbpf.def, and finding them. */
#include "cbpf/cbpf.h"

#include <string.h>

#include "base/base.h"

const struct cbpf_row cbpf_rows[CBPF_ID_COUNT] = {
#define CBPF(name, code, mnemonic, kind, width, op, reg, seccomp) \
	[CBPF_ID_##name] = { mnemonic, code, CBPF_##kind, width, op, CBPF_##reg, seccomp },
#define ANCILLARY(name, number, asm_name, listing)
#include "cbpf/cbpf.def"
};

/* By code: 1 + the row's id; 0: none. */
static const uint8_t by_code[256] = {
#define CBPF(name, code, mnemonic, kind, width, op, reg, seccomp) [code] = 1 + CBPF_ID_##name,
#define ANCILLARY(name, number, asm_name, listing)
#include "cbpf/cbpf.def"
};

static const struct cbpf_ancillary_row ancillaries[CBPF_ANCILLARY_COUNT] = {
#define CBPF(name, code, mnemonic, kind, width, op, reg, seccomp)
#define ANCILLARY(name, number, asm_name, listing) \
	[number / 4] = { asm_name, listing, #name, number },
#include "cbpf/cbpf.def"
};

const struct cbpf_row *cbpf_row(uint16_t code)
{
	return code < ARRAY_SIZE(by_code) && by_code[code] ? &cbpf_rows[by_code[code] - 1] : NULL;
}

const struct cbpf_row *cbpf_row_or_set(uint16_t code)
{
	static const struct cbpf_row in_set = { .mnemonic = "in", .kind = CBPF_JUMP, .reg = CBPF_SET };
	static const struct cbpf_row bytes_in_set = { .mnemonic = "in", .kind = CBPF_JUMP,
						      .reg = CBPF_SET_BYTES };

	return code == CBPF_CODE_IN ? &in_set : code == CBPF_CODE_IN_BYTES ? &bytes_in_set : cbpf_row(code);
}

const struct cbpf_ancillary_row *cbpf_ancillary(const struct skep_cbpf_insn *insn)
{
	uint32_t number = insn->k - CBPF_ANCILLARY;
	const struct cbpf_row *row;

	if (insn->k < CBPF_ANCILLARY || number % 4 || number / 4 >= ARRAY_SIZE(ancillaries))
		return NULL;
	row = cbpf_row(insn->code);
	return row && row->kind == CBPF_ABS ? &ancillaries[number / 4] : NULL;
}

const struct cbpf_ancillary_row *cbpf_ancillary_by_name(const char *name, size_t len)
{
	static const char *const others[][2] = { { "vlan_pr", "vlan_avail" }, { "vlant", "vlan_tci" } };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strlen(others[i][0]) == len && memcmp(others[i][0], name, len) == 0)
			return cbpf_ancillary_by_name(others[i][1], strlen(others[i][1]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(ancillaries); i++) {
		const char *known = ancillaries[i].asm_name, *other = ancillaries[i].listing;

		if ((known && strlen(known) == len && memcmp(known, name, len) == 0) ||
		    (strlen(other) == len && memcmp(other, name, len) == 0))
			return &ancillaries[i];
	}
	return NULL;
}
