/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_text.c - verdicts of skep check for people: what is wrong with those
 * that fail as it is found, then a table of all, then totals.
 */
#include "cli/check.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 40 };

/* Names come from foreign files: nothing in them may steer a terminal. */
static void put_clean(const char *text, FILE *out)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

void show_failure_text(const struct judged *j, const struct args *args)
{
	FILE *out = j->program ? stdout : stderr;

	progress_clear();
	if (j->n.verdict != ACCEPTED) {
		if (j->why) {
			fflush(stdout);
			fputs(j->why, out);
		} else {
			put_clean(j->object, out);
			fprintf(out, ": %s: %s (%s)\n", j->program ? j->program : "-",
				j->message, errno_name((int)j->n.error));
		}
		if (j->program)
			fputc('\n', out);
	}
	if (wants_log(args) && j->log && j->n.log_lost)
		printf("[%llu bytes of the log are left out here: see --log-size]\n",
		       (unsigned long long)j->n.log_lost);
	if (wants_log(args) && j->log) {
		fputs(j->log, stdout);
		if (*j->log && j->log[strlen(j->log) - 1] != '\n')
			fputc('\n', stdout);
	}
	fflush(out);
}

/* --- cells --- */

void format_value(const struct statistic *stat, struct value value, char *text, size_t size)
{
	if (!value.known)
		snprintf(text, size, "-");
	else if (value.text)
		snprintf(text, size, "%s", value.text);
	else if (stat->kind == STAT_TIME)
		snprintf(text, size, "%.3f ms", value.number / 1000);
	else if (stat->kind == STAT_BYTES && (value.number >= 1e6 || value.number <= -1e6))
		snprintf(text, size, "%.1f MB", value.number / 1e6);
	else if (stat->kind == STAT_BYTES)
		snprintf(text, size, "%.1f kB", value.number / 1e3);
	else
		snprintf(text, size, "%.0f", value.number);
}

/* "+120 (+4.31%)", or nothing where nothing changed. */
static void format_change(const struct statistic *stat, const struct verdict_row *row, char *text, size_t size)
{
	struct value change = stat_value(stat, STAT_CHANGE, row);
	struct value percent = stat_value(stat, STAT_PERCENT, row);
	char amount[64];

	format_value(stat, change, amount, sizeof(amount));
	if (!change.known || (change.number >= 0 && change.number <= 0))
		snprintf(text, size, "%s", change.known ? "=" : "-");
	else
		snprintf(text, size, "%s%s (%+.2f%%)", change.number > 0 ? "+" : "", amount,
			 percent.number);
}

struct cell {
	char text[160];
	enum colour colour;
};

struct grid {
	struct cell *cells;      /* rows of `columns`, the heads first */
	size_t columns, rows;
	int width[80];
	bool right[80];
};

/* Letters, not bytes. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

/* Clean, and not wider than a table bears; the end says more of a name than its middle. */
static void set_text(struct cell *cell, const char *text, bool clip)
{
	char clean[1024];
	size_t len = 0;
	int width;

	for (; *text && len + 1 < sizeof(clean); text++)
		clean[len++] = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text;
	clean[len] = '\0';
	width = width_of(clean);
	text = clean;
	if (!clip || width <= NAME_WIDTH) {
		snprintf(cell->text, sizeof(cell->text), "%.159s", text);
		return;
	}
	for (; width > NAME_WIDTH - 3 || (*text & 0xc0) == 0x80; text++)
		width -= (text[1] & 0xc0) != 0x80;
	snprintf(cell->text, sizeof(cell->text), "...%.150s", text);
}

/* Old and new of a verdict in one. */
static void set_verdict(struct cell *cell, const struct verdict_row *row)
{
	static const enum colour colours[] = { COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN };
	const struct judged *now = row->now, *old = row->old;

	if (now)
		cell->colour = colours[now->n.verdict];
	if (now && old && now->n.verdict != old->n.verdict)
		snprintf(cell->text, sizeof(cell->text), "%s, was %s",
			 verdict_names[now->n.verdict], verdict_names[old->n.verdict]);
	else if (now)
		snprintf(cell->text, sizeof(cell->text), "%s", verdict_names[now->n.verdict]);
	else
		snprintf(cell->text, sizeof(cell->text), "gone, was %s",
			 verdict_names[old->n.verdict]);
}

static struct cell *next_cell(struct grid *grid, size_t row, size_t *column)
{
	return &grid->cells[row * grid->columns + (*column)++];
}

/* The folder that all objects of the table are in, with its '/'; its length. */
static size_t common_folder(const struct report *report)
{
	const char *first = NULL;
	size_t len = 0;

	for (size_t r = 0; r < report->count; r++) {
		const struct verdict_row *row = &report->rows[r];
		const char *name = row->now ? row->now->object : row->old->object;
		size_t same = 0;

		if (!first) {
			const char *slash = strrchr(name, '/');

			first = name;
			len = slash ? (size_t)(slash + 1 - name) : 0;
		}
		while (same < len && name[same] == first[same])
			same++;
		while (same && name[same - 1] != '/')
			same--;
		len = same;
	}
	return len;
}

static void fill_heads(const struct report *report, struct grid *grid)
{
	size_t at = 0;

	for (size_t c = 0; c < report->columns.count; c++) {
		const struct statistic *stat = report->columns.stat[c];

		grid->right[at] = stat->kind != STAT_TEXT;
		set_text(next_cell(grid, 0, &at), stat->head, false);
		if (!report->compare || stat->kind == STAT_TEXT)
			continue;
		grid->right[at] = grid->right[at + 1] = true;
		set_text(next_cell(grid, 0, &at), "before", false);
		set_text(next_cell(grid, 0, &at), "change", false);
	}
}

static void fill_row(const struct report *report, struct grid *grid, size_t index,
		     size_t folder)
{
	const struct verdict_row *row = &report->rows[index];
	size_t at = 0;

	for (size_t c = 0; c < report->columns.count; c++) {
		const struct statistic *stat = report->columns.stat[c];
		struct cell *cell = next_cell(grid, index + 1, &at);
		struct value value = stat_value(stat, STAT_NOW, row);

		if (strcmp(stat->name, "verdict") == 0)
			set_verdict(cell, row);
		else if (value.known && strcmp(stat->name, "object") == 0)
			set_text(cell, value.text + folder, true);
		else if (value.known && value.text)
			set_text(cell, value.text, strcmp(stat->name, "message") != 0);
		else
			format_value(stat, value, cell->text, sizeof(cell->text));
		if (!report->compare || stat->kind == STAT_TEXT)
			continue;
		cell = next_cell(grid, index + 1, &at);
		format_value(stat, stat_value(stat, STAT_OLD, row), cell->text,
			     sizeof(cell->text));
		cell = next_cell(grid, index + 1, &at);
		format_change(stat, row, cell->text, sizeof(cell->text));
	}
}

static void print_cell(const struct grid *grid, size_t row, size_t column)
{
	const struct cell *cell = &grid->cells[row * grid->columns + column];
	int pad = grid->width[column] - width_of(cell->text);
	bool last = column + 1 == grid->columns;

	if (grid->right[column])
		printf("%*s", pad, "");
	printf("%s%s%s", row == 0 ? colour(stdout, COLOUR_DIM)
			 : cell->colour ? colour(stdout, cell->colour) : "",
	       cell->text,
	       row == 0 || cell->colour ? colour(stdout, COLOUR_NONE) : "");
	if (!grid->right[column] && !last)
		printf("%*s", pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

static void print_table(const struct report *report)
{
	struct grid grid = { .rows = report->count + 1 };
	size_t folder = common_folder(report);

	for (size_t c = 0; c < report->columns.count; c++)
		grid.columns += report->compare && report->columns.stat[c]->kind != STAT_TEXT
					? 3 : 1;
	grid.cells = calloc(grid.columns * grid.rows, sizeof(*grid.cells));
	if (!grid.cells) {
		fprintf(stderr, "skep: out of memory\n");
		return;
	}
	fill_heads(report, &grid);
	for (size_t r = 0; r < report->count; r++)
		fill_row(report, &grid, r, folder);
	for (size_t i = 0; i < grid.columns * grid.rows; i++) {
		int width = width_of(grid.cells[i].text);

		if (width > grid.width[i % grid.columns])
			grid.width[i % grid.columns] = width;
	}
	for (size_t i = 0; i < grid.columns * grid.rows; i++)
		print_cell(&grid, i / grid.columns, i % grid.columns);
	free(grid.cells);
}

/* --- totals --- */

struct totals {
	size_t verdicts[VERDICTS];
	uint64_t processed, time_us;
};

static void add_up(const struct results *results, struct totals *totals)
{
	for (size_t i = 0; i < results->count; i++) {
		const struct judged *j = results->rows[i];

		totals->verdicts[j->n.verdict] += j->program != NULL;
		totals->processed += j->n.processed;
		totals->time_us += j->n.time_us;
	}
}

static void print_totals(const struct report *report)
{
	const struct judge_counts *counts = &report->results->counts;
	struct totals t = { 0 };
	size_t all;

	add_up(report->results, &t);
	all = t.verdicts[ACCEPTED] + t.verdicts[REJECTED] + t.verdicts[UNLOADABLE];
	if (all < 2 && counts->objects < 2)
		return;
	printf("%s%zu accepted, %zu rejected, %zu unloadable%s in %llu object%s",
	       colour(stdout, COLOUR_BOLD), t.verdicts[ACCEPTED], t.verdicts[REJECTED],
	       t.verdicts[UNLOADABLE], colour(stdout, COLOUR_NONE),
	       (unsigned long long)counts->objects, counts->objects == 1 ? "" : "s");
	if (counts->empty)
		printf(" (%llu of them without programs)", (unsigned long long)counts->empty);
	printf("; %llu instructions processed in %.1f ms", (unsigned long long)t.processed,
	       (double)t.time_us / 1000);
	if (report->compare)
		printf("; %zu of %zu verdicts changed", report->changed, report->paired);
	fputc('\n', stdout);
	if (report->count < all)
		printf("%zu of these programs shown\n", report->count);
}

void print_report_text(const struct report *report)
{
	if (report->count)
		print_table(report);
	else if (report->results->counts.empty)
		printf("(no programs: one is a function in a section, such as SEC(\"xdp\"))\n");
	print_totals(report);
}
