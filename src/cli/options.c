/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - command lines into a verb's struct args, by its rows of options,
 * and the help that is written from the same rows.
 *
 * -a -b is -ab; -o FILE is -oFILE; --out FILE is --out=FILE. Options and
 * operands may be mixed; "--" makes operands of all that follows.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int usage(const struct verb *verb, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "skep%s%s: ", verb ? " " : "", verb ? verb->name : "");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\nTry 'skep help%s%s'.\n", verb ? " " : "", verb ? verb->name : "");
	return EXIT_USAGE;
}

/* --- suggestions --- */

/* Edits (insert, delete, replace) between two words, up to 63 letters. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t len = strlen(b);

	if (len >= COUNT(row))
		return 99;
	for (unsigned j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned corner = i, left = i + 1;

		for (unsigned j = 0; j < len; j++) {
			unsigned change = corner + (a[i] != b[j]);
			unsigned best = row[j + 1] + 1 < left + 1 ? row[j + 1] + 1 : left + 1;

			corner = row[j + 1];
			row[j] = left;
			left = change < best ? change : best;
		}
		row[len] = left;
	}
	return row[len];
}

const char *nearest(const char *word, const char *(*next)(const void *arg, size_t i),
		    const void *arg)
{
	unsigned best = 3; /* more than two edits is another word */
	const char *found = NULL, *candidate;

	for (size_t i = 0; (candidate = next(arg, i)); i++) {
		unsigned d = distance(word, candidate);

		if (d < best && d < strlen(candidate)) {
			best = d;
			found = candidate;
		}
	}
	return found;
}

static const char *option_name(const void *arg, size_t i)
{
	const struct verb *verb = arg;

	return verb->opts[i].kind == OPT_END ? NULL : verb->opts[i].name;
}

/* --- parsing --- */

struct parser {
	const struct verb *verb;
	void *args;
	int argc;
	char **argv;
	int at; /* the argument being read */
};

static const struct opt *find_letter(const struct verb *verb, char letter)
{
	for (const struct opt *opt = verb->opts; opt && opt->kind != OPT_END; opt++) {
		if (opt->letter == letter)
			return opt;
	}
	return NULL;
}

static const struct opt *find_long(const struct verb *verb, const char *name, size_t len)
{
	for (const struct opt *opt = verb->opts; opt && opt->kind != OPT_END; opt++) {
		if (strlen(opt->name) == len && memcmp(opt->name, name, len) == 0)
			return opt;
	}
	return NULL;
}

static int set_number(const struct parser *p, const struct opt *opt, const char *value)
{
	char *end;
	uint64_t number;

	errno = 0;
	number = strtoull(value, &end, 0);
	if (errno || end == value || *end || *value == '-')
		return usage(p->verb, "--%s wants a number, not '%s'", opt->name, value);
	memcpy((char *)p->args + opt->offset, &number, sizeof(number));
	return EXIT_DONE;
}

static int set_list(const struct parser *p, const struct opt *opt, const char *value)
{
	struct list *list = (struct list *)((char *)p->args + opt->offset);
	const char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return usage(p->verb, "out of memory");
	list->items = items;
	items[list->count++] = value;
	return EXIT_DONE;
}

static bool wants_value(const struct opt *opt)
{
	return opt->kind != OPT_FLAG && opt->kind != OPT_COUNT;
}

static int set_value(const struct parser *p, const struct opt *opt, const char *value)
{
	bool yes = true;

	switch (opt->kind) {
	case OPT_FLAG:
		memcpy((char *)p->args + opt->offset, &yes, sizeof(yes));
		return EXIT_DONE;
	case OPT_TEXT:
		memcpy((char *)p->args + opt->offset, &value, sizeof(value));
		return EXIT_DONE;
	case OPT_NUMBER:
		return set_number(p, opt, value);
	case OPT_LIST:
		return set_list(p, opt, value);
	case OPT_COUNT:
		++*(unsigned *)(void *)((char *)p->args + opt->offset);
		return EXIT_DONE;
	case OPT_END:
		break;
	}
	return EXIT_USAGE;
}

static int parse_long(struct parser *p, const char *word, bool *help)
{
	size_t len = strcspn(word, "=");
	const char *value = word[len] ? word + len + 1 : NULL, *near;
	const struct opt *opt = find_long(p->verb, word, len);

	if (!opt && strcmp(word, "help") == 0) {
		*help = true;
		return EXIT_DONE;
	}
	if (!opt) {
		near = p->verb->opts ? nearest(word, option_name, p->verb) : NULL;
		return near ? usage(p->verb, "unknown option '--%s'; did you mean '--%s'?", word,
				    near) :
			      usage(p->verb, "unknown option '--%s'", word);
	}
	if (!wants_value(opt) && value)
		return usage(p->verb, "--%s takes no value", opt->name);
	if (wants_value(opt) && !value) {
		if (p->at + 1 >= p->argc)
			return usage(p->verb, "--%s wants %s", opt->name, opt->value);
		value = p->argv[++p->at];
	}
	return set_value(p, opt, value);
}

static int parse_letters(struct parser *p, const char *letters, bool *help)
{
	for (; *letters; letters++) {
		const struct opt *opt = find_letter(p->verb, *letters);
		const char *value = NULL;
		int status;

		if (!opt && *letters == 'h') {
			*help = true;
			continue;
		}
		if (!opt)
			return usage(p->verb, "unknown option '-%c'", *letters);
		if (wants_value(opt)) {
			value = letters[1] ? letters + 1 : NULL;
			if (!value && p->at + 1 >= p->argc)
				return usage(p->verb, "-%c wants %s", *letters, opt->value);
			value = value ? value : p->argv[++p->at];
		}
		status = set_value(p, opt, value);
		if (status != EXIT_DONE || value)
			return status;
	}
	return EXIT_DONE;
}

int options_parse(const struct verb *verb, void *args, int *argc, char **argv, bool *help)
{
	struct parser p = { verb, args, *argc, argv, 0 };
	int operands = 0, status = EXIT_DONE;

	for (; p.at < p.argc && status == EXIT_DONE; p.at++) {
		char *word = argv[p.at];

		if (strcmp(word, "--") == 0) {
			while (++p.at < p.argc)
				argv[operands++] = argv[p.at];
			break;
		}
		if (word[0] != '-' || word[1] == '\0')
			argv[operands++] = word;
		else if (word[1] == '-')
			status = parse_long(&p, word + 2, help);
		else
			status = parse_letters(&p, word + 1, help);
	}
	*argc = operands;
	argv[operands] = NULL; /* as an execvp() of operands wants it */
	return status;
}

void options_done(const struct verb *verb, void *args)
{
	for (const struct opt *opt = verb->opts; opt && opt->kind != OPT_END; opt++) {
		if (opt->kind == OPT_LIST)
			free(((struct list *)((char *)args + opt->offset))->items);
	}
}

/* --- help --- */

static void help_option(const struct opt *opt, FILE *out)
{
	char left[64];
	int len;

	if (opt->letter)
		len = snprintf(left, sizeof(left), "-%c, --%s", opt->letter, opt->name);
	else
		len = snprintf(left, sizeof(left), "    --%s", opt->name);
	if (opt->value)
		snprintf(left + len, sizeof(left) - (size_t)len, " %s", opt->value);
	if (strlen(left) > 26)
		fprintf(out, "  %s\n  %-26s %s\n", left, "", opt->help);
	else
		fprintf(out, "  %-26s %s\n", left, opt->help);
}

void help_verb(const struct verb *verb, FILE *out)
{
	static const struct opt help = { OPT_FLAG, 'h', "help", 0, NULL, "show this and exit" };

	fprintf(out, "skep %s - %s\n\n", verb->name, verb->summary);
	fprintf(out, "usage: skep %s%s%s%s\n\noptions:\n", verb->name,
		verb->opts && verb->opts[0].kind != OPT_END ? " [OPTION]..." : "",
		*verb->operands ? " " : "", verb->operands);
	for (const struct opt *opt = verb->opts; opt && opt->kind != OPT_END; opt++)
		help_option(opt, out);
	help_option(&help, out);
	if (verb->detail)
		fprintf(out, "\n%s\n", verb->detail);
	if (verb->example)
		fprintf(out, "\nexamples:\n%s\n", verb->example);
}
