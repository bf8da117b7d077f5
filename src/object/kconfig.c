/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kconfig.c - values of kernel settings: from the kernel's configuration file,
 * and a few that the loader makes up (LINUX_KERNEL_VERSION ...).
 *
 * A setting that cannot be found is zero if it was declared weak; otherwise
 * the program that reads it cannot be loaded.
 */
#include "object/object.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <zlib.h>

enum { MAX_CONFIG = 16 << 20 };

/* --- the configuration file --- */

/* gzread() reads plain files as they are. */
static char *read_config(const char *path)
{
	gzFile file = gzopen(path, "re");
	struct skep_text text = { 0 };
	char chunk[4096];
	int got;

	if (!file)
		return NULL;
	while ((got = gzread(file, chunk, sizeof(chunk))) > 0 && text.len < MAX_CONFIG)
		text_add_bytes(&text, chunk, (size_t)got);
	gzclose(file);
	if (got < 0 || text.failed)
		text_done(&text);
	return text.data;
}

static char *running_config(void)
{
	struct utsname uts;
	char path[sizeof(uts.release) + 16];
	char *config;

	uname(&uts);
	snprintf(path, sizeof(path), "/boot/config-%s", uts.release);
	config = read_config(path);
	return config ? config : read_config("/proc/config.gz");
}

/* The text behind "NAME=" up to its line's end, copied into value; false: none. */
static bool config_value(const char *config, const char *name, char *value, size_t size)
{
	size_t len = strlen(name);

	for (const char *line = config; line && *line;) {
		const char *end = line + strcspn(line, "\n");

		if (strncmp(line, name, len) == 0 && line[len] == '=') {
			size_t bytes = MIN((size_t)(end - line) - len - 1, size - 1);

			memcpy(value, line + len + 1, bytes);
			value[bytes] = '\0';
			return true;
		}
		line = *end ? end + 1 : end;
	}
	return false;
}

/* --- made up by the loader --- */

static uint32_t version_code(const char *text)
{
	unsigned major = 0, minor = 0, patch = 0;

	sscanf(text, "%u.%u.%u", &major, &minor, &patch);
	return major << 16 | (minor & 0xff) << 8 | MIN(patch, 255u);
}

/* Distributions keep the upstream version apart from the release's name. */
static uint32_t kernel_version(void)
{
	struct utsname uts;
	const char *debian;
	unsigned major, minor, patch;
	FILE *file = fopen("/proc/version_signature", "re");
	int got = 0;

	if (file) {
		got = fscanf(file, "%*s %*s %u.%u.%u", &major, &minor, &patch);
		fclose(file);
		if (got == 3)
			return major << 16 | (minor & 0xff) << 8 | MIN(patch, 255u);
	}
	uname(&uts);
	debian = strstr(uts.version, "Debian ");
	return version_code(debian ? debian + strlen("Debian ") : uts.release);
}

static bool virtual_value(const struct skep_object *object, const char *name, uint64_t *value)
{
	if (strcmp(name, "LINUX_KERNEL_VERSION") == 0)
		*value = object->release ? object->release << 8 : kernel_version();
	else if (strcmp(name, "LINUX_HAS_BPF_COOKIE") == 0)
		*value = 1;
	else if (strcmp(name, "LINUX_HAS_SYSCALL_WRAPPER") == 0)
		*value = 1;
	else
		return false;
	return true;
}

/* --- writing a value as its variable's type --- */

static bool is_char_array(const struct skep_btf *btf, const struct btf_type *t)
{
	const struct btf_array *array = btf_data(t);
	uint32_t bits;
	bool is_signed;

	return btf_kind(t) == BTF_ARRAY && array->nelems &&
	       btf_is_int(btf, btf_skip_mods_and_typedefs(btf, array->type), &is_signed, &bits) &&
	       bits == 8;
}

static bool store_int(const struct skep_btf *btf, const struct object_extern *ext, uint64_t value,
		      bool negative, uint8_t *to)
{
	const struct btf_type *t = btf_type(btf, ext->type);
	bool is_signed = false;
	uint32_t bits;

	if (btf_kind(t) != BTF_INT || ext->size > 8 ||
	    !btf_is_int(btf, ext->type, &is_signed, &bits))
		return false;
	if (ext->size < 8 && is_signed) {
		int64_t limit = (int64_t)1 << (8 * ext->size - 1);

		if ((int64_t)value < -limit || (int64_t)value >= limit)
			return false;
	} else if (ext->size < 8 && (negative || value >> (8 * ext->size))) {
		return false;
	}
	memcpy(to, &value, ext->size);
	return true;
}

static bool is_tristate(const struct skep_btf *btf, const struct btf_type *t)
{
	return btf_kind(t) == BTF_ENUM && strcmp(btf_name(btf, t), "libbpf_tristate") == 0;
}

static bool is_bool(const struct skep_btf *btf, uint32_t id)
{
	const struct btf_type *t = btf_type(btf, id);

	return btf_kind(t) == BTF_INT && (*(const uint32_t *)btf_data(t) >> 24 & 4);
}

/* y, m and n: for bool, char and tristate. */
static bool store_letter(const struct skep_btf *btf, const struct object_extern *ext, char letter,
			 uint8_t *to)
{
	const struct btf_type *t = btf_type(btf, ext->type);
	uint32_t number = letter == 'y' ? 1 : letter == 'm' ? 2 : 0;

	if (is_tristate(btf, t) && ext->size == 4) {
		memcpy(to, &number, sizeof(number));
		return true;
	}
	if (btf_kind(t) != BTF_INT || ext->size != 1)
		return false;
	if (is_bool(btf, ext->type)) {
		*to = letter == 'y';
		return letter != 'm';
	}
	*to = (uint8_t)letter;
	return true;
}

static bool store_string(const struct skep_btf *btf, const struct object_extern *ext, char *text,
			 uint8_t *to)
{
	size_t len = strlen(text);

	if (!is_char_array(btf, btf_type(btf, ext->type)))
		return false;
	if (len < 2 || text[len - 1] != '"')
		return false;
	text[len - 1] = '\0';
	snprintf((char *)to, ext->size, "%s", text + 1);
	return true;
}

/* false: the value does not fit the variable's type. */
static bool store(const struct skep_btf *btf, const struct object_extern *ext, char *text,
		  uint8_t *to)
{
	char *end;
	uint64_t value;

	if (text[0] == '"')
		return store_string(btf, ext, text, to);
	if (strchr("ynm", text[0]) && text[0] && !text[1])
		return store_letter(btf, ext, text[0], to);
	errno = 0;
	value = text[0] == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text, &end, 0);
	return !errno && end != text && !*end && store_int(btf, ext, value, text[0] == '-', to);
}

static void fill_one(struct skep_object *object, struct object_extern *ext, const char *config,
		     uint8_t *data)
{
	uint8_t *to = data + ext->offset;
	char text[4096];
	uint64_t value;

	memset(to, 0, ext->size);
	if (strncmp(ext->name, "CONFIG_", 7) == 0) {
		if (!config_value(config, ext->name, text, sizeof(text)))
			return;
		ext->is_set = store(object->btf, ext, text, to);
		if (!ext->is_set)
			ext->problem = "its value in the kernel's configuration does not fit its "
				       "type";
		return;
	}
	if (!virtual_value(object, ext->name, &value)) {
		if (!ext->weak)
			ext->problem = "the loader knows no such setting";
		return;
	}
	ext->is_set = is_bool(object->btf, ext->type) && value <= 1
			      ? (*to = (uint8_t)value, true)
			      : store_int(object->btf, ext, value, false, to);
	if (!ext->is_set)
		ext->problem = "its value does not fit its type";
}

int kconfig_fill(struct skep_object *object, struct skep_diag *diag)
{
	struct skep_object_map *map = object->maps.items[object->kconfig_map - 1];
	bool wants_config = false;
	char *config = NULL;
	uint8_t *data;

	if (object->kconfig_filled)
		return 0;
	data = map_contents(map);
	if (!data)
		return skep_fail(diag, SKEP_OOM, NULL, "map '%s'", map->name);
	for (size_t i = 0; i < object->externs.count; i++)
		wants_config |= object->externs.items[i].kind == EXTERN_KCONFIG &&
				strncmp(object->externs.items[i].name, "CONFIG_", 7) == 0;
	if (wants_config)
		config = running_config();
	for (size_t i = 0; i < object->externs.count; i++) {
		struct object_extern *ext = &object->externs.items[i];

		if (ext->kind == EXTERN_KCONFIG && !ext->problem)
			fill_one(object, ext, config, data);
	}
	free(config);
	object->kconfig_filled = true;
	return 0;
}
