/* SPDX-License-Identifier: BSD-2-Clause */
/* completion.c - skep completion bash: a completion script from the verb table. */
#include "cli/cli.h"

#include <string.h>

static void print_options(const struct verb *verb)
{
	printf("\t'%s') options='--help", verb->name);
	for (const struct opt *opt = verb->opts; opt && opt->kind != OPT_END; opt++)
		printf(" --%s", opt->name);
	printf("'; values='");
	for (const struct opt *opt = verb->opts; opt && opt->kind != OPT_END; opt++) {
		if (opt->kind == OPT_FLAG || opt->kind == OPT_COUNT)
			continue;
		printf(" --%s ", opt->name);
		if (opt->letter)
			printf(" -%c ", opt->letter);
	}
	printf("' ;;\n");
}

/* The second words of verbs that have two, by their first. */
static void print_nouns(void)
{
	for (size_t i = 0; verbs[i]; i++) {
		const char *space = strchr(verbs[i]->name, ' ');

		if (space)
			printf("\t'%.*s') words='%s' ;;\n", (int)(space - verbs[i]->name),
			       verbs[i]->name, space + 1);
	}
}

static void print_bash(void)
{
	printf("# bash completion for skep; load with: source <(skep completion bash)\n"
	       "_skep()\n{\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	       "\tlocal verb=${COMP_WORDS[1]} words= options= values=\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [ \"$COMP_CWORD\" = 1 ] || { [ \"$COMP_CWORD\" = 2 ] && [ \"$verb\" = help ]; }; then\n"
	       "\t\tCOMPREPLY=($(compgen -W 'help --help --version --color");
	for (size_t i = 0; verbs[i]; i++)
		printf(" %.*s", (int)strcspn(verbs[i]->name, " "), verbs[i]->name);
	printf("' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $verb in\n");
	print_nouns();
	printf("\tesac\n"
	       "\tif [ -n \"$words\" ]; then\n"
	       "\t\tif [ \"$COMP_CWORD\" = 2 ]; then\n"
	       "\t\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n\t\t\treturn\n\t\tfi\n"
	       "\t\tverb=\"$verb ${COMP_WORDS[2]}\"\n\tfi\n\tcase $verb in\n");
	for (size_t i = 0; verbs[i]; i++)
		print_options(verbs[i]);
	printf("\tesac\n"
	       "\tcase \"$values\" in *\" $prev \"*)\n"
	       "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n\t\treturn ;;\n\tesac\n"
	       "\tcase $cur in\n"
	       "\t-*) COMPREPLY=($(compgen -W \"$options\" -- \"$cur\")) ;;\n"
	       "\t*) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n\tesac\n"
	       "}\ncomplete -o filenames -F _skep skep\n");
}

static int run(const struct verb *verb, void *args, int argc, char **argv)
{
	(void)args;
	if (argc != 1 || strcmp(argv[0], "bash") != 0)
		return usage(verb, "for which shell? There is a script for bash");
	print_bash();
	return EXIT_DONE;
}

const struct verb verb_completion = {
	.name = "completion",
	.operands = "bash",
	.summary = "Print a script that completes this command's words in a shell",
	.example = "  source <(skep completion bash)",
	.run = run,
};
