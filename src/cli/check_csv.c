/* SPDX-License-Identifier: BSD-2-Clause */
/* check_csv.c - verdicts of skep check as comma-separated values (RFC 4180). */
#include "cli/check.h"

#include <string.h>

static void put_field(const char *text, bool first)
{
	if (!first)
		putchar(',');
	if (!text)
		return;
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

/* Numbers as they are: microseconds, bytes. */
static void put_value(struct value value, bool first)
{
	char number[32];

	if (value.known && !value.text)
		snprintf(number, sizeof(number), "%.10g", value.number);
	put_field(!value.known ? NULL : value.text ? value.text : number, first);
}

/* Does the earlier run's value stand beside it? Verdicts have no difference but that. */
static bool has_old(const struct report *report, const struct statistic *stat)
{
	return report->compare &&
	       (stat->kind != STAT_TEXT || strcmp(stat->name, "verdict") == 0);
}

static void put_head(const struct report *report)
{
	for (size_t c = 0; c < report->columns.count; c++) {
		const struct statistic *stat = report->columns.stat[c];
		char name[64];

		put_field(stat->name, c == 0);
		if (!has_old(report, stat))
			continue;
		snprintf(name, sizeof(name), "%s_old", stat->name);
		put_field(name, false);
		if (stat->kind == STAT_TEXT)
			continue;
		snprintf(name, sizeof(name), "%s_diff", stat->name);
		put_field(name, false);
		snprintf(name, sizeof(name), "%s_percent", stat->name);
		put_field(name, false);
	}
	fputs("\r\n", stdout);
}

void print_report_csv(const struct report *report)
{
	put_head(report);
	for (size_t r = 0; r < report->count; r++) {
		for (size_t c = 0; c < report->columns.count; c++) {
			const struct statistic *stat = report->columns.stat[c];

			put_value(stat_value(stat, STAT_NOW, &report->rows[r]), c == 0);
			if (!has_old(report, stat))
				continue;
			put_value(stat_value(stat, STAT_OLD, &report->rows[r]), false);
			if (stat->kind == STAT_TEXT)
				continue;
			put_value(stat_value(stat, STAT_CHANGE, &report->rows[r]), false);
			put_value(stat_value(stat, STAT_PERCENT, &report->rows[r]), false);
		}
		fputs("\r\n", stdout);
	}
}
