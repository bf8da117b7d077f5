/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flame.c - a tree of functions by who called them, as folded lines and as an
 * SVG image (see flame.h).
 *
 * In the image a function stands on the one that called it, and is as wide as the
 * share of samples that had both, in this order. What is narrower than a tenth of
 * a pixel is left out.
 */
#include "hook/flame.h"

#include <stdio.h>

enum { WIDTH = 1200, ROW = 17, MARGIN = 10, TOP = 40, LETTER = 7 };

/* --- the tree --- */

struct flame *flame_child(struct flame *parent, const char *name)
{
	struct flame *child, **slot;

	/* What came last comes again, mostly. */
	for (size_t i = parent->count; i > 0; i--)
		if (strcmp(parent->children[i - 1]->name, name) == 0)
			return parent->children[i - 1];
	child = calloc(1, sizeof(*child));
	slot = child ? vec_grow((void **)&parent->children, &parent->count, &parent->size,
				sizeof(*slot)) : NULL;
	if (!slot) {
		free(child);
		return NULL;
	}
	child->name = name;
	*slot = child;
	return child;
}

static int compare(const void *a, const void *b)
{
	const struct flame *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void flame_sort(struct flame *root)
{
	root->total = root->own;
	for (size_t i = 0; i < root->count; i++) {
		flame_sort(root->children[i]);
		root->total += root->children[i]->total;
	}
	if (root->count)
		qsort(root->children, root->count, sizeof(*root->children), compare);
}

void flame_done(struct flame *root)
{
	for (size_t i = 0; i < root->count; i++) {
		flame_done(root->children[i]);
		free(root->children[i]);
	}
	free(root->children);
	root->children = NULL;
	root->count = root->size = 0;
}

/* --- folded --- */

/* What separates functions must not be in a name, nor what ends a line. */
static void add_name(struct skep_text *text, const char *name)
{
	for (; *name; name++) {
		char c = *name == ';' ? ':' : (unsigned char)*name < ' ' ? '?' : *name;

		text_add_bytes(text, &c, 1);
	}
}

static void fold(const struct flame *flame, struct skep_text *line, struct skep_text *text)
{
	size_t len = line->len;

	if (len)
		text_add_bytes(line, ";", 1);
	add_name(line, flame->name);
	if (flame->own && !line->failed) {
		text_add_bytes(text, line->data, line->len);
		text_add(text, " %llu\n", (unsigned long long)flame->own);
	}
	for (size_t i = 0; i < flame->count; i++)
		fold(flame->children[i], line, text);
	line->len = len;
}

void flame_folded(const struct flame *root, struct skep_text *text)
{
	struct skep_text line = { 0 };

	for (size_t i = 0; i < root->count; i++)
		fold(root->children[i], &line, text);
	text->failed |= line.failed;
	text_done(&line);
}

/* --- the image --- */

struct canvas {
	struct skep_text *text;
	uint64_t total;
	size_t depth;            /* rows */
};

static size_t depth_of(const struct flame *flame)
{
	size_t depth = 0;

	for (size_t i = 0; i < flame->count; i++)
		depth = MAX(depth, depth_of(flame->children[i]) + 1);
	return depth;
}

/* Text as XML takes it: at most so many characters of it; bytes that are no text as '?'. */
static void add_xml(struct skep_text *text, const char *string, size_t limit)
{
	for (; *string && limit; string++, limit--) {
		unsigned char c = (unsigned char)*string;

		if (c == '&')
			text_add(text, "&amp;");
		else if (c == '<')
			text_add(text, "&lt;");
		else if (c == '>')
			text_add(text, "&gt;");
		else if (c == '"')
			text_add(text, "&quot;");
		else
			text_add(text, "%c", c < ' ' || c > '~' ? '?' : c);
	}
}

/* Warm colours, the same for the same function; the kernel's are cooler. */
static void add_colour(struct skep_text *text, const char *name)
{
	uint64_t hash = hash_string(name);
	size_t len = strlen(name);
	bool kernel = len > 4 && strcmp(name + len - 4, "_[k]") == 0;
	unsigned hue = kernel ? 190 + (unsigned)(hash % 40) : (unsigned)(hash % 50);

	text_add(text, "hsl(%u,%u%%,%u%%)", hue, 70 + (unsigned)(hash / 64 % 20),
		 62 + (unsigned)(hash / 4096 % 12));
}

static void draw_box(const struct canvas *canvas, const struct flame *flame, double left,
		     double width, size_t row)
{
	struct skep_text *text = canvas->text;
	unsigned top = (unsigned)(TOP + (canvas->depth - 1 - row) * ROW);
	size_t letters = width > LETTER ? (size_t)(width - 4) / LETTER : 0;
	size_t len = strlen(flame->name);

	text_add(text, "<g><title>");
	add_xml(text, flame->name, SIZE_MAX);
	text_add(text, " (%llu samples, %.2f%%)</title><rect x=\"%.1f\" y=\"%u\" width=\"%.1f\" "
		 "height=\"%d\" fill=\"", (unsigned long long)flame->total,
		 100.0 * (double)flame->total / (double)canvas->total, left, top, width, ROW - 1);
	add_colour(text, flame->name);
	text_add(text, "\"/>");
	if (letters >= 3) {
		text_add(text, "<text x=\"%.1f\" y=\"%u\">", left + 2, top + ROW - 5);
		add_xml(text, flame->name, len > letters ? letters - 2 : letters);
		text_add(text, "%s</text>", len > letters ? ".." : "");
	}
	text_add(text, "</g>\n");
}

static void draw(const struct canvas *canvas, const struct flame *flame, double left, size_t row)
{
	double pixels = (WIDTH - 2.0 * MARGIN) / (double)canvas->total;

	for (size_t i = 0; i < flame->count; i++) {
		const struct flame *child = flame->children[i];
		double width = (double)child->total * pixels;

		if (width >= 0.1) {
			draw_box(canvas, child, left, width, row);
			draw(canvas, child, left, row + 1);
		}
		left += width;
	}
}

void flame_svg(const struct flame *root, const char *title, struct skep_text *text)
{
	struct canvas canvas = { text, root->total ? root->total : 1, depth_of(root) };
	size_t height = TOP + canvas.depth * ROW + MARGIN;

	text_add(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
		 "viewBox=\"0 0 %d %zu\">\n"
		 "<style>text { font: 12px monospace; } rect { stroke: #fff; stroke-width: 0.3; } "
		 "g:hover rect { stroke: #000; stroke-width: 1; } "
		 ".title { font-size: 16px; text-anchor: middle; }</style>\n"
		 "<rect width=\"100%%\" height=\"100%%\" fill=\"#fffdf5\"/>\n"
		 "<text class=\"title\" x=\"%d\" y=\"24\">", WIDTH, height, WIDTH, height, WIDTH / 2);
	add_xml(text, title, SIZE_MAX);
	text_add(text, " (%llu samples)</text>\n", (unsigned long long)root->total);
	draw(&canvas, root, MARGIN, 0);
	text_add(text, "</svg>\n");
}
