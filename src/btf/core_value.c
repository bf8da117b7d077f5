/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_value.c - the number that a relocation asks for, given a spec.
 *
 * A bit field is read by loading an aligned unit that holds all of its bits,
 * shifting left until its top bit is the top of 64, and shifting right until
 * its lowest is bit 0:
 *
 *      byte offset      |--- unit of byte size ---|
 *                         . . . [ bit field ] . .
 */
#include "btf/core.h"

struct field {
	uint64_t bits, width;    /* where it is, and how wide, in bits */
	uint64_t byte_off, byte_size; /* of the unit that holds it */
	uint32_t type;           /* id, without modifiers */
	bool bitfield;
};

/* The smallest aligned unit, from the declared type up, that holds the bits. */
static const char *bitfield_unit(struct field *f, uint32_t type_size)
{
	f->byte_size = type_size ? type_size : 1;
	f->byte_off = f->bits / 8 / f->byte_size * f->byte_size;
	while (f->bits + f->width - f->byte_off * 8 > f->byte_size * 8) {
		if (f->byte_size >= 8)
			return "a bit field spans more than 8 bytes";
		f->byte_size *= 2;
		f->byte_off = f->bits / 8 / f->byte_size * f->byte_size;
	}
	return NULL;
}

static const char *locate(const struct core_spec *spec, struct field *f)
{
	const struct core_step *step = &spec->steps[spec->len - 1];
	const struct btf_type *t = btf_type(spec->btf, step->type);
	const struct btf_member *m = (const struct btf_member *)btf_data(t) + step->index;
	int64_t size;

	f->bits = spec->bits;
	f->type = btf_skip_mods_and_typedefs(spec->btf, m->type);
	f->width = btf_member_bit_size(t, step->index);
	f->bitfield = f->width > 0;
	size = skep_btf_size(spec->btf, f->type);
	if (size < 0)
		return "a field has no size";
	if (f->bitfield)
		return bitfield_unit(f, (uint32_t)size);
	f->byte_size = (uint64_t)size;
	f->byte_off = f->bits / 8;
	f->width = f->byte_size * 8;
	return NULL;
}

/* What one load of the field reads: of an array, one element. */
static void access_size(const struct core_spec *spec, uint32_t id, struct core_value *value)
{
	const struct btf_type *t = btf_type(spec->btf, id);

	while (btf_kind(t) == BTF_ARRAY) {
		id = btf_skip_mods_and_typedefs(spec->btf,
						((const struct btf_array *)btf_data(t))->type);
		t = btf_type(spec->btf, id);
	}
	value->type = id;
	value->size = (uint32_t)MAX(skep_btf_size(spec->btf, id), 0);
}

/* The path ends at an element, or is the root itself. */
static const char *evaluate_element(const struct core_spec *spec, struct core_value *value)
{
	uint32_t id = spec->steps[spec->len - 1].type;

	if (spec->kind == CORE_FIELD_BYTE_OFFSET) {
		value->value = spec->bits / 8;
		access_size(spec, id, value);
	} else if (spec->kind == CORE_FIELD_BYTE_SIZE) {
		value->value = (uint64_t)MAX(skep_btf_size(spec->btf, id), 0);
	} else {
		return "it cannot be asked of an array element";
	}
	return NULL;
}

static const char *evaluate_field(const struct core_spec *spec, struct core_value *value)
{
	struct field f;
	const char *why;
	const struct btf_type *t;

	if (spec->kind == CORE_FIELD_EXISTS) {
		value->value = 1;
		return NULL;
	}
	if (!spec->steps[spec->len - 1].member)
		return evaluate_element(spec, value);
	why = locate(spec, &f);
	if (why)
		return why;
	t = btf_type(spec->btf, f.type);
	/* Compilers disagree about the unit of a bit field, so its values do not bind. */
	value->exact = !f.bitfield;
	switch (spec->kind) {
	case CORE_FIELD_BYTE_OFFSET:
		value->value = f.byte_off;
		if (!f.bitfield)
			access_size(spec, f.type, value);
		break;
	case CORE_FIELD_BYTE_SIZE:
		value->value = f.byte_size;
		break;
	case CORE_FIELD_SIGNED:
		value->value = (btf_is_enum(btf_kind(t)) && btf_kind_flag(t)) ||
			       (btf_kind(t) == BTF_INT && btf_int_encoding(t) & BTF_INT_SIGNED);
		value->exact = true;
		break;
	case CORE_FIELD_LSHIFT_U64:
		value->value = 64 - (f.bits + f.width - f.byte_off * 8);
		break;
	case CORE_FIELD_RSHIFT_U64:
		value->value = 64 - f.width;
		value->exact = true;
		break;
	default:
		return "its kind is unknown";
	}
	return NULL;
}

const char *core_evaluate(const struct core_spec *spec, struct core_value *value)
{
	const struct core_step *step = &spec->steps[0];
	const struct btf_type *t;
	int64_t size;

	*value = (struct core_value){ .exact = true };
	if (core_is_field(spec->kind))
		return evaluate_field(spec, value);
	switch (spec->kind) {
	case CORE_TYPE_EXISTS:
	case CORE_TYPE_MATCHES:
	case CORE_ENUMVAL_EXISTS:
		value->value = 1;
		return NULL;
	case CORE_TYPE_ID_LOCAL:
	case CORE_TYPE_ID_TARGET:
		value->value = spec->root;
		/* clang numbers types anew after it has placed the relocation. */
		value->exact = spec->kind == CORE_TYPE_ID_TARGET;
		return NULL;
	case CORE_TYPE_SIZE:
		size = skep_btf_size(spec->btf, spec->root);
		value->value = (uint64_t)size;
		return size < 0 ? "its type has no size" : NULL;
	case CORE_ENUMVAL_VALUE:
		t = btf_type(spec->btf, step->type);
		value->value = btf_enum_value(t, step->index);
		value->unsure = btf_kind(t) == BTF_ENUM && !btf_kind_flag(t);
		return NULL;
	default:
		return "its kind is unknown";
	}
}
