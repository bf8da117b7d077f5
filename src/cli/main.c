/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the command: finds the verb, reads its options, runs it.
 *
 * Exit status: 0 done, 1 rejected or failed, 2 usage.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <skep/feature.h>

static const char *verb_name(const void *arg, size_t i)
{
	(void)arg;
	return verbs[i] ? verbs[i]->name : NULL;
}

const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; verbs[i]; i++) {
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	}
	return NULL;
}

static void help_all(FILE *out)
{
	fprintf(out, "skep - the Linux eBPF subsystem, in user space\n\n"
		     "usage: skep [--color WHEN] VERB [OPTION]... [OPERAND]...\n\nverbs:\n");
	for (size_t i = 0; verbs[i]; i++)
		fprintf(out, "  %-16s %s\n", verbs[i]->name, verbs[i]->summary);
	fprintf(out, "  %-16s %s\n\n", "help [VERB]", "Show this, or the options of a verb");
	fprintf(out, "options:\n"
		     "  -h, --help               show this and exit\n"
		     "  -V, --version            show the version and exit\n"
		     "      --color WHEN         auto (default), always or never\n\n"
		     "exit status: 0 done, 1 rejected or failed, 2 usage\n");
}

/* The verb of one or two words at the front of argv; *used words. */
static const struct verb *match_verb(int argc, char **argv, int *used)
{
	char two[64];

	if (argc >= 2) {
		snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
		*used = 2;
		if (verb_find(two))
			return verb_find(two);
	}
	*used = 1;
	return verb_find(argv[0]);
}

/* Is the verb of a group's: "seccomp compile" of "seccomp"? */
static bool in_group(const struct verb *verb, const char *group)
{
	size_t len = strlen(group);

	return strncmp(verb->name, group, len) == 0 && verb->name[len] == ' ';
}

static bool is_group(const char *word)
{
	for (size_t i = 0; verbs[i]; i++)
		if (in_group(verbs[i], word))
			return true;
	return false;
}

static void help_group(const char *group, FILE *out)
{
	fprintf(out, "usage: skep %s VERB [OPTION]... [OPERAND]...\n\nverbs:\n", group);
	for (size_t i = 0; verbs[i]; i++)
		if (in_group(verbs[i], group))
			fprintf(out, "  %-16s %s\n", verbs[i]->name, verbs[i]->summary);
	fprintf(out, "\n'skep help %s VERB' shows the options of one.\n", group);
}

static int unknown_verb(const char *word)
{
	const char *near = nearest(word, verb_name, NULL);

	return near ? usage(NULL, "there is no verb '%s'; did you mean '%s'?", word, near) :
		      usage(NULL, "there is no verb '%s'", word);
}

/* Words that begin with a group's name, and are no verb. */
static int only_group(int argc, char **argv)
{
	char words[64];

	if (argc == 1) {
		help_group(argv[0], stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
		help_group(argv[0], stdout);
		return EXIT_DONE;
	}
	snprintf(words, sizeof(words), "%s %s", argv[0], argv[1]);
	return unknown_verb(words);
}

static int help(int argc, char **argv)
{
	const struct verb *verb;
	int used;

	if (argc == 0) {
		help_all(stdout);
		return EXIT_DONE;
	}
	verb = match_verb(argc, argv, &used);
	if (!verb && argc == 1 && is_group(argv[0])) {
		help_group(argv[0], stdout);
		return EXIT_DONE;
	}
	if (!verb)
		return is_group(argv[0]) ? only_group(argc, argv) : unknown_verb(argv[0]);
	help_verb(verb, stdout);
	return EXIT_DONE;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	void *args = calloc(1, verb->args_size ? verb->args_size : 1);
	bool wants_help = false;
	int status;

	if (!args) {
		fprintf(stderr, "skep: out of memory\n");
		return EXIT_REJECTED;
	}
	status = options_parse(verb, args, &argc, argv, &wants_help);
	if (wants_help) {
		help_verb(verb, stdout);
		status = EXIT_DONE;
	} else if (status == EXIT_DONE) {
		status = verb->run(verb, args, argc, argv);
	}
	options_done(verb, args);
	free(args);
	return status;
}

/* Options before the verb; *at is left on the first word that is none. */
static int global_options(int argc, char **argv, int *at, bool *done)
{
	for (; *at < argc && argv[*at][0] == '-'; ++*at) {
		const char *word = argv[*at];

		*done = true;
		if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
			help_all(stdout);
			return EXIT_DONE;
		}
		if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0) {
			printf("skep %s\n", skep_version());
			return EXIT_DONE;
		}
		if (strncmp(word, "--color", 7) != 0)
			return usage(NULL, "unknown option '%s'", word);
		if (word[7] == '\0' && *at + 1 < argc)
			word = argv[++*at];
		else
			word += word[7] == '=' ? 8 : 7;
		if (!colour_choose(word))
			return usage(NULL, "--color wants auto, always or never, not '%s'", word);
		*done = false;
	}
	return EXIT_DONE;
}

/* What was written must have arrived: a full disk is a failure. */
static int flush(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "skep: cannot write the output: %s\n", strerror(errno));
	return status ? status : EXIT_REJECTED;
}

/*
 * Of the three that a shell gives, one that it closed must not become a file of ours that is read
 * and written by mistake. In its place is what fails as a closed one does, and what is started
 * finds it closed.
 */
static void keep_closed(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	bool done = false;
	int at = 1, used, status;

	keep_closed();
	status = global_options(argc, argv, &at, &done);
	if (done || status)
		return flush(status);
	if (at == argc) {
		help_all(stderr);
		return EXIT_USAGE;
	}
	argc -= at;
	argv += at;
	if (strcmp(argv[0], "help") == 0)
		return flush(help(argc - 1, argv + 1));
	verb = match_verb(argc, argv, &used);
	if (!verb)
		return flush(is_group(argv[0]) ? only_group(argc, argv) : unknown_verb(argv[0]));
	return flush(run_verb(verb, argc - used, argv + used));
}
