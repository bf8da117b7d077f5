/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core.c - are programs relocated as libbpf relocates them?
 *
 *   core OBJECT...
 *
 * Each program is opened by libbpf and by Skep, both relocate it against the
 * running kernel's types, and the instructions are compared. Left out is what
 * libbpf fills with descriptors. More objects: SKEP_OBJECTS, a folder. Exit
 * status 77 where this kernel does not show its types or load programs.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <skep/object.h>

#include "base/base.h"

enum { SKIPPED = 77, POISON = 0xbad2310 };

static struct skep_btf *kernel;
static unsigned long programs, compared, poisoned, differences, apart;

/* A program that the kernel refused had been relocated; libbpf says so in these words. */
static bool got_to_the_kernel;

static int listen(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)args;
	got_to_the_kernel |= strstr(format, "BPF program load failed") != NULL;
	return 0;
}

/* Descriptors, addresses and ids that are given out when something is loaded. */
static bool given_out(const struct skep_insn *insn)
{
	return insn->code == 0x18 && insn->src && insn->src != 4;
}

static void compare(const char *path, const char *name, const struct skep_insn *ours,
		    const struct skep_insn *theirs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t size = ours[i].code == 0x18 ? 2 : 1;

		if (given_out(&ours[i]) || given_out(&theirs[i])) {
			i += size - 1;
			continue;
		}
		compared++;
		poisoned += ours[i].code == 0x85 && ours[i].imm == POISON;
		if (memcmp(&ours[i], &theirs[i], sizeof(*ours)) == 0)
			continue;
		differences++;
		printf("%s: %s: instruction %zu: %02x off %d imm %d, libbpf has %02x off %d imm "
		       "%d\n", path, name, i, ours[i].code, ours[i].off, ours[i].imm,
		       theirs[i].code, theirs[i].off, theirs[i].imm);
	}
}

/* libbpf relocates on its way to loading. NULL if it never got so far. */
static struct bpf_object *relocated(const char *path, const char *name)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object)
		return NULL;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, strcmp(bpf_program__name(program), name) == 0);
	got_to_the_kernel = false;
	if (bpf_object__load(object) == 0 || got_to_the_kernel)
		return object;
	bpf_object__close(object);
	return NULL;
}

static void compare_program(const char *path, struct skep_object_prog *prog)
{
	const char *name = skep_object_prog_name(prog);
	struct bpf_object *object = relocated(path, name);
	struct bpf_program *program =
		object ? bpf_object__find_program_by_name(object, name) : NULL;
	const struct skep_insn *insns;
	size_t count = 0;
	int error = skep_object_prog_insns(prog, &insns, &count, NULL);

	programs++;
	/* What one of both cannot finish is not comparable; few should be. */
	if (error || !program || count != bpf_program__insn_cnt(program)) {
		apart++;
		if (getenv("VERBOSE"))
			printf("%s: %s: not compared: error %d, %zu and %zu instructions\n", path,
			       name, error, count, program ? bpf_program__insn_cnt(program) : 0);
	} else {
		compare(path, name, insns, (const void *)bpf_program__insns(program), count);
	}
	bpf_object__close(object);
}

static void compare_object(const char *path)
{
	struct skep_object *object = skep_object_open_file(path, NULL);

	if (!object)
		return;
	skep_object_set_kernel_btf(object, kernel);
	for (size_t i = 0; i < skep_object_prog_count(object); i++)
		compare_program(path, skep_object_prog_at(object, i));
	skep_object_free(object);
}

static void compare_folder(const char *folder)
{
	struct dirent **names;
	int count = scandir(folder, &names, NULL, alphasort);
	char path[4096];

	for (int i = 0; i < count; i++) {
		size_t len = strlen(names[i]->d_name);

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
		if (len > 2 && strcmp(names[i]->d_name + len - 2, ".o") == 0)
			compare_object(path);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	static const struct bpf_insn nothing[] = { { .code = 0xb7 }, { .code = 0x95 } };
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", nothing, 2, &opts);

	kernel = skep_btf_open_kernel(NULL);
	if (!kernel || fd < 0) {
		printf("skipped: %s\n", kernel ? "this kernel does not let us load programs" :
		       "this kernel does not show its types");
		return SKIPPED;
	}
	close(fd);
	libbpf_set_print(listen);
	for (int i = 1; i < argc; i++)
		compare_object(argv[i]);
	if (getenv("SKEP_OBJECTS"))
		compare_folder(getenv("SKEP_OBJECTS"));
	printf("%lu programs, %lu not comparable; %lu instructions compared, %lu of them poisoned, "
	       "%lu differ\n", programs, apart, compared, poisoned, differences);
	skep_btf_unref(kernel);
	return differences || !compared;
}
