/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * draw.c - a filter's control flow, as text for Graphviz or as an image.
 *
 * A block's row in the image is one below the lowest block that jumps to it; so all lines
 * go down. In a row, blocks stand in the order of the places they are reached from.
 */
#include <errno.h>
#include <stdio.h>

#include "base/base.h"
#include "cbpf/cbpf.h"

enum { CHAR_WIDTH = 7, LINE_HEIGHT = 16, PAD = 8, GAP_X = 28, GAP_Y = 44 };

struct node {
	size_t first, last;      /* instructions */
	size_t next[2];          /* [1] if true; of a goto, or straight on: [0]; SIZE_MAX: none */
	unsigned row;
	double at;               /* its order in the row */
	int x, y, width, height;
};

struct picture {
	const struct skep_cbpf_insn *insns;
	size_t count;
	VEC(struct node) nodes;
	size_t *node_of;         /* by instruction: the block it begins; SIZE_MAX: none */
	struct skep_text *out;
};

/* --- blocks --- */

static bool ends_block(const struct cbpf_row *row)
{
	return row->kind == CBPF_GOTO || row->kind == CBPF_JUMP || row->kind == CBPF_RETURN;
}

static void find_starts(struct picture *p)
{
	for (size_t pc = 0; pc < p->count; pc++)
		p->node_of[pc] = SIZE_MAX;
	p->node_of[0] = 0;
	for (size_t pc = 0; pc < p->count; pc++) {
		const struct skep_cbpf_insn *insn = &p->insns[pc];
		const struct cbpf_row *row = cbpf_row(insn->code);

		if (row->kind == CBPF_GOTO)
			p->node_of[cbpf_goto_target(insn, pc)] = 0;
		if (row->kind == CBPF_JUMP) {
			p->node_of[cbpf_true_target(insn, pc)] = 0;
			p->node_of[cbpf_false_target(insn, pc)] = 0;
		}
	}
}

static bool make_nodes(struct picture *p)
{
	struct node *node = NULL;

	find_starts(p);
	for (size_t pc = 0; pc < p->count; pc++) {
		if (p->node_of[pc] == 0 || (pc && ends_block(cbpf_row(p->insns[pc - 1].code)))) {
			p->node_of[pc] = p->nodes.count;
			node = vec_push(&p->nodes);
			if (!node)
				return false;
			node->first = pc;
			node->next[0] = node->next[1] = SIZE_MAX;
		}
		node->last = pc;
	}
	for (size_t i = 0; i < p->nodes.count; i++) {
		const struct skep_cbpf_insn *insn;
		const struct cbpf_row *row;

		node = &p->nodes.items[i];
		insn = &p->insns[node->last];
		row = cbpf_row(insn->code);
		if (row->kind == CBPF_JUMP) {
			node->next[1] = p->node_of[cbpf_true_target(insn, node->last)];
			node->next[0] = p->node_of[cbpf_false_target(insn, node->last)];
		} else if (row->kind == CBPF_GOTO) {
			node->next[0] = p->node_of[cbpf_goto_target(insn, node->last)];
		} else if (row->kind != CBPF_RETURN) {
			node->next[0] = p->node_of[node->last + 1];
		}
	}
	return true;
}

static void line_of(const struct picture *p, size_t pc, char *line, size_t size)
{
	int len = snprintf(line, size, "(%03zu) ", pc);

	skep_cbpf_disasm(p->insns, p->count, pc, SKEP_CBPF_LISTING, line + len, size - (size_t)len);
	/* the targets are lines of the picture */
	line[strcspn(line, "\t")] = '\0';
	for (char *jt = line; (jt = strstr(jt, " jt ")); )
		*jt = '\0';
	for (size_t end = strlen(line); end && line[end - 1] == ' '; end--)
		line[end - 1] = '\0';
}

/* --- Graphviz --- */

static void write_dot(struct picture *p, const char *name)
{
	text_add(p->out, "digraph filter {\n\tlabel=");
	text_add_c_string(p->out, name);
	text_add(p->out, ";\n\tnode [shape=box, fontname=\"monospace\", fontsize=10];\n");
	for (size_t i = 0; i < p->nodes.count; i++) {
		const struct node *node = &p->nodes.items[i];

		text_add(p->out, "\tb%zu [label=\"", i);
		for (size_t pc = node->first; pc <= node->last; pc++) {
			char line[128];

			line_of(p, pc, line, sizeof(line));
			text_add(p->out, "%s\\l", line);
		}
		text_add(p->out, "\"];\n");
		for (unsigned way = 0; way < 2; way++) {
			if (node->next[way] == SIZE_MAX)
				continue;
			text_add(p->out, "\tb%zu -> b%zu", i, node->next[way]);
			if (node->next[1] != SIZE_MAX)
				text_add(p->out, " [label=\"%s\"%s]", way ? "yes" : "no",
					 way ? "" : ", style=dashed");
			text_add(p->out, ";\n");
		}
	}
	text_add(p->out, "}\n");
}

/* --- the image --- */

static void measure(struct picture *p)
{
	for (size_t i = 0; i < p->nodes.count; i++) {
		struct node *node = &p->nodes.items[i];
		size_t widest = 0;

		for (size_t pc = node->first; pc <= node->last; pc++) {
			char line[128];

			line_of(p, pc, line, sizeof(line));
			widest = MAX(widest, strlen(line));
		}
		node->width = (int)widest * CHAR_WIDTH + 2 * PAD;
		node->height = (int)(node->last - node->first + 1) * LINE_HEIGHT + 2 * PAD;
		for (unsigned way = 0; way < 2; way++) {
			struct node *next = node->next[way] == SIZE_MAX ? NULL :
					    &p->nodes.items[node->next[way]];

			/* jumps go forward: a block's row is settled before it is looked at */
			if (next && next->row <= node->row)
				next->row = node->row + 1;
		}
	}
}

static int by_place(const void *a, const void *b, void *nodes)
{
	const struct node *x = (const struct node *)nodes + *(const size_t *)a;
	const struct node *y = (const struct node *)nodes + *(const size_t *)b;

	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->first < y->first ? -1 : 1;
}

static int place_row(struct picture *p, const size_t *order, size_t from, size_t to, int y)
{
	int x = PAD, height = 0;

	for (size_t i = from; i < to; i++) {
		struct node *node = &p->nodes.items[order[i]];

		node->x = x;
		node->y = y;
		x += node->width + GAP_X;
		height = MAX(height, node->height);
		for (unsigned way = 0; way < 2; way++) {
			if (node->next[way] != SIZE_MAX)
				p->nodes.items[node->next[way]].at =
					node->x + (way == 1 ? 0 : node->width / 2.0);
		}
	}
	return y + height + GAP_Y;
}

static int place_all(struct picture *p, size_t *order, int *width)
{
	int y = PAD + LINE_HEIGHT;
	size_t from = 0;

	for (size_t i = 0; i < p->nodes.count; i++)
		order[i] = i;
	while (from < p->nodes.count) {
		size_t to = from;
		unsigned row;

		/* one row after the other: it decides the next one's order */
		qsort_r(order + from, p->nodes.count - from, sizeof(*order), by_place, p->nodes.items);
		row = p->nodes.items[order[from]].row;
		while (to < p->nodes.count && p->nodes.items[order[to]].row == row)
			to++;
		y = place_row(p, order, from, to, y);
		from = to;
	}
	*width = 0;
	for (size_t i = 0; i < p->nodes.count; i++)
		*width = MAX(*width, p->nodes.items[i].x + p->nodes.items[i].width + PAD);
	return y;
}

static void add_escaped(struct skep_text *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			text_add(out, "&lt;");
			break;
		case '>':
			text_add(out, "&gt;");
			break;
		case '&':
			text_add(out, "&amp;");
			break;
		default:
			text_add(out, "%c", (unsigned char)*text < ' ' ? ' ' : *text);
			break;
		}
	}
}

static void draw_node(struct picture *p, const struct node *node)
{
	text_add(p->out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", node->x, node->y,
		 node->width, node->height);
	for (size_t pc = node->first; pc <= node->last; pc++) {
		char line[128];

		line_of(p, pc, line, sizeof(line));
		text_add(p->out, "<text x=\"%d\" y=\"%d\">", node->x + PAD,
			 node->y + PAD + (int)(pc - node->first + 1) * LINE_HEIGHT - 4);
		add_escaped(p->out, line);
		text_add(p->out, "</text>\n");
	}
}

static void draw_edges(struct picture *p, const struct node *node)
{
	for (unsigned way = 0; way < 2; way++) {
		const struct node *next;
		int x, y = node->y + node->height, to;

		if (node->next[way] == SIZE_MAX)
			continue;
		next = &p->nodes.items[node->next[way]];
		x = node->x + (node->next[1] == SIZE_MAX ? node->width / 2 :
			       way ? node->width / 4 : 3 * node->width / 4);
		to = next->x + next->width / 2;
		text_add(p->out, "<path class=\"%s\" d=\"M%d %dC%d %d %d %d %d %d\" marker-end=\"url(#a)\"/>\n",
			 node->next[1] == SIZE_MAX ? "go" : way ? "yes" : "no", x, y, x, y + GAP_Y, to,
			 next->y - GAP_Y, to, next->y - 2);
		if (node->next[1] != SIZE_MAX)
			text_add(p->out, "<text class=\"way\" x=\"%d\" y=\"%d\">%s</text>\n", x + 3, y + 12,
				 way ? "yes" : "no");
	}
}

static bool write_svg(struct picture *p, const char *name)
{
	size_t *order = calloc(p->nodes.count, sizeof(*order));
	int width, height;

	if (!order)
		return false;
	measure(p);
	height = place_all(p, order, &width);
	free(order);
	text_add(p->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
			 "font-family=\"monospace\" font-size=\"11\">\n<title>", width, height);
	add_escaped(p->out, name);
	text_add(p->out, "</title>\n<style>rect{fill:#fff;stroke:#333}path{fill:none;stroke:#555}"
			 ".yes{stroke:#0a7d2c}.no{stroke:#b3261e;stroke-dasharray:5 3}.way{fill:#555}</style>\n"
			 "<marker id=\"a\" markerWidth=\"8\" markerHeight=\"8\" refX=\"6\" refY=\"3\" orient=\"auto\">"
			 "<path d=\"M0 0L6 3L0 6z\" style=\"fill:#555\"/></marker>\n");
	for (size_t i = 0; i < p->nodes.count; i++)
		draw_edges(p, &p->nodes.items[i]);
	for (size_t i = 0; i < p->nodes.count; i++)
		draw_node(p, &p->nodes.items[i]);
	text_add(p->out, "</svg>\n");
	return true;
}

int skep_cbpf_draw(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_picture picture,
		   const char *name, struct skep_text *out, struct skep_diag *diag)
{
	struct picture p = { .insns = insns, .count = count, .out = out };
	int error = skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, name, diag);
	bool good;

	if (error < 0)
		return error;
	p.node_of = calloc(count, sizeof(*p.node_of));
	good = p.node_of && make_nodes(&p);
	if (good && picture == SKEP_CBPF_DOT)
		write_dot(&p, name);
	else if (good)
		good = write_svg(&p, name);
	vec_done(&p.nodes);
	free(p.node_of);
	return good ? 0 : skep_fail(diag, SKEP_OOM, NULL, "drawing a filter of %zu instructions", count);
}
