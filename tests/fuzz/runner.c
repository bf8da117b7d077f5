/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runner.c - gives a fuzz target the files named on the command line (or every
 * file of a directory), each whole, then cut short at every eighth of it and
 * with single bits flipped: a smoke test where there is no fuzzing engine.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly the size, so that sanitizers see reads past the end. */
static void feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int feed_file(const char *path)
{
	void *bytes;
	uint8_t *data;
	size_t size;

	if (read_file(path, &bytes, &size, 64 << 20) < 0) {
		fprintf(stderr, "cannot read %s\n", path);
		return 1;
	}
	data = bytes;
	feed(data, size);
	for (size_t part = 0; part < 8; part++)
		feed(data, size * part / 8);
	for (size_t flip = 0; flip < 64 && size; flip++) {
		size_t bit = (flip * 2654435761u) % (size * 8);

		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		feed(data, size);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	free(bytes);
	return 0;
}

/* In the order of their names: what a target keeps between inputs may matter. */
static int feed_directory(const char *path)
{
	struct dirent **entry;
	int failed = 0, files = 0, count = scandir(path, &entry, NULL, alphasort);
	char name[4096];

	for (int i = 0; i < count; i++) {
		if (entry[i]->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s/%s", path, entry[i]->d_name);
			failed |= feed_file(name);
			files++;
		}
		free(entry[i]);
	}
	free(count < 0 ? NULL : entry);
	printf("%s: %d files\n", path, files);
	return failed || files == 0;
}

int main(int argc, char **argv)
{
	int failed = argc < 2;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		failed |= stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? feed_directory(argv[i]) :
									   feed_file(argv[i]);
	}
	return failed;
}
