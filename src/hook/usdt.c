/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usdt.c - reads .note.stapsdt (see usdt.h).
 *
 *      note: name size 8, size, type 3, "stapsdt\0",
 *            address, address of .stapsdt.base, semaphore, provider\0 name\0 arguments\0
 *
 * The address of .stapsdt.base in the note is the one at link time: what moved it moved the
 * others as well.
 */
#include "hook/usdt.h"

#include <ctype.h>
#include <stdio.h>
#include "btf/btf.h"
#include "hook/board.h"

enum { NOTE_STAPSDT = 3, SPEC_SIZE = 208, ARG_SIZE = 16, ARG_KIND_SIB = 3, NAMES_SHOWN = 12 };

/* --- arguments --- */

/* Registers by their width's names. */
static const struct {
	const char *names[5]; /* of 8, 4, 2, 1 bytes; and of the second byte */
	uint16_t offset;
} registers[] = {
#define REGISTER(field, ...) { { __VA_ARGS__ }, offsetof(struct target_regs, field) }
	REGISTER(ax, "rax", "eax", "ax", "al"), REGISTER(bx, "rbx", "ebx", "bx", "bl"),
	REGISTER(cx, "rcx", "ecx", "cx", "cl"), REGISTER(dx, "rdx", "edx", "dx", "dl"),
	REGISTER(si, "rsi", "esi", "si", "sil"), REGISTER(di, "rdi", "edi", "di", "dil"),
	REGISTER(bp, "rbp", "ebp", "bp", "bpl"), REGISTER(sp, "rsp", "esp", "sp", "spl"),
	REGISTER(ip, "rip", "eip", "ip"),
	REGISTER(r8, "r8", "r8d", "r8w", "r8b"), REGISTER(r9, "r9", "r9d", "r9w", "r9b"),
	REGISTER(r10, "r10", "r10d", "r10w", "r10b"), REGISTER(r11, "r11", "r11d", "r11w", "r11b"),
	REGISTER(r12, "r12", "r12d", "r12w", "r12b"), REGISTER(r13, "r13", "r13d", "r13w", "r13b"),
	REGISTER(r14, "r14", "r14d", "r14w", "r14b"), REGISTER(r15, "r15", "r15d", "r15w", "r15b"),
};

/* What is left of the text of an argument. */
struct text {
	const char *at;
	const char *wrong;  /* why it cannot be read */
};

static bool skip(struct text *text, char c)
{
	if (text->wrong || *text->at != c)
		return false;
	text->at++;
	return true;
}

static int64_t read_number(struct text *text)
{
	char *end;
	int64_t number = (int64_t)strtoull(text->at, &end, 0);

	if (end == text->at)
		text->wrong = "a number is missing";
	text->at = end;
	return number;
}

static uint16_t read_register(struct text *text)
{
	char name[8];
	size_t length = 0;

	if (!skip(text, '%')) {
		text->wrong = "an operand is neither a number nor a register";
		return 0;
	}
	while (length + 1 < sizeof(name) && isalnum((unsigned char)*text->at))
		name[length++] = *text->at++;
	name[length] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		for (size_t k = 0; k < ARRAY_SIZE(registers[i].names) && registers[i].names[k]; k++)
			if (strcmp(registers[i].names[k], name) == 0)
				return registers[i].offset;
	text->wrong = "a register is not one of those that programs see";
	return 0;
}

/* (%base), (%base,%index), (%base,%index,scale) */
static void read_memory(struct text *text, struct usdt_arg *arg)
{
	arg->kind = USDT_REG_DEREF;
	arg->reg = read_register(text);
	if (skip(text, ',')) {
		int64_t scale = 1;

		arg->kind = USDT_SIB;
		arg->index = read_register(text);
		if (skip(text, ','))
			scale = read_number(text);
		while (arg->shift < 3 && 1 << arg->shift < scale)
			arg->shift++;
		if (1 << arg->shift != scale)
			text->wrong = "an index is scaled by something else than 1, 2, 4 or 8";
	}
	if (!skip(text, ')') && !text->wrong)
		text->wrong = "a parenthesis is missing";
}

static void read_operand(struct text *text, struct usdt_arg *arg)
{
	if (skip(text, '$')) {
		arg->kind = USDT_CONST;
		arg->value = read_number(text);
	} else if (*text->at == '%') {
		arg->kind = USDT_REG;
		arg->reg = read_register(text);
	} else {
		if (*text->at != '(')
			arg->value = read_number(text);
		if (skip(text, '('))
			read_memory(text, arg);
		else if (!text->wrong)
			text->wrong = "an operand is at a fixed address or a symbol";
	}
}

static void read_arg(struct text *text, struct usdt_arg *arg)
{
	int64_t size = read_number(text);

	*arg = (struct usdt_arg){ .is_signed = size < 0 };
	size = size < 0 ? -size : size;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		text->wrong = "an argument has a size other than 1, 2, 4 or 8";
	arg->size = (uint8_t)size;
	if (*text->at == 'f')
		text->wrong = "an argument is a floating point number";
	if (!skip(text, '@') && !text->wrong)
		text->wrong = "'@' is missing";
	if (!text->wrong)
		read_operand(text, arg);
	if (!text->wrong && *text->at && *text->at != ' ')
		text->wrong = "an operand is written in an unknown way";
}

const char *usdt_parse(struct usdt_place *place)
{
	struct text text = { place->args, NULL };

	place->arg_count = 0;
	for (;;) {
		while (skip(&text, ' '))
			;
		if (!*text.at)
			return NULL;
		if (place->arg_count == USDT_ARGS)
			return "there are more than 12 arguments";
		read_arg(&text, &place->arg[place->arg_count]);
		if (text.wrong)
			return text.wrong;
		place->arg_count++;
	}
}

/* --- notes --- */

static uint64_t word(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint32_t half(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* A string that ends before end; moves at behind it. */
static const char *take_string(const uint8_t **at, const uint8_t *end)
{
	const char *string = (const char *)*at;
	const uint8_t *nul = memchr(*at, 0, (size_t)(end - *at));

	if (!nul)
		return NULL;
	*at = nul + 1;
	return string;
}

static bool read_note(const struct binary *binary, const uint8_t *bytes, size_t size,
		      struct usdt_place *place)
{
	const uint8_t *at = bytes + 24, *end = bytes + size;
	uint64_t base = 0, moved;

	if (size < 24)
		return false;
	*place = (struct usdt_place){ .address = word(bytes), .semaphore = word(bytes + 16) };
	place->provider = take_string(&at, end);
	place->name = place->provider ? take_string(&at, end) : NULL;
	place->args = place->name ? take_string(&at, end) : NULL;
	if (!place->args)
		return false;
	if (binary_section(binary, ".stapsdt.base", &base).data) {
		moved = base - word(bytes + 8);
		place->address += moved;
		if (place->semaphore)
			place->semaphore += moved;
	}
	return true;
}

/* Steps to the next note of the section; false at its end. */
static bool next_note(const struct binary *binary, struct view section, size_t *at,
		      struct usdt_place *place)
{
	const uint8_t *bytes = section.data;

	while (section.size - *at >= 12) {
		size_t name = half(bytes + *at), size = half(bytes + *at + 4);
		uint32_t type = half(bytes + *at + 8);
		size_t start = *at + 12, body;

		if (name > section.size - start)
			return false;
		body = start + ((name + 3) & ~(size_t)3);
		if (body > section.size || size > section.size - body)
			return false;
		*at = MIN(section.size, body + ((size + 3) & ~(size_t)3));
		if (type == NOTE_STAPSDT && name == 8 &&
		    memcmp(bytes + start, "stapsdt", 8) == 0 &&
		    read_note(binary, bytes + body, size, place))
			return true;
	}
	return false;
}

static int no_such_probe(const struct binary *binary, struct view section, const char *provider,
			 const char *name, struct skep_diag *diag)
{
	struct skep_text names = { 0 };
	struct usdt_place place;
	size_t at = 0, shown = 0;

	skep_report(diag, SKEP_USDT_NONE, NULL, "%s has no probe %s:%s", binary->path,
		    provider ? provider : "*", name ? name : "*");
	while (section.data && next_note(binary, section, &at, &place) && shown < NAMES_SHOWN) {
		char one[128];

		snprintf(one, sizeof(one), "%s:%s", place.provider, place.name);
		if (names.data && strstr(names.data, one))
			continue;
		text_add(&names, "%s%s", shown++ ? ", " : "", one);
	}
	if (shown)
		skep_help(diag, "it has %s%s", names.data, shown == NAMES_SHOWN ? " ..." : "");
	else
		skep_help(diag, "it has no statically defined probes; was it built with them?");
	text_done(&names);
	return -SKEP_USDT_NONE_ERRNO;
}

int usdt_each(struct binary *binary, const char *provider, const char *name, usdt_fn *call,
	      void *arg, struct skep_diag *diag)
{
	struct view section = binary_section(binary, ".note.stapsdt", NULL);
	struct usdt_place place;
	size_t at = 0;
	int count = 0;

	while (section.data && next_note(binary, section, &at, &place)) {
		const char *wrong;
		int result;

		if ((provider && strcmp(provider, place.provider) != 0) ||
		    (name && strcmp(name, place.name) != 0))
			continue;
		wrong = usdt_parse(&place);
		if (wrong)
			return skep_fail(diag, SKEP_USDT_ARGS, NULL, "%s:%s of %s: %s ('%s')",
					 place.provider, place.name, binary->path, wrong,
					 place.args);
		result = call(arg, &place);
		if (result < 0)
			return result;
		count++;
	}
	return count ? count : no_such_probe(binary, section, provider, name, diag);
}

/* --- what programs read --- */

void usdt_layout(const struct skep_btf *btf, struct usdt_layout *layout)
{
	uint32_t id = btf ? skep_btf_find(btf, "__bpf_usdt_arg_spec", BTF_STRUCT) : 0;
	const struct btf_type *type = id ? btf_type(btf, id) : NULL;

	*layout = (struct usdt_layout){ .size = SPEC_SIZE };
	for (uint32_t i = 0; type && i < btf_vlen(type); i++) {
		const char *member = btf_str(btf, ((const struct btf_member *)btf_data(type))[i].name_off);

		if (strcmp(member, "idx_reg_off") == 0) {
			layout->has_index = true;
			layout->index_bit = btf_member_bit_off(type, i);
		} else if (strcmp(member, "scale_bitshift") == 0) {
			layout->shift_bit = btf_member_bit_off(type, i);
		}
	}
}

bool usdt_write(const struct usdt_layout *layout, const struct usdt_place *place,
		uint64_t cookie, void *spec)
{
	uint8_t *bytes = memset(spec, 0, layout->size);
	uint16_t count = (uint16_t)place->arg_count;

	for (unsigned i = 0; i < place->arg_count; i++, bytes += ARG_SIZE) {
		const struct usdt_arg *arg = &place->arg[i];

		if (arg->kind == USDT_SIB && !layout->has_index)
			return false;
		memcpy(bytes, &arg->value, 8);
		bytes[8] = (uint8_t)arg->kind;
		memcpy(bytes + 12, &arg->reg, 2);
		bytes[14] = arg->is_signed;
		bytes[15] = (uint8_t)(64 - arg->size * 8);
		if (arg->kind == USDT_SIB) {
			uint32_t packed;

			memcpy(&packed, bytes + 8, sizeof(packed));
			packed |= (uint32_t)arg->index << (layout->index_bit - 64) |
				  (uint32_t)arg->shift << (layout->shift_bit - 64);
			memcpy(bytes + 8, &packed, sizeof(packed));
		}
	}
	bytes = spec;
	memcpy(bytes + USDT_ARGS * ARG_SIZE, &cookie, 8);
	memcpy(bytes + USDT_ARGS * ARG_SIZE + 8, &count, 2);
	return true;
}
