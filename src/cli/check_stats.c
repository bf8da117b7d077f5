/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_stats.c - the statistics of a verdict by name: which columns a table
 * has, which rows are shown, in which order.
 *
 * A name may be followed by _a (the earlier run's value), _b (this run's), _d
 * (their difference) or _p (the difference in percent), and stand in |bars| for
 * the absolute value.
 */
#include "cli/check.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT(field) offsetof(struct judged, field)
#define NUMBER(field) offsetof(struct judged, n.field)

static const struct statistic stats[] = {
	{ "object", { "file", "file_name" }, "object", STAT_TEXT, false, false, TEXT(object) },
	{ "program", { "prog", "prog_name" }, "program", STAT_TEXT, false, false, TEXT(program) },
	{ "section", { NULL }, "section", STAT_TEXT, false, false, TEXT(section) },
	{ "type", { "prog_type" }, "type", STAT_TEXT, false, false, TEXT(type) },
	{ "attach", { "attach_type" }, "attach", STAT_TEXT, false, false, TEXT(attach) },
	{ "verdict", { NULL }, "verdict", STAT_TEXT, true, false, NUMBER(verdict) },
	{ "time", { "duration", "duration_us", "time_us" }, "time", STAT_TIME, true, true,
	  NUMBER(time_us) },
	{ "processed", { "insns", "total_insns" }, "processed", STAT_NUMBER, true, true,
	  NUMBER(processed) },
	{ "states", { "total_states" }, "states", STAT_NUMBER, true, true, NUMBER(states) },
	{ "peak", { "peak_states" }, "peak", STAT_NUMBER, true, true, NUMBER(peak_states) },
	{ "max_states", { "max_states_per_insn" }, "max states", STAT_NUMBER, true, true,
	  NUMBER(max_states) },
	{ "memory", { "mem", "mem_peak" }, "memory", STAT_BYTES, true, true, NUMBER(memory) },
	{ "size", { "prog_size" }, "size", STAT_NUMBER, true, false, NUMBER(insns) },
	{ "stack", { "stack_depth" }, "stack", STAT_NUMBER, true, true, NUMBER(stack_depth) },
	{ "line", { NULL }, "line", STAT_NUMBER, true, false, NUMBER(line) },
	{ "source", { NULL }, "source", STAT_TEXT, false, false, TEXT(file) },
	{ "message", { NULL }, "message", STAT_TEXT, false, false, TEXT(message) },
};

enum { VERDICT_STAT = 5, PROCESSED_STAT = 7 };

static const struct statistic *find_stat(const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT(stats); i++) {
		if (strlen(stats[i].name) == len && !strncasecmp(stats[i].name, name, len))
			return &stats[i];
		for (size_t a = 0; a < COUNT(stats[i].alias) && stats[i].alias[a]; a++)
			if (strlen(stats[i].alias[a]) == len &&
			    !strncasecmp(stats[i].alias[a], name, len))
				return &stats[i];
	}
	return NULL;
}

static const char *stat_name(const void *arg, size_t i)
{
	(void)arg;
	return i < COUNT(stats) ? stats[i].name : NULL;
}

static int no_such_stat(const struct verb *verb, const char *text, size_t len)
{
	char name[32], all[COUNT(stats) * 16];
	const char *near;
	size_t used = 0;

	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	near = nearest(name, stat_name, NULL);
	if (near)
		return usage(verb, "there is no statistic '%s'; did you mean '%s'?", name, near);
	for (size_t i = 0; i < COUNT(stats); i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "",
					 stats[i].name);
	return usage(verb, "there is no statistic '%s'; there are %s", name, all);
}

/* --- values --- */

static struct value value_in(const struct statistic *stat, const struct judged *j)
{
	const void *field;
	struct value value = { 0 };

	if (!j || (stat->judged_only && j->n.verdict == UNLOADABLE))
		return value;
	field = (const char *)j + stat->offset;
	value.known = true;
	if (stat == &stats[VERDICT_STAT]) {
		value.text = verdict_names[j->n.verdict];
		value.number = (double)j->n.verdict;
	} else if (stat->kind == STAT_TEXT) {
		value.text = *(char *const *)field;
		value.known = value.text != NULL;
	} else {
		value.number = (double)*(const uint64_t *)field;
		value.known = value.number > 0 || stat->judged_only;
	}
	return value;
}

struct value stat_value(const struct statistic *stat, enum stat_of of, const struct verdict_row *row)
{
	struct value now, old, value;

	if (of == STAT_OLD)
		return value_in(stat, row->old);
	now = value_in(stat, row->now);
	if (of == STAT_NOW)
		/* Names are the same in both runs. */
		return now.known || stat->kind != STAT_TEXT || stat == &stats[VERDICT_STAT]
			       ? now : value_in(stat, row->old);
	old = value_in(stat, row->old);
	value = (struct value){ .known = now.known && old.known };
	if (!value.known)
		return value;
	if (stat->kind == STAT_TEXT) {
		value.number = strcmp(now.text, old.text) != 0;
		value.text = value.number > 0 ? "changed" : "same";
	} else {
		value.number = now.number - old.number;
		if (of == STAT_PERCENT)
			value.number = old.number > 0 ? value.number / old.number * 100
				     : now.number > 0 ? 100 : 0;
	}
	return value;
}

/* A statistic as it is written in an option. */
struct reference {
	const struct statistic *stat;
	enum stat_of of;
	bool absolute;
};

/* The length of the reference at the start of text; 0: there is none. */
static size_t parse_reference(const char *text, struct reference *reference)
{
	static const char letters[] = "badp";
	bool bars = *text == '|';
	size_t len = strspn(text + bars,
			    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"), name = len;
	const char *letter;

	*reference = (struct reference){ .absolute = bars };
	if (bars && text[1 + len] != '|')
		return 0;
	reference->stat = find_stat(text + bars, len);
	if (!reference->stat && len > 2 && text[bars + len - 2] == '_' &&
	    (letter = strchr(letters, text[bars + len - 1]))) {
		static const enum stat_of of[] = { STAT_NOW, STAT_OLD, STAT_CHANGE, STAT_PERCENT };

		name = len - 2;
		reference->of = of[letter - letters];
		reference->stat = find_stat(text + bars, name);
	}
	return reference->stat ? len + 2 * bars : 0;
}

static struct value reference_value(const struct reference *reference, const struct verdict_row *row)
{
	struct value value = stat_value(reference->stat, reference->of, row);

	if (reference->absolute && value.number < 0)
		value.number = -value.number;
	return value;
}

/* --- columns --- */

int columns_parse(const struct verb *verb, const char *text, const struct args *args, bool files,
		  struct columns *columns)
{
	bool all = args->format && strcmp(args->format, "csv") == 0;
	char usual[128];

	*columns = (struct columns){ 0 };
	if (!text && all) {
		for (size_t i = 0; i < COUNT(stats); i++)
			columns->stat[columns->count++] = &stats[i];
		return EXIT_DONE;
	}
	if (!text) {
		snprintf(usual, sizeof(usual), "verdict,%sprogram,%s", files ? "object," : "",
			 args->compare ? "processed,states,time"
				       : "type,time,processed,states,peak,memory,size,stack");
		text = usual;
	}
	while (*text) {
		size_t len = strcspn(text, ",");

		if (columns->count == COUNT(columns->stat))
			return usage(verb, "too many columns");
		columns->stat[columns->count] = find_stat(text, len);
		if (!columns->stat[columns->count++])
			return no_such_stat(verb, text, len);
		text += len + (text[len] == ',');
	}
	return columns->count ? EXIT_DONE : usage(verb, "--columns wants at least one");
}

/* --- filters --- */

struct name_filter {
	struct name_filter *next;
	bool deny;
	char *either;            /* the object's or the program's name; or NULL and: */
	char *object, *program;  /* NULL: any */
};

enum compare { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, MORE, MORE_EQUAL };

struct condition {
	struct reference reference;
	enum compare compare;
	char *text;              /* pattern for texts; NULL for numbers */
	double number;
};

/* All of its conditions hold. */
struct stat_filter {
	struct stat_filter *next;
	bool deny;
	struct condition conditions[8];
	size_t count;
};

static size_t parse_compare(const char *text, enum compare *compare)
{
	static const struct { const char *token; enum compare compare; } tokens[] = {
		{ "==", EQUAL }, { "!=", NOT_EQUAL }, { "<>", NOT_EQUAL }, { "<=", LESS_EQUAL },
		{ ">=", MORE_EQUAL }, { "=", EQUAL }, { "<", LESS }, { ">", MORE },
	};

	for (size_t i = 0; i < COUNT(tokens); i++) {
		if (strncmp(text, tokens[i].token, strlen(tokens[i].token)) == 0) {
			*compare = tokens[i].compare;
			return strlen(tokens[i].token);
		}
	}
	return 0;
}

/* veristat's words for verdicts, and others that people may try. */
static const char *verdict_word(const char *text)
{
	static const char *const words[][2] = {
		{ "success", "accepted" }, { "succ", "accepted" }, { "ok", "accepted" },
		{ "accept", "accepted" }, { "failure", "rejected" }, { "fail", "rejected" },
		{ "reject", "rejected" }, { "mismatch", "changed" }, { "match", "same" },
	};

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcasecmp(words[i][0], text) == 0)
			return words[i][1];
	return text;
}

static int parse_operand(const struct verb *verb, const char *text, size_t len,
			 struct condition *condition)
{
	static const char units[] = "kKmMgG";
	const struct reference *ref = &condition->reference;
	char word[128], *end;
	const char *unit;

	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	if (ref->stat->kind == STAT_TEXT) {
		condition->text = strdup(ref->stat == &stats[VERDICT_STAT] ? verdict_word(word)
									    : word);
		return EXIT_DONE;
	}
	condition->number = strtod(word, &end);
	unit = *end ? strchr(units, *end) : NULL;
	if (end != word && unit) {
		for (ptrdiff_t thousands = 0; thousands <= (unit - units) / 2; thousands++)
			condition->number *= 1000;
		end++;
	}
	if (*end == '%' && ref->of == STAT_PERCENT)
		end++;
	if (end == word || *end)
		return usage(verb, "'%s' is compared with a number, not '%s'", ref->stat->name,
			     word);
	return EXIT_DONE;
}

/* "processed>1000&&verdict=accepted" */
static int parse_conditions(const struct verb *verb, const char *text, struct stat_filter *filter)
{
	while (*text) {
		struct condition *condition = &filter->conditions[filter->count];
		const char *start = text, *end = strstr(text, "&&");
		size_t len = end ? (size_t)(end - text) : strlen(text), used;
		int status;

		if (filter->count == COUNT(filter->conditions))
			return usage(verb, "too many conditions in one filter");
		used = parse_reference(text, &condition->reference);
		if (!used)
			return no_such_stat(verb, text, strcspn(text, "=!<>&"));
		text += used;
		used = parse_compare(text, &condition->compare);
		if (!used)
			return usage(verb, "'%.*s' compares nothing", (int)len, start);
		text += used;
		status = parse_operand(verb, text, len - (size_t)(text - start), condition);
		if (status)
			return status;
		filter->count++;
		text = end ? end + 2 : start + len;
	}
	return EXIT_DONE;
}

/* As fnmatch(), without letting a name's '/' count. */
static bool matches(const char *pattern, const char *name)
{
	return fnmatch(pattern, name, 0) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void add_name_filter(struct filters *filters, const char *text, bool deny)
{
	struct name_filter *filter = calloc(1, sizeof(*filter)), **end = &filters->names;
	const char *slash = strrchr(text, '/');

	if (!filter)
		return;
	filter->deny = deny;
	if (!slash) {
		filter->either = strdup(text);
	} else {
		filter->object = slash > text ? strndup(text, (size_t)(slash - text)) : NULL;
		filter->program = slash[1] ? strdup(slash + 1) : NULL;
	}
	while (*end)
		end = &(*end)->next;
	*end = filter;
}

static int parse_filter(const struct verb *verb, const char *text, struct filters *filters);

/* A filter a line; "#" begins a comment. */
static int parse_filter_file(const struct verb *verb, const char *path, struct filters *filters)
{
	size_t size;
	struct skep_diag *diag = skep_diag_new();
	char *text = slurp(path, &size, diag), *rest = text, *line;
	int status = EXIT_DONE;

	if (!text)
		status = usage(verb, "%s", last_message(diag));
	while (status == EXIT_DONE && rest && (line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		line[strcspn(line, "#\r")] = '\0';
		for (size_t len = strlen(line); len && strchr(" \t", line[len - 1]); len--)
			line[len - 1] = '\0';
		if (*line)
			status = parse_filter(verb, line, filters);
	}
	free(text);
	skep_diag_free(diag);
	return status;
}

static int parse_filter(const struct verb *verb, const char *text, struct filters *filters)
{
	bool deny = *text == '!';
	struct stat_filter *filter, **end = &filters->stats;
	struct reference reference;
	enum compare compare;
	size_t used;

	if (*text == '@')
		return parse_filter_file(verb, text + 1, filters);
	text += deny;
	used = parse_reference(text, &reference);
	/* What looks like a condition is one, though its name may be wrong. */
	if (!(used && parse_compare(text + used, &compare)) &&
	    !parse_compare(text + strspn(text, "|abcdefghijklmnopqrstuvwxyz_"), &compare)) {
		add_name_filter(filters, text, deny);
		return EXIT_DONE;
	}
	filter = calloc(1, sizeof(*filter));
	if (!filter)
		return usage(verb, "out of memory");
	filter->deny = deny;
	while (*end)
		end = &(*end)->next;
	*end = filter;
	return parse_conditions(verb, text, filter);
}

int filters_parse(const struct verb *verb, const struct list *texts, struct filters *filters)
{
	int status = EXIT_DONE;

	*filters = (struct filters){ 0 };
	for (size_t i = 0; i < texts->count && status == EXIT_DONE; i++)
		status = parse_filter(verb, texts->items[i], filters);
	return status;
}

void filters_done(struct filters *filters)
{
	while (filters->names) {
		struct name_filter *next = filters->names->next;

		free(filters->names->either);
		free(filters->names->object);
		free(filters->names->program);
		free(filters->names);
		filters->names = next;
	}
	while (filters->stats) {
		struct stat_filter *next = filters->stats->next;

		for (size_t i = 0; i < COUNT(filters->stats->conditions); i++)
			free(filters->stats->conditions[i].text);
		free(filters->stats);
		filters->stats = next;
	}
}

static bool name_matches(const struct name_filter *filter, const char *object,
			 const char *program)
{
	const char *base = base_name(object);

	if (filter->either)
		return matches(filter->either, base) || matches(filter->either, program);
	return (!filter->object || matches(filter->object, base) ||
		matches(filter->object, object)) &&
	       (!filter->program || matches(filter->program, program));
}

bool name_wanted(const struct name_filter *names, const char *object, const char *program)
{
	bool any = false, allowed = false;

	for (const struct name_filter *filter = names; filter; filter = filter->next) {
		bool match = name_matches(filter, object, program);

		if (filter->deny && match)
			return false;
		any |= !filter->deny;
		allowed |= !filter->deny && match;
	}
	return allowed || !any;
}

static bool compares(enum compare compare, double left, double right)
{
	switch (compare) {
	case EQUAL:
		return !(left < right) && !(left > right);
	case NOT_EQUAL:
		return left < right || left > right;
	case LESS:
		return left < right;
	case LESS_EQUAL:
		return left <= right;
	case MORE:
		return left > right;
	case MORE_EQUAL:
		return left >= right;
	}
	return false;
}

static bool holds(const struct condition *condition, const struct verdict_row *row)
{
	struct value value = reference_value(&condition->reference, row);
	const char *text = condition->text;

	/* "verdict=changed" means its difference. */
	if (text && (strcmp(text, "changed") == 0 || strcmp(text, "same") == 0))
		value = stat_value(condition->reference.stat, STAT_CHANGE, row);
	if (!value.known)
		return false;
	if (!text)
		return compares(condition->compare, value.number, condition->number);
	switch (condition->compare) {
	case EQUAL:
		return matches(text, value.text);
	case NOT_EQUAL:
		return !matches(text, value.text);
	case LESS:
	case LESS_EQUAL:
	case MORE:
	case MORE_EQUAL:
		break;
	}
	return compares(condition->compare, strcmp(value.text, text), 0);
}

bool row_wanted(const struct stat_filter *filters, const struct verdict_row *row)
{
	bool any = false, allowed = false;

	for (const struct stat_filter *filter = filters; filter; filter = filter->next) {
		bool all = true;

		for (size_t i = 0; i < filter->count && all; i++)
			all = holds(&filter->conditions[i], row);
		if (filter->deny && all)
			return false;
		any |= !filter->deny;
		allowed |= !filter->deny && all;
	}
	return allowed || !any;
}

/* --- order --- */

struct sorting {
	struct { struct reference reference; bool descending; } key[8];
	size_t count;
};

static void add_key(struct sorting *sorting, struct reference reference, bool descending)
{
	sorting->key[sorting->count].reference = reference;
	sorting->key[sorting->count++].descending = descending;
}

static int parse_key(const struct verb *verb, const char *text, size_t len,
		     struct sorting *sorting)
{
	struct reference reference;
	const char *first = len && strchr("<>", *text) ? text : NULL;
	size_t used = parse_reference(first ? ++text : text, &reference);
	bool descending;

	len -= first != NULL;
	if (!used)
		return no_such_stat(verb, text, strcspn(text, ",<>^|"));
	if (sorting->count == COUNT(sorting->key))
		return usage(verb, "too many keys to sort by");
	descending = reference.stat->descending;
	if (used < len && strchr("<^", text[used]))
		descending = false, used++;
	else if (used < len && strchr(">", text[used]))
		descending = true, used++;
	else if (first)
		descending = *first == '>';
	if (used != len)
		return usage(verb, "--sort wants names with one '<' or '>' each, not '%.*s'",
			     (int)len, text);
	add_key(sorting, reference, descending);
	return EXIT_DONE;
}

int sorting_parse(const struct verb *verb, const char *text, bool compare,
		  struct sorting **out)
{
	struct sorting *sorting = calloc(1, sizeof(*sorting));
	int status = sorting ? EXIT_DONE : usage(verb, "out of memory");

	if (sorting && !text && compare) {
		add_key(sorting, (struct reference){ &stats[VERDICT_STAT], STAT_CHANGE, false },
			true);
		add_key(sorting, (struct reference){ &stats[PROCESSED_STAT], STAT_CHANGE, true },
			true);
	}
	while (text && *text && status == EXIT_DONE) {
		size_t len = strcspn(text, ",");

		status = parse_key(verb, text, len, sorting);
		text += len + (text[len] == ',');
	}
	if (status)
		free(sorting);
	else
		*out = sorting;
	return status;
}

void sorting_done(struct sorting *sorting)
{
	free(sorting);
}

struct ordered {
	struct verdict_row row;
	size_t at;
};

static int by_keys(const void *a, const void *b, void *arg)
{
	const struct ordered *x = a, *y = b;
	const struct sorting *sorting = arg;

	for (size_t i = 0; i < sorting->count; i++) {
		struct value left = reference_value(&sorting->key[i].reference, &x->row);
		struct value right = reference_value(&sorting->key[i].reference, &y->row);
		bool text = left.text && sorting->key[i].reference.stat != &stats[VERDICT_STAT];
		int order;

		/* What has no value comes last in either direction. */
		if (left.known != right.known)
			return left.known ? -1 : 1;
		if (!left.known)
			continue;
		order = text && sorting->key[i].reference.of < STAT_CHANGE
				? strcmp(left.text, right.text)
				: (left.number > right.number) - (left.number < right.number);
		if (order)
			return sorting->key[i].descending ? -order : order;
	}
	return x->at < y->at ? -1 : x->at > y->at;
}

void rows_sort(const struct sorting *sorting, struct verdict_row *rows, size_t count)
{
	struct ordered *ordered = calloc(count + 1, sizeof(*ordered));

	if (!ordered || !sorting->count) {
		free(ordered);
		return;
	}
	for (size_t i = 0; i < count; i++)
		ordered[i] = (struct ordered){ rows[i], i };
	qsort_r(ordered, count, sizeof(*ordered), by_keys, (void *)(uintptr_t)sorting);
	for (size_t i = 0; i < count; i++)
		rows[i] = ordered[i].row;
	free(ordered);
}
