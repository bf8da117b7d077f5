/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - structs, unions and enums written so that a compiler lays them
 * out as the BTF says.
 *
 * The compiler's rules are followed member by member: where it would put the
 * next one by itself. Where that is not where the BTF has it, unnamed bit
 * fields fill the gap; where no filling helps, the record is packed.
 */
#include "btf/print.h"

enum { MAX_NESTING = 128, MAX_OUTPUT = 1 << 28 };

struct place {
	uint64_t off, width;     /* bits */
	uint32_t unit;           /* bytes of the declared type */
	bool bitfield;
};

static uint32_t align_of(struct printer *p, uint32_t id);

static struct place place_of(const struct printer *p, const struct btf_type *t, uint32_t i)
{
	const struct btf_member *m = (const struct btf_member *)btf_data(t) + i;
	const struct btf_type *mt = btf_type(p->btf, btf_skip_mods_and_typedefs(p->btf, m->type));
	struct place place = { .off = btf_member_bit_off(t, i),
			       .width = btf_member_bit_size(t, i) };
	int64_t size = skep_btf_size(p->btf, m->type);

	place.unit = size > 0 ? (uint32_t)size : 0;
	place.bitfield = place.width != 0;
	if (!btf_kind_flag(t) && btf_kind(mt) == BTF_INT &&
	    btf_int_bits(mt) && mt->size <= 16 &&
	    (btf_int_offset(mt) || btf_int_bits(mt) < mt->size * 8) &&
	    !(btf_int_encoding(mt) & BTF_INT_BOOL)) {
		place.off += btf_int_offset(mt);
		place.width = btf_int_bits(mt);
		place.bitfield = true;
	}
	if (!place.bitfield)
		place.width = (uint64_t)place.unit * 8;
	return place;
}

static bool crosses_unit(const struct place *place, uint64_t at)
{
	uint64_t unit = (uint64_t)MAX(place->unit, 1) * 8;

	return at / unit != (at + place->width - 1) / unit;
}

/* Does the record only work packed? Its alignment otherwise. */
static bool needs_packing(struct printer *p, const struct btf_type *t, uint32_t *align)
{
	const struct btf_member *m = btf_data(t);

	*align = 1;
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		struct place place = place_of(p, t, i);
		uint32_t own = MAX(align_of(p, m[i].type), 1);

		if (place.bitfield ? crosses_unit(&place, place.off) : place.off % (own * 8))
			return true;
		*align = MAX(*align, own);
	}
	return t->size % *align != 0;
}

/* Memoised, so that records nested many times over cost no more. */
static uint32_t align_of(struct printer *p, uint32_t id)
{
	const struct btf_type *t;
	uint32_t align = 0;

	id = btf_skip_mods_and_typedefs(p->btf, id);
	t = btf_type(p->btf, id);
	if (p->aligns[id])
		return p->aligns[id];
	if (btf_kind(t) == BTF_ARRAY)
		align = align_of(p, ((const struct btf_array *)btf_data(t))->type);
	else if (btf_is_record(btf_kind(t)))
		align = needs_packing(p, t, &align) ? 1 : align;
	else if (btf_kind(t) == BTF_INT || btf_kind(t) == BTF_FLOAT)
		/* __int128 has 16 in C; sizes that no machine has become arrays. */
		align = t->size & (t->size - 1) || t->size > 16 ? 1 : t->size;
	else
		align = btf_align(p->btf, id);
	return p->aligns[id] = (uint8_t)align;
}

static void add_indent(struct printer *p, int indent)
{
	static const char tabs[] = "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t";

	text_add_bytes(p->out, tabs, (size_t)MIN(indent, 16));
}

enum { PAD_FIELDS = 64 }; /* a wider gap is one array, not a field for each unit */

/* A gap of many units, as bytes; returns where it ends: less than a byte before to. */
static uint64_t add_wide_padding(struct printer *p, uint64_t from, uint64_t to, int indent)
{
	if (from % 8) {
		add_indent(p, indent);
		text_add(p->out, "char: %u;\n", (unsigned)(8 - from % 8));
		from += 8 - from % 8;
	}
	add_indent(p, indent);
	text_add(p->out, "unsigned char __pad%llu[%llu];\n", (unsigned long long)(from / 8),
		 (unsigned long long)((to - from) / 8));
	return to - (to - from) % 8;
}

/*
 * Unnamed bit fields from one bit to another, in the largest units that fit.
 * Unless packed, a whole 64-bit unit starts at the next multiple by itself.
 */
static void add_padding(struct printer *p, uint64_t from, uint64_t to, bool packed, int indent)
{
	const struct { const char *name; uint32_t bits; } units[] = {
		{ "char", 8 }, { "short", 16 }, { "int", 32 },
		{ p->btf->ptr_size == 8 ? "long" : "long long", 64 },
	};
	uint64_t next = (from + 63) / 64 * 64;

	if (to - from > PAD_FIELDS * UINT64_C(64)) {
		from = add_wide_padding(p, from, to, indent);
		packed = true; /* what is left, if anything, follows at once */
	}
	if (!packed && next + 64 <= to)
		from = next;
	while (from < to) {
		size_t u = 0;
		uint64_t end;

		while (u + 1 < ARRAY_SIZE(units) && from + (units[u].bits - from % units[u].bits) < to)
			u++;
		end = from + (units[u].bits - from % units[u].bits);
		while (u && from + (units[u - 1].bits - from % units[u - 1].bits) == end)
			u--;
		end = MIN(to, end);
		add_indent(p, indent);
		text_add(p->out, "%s: %u;\n", units[u].name, (unsigned)(end - from));
		from = end;
		if (p->out->len > MAX_OUTPUT) {
			p->too_deep = true;
			return;
		}
	}
}

/* Where a compiler would put the next member. */
static uint64_t natural_place(const struct place *place, uint64_t at, uint32_t align, bool packed)
{
	uint64_t step = packed ? 8 : (uint64_t)align * 8;

	if (!place->bitfield)
		return (at + step - 1) / step * step;
	if (packed || !crosses_unit(place, at))
		return at;
	step = (uint64_t)MAX(place->unit, 1) * 8;
	return (at + step - 1) / step * step;
}

static void add_member(struct printer *p, const struct btf_type *t, uint32_t i, int indent)
{
	const struct btf_member *m = (const struct btf_member *)btf_data(t) + i;
	struct place place = place_of(p, t, i);

	add_indent(p, indent);
	printer_declare(p, m->type, printer_ident(p, btf_str(p->btf, m->name_off)), indent);
	if (place.bitfield)
		text_add(p->out, ": %u", (unsigned)place.width);
	text_add(p->out, ";\n");
}

static void add_members(struct printer *p, const struct btf_type *t, bool packed, uint32_t align,
			int indent)
{
	const struct btf_member *m = btf_data(t);
	bool is_struct = btf_kind(t) == BTF_STRUCT;
	uint64_t at = 0, size = (uint64_t)t->size * 8, step = packed ? 8 : align * 8;

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		struct place place = place_of(p, t, i);

		if (is_struct && place.off > at &&
		    natural_place(&place, at, MAX(align_of(p, m[i].type), 1), packed) != place.off)
			add_padding(p, at, place.off, packed, indent);
		add_member(p, t, i, indent);
		at = is_struct ? place.off + place.width : MAX(at, place.width);
	}
	if ((at + step - 1) / step * step >= size)
		return;
	if (is_struct) {
		add_padding(p, at, size, packed, indent);
	} else {
		add_indent(p, indent);
		text_add(p->out, "unsigned char __size[%u];\n", t->size);
	}
}

void printer_record(struct printer *p, uint32_t id, int indent)
{
	const struct btf_type *t = btf_type(p->btf, id);
	uint32_t align;
	bool packed = needs_packing(p, t, &align);

	text_add(p->out, "%s", btf_tag_word(t));
	if (t->name_off)
		text_add(p->out, " %s", printer_name(p, id));
	if (p->nesting >= MAX_NESTING || p->out->len > MAX_OUTPUT) {
		p->too_deep = true;
		return;
	}
	text_add(p->out, " {%s", btf_vlen(t) || t->size ? "\n" : "");
	p->nesting++;
	add_members(p, t, packed, packed ? 1 : align, indent + 1);
	p->nesting--;
	if (btf_vlen(t) || t->size)
		add_indent(p, indent);
	text_add(p->out, "}%s", packed ? " __attribute__((packed))" : "");
}

/* Do all values fit the 4 bytes a compiler would take? */
static bool fits_int(const struct btf_type *t)
{
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		uint64_t value = btf_enum_value(t, i);

		if (btf_kind_flag(t) ? (int64_t)value != (int32_t)value : value > UINT32_MAX)
			return false;
	}
	return true;
}

void printer_enum(struct printer *p, uint32_t id, int indent)
{
	const struct btf_type *t = btf_type(p->btf, id);
	const char *suffix = btf_kind(t) == BTF_ENUM ? "" : btf_kind_flag(t) ? "LL" : "ULL";

	text_add(p->out, "enum");
	if (t->name_off)
		text_add(p->out, " %s", printer_name(p, id));
	/* C has no enum without values; an int is what is left of it. */
	if (!btf_vlen(t))
		return;
	text_add(p->out, " {\n");
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		uint64_t value = btf_enum_value(t, i);

		add_indent(p, indent + 1);
		text_add(p->out, "%s = ", printer_unique(p, NAMES_IDENTS, btf_str(
			p->btf, btf_enum_name_off(t, i))));
		if (btf_kind_flag(t))
			text_add(p->out, "%lld%s,\n", (long long)value, suffix);
		else
			text_add(p->out, "%llu%s,\n", (unsigned long long)value, suffix);
	}
	add_indent(p, indent);
	text_add(p->out, "}");
	if (t->size == 1)
		text_add(p->out, " __attribute__((mode(byte)))");
	else if (t->size == 2)
		text_add(p->out, " __attribute__((mode(HI)))");
	else if (t->size == 8 && fits_int(t))
		text_add(p->out, " __attribute__((mode(word)))");
}

/* --- declarations --- */

static void add_base(void *arg, uint32_t id, int indent, struct skep_text *out)
{
	struct printer *p = arg;
	struct skep_text *before = p->out;
	const struct btf_type *t = btf_type(p->btf, id);
	enum btf_kind kind = btf_kind(t);
	const char *number;
	bool known;

	p->out = out;
	if (btf_is_record(kind) && !t->name_off) {
		printer_record(p, id, indent);
	} else if (btf_is_enum(kind) && !t->name_off && btf_vlen(t)) {
		printer_enum(p, id, indent);
	} else if (btf_is_enum(kind) && !btf_vlen(t)) {
		text_add(out, "int");
	} else if (kind == BTF_INT || kind == BTF_FLOAT) {
		number = printer_number(t, btf_name(p->btf, t), &known);
		if (known || !t->name_off)
			text_add(out, "%s", number ? number : "int");
		else
			text_add(out, "%s", printer_name(p, id));
	} else if (btf_tag_word(t)[0]) {
		text_add(out, "%s %s", btf_tag_word(t), printer_name(p, id));
	} else if (kind == BTF_TYPEDEF) {
		text_add(out, "%s", printer_name(p, id));
	} else {
		text_add(out, "void /* %s %s */", btf_kinds[kind].name, btf_name(p->btf, t));
	}
	p->out = before;
}

void printer_declare(struct printer *p, uint32_t id, const char *name, int indent)
{
	struct btf_namer namer = { p, add_base };

	btf_declare(p->btf, id, name, indent, &namer, p->out);
}
