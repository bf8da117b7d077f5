/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value.c - bytes and their type, as text or JSON.
 *
 * Members of anonymous records are shown as members of what contains them, as
 * C lets one write them. The bytes are as this machine has them in memory.
 */
#include "btf/impl.h"

#include <errno.h>
#include <stdio.h>

struct shower {
	const struct skep_btf *btf;
	struct skep_text *out;
	bool json, compact;
	int indent;
	uint32_t left;           /* nodes that may still be shown: unions multiply */
};

enum { MAX_NODES = 1 << 20, MAX_INDENT = 64 };

/* Bits [off, off + width) of the value, width at most 64; little-endian. */
static uint64_t take_bits(const unsigned char *value, uint64_t off, uint32_t width)
{
	uint64_t result = 0;

	for (uint32_t i = 0; i < width; i++)
		result |= (uint64_t)(value[(off + i) / 8] >> ((off + i) % 8) & 1) << i;
	return result;
}

static uint64_t sign_extend(uint64_t value, uint32_t width)
{
	return width && width < 64 && value >> (width - 1) & 1 ? value | ~0ull << width : value;
}

static void show(struct shower *s, uint32_t id, const unsigned char *value, uint64_t off,
		 uint32_t width);

static void new_line(struct shower *s)
{
	if (s->json)
		return;
	if (s->compact) {
		text_add(s->out, " ");
		return;
	}
	text_add(s->out, "\n");
	for (int i = 0; i < s->indent; i++)
		text_add(s->out, "\t");
}

static void open_list(struct shower *s, char brace)
{
	text_add(s->out, "%c", s->json ? brace : '{');
	s->indent++;
}

static void close_list(struct shower *s, char brace, bool any)
{
	s->indent--;
	if (any) {
		if (!s->json && !s->compact)
			text_add(s->out, ",");
		new_line(s);
	}
	text_add(s->out, "%c", s->json ? brace : '}');
}

/* "(struct foo)", where types are wanted. */
static void add_type(struct shower *s, uint32_t id)
{
	if (s->json || s->compact)
		return;
	text_add(s->out, "(");
	btf_describe(s->btf, id, s->out);
	text_add(s->out, ")");
}

/* --- numbers --- */

static void show_float(struct shower *s, const struct btf_type *t, const unsigned char *value)
{
	float f;
	double d;
	long double l;

	if (t->size == 4) {
		memcpy(&f, value, 4);
		d = (double)f;
	} else if (t->size == 8) {
		memcpy(&d, value, 8);
	} else if (t->size == sizeof(l)) {
		memcpy(&l, value, sizeof(l));
		d = (double)l;
	} else {
		text_add(s->out, "null");
		return;
	}
	if (s->json && (d != d || d - d != 0))
		text_add(s->out, "null");
	else
		text_add(s->out, t->size == 4 ? "%.9g" : "%.17g", d);
}

static void show_wide(struct shower *s, const unsigned char *value)
{
	uint64_t half[2];

	memcpy(half, value, sizeof(half));
	text_add(s->out, s->json ? "\"0x%llx%016llx\"" : "0x%llx%016llx",
		 (unsigned long long)half[1], (unsigned long long)half[0]);
}

static void show_int(struct shower *s, const struct btf_type *t, uint64_t bits, uint32_t width)
{
	uint32_t encoding = btf_int_encoding(t);

	if (encoding & BTF_INT_BOOL)
		text_add(s->out, "%s", bits ? "true" : "false");
	else if (encoding & BTF_INT_SIGNED)
		text_add(s->out, "%lld", (long long)sign_extend(bits, width));
	else
		text_add(s->out, "%llu", (unsigned long long)bits);
}

static void show_enum(struct shower *s, const struct btf_type *t, uint64_t bits, uint32_t width)
{
	bool is_signed = btf_kind_flag(t);
	uint64_t mask = width < 64 ? (1ull << width) - 1 : ~0ull;

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const char *name = btf_str(s->btf, btf_enum_name_off(t, i));

		if ((btf_enum_value(t, i) & mask) != bits)
			continue;
		if (s->json)
			text_add_json_string(s->out, name);
		else
			text_add(s->out, "%s", name);
		return;
	}
	if (is_signed)
		text_add(s->out, "%lld", (long long)sign_extend(bits, width));
	else
		text_add(s->out, "%llu", (unsigned long long)bits);
}

/* --- arrays --- */

static bool is_char(const struct skep_btf *btf, uint32_t id)
{
	const struct btf_type *t = btf_type(btf, btf_skip_mods_and_typedefs(btf, id));

	return btf_kind(t) == BTF_INT && t->size == 1 && strcmp(btf_name(btf, t), "char") == 0;
}

/* The length of the string in so many characters; -1 if they hold none. */
static int64_t string_length(const unsigned char *value, uint32_t size)
{
	uint32_t len = 0;

	while (len < size && value[len]) {
		if (value[len] < 0x20 && !strchr("\t\n\r\033", value[len]))
			return -1;
		if (value[len] == 0x7f)
			return -1;
		len++;
	}
	for (uint32_t i = len; len == 0 && i < size; i++)
		if (value[i])
			return -1;
	return len;
}

static bool show_string(struct shower *s, const unsigned char *value, uint32_t size)
{
	int64_t len = string_length(value, size);
	char *copy;

	if (len < 0)
		return false;
	copy = strndup((const char *)value, (size_t)len);
	if (!copy)
		s->out->failed = true;
	else if (s->json)
		text_add_json_string(s->out, copy);
	else
		text_add_c_string(s->out, copy);
	free(copy);
	return true;
}

static void show_array(struct shower *s, uint32_t id, const unsigned char *value)
{
	const struct btf_array *array = btf_data(btf_type(s->btf, id));
	int64_t size = skep_btf_size(s->btf, array->type);
	/* Nothing can be seen of elements without a size, however many. */
	uint32_t count = size > 0 ? array->nelems : 0;

	if (count && is_char(s->btf, array->type) && show_string(s, value, count))
		return;
	add_type(s, id);
	text_add(s->out, "[");
	for (uint32_t i = 0; i < count && s->left; i++) {
		if (i)
			text_add(s->out, s->json ? "," : ", ");
		show(s, array->type, value + (size_t)i * (size_t)size, 0, 0);
	}
	text_add(s->out, "]");
}

/* --- records --- */

static void show_members(struct shower *s, uint32_t id, const unsigned char *value, bool *any)
{
	const struct btf_type *t = btf_type(s->btf, id);
	const struct btf_member *m = btf_data(t);

	for (uint32_t i = 0; i < btf_vlen(t) && s->left; i++) {
		const char *name = btf_str(s->btf, m[i].name_off);
		uint32_t inner = btf_skip_mods_and_typedefs(s->btf, m[i].type);
		uint64_t off = btf_member_bit_off(t, i);

		if (!*name && btf_is_record(btf_kind(btf_type(s->btf, inner)))) {
			s->left--;
			show_members(s, inner, value + off / 8, any);
			continue;
		}
		if (*any)
			text_add(s->out, ",");
		*any = true;
		new_line(s);
		if (s->json) {
			text_add_json_string(s->out, name);
			text_add(s->out, ":");
		} else {
			text_add(s->out, ".%s = ", name);
		}
		show(s, m[i].type, value, off, btf_member_bit_size(t, i));
	}
}

static void show_record(struct shower *s, uint32_t id, uint32_t shown_as,
			const unsigned char *value)
{
	bool any = false;

	add_type(s, shown_as);
	open_list(s, '{');
	if (s->indent < MAX_INDENT)
		show_members(s, id, value, &any);
	close_list(s, '}', any);
}

static void show_section(struct shower *s, const struct btf_type *t, const unsigned char *value)
{
	const struct btf_secinfo *vars = btf_data(t);
	bool any = false;

	open_list(s, '{');
	for (uint32_t i = 0; i < btf_vlen(t) && s->left; i++) {
		const struct btf_type *var = btf_type(s->btf, vars[i].type);

		/* Of a section whose size nobody filled in, offsets say nothing. */
		if (btf_kind(var) != BTF_VAR || skep_btf_size(s->btf, var->type) > vars[i].size ||
		    (uint64_t)vars[i].offset + vars[i].size > t->size)
			continue;
		if (any)
			text_add(s->out, ",");
		any = true;
		new_line(s);
		if (s->json) {
			text_add_json_string(s->out, btf_name(s->btf, var));
			text_add(s->out, ":");
		} else {
			text_add(s->out, ".%s = ", btf_name(s->btf, var));
		}
		show(s, var->type, value + vars[i].offset, 0, 0);
	}
	close_list(s, '}', any);
}

/* The bits at off; width 0: all of the type, which starts on a byte. */
static void show_bits(struct shower *s, uint32_t shown_as, const struct btf_type *t,
		      const unsigned char *value, uint64_t off, uint32_t width)
{
	uint64_t bits;

	if (btf_kind(t) == BTF_INT && !width) {
		off += btf_int_offset(t);
		width = btf_int_bits(t);
	} else if (!width) {
		width = btf_kind(t) == BTF_PTR ? s->btf->ptr_size * 8u : t->size * 8;
	}
	add_type(s, shown_as);
	if (width > 64) {
		show_wide(s, value + off / 8);
		return;
	}
	bits = width ? take_bits(value, off, width) : 0;
	if (btf_kind(t) == BTF_INT)
		show_int(s, t, bits, width);
	else if (btf_kind(t) == BTF_PTR)
		text_add(s->out, s->json ? "\"0x%llx\"" : "0x%llx", (unsigned long long)bits);
	else
		show_enum(s, t, bits, width);
}

static void show(struct shower *s, uint32_t id, const unsigned char *value, uint64_t off,
		 uint32_t width)
{
	uint32_t base = btf_skip_mods_and_typedefs(s->btf, id);
	const struct btf_type *t = btf_type(s->btf, base);

	if (!s->left) {
		text_add(s->out, s->json ? "null" : "...");
		return;
	}
	s->left--;
	switch ((unsigned)btf_kind(t)) {
	case BTF_INT:
	case BTF_PTR:
	case BTF_ENUM:
	case BTF_ENUM64:
		show_bits(s, id, t, value, off, width);
		break;
	case BTF_FLOAT:
		add_type(s, id);
		show_float(s, t, value + off / 8);
		break;
	case BTF_STRUCT:
	case BTF_UNION:
		show_record(s, base, id, value + off / 8);
		break;
	case BTF_ARRAY:
		show_array(s, base, value + off / 8);
		break;
	case BTF_DATASEC:
		show_section(s, t, value + off / 8);
		break;
	default:
		text_add(s->out, "null");
	}
}

int64_t skep_btf_print_value(const struct skep_btf *btf, uint32_t id, const void *value,
			     size_t size, unsigned flags, struct skep_text *out)
{
	struct shower shower = { btf, out, flags & SKEP_VALUE_JSON, flags & SKEP_VALUE_COMPACT, 0,
				 MAX_NODES };
	const struct btf_type *t;
	int64_t want;

	while (btf_kind(btf_type(btf, id)) == BTF_VAR)
		id = btf_type(btf, id)->type;
	t = btf_type(btf, btf_skip_mods_and_typedefs(btf, id));
	want = skep_btf_size(btf, id);
	if (want < 0 || btf_kind(t) == BTF_DECL_TAG)
		return -EINVAL;
	if ((uint64_t)want > size)
		return -E2BIG;
	show(&shower, id, value, 0, 0);
	return want;
}
