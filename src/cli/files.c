/* SPDX-License-Identifier: BSD-2-Clause */
/* files.c - whole files in and out, and bytes written in hexadecimal. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)1 << 30)

static void *fail_io(struct skep_diag *diag, const char *path, const char *doing)
{
	skep_report(diag, SKEP_IO, NULL, "cannot %s '%s': %s", doing, path, strerror(errno));
	return NULL;
}

static char *read_all(FILE *in, size_t *size)
{
	size_t room = 0;
	char *bytes = NULL;

	*size = 0;
	do {
		char *more;

		room = room ? room * 2 : 16384;
		more = room <= FILE_LIMIT ? realloc(bytes, room + 1) : NULL;
		if (!more) {
			errno = room <= FILE_LIMIT ? ENOMEM : EFBIG;
			free(bytes);
			return NULL;
		}
		bytes = more;
		*size += fread(bytes + *size, 1, room - *size, in);
	} while (*size == room);
	if (ferror(in)) {
		free(bytes);
		return NULL;
	}
	bytes[*size] = '\0';
	return bytes;
}

void *slurp(const char *path, size_t *size, struct skep_diag *diag)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *in = standard ? stdin : fopen(path, "rb");
	char *bytes;

	if (!in)
		return fail_io(diag, path, "open");
	bytes = read_all(in, size);
	if (!bytes)
		fail_io(diag, path, "read");
	if (!standard)
		fclose(in);
	return bytes;
}

/* A new file beside path, with the rights that path has or would get; NULL: none. */
static FILE *open_beside(struct out_file *out)
{
	struct stat was;
	bool exists = lstat(out->path, &was) == 0;
	mode_t mask, rights;
	int fd;

	if (exists && !S_ISREG(was.st_mode))
		return NULL;
	mask = umask(0);
	umask(mask);
	rights = exists ? was.st_mode & 07777 : 0666 & ~mask;
	if (asprintf(&out->temporary, "%s.XXXXXX", out->path) < 0)
		out->temporary = NULL;
	fd = out->temporary ? mkstemp(out->temporary) : -1;
	if (fd < 0) {
		free(out->temporary);
		out->temporary = NULL;
		return NULL;
	}
	fchmod(fd, rights);
	return fdopen(fd, "wb");
}

/* Standard output becomes the file; what else would go there goes to standard error. */
static FILE *take_stdout(void)
{
	int fd;

	fflush(stdout);
	fd = dup(STDOUT_FILENO);
	if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return NULL;
	return fdopen(fd, "wb");
}

int out_open(struct out_file *out, const char *path, struct skep_diag *diag)
{
	*out = (struct out_file){ .path = strdup(path) };
	if (out->path && strcmp(path, "-") == 0) {
		out->file = take_stdout();
	} else if (out->path) {
		out->file = open_beside(out);
		if (!out->file)
			out->file = fopen(path, "wb");
	}
	if (out->file)
		return 0;
	fail_io(diag, path, "create");
	free(out->path);
	return -EIO;
}

int out_close(struct out_file *out, bool keep, struct skep_diag *diag)
{
	bool good = out->file && !ferror(out->file);

	if (!out->file)
		return 0;
	good &= fclose(out->file) == 0;
	if (out->temporary && keep && good)
		good = rename(out->temporary, out->path) == 0;
	if (keep && !good)
		fail_io(diag, out->path, "write");
	if (out->temporary && !(keep && good))
		unlink(out->temporary);
	free(out->temporary);
	free(out->path);
	*out = (struct out_file){ 0 };
	return keep && !good ? -EIO : 0;
}

int spill(const char *path, const void *bytes, size_t size, struct skep_diag *diag)
{
	struct out_file out;
	int error = out_open(&out, path, diag);

	if (error < 0)
		return error;
	fwrite(bytes, 1, size, out.file);
	return out_close(&out, true, diag);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

uint8_t *hex_bytes(const char *text, size_t len, size_t *size, struct skep_diag *diag)
{
	uint8_t *bytes = calloc(1, len / 2 + 1);
	size_t digits = 0;

	if (!bytes) {
		skep_report(diag, SKEP_OOM, NULL, "%zu bytes of hexadecimal", len / 2);
		return NULL;
	}
	for (size_t i = 0; i < len; i++) {
		int digit = hex_value(text[i]);

		if (strchr(" \t\r\n", text[i]) && text[i])
			continue;
		if (digit < 0) {
			skep_report(diag, SKEP_ARG, NULL, "byte %zu is not a hexadecimal digit", i);
			free(bytes);
			return NULL;
		}
		bytes[digits / 2] = (uint8_t)(bytes[digits / 2] << 4 | digit);
		digits++;
	}
	if (digits % 2) {
		skep_report(diag, SKEP_ARG, NULL, "an odd number of hexadecimal digits");
		free(bytes);
		return NULL;
	}
	*size = digits / 2;
	return bytes;
}
