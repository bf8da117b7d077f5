/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - the bpf_conformance vectors, on the interpreter and on the compiler.
 *
 *   conformance [DIRECTORY]     default: $SKEP_CONFORMANCE, else ../shared/data/
 *                               bpf_conformance beside the source directory
 *
 * Every file names its result; all must hold on both engines. Exits 77
 * (skipped), saying so, where there are no vectors.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/skep.h>
#include "ubpf_asm.h"

enum { MAX_INSNS = 4096, MAX_MEMORY = 4096 };

struct vector {
	struct skep_insn insns[MAX_INSNS];
	int count;
	uint8_t memory[MAX_MEMORY];
	size_t size;
	uint64_t result;
	bool has_result;
	char error[256];
};

/* The text of "-- name" up to the next "-- " line; false if there is none. */
static bool section(const char *file, const char *name, char *out, size_t size)
{
	bool inside = false, found = false;
	size_t used = 0;

	while (*file) {
		size_t n = strcspn(file, "\n") + (file[strcspn(file, "\n")] == '\n');

		if (strncmp(file, "-- ", 3) == 0) {
			inside = strncmp(file + 3, name, strlen(name)) == 0 &&
				 strchr("\r\n ", file[3 + strlen(name)]);
			found |= inside;
		} else if (inside && used + n < size) {
			memcpy(out + used, file, n);
			used += n;
		}
		file += n;
	}
	out[used] = '\0';
	return found;
}

static size_t read_bytes(const char *text, uint8_t *out)
{
	size_t count = 0;

	while (*text && count < MAX_MEMORY) {
		char *end;
		unsigned long byte;

		if (*text == '#')
			text += strcspn(text, "\n");
		byte = strtoul(text, &end, 16);
		if (end == text)
			break;
		out[count++] = (uint8_t)byte;
		text = end;
	}
	return count;
}

/* One 64-bit number a line: code, dst | src << 4, off, imm from the low end. */
static int read_raw(const char *text, struct skep_insn *insns)
{
	int count = 0;

	while (*text && count < MAX_INSNS) {
		char *end;
		uint64_t word = strtoull(text, &end, 16);

		if (end == text)
			break;
		insns[count++] = (struct skep_insn){
			.code = (uint8_t)word, .dst = word >> 8 & 15, .src = word >> 12 & 15,
			.off = (int16_t)(word >> 16), .imm = (int32_t)(word >> 32),
		};
		text = end;
	}
	return count;
}

static bool parse(const char *file, struct vector *v)
{
	static char text[65536];

	memset(v, 0, sizeof(*v));
	if (section(file, "raw", text, sizeof(text)))
		v->count = read_raw(text, v->insns);
	else if (section(file, "asm", text, sizeof(text)))
		v->count = ubpf_assemble(text, v->insns, MAX_INSNS, v->error, sizeof(v->error));
	if (v->count <= 0)
		return false;
	if (section(file, "mem", text, sizeof(text)))
		v->size = read_bytes(text, v->memory);
	if (section(file, "result", text, sizeof(text))) {
		v->result = strtoull(text, NULL, 0);
		v->has_result = true;
	}
	return v->has_result;
}

/* False, with a line on standard output, if the result is another. */
static bool holds(const char *name, const struct vector *v, unsigned flags)
{
	const char *engine = flags & SKEP_BARE_INTERPRET ? "interpreter" : "compiler";
	struct skep_diag *diag = skep_diag_new();
	uint8_t memory[MAX_MEMORY];
	uint64_t r0 = 0;
	bool right;
	int error;

	memcpy(memory, v->memory, sizeof(memory));
	error = skep_run_bare(v->insns, (size_t)v->count, memory, v->size, flags, 1000000, &r0, diag);
	right = error == 0 && r0 == v->result;
	if (error < 0) {
		char *text = skep_diag_text(diag, 0);

		printf("%s: %s: %s\n%s\n", name, engine, strerror(-error), text ? text : "");
		free(text);
	} else if (!right) {
		printf("%s: %s: r0 is 0x%llx, expected 0x%llx\n", name, engine,
		       (unsigned long long)r0, (unsigned long long)v->result);
	}
	skep_diag_free(diag);
	return right;
}

static bool check(const char *directory, const char *name)
{
	static struct vector v;
	static char file[65536];
	char path[4096];
	FILE *f;
	size_t n;
	bool right;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "r");
	if (!f) {
		printf("%s: %s\n", path, strerror(errno));
		return false;
	}
	n = fread(file, 1, sizeof(file) - 1, f);
	fclose(f);
	file[n] = '\0';
	if (!parse(file, &v)) {
		printf("%s: cannot be read: %s\n", name, v.error);
		return false;
	}
	right = holds(name, &v, SKEP_BARE_INTERPRET);
	return holds(name, &v, SKEP_BARE_COMPILE) && right;
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : getenv("SKEP_CONFORMANCE");
	unsigned total = 0, failed = 0;
	struct dirent *entry;
	DIR *dir;

	if (!directory)
		directory = CONFORMANCE_DEFAULT;
	dir = opendir(directory);
	if (!dir) {
		printf("SKIPPED: no conformance vectors in %s (set SKEP_CONFORMANCE): %s\n", directory,
		       strerror(errno));
		return 77;
	}
	while ((entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);

		if (n < 5 || strcmp(entry->d_name + n - 5, ".data") != 0)
			continue;
		total++;
		failed += !check(directory, entry->d_name);
	}
	closedir(dir);
	printf("%u vectors on 2 engines, %u failed\n", total, failed);
	return total == 0 || failed > 0;
}
