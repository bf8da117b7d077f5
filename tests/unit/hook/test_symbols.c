/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks up functions in this very program, in libraries built for the purpose, and in files
 * that are not what they should be.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>
#include "hook/symbols.h"

__attribute__((noinline, used)) int symbols_probe_me(int x);
int symbols_probe_me(int x)
{
	__asm__ volatile("");
	return x + 1;
}

static struct binary *self(void)
{
	struct binary *binary = binary_open("/proc/self/exe", NULL, NULL);

	assert_non_null(binary);
	return binary;
}

static void function__is_found_by_its_symbol(void **state)
{
	struct binary *binary = self();
	const struct function *function;
	uint64_t address, other;
	int64_t offset;

	(void)state;
	assert_int_equal(binary_address(binary, "symbols_probe_me", &address, NULL), 0);
	function = binary_function_at(binary, address + 1);
	assert_non_null(function);
	assert_string_equal(function->name, "symbols_probe_me");
	assert_memory_equal(binary_bytes(binary, address).data,
			    (const void *)(uintptr_t)symbols_probe_me, function->size);
	offset = binary_offset(binary, address);
	assert_true(offset > 0);
	assert_int_equal(binary_from_offset(binary, (uint64_t)offset), address);
	assert_int_equal(binary_address(binary, "symbols_probe_me+1", &other, NULL), 0);
	assert_int_equal(other, address + 1);
	binary_free(binary);
}

static void function__is_found_by_its_offset_in_the_file(void **state)
{
	struct binary *binary = self();
	uint64_t address, same;
	char text[32];

	(void)state;
	assert_int_equal(binary_address(binary, "symbols_probe_me", &address, NULL), 0);
	snprintf(text, sizeof(text), "0x%llx",
		 (unsigned long long)binary_offset(binary, address));
	assert_int_equal(binary_address(binary, text, &same, NULL), 0);
	assert_int_equal(same, address);
	binary_free(binary);
}

/* Expects a failure whose text and help contain the words. */
static void fails(struct binary *binary, const char *spec, const char *words)
{
	struct skep_diag *diag = skep_diag_new();
	uint64_t address = 42;
	char *text;

	assert_int_equal(binary_address(binary, spec, &address, diag), -ESRCH);
	assert_int_equal(address, 42);
	text = skep_diag_text(diag, 0);
	if (!strstr(text, words))
		fail_msg("'%s' is not in: %s", words, text);
	free(text);
	skep_diag_free(diag);
}

static void function__that_is_mistyped_names_the_nearest(void **state)
{
	struct binary *binary = self();

	(void)state;
	fails(binary, "symbols_prob_me", "did you mean 'symbols_probe_me'");
	fails(binary, "symbols_probe_me+0x100000", "has only");
	fails(binary, "symbols_probe_me+x", "must be a number");
	fails(binary, "12monkeys", "neither an offset");
	fails(binary, "0xffffffffff", "no part of the file");
	binary_free(binary);
}

static int count(void *arg, const struct function *function)
{
	assert_int_equal(strncmp(function->name, "symbols_pro", 11), 0);
	++*(int *)arg;
	return 0;
}

static int refuse(void *arg, const struct function *function)
{
	(void)arg;
	(void)function;
	return -EPERM;
}

static void pattern__finds_every_function_once(void **state)
{
	struct binary *binary = self();
	int calls = 0;

	(void)state;
	assert_int_equal(binary_match(binary, "symbols_pro*_m?", count, &calls), 1);
	assert_int_equal(calls, 1);
	assert_int_equal(binary_match(binary, "no such thing*", count, &calls), 0);
	assert_int_equal(binary_match(binary, "symbols_*", refuse, NULL), -EPERM);
	binary_free(binary);
}

/* --- libraries made by gcc --- */

static char directory[] = "/tmp/skep-symbols-XXXXXX";

static void run(const char *format, ...)
{
	char command[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command) != 0)
		fail_msg("this failed: %s", command);
}

static struct binary *library(const char *name)
{
	char path[256];
	struct binary *binary;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	binary = binary_open(path, directory, NULL);
	assert_non_null(binary);
	return binary;
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	run("cd %s && cat >v.c <<'EOF'\n"
	    "int old(void) { return 1; }\nint new(void) { return 2; }\n"
	    "__asm__(\".symver old,f@V1\\n.symver new,f@@V2\");\n"
	    "static int chosen(void) { return 3; }\n"
	    "static void *choose(void) { return chosen; }\n"
	    "int indirect(void) __attribute__((ifunc(\"choose\")));\n"
	    "EOF\n"
	    "echo 'V1 { global: f; }; V2 { global: f; indirect; };' >v.map\n"
	    "gcc -shared -fPIC -Wl,--version-script=v.map -Wl,--build-id -o v.so v.c\n"
	    "echo 'static __attribute__((used)) int twin(void) { return 1; }' >a.c\n"
	    "echo 'static __attribute__((used)) int twin(void) { return 2; }' >b.c\n"
	    "gcc -shared -fPIC -o twins.so a.c b.c\n"
	    "strip -o bare.so v.so\n"
	    "cp v.so linked.so && objcopy --only-keep-debug linked.so linked.debug &&"
	    " strip linked.so && objcopy -R .note.gnu.build-id --add-gnu-debuglink=linked.debug"
	    " linked.so\n"
	    "cp linked.so stale.so && objcopy -R .gnu_debuglink stale.so &&"
	    " cp twins.so stale.debug && objcopy --add-gnu-debuglink=stale.debug stale.so &&"
	    " echo >>stale.debug", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	run("rm -rf %s", directory);
	return 0;
}

/* The first byte that a function returns: mov $N,%eax is in it. */
static int returned(struct binary *binary, const char *spec)
{
	uint64_t address;
	const uint8_t *bytes;
	struct view view;

	assert_int_equal(binary_address(binary, spec, &address, NULL), 0);
	view = binary_bytes(binary, address);
	bytes = memchr(view.data, 0xb8, 16);
	assert_non_null(bytes);
	return bytes[1];
}

static void version__is_the_default_one_unless_named(void **state)
{
	struct binary *binary = library("bare.so");

	(void)state;
	assert_int_equal(returned(binary, "f"), 2);
	assert_int_equal(returned(binary, "f@V1"), 1);
	assert_int_equal(returned(binary, "f@@V2"), 2);
	fails(binary, "f@V3", "in version 'V");
	binary_free(binary);
}

static void function__chosen_at_load_time_is_refused(void **state)
{
	struct binary *binary = library("v.so");

	(void)state;
	fails(binary, "indirect", "indirect function");
	binary_free(binary);
}

static void functions__of_one_name_are_told_apart_by_offset_only(void **state)
{
	struct binary *binary = library("twins.so");

	(void)state;
	fails(binary, "twin", "several functions 'twin'");
	binary_free(binary);
}

static void debug_file__is_found_by_build_id(void **state)
{
	struct binary *binary = library("bare.so");
	struct view id = binary_section(binary, ".note.gnu.build-id", NULL);
	char hex[128] = "";

	(void)state;
	assert_non_null(id.data);
	fails(binary, "chosen", "no function 'chosen'");
	binary_free(binary);
	for (size_t i = 16; i < id.size && id.size < 60; i++) {
		binary = library("bare.so");
		id = binary_section(binary, ".note.gnu.build-id", NULL);
		sprintf(hex + strlen(hex), "%02x%s", ((const uint8_t *)id.data)[i],
			i == 16 ? "/" : "");
		binary_free(binary);
	}
	run("cd %s && mkdir -p .build-id/%.2s && cp v.so .build-id/%s.debug", directory, hex, hex);
	binary = library("bare.so");
	assert_int_equal(returned(binary, "chosen"), 3);
	binary_free(binary);
}

static void debug_file__is_found_by_its_link_if_it_is_the_right_one(void **state)
{
	struct binary *binary = library("linked.so");

	(void)state;
	assert_int_equal(returned(binary, "chosen"), 3);
	binary_free(binary);
	binary = library("stale.so");
	fails(binary, "twin", "no function 'twin'");
	binary_free(binary);
}

static void file__that_is_no_program_is_refused(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/v.c", directory);
	assert_null(binary_open(path, NULL, diag));
	assert_string_equal(skep_code_id(skep_diag_get(diag, 0)->code), "H008");
	assert_null(binary_open("/nonexistent", NULL, diag));
	assert_string_equal(skep_code_id(skep_diag_get(diag, 1)->code), "G002");
	assert_null(binary_find("no-such-command-here", diag));
	assert_string_equal(skep_code_id(skep_diag_get(diag, 2)->code), "H009");
	skep_diag_free(diag);
}

/* Every byte of a small library is damaged in turn; nothing may crash or read outside. */
static void file__that_is_damaged_does_no_harm(void **state)
{
	char path[256];
	void *bytes;
	size_t size;

	(void)state;
	snprintf(path, sizeof(path), "%s/bare.so", directory);
	assert_int_equal(read_file(path, &bytes, &size, 1 << 20), 0);
	snprintf(path, sizeof(path), "%s/damaged.so", directory);
	for (size_t i = 0; i < size; i += i < 1024 ? 1 : 37) {
		FILE *file = fopen(path, "w");
		struct binary *binary;
		uint64_t address;

		((uint8_t *)bytes)[i] ^= 0xff;
		fwrite(bytes, 1, size, file);
		fclose(file);
		((uint8_t *)bytes)[i] ^= 0xff;
		binary = binary_open(path, directory, NULL);
		if (binary)
			binary_address(binary, "f@V1", &address, NULL);
		binary_free(binary);
	}
	free(bytes);
}

static void command__is_found_along_path(void **state)
{
	char *path = binary_find("sh", NULL);

	(void)state;
	assert_non_null(path);
	assert_int_equal(access(path, X_OK), 0);
	free(path);
	path = binary_find("libc.so.6", NULL);
	assert_non_null(path);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(function__is_found_by_its_symbol),
		cmocka_unit_test(function__is_found_by_its_offset_in_the_file),
		cmocka_unit_test(function__that_is_mistyped_names_the_nearest),
		cmocka_unit_test(pattern__finds_every_function_once),
		cmocka_unit_test(version__is_the_default_one_unless_named),
		cmocka_unit_test(function__chosen_at_load_time_is_refused),
		cmocka_unit_test(functions__of_one_name_are_told_apart_by_offset_only),
		cmocka_unit_test(debug_file__is_found_by_build_id),
		cmocka_unit_test(debug_file__is_found_by_its_link_if_it_is_the_right_one),
		cmocka_unit_test(file__that_is_no_program_is_refused),
		cmocka_unit_test(file__that_is_damaged_does_no_harm),
		cmocka_unit_test(command__is_found_along_path),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
