/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbol_spec.c - what a place of a binary is called: FUNCTION, FUNCTION+OFFSET, a number that is an
 * offset in the file (binary_address() of symbols.h).
 *
 * A name may stand for several functions (local ones, versions): the one that a linker would
 * choose is taken. One that is not there is answered with the name most like it.
 */
#include "hook/symbols.h"

#include <elf.h>

enum { NEAR_NAMES = 3, NAME_MAX_COMPARED = 64 };

struct spec {
	char name[512];
	const char *version;  /* inside name; NULL: the default one */
	uint64_t offset;      /* behind the function, or in the file if the name is empty */
};

static int parse_spec(const char *text, struct spec *spec, struct skep_diag *diag)
{
	const char *plus = strrchr(text, '+');
	char *at, *end;

	*spec = (struct spec){ 0 };
	if (text[0] >= '0' && text[0] <= '9') {
		spec->offset = strtoull(text, &end, 0);
		if (*end == '\0')
			return 0;
		return skep_fail(diag, SKEP_TARGET_FUNCTION, NULL,
				 "'%s' is neither an offset nor the name of a function", text);
	}
	if (plus) {
		spec->offset = strtoull(plus + 1, &end, 0);
		if (end == plus + 1 || *end != '\0')
			return skep_fail(diag, SKEP_TARGET_FUNCTION, NULL,
					 "'%s': what follows '+' must be a number", text);
	} else {
		plus = text + strlen(text);
	}
	if (plus == text || (size_t)(plus - text) >= sizeof(spec->name))
		return skep_fail(diag, SKEP_TARGET_FUNCTION, NULL, "'%s' names no function", text);
	memcpy(spec->name, text, (size_t)(plus - text));
	at = strchr(spec->name, '@');
	if (at) {
		*at++ = '\0';
		spec->version = *at == '@' ? at + 1 : at;
	}
	return 0;
}

static bool fits(const struct function *function, const struct spec *spec)
{
	if (strcmp(function->name, spec->name) != 0)
		return false;
	return !spec->version ||
	       (function->version && strcmp(function->version, spec->version) == 0);
}

/* Names a program would link with come before old versions, and global before local ones. */
static int rank(const struct function *function, const struct spec *spec)
{
	return (function->is_default || spec->version ? 2 : 0) +
	       (function->bind != STB_LOCAL ? 1 : 0);
}

static const struct function *find(const struct binary *binary, const struct spec *spec,
				   const struct function **other)
{
	const struct function *best = NULL;

	*other = NULL;
	for (size_t i = 0; i < binary->functions.count; i++) {
		const struct function *function = &binary->functions.items[i];

		if (!fits(function, spec))
			continue;
		if (!best || rank(function, spec) > rank(best, spec)) {
			best = function;
			*other = NULL;
		} else if (rank(function, spec) == rank(best, spec) &&
			   function->address != best->address) {
			*other = function;
		}
	}
	return best;
}

/* Edits that turn one word into the other. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_COMPARED + 1];
	size_t lengths[2] = { strlen(a), strlen(b) };

	if (lengths[0] > NAME_MAX_COMPARED || lengths[1] > NAME_MAX_COMPARED)
		return UINT32_MAX;
	for (unsigned j = 0; j <= lengths[1]; j++)
		row[j] = j;
	for (unsigned i = 1; i <= lengths[0]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= lengths[1]; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(MIN(row[j], row[j - 1]) + 1, change);
		}
	}
	return row[lengths[1]];
}

static int no_such_function(const struct binary *binary, const struct spec *spec,
			    struct skep_diag *diag)
{
	const char *near[NEAR_NAMES] = { 0 };
	unsigned edits[NEAR_NAMES], limit = (unsigned)strlen(spec->name) / 3 + 1;
	const char *versions = NULL;

	for (size_t i = 0; i < binary->functions.count; i++) {
		const struct function *function = &binary->functions.items[i];
		unsigned d = distance(spec->name, function->name);
		bool known = d > limit;

		if (d == 0)
			versions = function->version;
		for (size_t k = 0; k < NEAR_NAMES && near[k]; k++)
			known |= strcmp(near[k], function->name) == 0;
		for (size_t k = 0; k < NEAR_NAMES && !known; k++) {
			if (near[k] && edits[k] <= d)
				continue;
			memmove(near + k + 1, near + k, (NEAR_NAMES - 1 - k) * sizeof(*near));
			memmove(edits + k + 1, edits + k, (NEAR_NAMES - 1 - k) * sizeof(*edits));
			near[k] = function->name;
			edits[k] = d;
			break;
		}
	}
	skep_report(diag, SKEP_TARGET_FUNCTION, NULL, "%s has no function '%s%s%s'", binary->path,
		    spec->name, spec->version ? "@" : "", spec->version ? spec->version : "");
	if (versions)
		skep_help(diag, "it has that function in version '%s'", versions);
	else if (near[0])
		skep_help(diag, "did you mean '%s'%s%s%s%s%s%s?", near[0], near[1] ? " or '" : "",
			  near[1] ? near[1] : "", near[1] ? "'" : "", near[2] ? " or '" : "",
			  near[2] ? near[2] : "", near[2] ? "'" : "");
	else if (!binary->functions.count)
		skep_help(diag, "the file is stripped: install its debug symbols, or give the "
				"offset of the function in the file");
	return -SKEP_TARGET_FUNCTION_ERRNO;
}

static int address_of_offset(const struct binary *binary, uint64_t offset, uint64_t *address,
			     struct skep_diag *diag)
{
	int64_t found = binary_from_offset(binary, offset);

	if (found < 0)
		return skep_fail(diag, SKEP_TARGET_FUNCTION, NULL,
				 "offset 0x%llx of %s is in no part of the file that is loaded",
				 (unsigned long long)offset, binary->path);
	*address = (uint64_t)found;
	return 0;
}

int binary_address(struct binary *binary, const char *text, uint64_t *address,
		   struct skep_diag *diag)
{
	const struct function *function, *other;
	struct spec spec;
	int error = parse_spec(text, &spec, diag);

	if (error)
		return error;
	if (!spec.name[0])
		return address_of_offset(binary, spec.offset, address, diag);
	function = find(binary, &spec, &other);
	if (!function && binary_read_debug(binary))
		function = find(binary, &spec, &other);
	if (!function)
		return no_such_function(binary, &spec, diag);
	if (other)
		return skep_fail(diag, SKEP_TARGET_FUNCTION, NULL,
				 "%s has several functions '%s': at file offsets 0x%llx and 0x%llx, "
				 "for example; give the offset", binary->path, spec.name,
				 (unsigned long long)binary_offset(binary, function->address),
				 (unsigned long long)binary_offset(binary, other->address));
	if (function->is_ifunc)
		return skep_fail(diag, SKEP_TARGET_FUNCTION, NULL,
				 "'%s' of %s is only chosen when the file is loaded (an indirect "
				 "function); name the implementation, or its offset", spec.name,
				 binary->path);
	if (spec.offset && function->size && spec.offset >= function->size)
		return skep_fail(diag, SKEP_TARGET_FUNCTION, NULL,
				 "'%s': the function has only %llu bytes", text,
				 (unsigned long long)function->size);
	*address = function->address + spec.offset;
	return 0;
}
