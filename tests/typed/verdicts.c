/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verdicts.c - compiled programs that say in their own types what the verifier
 * must decide about them.
 *
 *   verdicts KERNEL.o OBJECT.o...
 *
 * KERNEL.o has the types of a kernel. Each program carries tags (see typed.h):
 * ACCEPTED or REJECTED(words of the verdict), and LOGS(words of the log).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/object.h>

#include "btf/btf.h"
#include "verify/verify.h"

static unsigned run, failed;

/* The nth tag of a function that begins so; what follows it. */
static const char *tag(const struct skep_btf *btf, uint32_t function, const char *prefix,
		       unsigned nth)
{
	for (uint32_t id = 1; id <= skep_btf_count(btf); id++) {
		const struct btf_type *type = btf_type(btf, id);
		const char *text;

		if (btf_kind(type) != BTF_DECL_TAG || type->type != function ||
		    *(const int32_t *)btf_data(type) != -1)
			continue;
		text = btf_name(btf, type);
		if (strncmp(text, prefix, strlen(prefix)) == 0 && !nth--)
			return text + strlen(prefix);
	}
	return NULL;
}

static void complain(const char *name, const char *what, const char *want,
		     const struct skep_verify_result *result)
{
	printf("FAILED %s: %s\n  expected: %s\n  Skep says: %s %s\n", name, what, want,
	       result->error ? "reject" : "accept", result->message);
	if (getenv("SKEP_LOG") && result->log)
		puts(result->log);
	failed++;
}

static void judge(struct skep_object_prog *prog, const struct skep_btf *btf)
{
	const char *name = skep_object_prog_name(prog), *words;
	uint32_t function = skep_btf_find(btf, name, BTF_FUNC);
	const char *accepted = tag(btf, function, "accepted", 0);
	const char *rejected = tag(btf, function, "rejected:", 0);
	struct skep_verify_opts opts = { .log_level = 2 | 4 };
	struct skep_verify_result result = { 0 };
	struct skep_diag *diag = skep_diag_new();
	int error;

	if (!accepted && !rejected)
		return;
	run++;
	error = skep_object_check(prog, &opts, &result, diag);
	if (error < 0) {
		char *text = skep_diag_text(diag, 0);

		printf("FAILED %s: cannot be checked\n%s", name, text);
		free(text);
		failed++;
	} else if (accepted && result.error) {
		complain(name, "wrong verdict", "accept", &result);
	} else if (rejected && (!result.error || !strstr(result.message, rejected))) {
		complain(name, "wrong verdict", rejected, &result);
	}
	for (unsigned i = 0; error == 0 && (words = tag(btf, function, "logs:", i)); i++)
		if (!result.log || !strstr(result.log, words))
			complain(name, "not in the log", words, &result);
	skep_verify_result_done(&result);
	skep_diag_free(diag);
}

static void judge_object(const char *path, const struct skep_btf *kernel)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_object *object = skep_object_open_file(path, diag);

	if (!object) {
		printf("FAILED %s: cannot be opened\n%s", path, skep_diag_text(diag, 0));
		failed++;
		return;
	}
	skep_object_set_kernel_btf(object, kernel);
	for (size_t i = 0; i < skep_object_prog_count(object); i++)
		judge(skep_object_prog_at(object, i), skep_object_btf(object));
	skep_object_free(object);
	skep_diag_free(diag);
}

int main(int argc, char **argv)
{
	struct skep_object *kernel = argc > 2 ? skep_object_open_file(argv[1], NULL) : NULL;

	if (!kernel) {
		printf("usage: verdicts KERNEL.o OBJECT.o...\n");
		return 1;
	}
	for (int i = 2; i < argc; i++)
		judge_object(argv[i], skep_object_btf(kernel));
	skep_object_free(kernel);
	printf("%u programs, %u not as expected\n", run, failed);
	return failed || !run;
}
