/* SPDX-License-Identifier: BSD-2-Clause */
/* print_raw.c - a type as bpftool's "btf dump format raw" shows it. */
#include "btf/impl.h"

static const char *shown_name(const struct skep_btf *btf, uint32_t off)
{
	return off ? btf_str(btf, off) : "(anon)";
}

static const char *encoding_name(uint32_t encoding)
{
	switch (encoding) {
	case 0:
		return "(none)";
	case BTF_INT_SIGNED:
		return "SIGNED";
	case BTF_INT_CHAR:
		return "CHAR";
	case BTF_INT_BOOL:
		return "BOOL";
	default:
		return "UNKN";
	}
}

static const char *linkage_name(uint32_t linkage)
{
	static const char *const names[] = { "static", "global", "extern" };

	return linkage < ARRAY_SIZE(names) ? names[linkage] : "(unknown)";
}

static void print_members(const struct skep_btf *btf, const struct btf_type *t,
			  struct skep_text *out)
{
	const struct btf_member *m = btf_data(t);

	text_add(out, " size=%u vlen=%u", t->size, btf_vlen(t));
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		text_add(out, "\n\t'%s' type_id=%u bits_offset=%u", shown_name(btf, m[i].name_off),
			 m[i].type, btf_member_bit_off(t, i));
		if (btf_member_bit_size(t, i))
			text_add(out, " bitfield_size=%u", btf_member_bit_size(t, i));
	}
}

static void print_enumerators(const struct skep_btf *btf, const struct btf_type *t,
			      struct skep_text *out)
{
	bool wide = btf_kind(t) == BTF_ENUM64, is_signed = btf_kind_flag(t);

	text_add(out, " encoding=%s size=%u vlen=%u", is_signed ? "SIGNED" : "UNSIGNED", t->size,
		 btf_vlen(t));
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		uint64_t value = btf_enum_value(t, i);

		text_add(out, "\n\t'%s' val=", shown_name(btf, btf_enum_name_off(t, i)));
		if (is_signed)
			text_add(out, "%lld%s", (long long)value, wide ? "LL" : "");
		else
			text_add(out, "%llu%s", (unsigned long long)value, wide ? "ULL" : "");
	}
}

static void print_variables(const struct skep_btf *btf, const struct btf_type *t,
			    struct skep_text *out)
{
	const struct btf_secinfo *vars = btf_data(t);

	text_add(out, " size=%u vlen=%u", t->size, btf_vlen(t));
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_type *var = btf_type(btf, vars[i].type);

		text_add(out, "\n\ttype_id=%u offset=%u size=%u (%s '%s')", vars[i].type,
			 vars[i].offset, vars[i].size, btf_kinds[btf_kind(var)].name,
			 btf_name(btf, var));
	}
}

static void print_rest(const struct skep_btf *btf, const struct btf_type *t,
		       struct skep_text *out)
{
	const struct btf_array *array = btf_data(t);
	const struct btf_param *params = btf_data(t);

	switch (btf_kind(t)) {
	case BTF_INT:
		text_add(out, " size=%u bits_offset=%u nr_bits=%u encoding=%s", t->size,
			 btf_int_offset(t), btf_int_bits(t), encoding_name(btf_int_encoding(t)));
		break;
	case BTF_PTR:
	case BTF_CONST:
	case BTF_VOLATILE:
	case BTF_RESTRICT:
	case BTF_TYPEDEF:
	case BTF_TYPE_TAG:
		text_add(out, " type_id=%u", t->type);
		break;
	case BTF_ARRAY:
		text_add(out, " type_id=%u index_type_id=%u nr_elems=%u", array->type,
			 array->index_type, array->nelems);
		break;
	case BTF_STRUCT:
	case BTF_UNION:
		print_members(btf, t, out);
		break;
	case BTF_ENUM:
	case BTF_ENUM64:
		print_enumerators(btf, t, out);
		break;
	case BTF_FWD:
		text_add(out, " fwd_kind=%s", btf_kind_flag(t) ? "union" : "struct");
		break;
	case BTF_FUNC:
		text_add(out, " type_id=%u linkage=%s", t->type, linkage_name(btf_vlen(t)));
		break;
	case BTF_FUNC_PROTO:
		text_add(out, " ret_type_id=%u vlen=%u", t->type, btf_vlen(t));
		for (uint32_t i = 0; i < btf_vlen(t); i++)
			text_add(out, "\n\t'%s' type_id=%u", shown_name(btf, params[i].name_off),
				 params[i].type);
		break;
	case BTF_VAR:
		text_add(out, " type_id=%u, linkage=%s", t->type,
			 linkage_name(*(const uint32_t *)btf_data(t)));
		break;
	case BTF_DATASEC:
		print_variables(btf, t, out);
		break;
	case BTF_FLOAT:
		text_add(out, " size=%u", t->size);
		break;
	case BTF_DECL_TAG:
		text_add(out, " type_id=%u component_idx=%d", t->type,
			 *(const int32_t *)btf_data(t));
		break;
	case BTF_VOID:
	case BTF_KIND_COUNT:
		break;
	}
}

void skep_btf_print_raw(const struct skep_btf *btf, uint32_t id, struct skep_text *out)
{
	const struct btf_type *t = btf_type(btf, id);

	if (btf_kind(t) == BTF_VOID) {
		text_add(out, "[%u] VOID\n", id);
		return;
	}
	text_add(out, "[%u] %s '%s'", id, btf_kinds[btf_kind(t)].name,
		 shown_name(btf, t->name_off));
	print_rest(btf, t, out);
	text_add(out, "\n");
}
