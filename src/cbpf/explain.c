/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.c - what a filter accepts, in words.
 *
 * Every way through its graph that ends in acceptance is a list of phrases, one for each test that
 * matters on it. Lists that differ in one phrase become one with "or" in it. What the bytes
 * mean is told by the link type and by the tests before: behind "it is IPv4", byte 23 of an
 * Ethernet frame is the protocol.
 */
#include <errno.h>
#include <stdio.h>

#include "cbpf/explain.h"

enum { WAYS_MAX = 200, DEPTH_MAX = 400, STEPS_MAX = 20000 };

enum number_form { AS_DECIMAL, AS_HEX, AS_ADDRESS, AS_TYPE, AS_PROTOCOL, AS_FLAGS };

/* Where things are in packets of a link type. */
struct link_row { int link; const char *name; uint32_t type, type_width, network; };

static const struct link_row links[] = {
	{ 1, "an Ethernet frame", 12, 2, 14 },
	{ 12, "an IP packet", UINT32_MAX, 0, 0 },
	{ 101, "an IP packet", UINT32_MAX, 0, 0 },
	{ 113, "a packet of Linux's 'any' interface", 14, 2, 16 },
	{ 276, "a packet of Linux's 'any' interface", 0, 2, 20 },
};

enum network { NETWORK_UNKNOWN, NETWORK_IP, NETWORK_IP6, NETWORK_ARP };

/* at counts from the network header, or with behind from the end of IPv4's. */
struct field_row {
	enum network network;
	bool behind;
	uint32_t at, width;
	const char *name;
	enum number_form form;
};

static const struct field_row fields[] = {
	{ NETWORK_IP, false, 1, 1, "its type of service", AS_HEX },
	{ NETWORK_IP, false, 2, 2, "its IP length", AS_DECIMAL },
	{ NETWORK_IP, false, 6, 2, "its fragment word", AS_HEX },
	{ NETWORK_IP, false, 8, 1, "its time to live", AS_DECIMAL },
	{ NETWORK_IP, false, 9, 1, "its protocol", AS_PROTOCOL },
	{ NETWORK_IP, false, 12, 4, "its source address", AS_ADDRESS },
	{ NETWORK_IP, false, 16, 4, "its destination address", AS_ADDRESS },
	{ NETWORK_IP, true, 0, 2, "its source port", AS_DECIMAL },
	{ NETWORK_IP, true, 2, 2, "its destination port", AS_DECIMAL },
	{ NETWORK_IP, true, 0, 1, "its ICMP type", AS_DECIMAL },
	{ NETWORK_IP, true, 1, 1, "its ICMP code", AS_DECIMAL },
	{ NETWORK_IP, true, 13, 1, "its TCP flags", AS_FLAGS },
	{ NETWORK_IP6, false, 6, 1, "its next header", AS_PROTOCOL },
	{ NETWORK_IP6, false, 7, 1, "its hop limit", AS_DECIMAL },
	{ NETWORK_IP6, false, 8, 16, "its source address", AS_ADDRESS },
	{ NETWORK_IP6, false, 24, 16, "its destination address", AS_ADDRESS },
	{ NETWORK_IP6, false, 40, 2, "its source port", AS_DECIMAL },
	{ NETWORK_IP6, false, 42, 2, "its destination port", AS_DECIMAL },
	{ NETWORK_ARP, false, 6, 2, "its ARP operation", AS_DECIMAL },
	{ NETWORK_ARP, false, 14, 4, "its sender's address", AS_ADDRESS },
	{ NETWORK_ARP, false, 24, 4, "its target's address", AS_ADDRESS },
};

struct named { uint32_t number; const char *name; };

static const struct named types[] = { { 0x800, "IPv4" }, { 0x86dd, "IPv6" }, { 0x806, "ARP" },
	{ 0x8035, "RARP" }, { 0x8100, "a VLAN frame" }, { 0x88a8, "a provider VLAN frame" },
	{ 0x9100, "a double-tagged VLAN frame" }, { 0x8847, "MPLS" }, { 0x8848, "multicast MPLS" },
	{ 0x8863, "PPPoE discovery" }, { 0x8864, "a PPPoE session" } };
static const struct named protocols[] = { { 1, "ICMP" }, { 2, "IGMP" }, { 4, "IPv4" }, { 6, "TCP" },
	{ 17, "UDP" }, { 41, "IPv6" }, { 44, "a fragment" }, { 47, "GRE" }, { 50, "ESP" }, { 51, "AH" },
	{ 58, "ICMPv6" }, { 89, "OSPF" }, { 103, "PIM" }, { 112, "VRRP" }, { 132, "SCTP" } };
static const struct named flags[] = { { 1, "FIN" }, { 2, "SYN" }, { 4, "RST" }, { 8, "PSH" },
	{ 16, "ACK" }, { 32, "URG" }, { 64, "ECE" }, { 128, "CWR" } };

struct phrase { const char *text; uint32_t about; bool is; };

/* One way: phrases, borrowed from the arena. */
struct way { struct phrase phrases[DEPTH_MAX]; size_t count; };

struct explainer {
	struct graph graph;
	const struct cbpf_sets *sets;
	struct arena arena;
	const struct link_row *link;
	struct way now;
	VEC(struct way) ways;
	size_t steps;
	bool incomplete, failed;
};

/* --- numbers and fields --- */

static const char *name_of(const struct named *rows, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i].number == number)
			return rows[i].name;
	}
	return NULL;
}

static const char *write_flags(struct explainer *e, uint32_t number)
{
	const char *text = "";

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (number & flags[i].number)
			text = arena_printf(&e->arena, "%s%s%s", text, *text ? "+" : "", flags[i].name);
	}
	return text && *text ? text : "0";
}

static const char *write_number(struct explainer *e, uint32_t number, enum number_form form)
{
	const char *name = form == AS_TYPE ? name_of(types, ARRAY_SIZE(types), number) :
			   form == AS_PROTOCOL ? name_of(protocols, ARRAY_SIZE(protocols), number) : NULL;

	if (name)
		return name;
	switch (form) {
	case AS_ADDRESS:
		return arena_printf(&e->arena, "%u.%u.%u.%u", number >> 24, number >> 16 & 0xff,
				    number >> 8 & 0xff, number & 0xff);
	case AS_FLAGS:
		return write_flags(e, number);
	case AS_HEX: case AS_TYPE:
		return arena_printf(&e->arena, "0x%x", number);
	case AS_DECIMAL: case AS_PROTOCOL:
		break;
	}
	return arena_printf(&e->arena, "%u", number);
}

/* What the tests before this one say the packet is. */
static enum network network_of(const struct explainer *e)
{
	const struct values *values = &e->graph.values;

	for (size_t i = 0; i < e->now.count; i++) {
		const struct phrase *phrase = &e->now.phrases[i];
		const struct value *test = value_get(values, phrase->about), *left;
		uint32_t k;

		if (!phrase->is || test->kind != VALUE_TEST || test->op != COND_EQ ||
		    !value_is_const(values, test->right, &k))
			continue;
		left = value_get(values, test->left);
		if (left->kind == VALUE_LOAD && left->left == 0 && left->k == e->link->type &&
		    left->width == e->link->type_width)
			return k == 0x800 ? NETWORK_IP : k == 0x86dd ? NETWORK_IP6 :
			       k == 0x806 ? NETWORK_ARP : NETWORK_UNKNOWN;
		if (e->link->type == UINT32_MAX && left->kind == VALUE_ALU && (k == 0x40 || k == 0x60))
			return k == 0x40 ? NETWORK_IP : NETWORK_IP6;
	}
	return NETWORK_UNKNOWN;
}

/* 4 * (the low half of the first byte of the network header) */
static bool is_header_length(const struct explainer *e, uint32_t id)
{
	const struct values *values = &e->graph.values;
	const struct value *v = value_get(values, id);

	if (v->kind != VALUE_ALU || v->op != ALU_LSH)
		return false;
	v = value_get(values, v->left);
	if (v->kind != VALUE_ALU || v->op != ALU_AND)
		return false;
	v = value_get(values, v->left);
	return v->kind == VALUE_LOAD && v->width == 1 && v->left == 0 && v->k == e->link->network;
}

static const struct field_row *find_field(const struct explainer *e, const struct value *v)
{
	static const struct field_row type = { NETWORK_UNKNOWN, false, 0, 2, "its type", AS_TYPE };
	enum network network = network_of(e);
	bool behind = v->left != 0;

	if (!behind && v->k == e->link->type && v->width == e->link->type_width)
		return &type;
	if (behind && !is_header_length(e, v->left))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].network == network && fields[i].behind == behind &&
		    fields[i].width == v->width && fields[i].at + e->link->network == v->k)
			return &fields[i];
	}
	return NULL;
}

static const char *say_value(struct explainer *e, uint32_t id, enum number_form *form);

static const char *say_load(struct explainer *e, const struct value *v, enum number_form *form)
{
	const struct field_row *field = find_field(e, v);
	const char *base;

	*form = field ? field->form : AS_HEX;
	if (field)
		return field->name;
	if (v->left == 0 && v->width == 1)
		return arena_printf(&e->arena, "byte %u", v->k);
	if (v->left == 0)
		return arena_printf(&e->arena, "bytes %u-%u", v->k, v->k + v->width - 1);
	if (is_header_length(e, v->left) && network_of(e) == NETWORK_IP)
		return arena_printf(&e->arena, "%u byte%s at %u behind the IP header", v->width,
				    v->width > 1 ? "s" : "", v->k - e->link->network);
	base = say_value(e, v->left, form);
	*form = AS_HEX;
	return arena_printf(&e->arena, "%u byte%s at (%s) + %d", v->width, v->width > 1 ? "s" : "", base,
			    (int)v->k);
}

static const char *say_meta(struct explainer *e, uint32_t number)
{
	struct skep_cbpf_insn insn = { .code = cbpf_rows[CBPF_ID_LD_W_ABS].code,
				       .k = CBPF_ANCILLARY + number };
	const struct cbpf_ancillary_row *row = cbpf_ancillary(&insn);

	return row ? arena_printf(&e->arena, "the metadata '%s'", row->listing) : "metadata";
}

static const char *say_value(struct explainer *e, uint32_t id, enum number_form *form)
{
	const struct value v = *value_get(&e->graph.values, id);
	enum number_form other;
	const char *left, *right;

	switch ((enum value_kind)v.kind) {
	case VALUE_LOAD:
		return say_load(e, &v, form);
	case VALUE_CONST:
		*form = AS_DECIMAL;
		return write_number(e, v.k, v.k > 4096 ? AS_HEX : AS_DECIMAL);
	case VALUE_LEN:
		*form = AS_DECIMAL;
		return "its length";
	case VALUE_META:
		*form = AS_DECIMAL;
		return say_meta(e, v.k);
	case VALUE_ALU:
		left = say_value(e, v.left, form);
		right = say_value(e, v.right, &other);
		if (v.op == ALU_AND && *form != AS_FLAGS && *form != AS_ADDRESS)
			*form = AS_HEX;
		return arena_printf(&e->arena, "(%s %.*s %s)", left,
				    (int)strlen(alu_token((enum alu)v.op)) - 1, alu_token((enum alu)v.op), right);
	case VALUE_WORD: case VALUE_TEST: case VALUE_CHECK: case VALUE_NONZERO: case VALUE_MEMBER:
	case VALUE_VARIABLE:
		break;
	}
	*form = AS_DECIMAL;
	return "?";
}

/* --- phrases --- */

/* field & mask == number, of an address: a network. NULL: it is not that. */
static const char *say_net(struct explainer *e, const struct value *test, uint32_t number, bool yes)
{
	const struct values *values = &e->graph.values;
	const struct value left = *value_get(values, test->left);
	const struct field_row *field;
	uint32_t mask;

	if (left.kind != VALUE_ALU || left.op != ALU_AND || !value_is_const(values, left.right, &mask) ||
	    (~mask & (~mask + 1)) || mask == 0 || !value_is(values, left.left, VALUE_LOAD))
		return NULL;
	field = find_field(e, value_get(values, left.left));
	if (!field || field->form != AS_ADDRESS)
		return NULL;
	return arena_printf(&e->arena, "%s is %sin %s/%d", field->name, yes ? "" : "not ",
			    write_number(e, number, AS_ADDRESS), __builtin_popcount(mask));
}

static const char *say_against(struct explainer *e, const struct value *test, uint32_t number,
			       bool yes)
{
	enum number_form form;
	const char *left = say_value(e, test->left, &form), *right = write_number(e, number, form);
	const char *net = test->op == COND_EQ ? say_net(e, test, number, yes) : NULL;

	if (net)
		return net;
	if (form == AS_TYPE && test->op == COND_EQ && name_of(types, ARRAY_SIZE(types), number))
		return arena_printf(&e->arena, "it is %s%s", yes ? "" : "not ", right);
	if (strcmp(left, "its fragment word") == 0 && test->op == COND_SET && number == 0x1fff)
		return yes ? "it is a later fragment" : "it is not a later fragment";
	if (test->op == COND_EQ)
		return arena_printf(&e->arena, "%s is %s%s", left, yes ? "" : "not ", right);
	if (test->op == COND_GT)
		return yes ? arena_printf(&e->arena, "%s is above %s", left, right) :
			     arena_printf(&e->arena, "%s is at most %s", left, right);
	if (form == AS_FLAGS)
		return arena_printf(&e->arena, "of %s %s %s set", left,
				    (number & (number - 1)) ? (yes ? "any of" : "none of") : (yes ? "there is" : "there is not"),
				    right);
	return arena_printf(&e->arena, "%s has %s the bits 0x%x", left, yes ? "any of" : "none of", number);
}

static const char *say_member(struct explainer *e, const struct value *v, bool yes)
{
	struct value load = { .kind = VALUE_LOAD, .width = 16, .left = v->left, .k = v->k };
	struct skep_text members = { 0 };
	enum number_form form;
	const char *what = v->width == 16 ? say_load(e, &load, &form) : say_value(e, v->left, &form), *text;

	set_write(&e->sets->all.items[v->op], &members);
	e->failed |= members.failed;
	text = arena_printf(&e->arena, "%s is %s of %s", what, yes ? "one" : "none", members.data ? members.data : "");
	text_done(&members);
	return text;
}

static const char *say(struct explainer *e, uint32_t id, bool yes)
{
	const struct value test = *value_get(&e->graph.values, id);
	enum number_form form;
	const char *left, *right;
	uint32_t k;

	if (test.kind == VALUE_TEST && value_is_const(&e->graph.values, test.right, &k))
		return say_against(e, &test, k, yes);
	if (test.kind == VALUE_MEMBER)
		return say_member(e, &test, yes);
	if (test.kind == VALUE_NONZERO)
		return arena_printf(&e->arena, "%s is %s0", say_value(e, test.left, &form), yes ? "not " : "");
	left = say_value(e, test.left, &form);
	right = say_value(e, test.right, &form);
	return arena_printf(&e->arena, "%sthat %s %s %s", yes ? "it holds " : "it does not hold ", left,
			    cond_token((enum cond)test.op), right);
}

/* --- ways --- */

static bool accepts(const struct explainer *e, uint32_t block)
{
	const struct block *b = graph_at(&e->graph, block);
	uint32_t k;

	return b->end == END_RETURN && b->checks.count == 0 &&
	       (!value_is_const(&e->graph.values, b->value, &k) || k != 0);
}

/* "is not 6" where it is 17 says nothing. */
static bool says_nothing(const struct explainer *e, const struct phrase *phrase)
{
	const struct value *v = value_get(&e->graph.values, phrase->about);

	if (phrase->is || v->kind != VALUE_TEST || v->op != COND_EQ)
		return false;
	for (size_t i = 0; i < e->now.count; i++) {
		const struct phrase *other = &e->now.phrases[i];
		const struct value *o = value_get(&e->graph.values, other->about);

		if (other->is && o->kind == VALUE_TEST && o->op == COND_EQ && o->left == v->left)
			return true;
	}
	return false;
}

static void keep_way(struct explainer *e)
{
	struct way *way;

	if (e->ways.count == WAYS_MAX) {
		e->incomplete = true;
		return;
	}
	way = vec_push(&e->ways);
	if (!way) {
		e->failed = true;
		return;
	}
	for (size_t i = 0; i < e->now.count; i++) {
		const struct phrase *phrase = &e->now.phrases[i];

		if (phrase->text && !says_nothing(e, phrase))
			way->phrases[way->count++] = *phrase;
	}
}

static void walk(struct explainer *e, uint32_t id)
{
	const struct block *block = graph_at(&e->graph, id);
	uint32_t k, value = block->value, next[2] = { block->next[0], block->next[1] };
	enum block_end end = block->end;

	if (e->failed || e->steps++ > STEPS_MAX || e->now.count == DEPTH_MAX) {
		e->incomplete = true;
		return;
	}
	if (end == END_GOTO) {
		walk(e, next[0]);
		return;
	}
	if (end == END_RETURN) {
		if (value_is_const(&e->graph.values, value, &k) && k == 0)
			return;
		if (!value_is_const(&e->graph.values, value, &k))
			e->now.phrases[e->now.count++] = (struct phrase){
				say(e, value_nonzero(&e->graph.values, value), true), value, true };
		keep_way(e);
		e->now.count -= !value_is_const(&e->graph.values, value, &k);
		return;
	}
	for (int yes = 1; yes >= 0; yes--) {
		/* if the other way accepts all, this one need not say that it is not taken */
		bool silent = accepts(e, next[!yes]);

		e->now.phrases[e->now.count] = (struct phrase){ NULL, value, yes };
		if (!silent)
			e->now.phrases[e->now.count].text = say(e, value, yes);
		e->now.count++;
		walk(e, next[yes]);
		e->now.count--;
	}
}

/* --- several ways in one --- */

static bool has_phrase(const struct way *way, const char *text)
{
	for (size_t i = 0; i < way->count; i++) {
		if (strcmp(way->phrases[i].text, text) == 0)
			return true;
	}
	return false;
}

/* How many phrases of a are not in b; the last of them. */
static size_t missing_in(const struct way *a, const struct way *b, size_t *which)
{
	size_t missing = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (has_phrase(b, a->phrases[i].text))
			continue;
		*which = i;
		missing++;
	}
	return missing;
}

/* "X is a" and "X is b": "X is a or b". */
static const char *either(struct explainer *e, const char *a, const char *b)
{
	const char *at = strstr(a, " is "), *bt = strstr(b, " is ");

	if (at && bt && at - a == bt - b && strncmp(a, b, (size_t)(at - a)) == 0)
		return arena_printf(&e->arena, "%s or %s", a, bt + 4);
	return arena_printf(&e->arena, "%s or %s", a, b);
}

/* Of the phrases that only b has, one denies a's: the other is said beside that. */
static bool join_opposite(struct explainer *e, struct way *a, size_t here, const struct way *b)
{
	const struct phrase *opposite = NULL, *other = NULL;

	for (size_t i = 0; i < b->count; i++) {
		const struct phrase *phrase = &b->phrases[i];

		if (has_phrase(a, phrase->text))
			continue;
		if (!opposite && phrase->about == a->phrases[here].about &&
		    phrase->is != a->phrases[here].is)
			opposite = phrase;
		else
			other = phrase;
	}
	if (!opposite || !other)
		return false;
	a->phrases[here].text = either(e, a->phrases[here].text, other->text);
	return true;
}

static bool join_ways(struct explainer *e, struct way *a, const struct way *b)
{
	size_t here = 0, there = 0, more = missing_in(a, b, &here), less = missing_in(b, a, &there);

	if (less == 0 && more > 0) /* b asks for less: a is one of its cases */
		*a = *b;
	if (less == 0 || more == 0)
		return true;
	if (more == 1 && less == 2) /* P, or not P and Q: P or Q */
		return join_opposite(e, a, here, b);
	if (more != 1 || less != 1)
		return false;
	a->phrases[here].text = either(e, a->phrases[here].text, b->phrases[there].text);
	return true;
}

static void join_all(struct explainer *e)
{
	for (bool joined = true; joined;) {
		joined = false;
		for (size_t i = 0; i < e->ways.count; i++) {
			for (size_t k = i + 1; k < e->ways.count; k++) {
				if (!join_ways(e, &e->ways.items[i], &e->ways.items[k]))
					continue;
				memmove(&e->ways.items[k], &e->ways.items[k + 1],
					(e->ways.count - k - 1) * sizeof(*e->ways.items));
				e->ways.count--;
				k--;
				joined = true;
			}
		}
	}
}

static void write_ways(const struct explainer *e, struct skep_text *out)
{
	if (e->ways.count == 0 && !e->incomplete) {
		text_add(out, "It accepts no packet.\n");
		return;
	}
	if (e->ways.count == 1 && e->ways.items[0].count == 0) {
		text_add(out, "It accepts every packet that is long enough for its loads.\n");
		return;
	}
	text_add(out, "It accepts %s if\n", e->link->name);
	for (size_t i = 0; i < e->ways.count; i++) {
		const struct way *way = &e->ways.items[i];

		text_add(out, "%s", i ? "or if\n" : "");
		for (size_t k = 0; k < way->count; k++)
			text_add(out, "    %s%s\n", way->phrases[k].text, k + 1 < way->count ? ", and" : "");
	}
	if (e->incomplete)
		text_add(out, "or in further ways, too many to say.\n");
}

static int explain_graph(struct explainer *e, struct skep_text *out)
{
	int error = graph_optimise(&e->graph);

	if (error < 0)
		return error;
	walk(e, e->graph.root);
	join_all(e);
	if (!e->failed)
		write_ways(e, out);
	return e->failed ? -ENOMEM : 0;
}

static const struct link_row *link_of(int link)
{
	static const struct link_row other = { 0, "a packet", UINT32_MAX, 3, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		if (links[i].link == link)
			return &links[i];
	}
	return &other;
}

int explain_filter(struct graph *graph, int error, const struct cbpf_sets *sets, int link, const char *name,
	    struct skep_text *out, struct skep_diag *diag)
{
	struct explainer *e = calloc(1, sizeof(*e));

	if (!e) {
		graph_done(graph);
		return skep_fail(diag, SKEP_OOM, NULL, "explaining a filter");
	}
	e->graph = *graph;
	e->sets = sets;
	e->link = link_of(link);
	if (error == 0)
		error = explain_graph(e, out);
	graph_done(&e->graph);
	arena_done(&e->arena);
	vec_done(&e->ways);
	free(e);
	if (error == -EOPNOTSUPP)
		return skep_fail(diag, SKEP_CBPF_EBPF, NULL,
				 "'%s' loads random numbers or its device, or is too entangled for words", name);
	return error < 0 ? skep_fail(diag, SKEP_OOM, NULL, "explaining a filter") : 0;
}

int skep_cbpf_explain(const struct skep_cbpf_insn *insns, size_t count, int link, const char *name,
		      struct skep_text *out, struct skep_diag *diag)
{
	struct graph graph;
	int error = skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, name, diag);

	if (error < 0)
		return error;
	error = graph_build(&graph, insns, count, SKEP_CBPF_SOCKET);
	return explain_filter(&graph, error, NULL, link, name, out, diag);
}
