/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers of the user API against a table of facts beside the checkout
 * (../shared/reference), where there is one; says so and skips otherwise.
 */
#include "isa_test.h"

#include "helper/helper.h"
#include "isa/abi.h"
#include "isa/opcode.h"

static const struct {
	const char *name;
	long long value;
} numbers[] = {
#define NUMBER(name) { #name, name }
	NUMBER(BPF_MAP_CREATE), NUMBER(BPF_PROG_LOAD), NUMBER(BPF_PROG_TEST_RUN),
	NUMBER(BPF_BTF_LOAD), NUMBER(BPF_LINK_CREATE), NUMBER(BPF_TOKEN_CREATE),
	NUMBER(BPF_PROG_STREAM_READ_BY_FD), NUMBER(BPF_MAP_TYPE_HASH), NUMBER(BPF_MAP_TYPE_ARRAY),
	NUMBER(BPF_MAP_TYPE_LPM_TRIE), NUMBER(BPF_MAP_TYPE_RINGBUF), NUMBER(BPF_MAP_TYPE_ARENA),
	NUMBER(BPF_MAP_TYPE_INSN_ARRAY), NUMBER(BPF_PROG_TYPE_XDP), NUMBER(BPF_PROG_TYPE_TRACING),
	NUMBER(BPF_PROG_TYPE_LSM), NUMBER(BPF_PROG_TYPE_NETFILTER), NUMBER(BPF_CGROUP_SYSCTL),
	NUMBER(BPF_TRACE_FENTRY), NUMBER(BPF_XDP), NUMBER(BPF_TCX_INGRESS),
	NUMBER(BPF_NETKIT_PEER), NUMBER(BPF_TRACE_UPROBE_SESSION), NUMBER(BPF_LINK_TYPE_NETKIT),
	NUMBER(XDP_REDIRECT), NUMBER(BPF_CORE_TYPE_MATCHES), NUMBER(BPF_F_NO_PREALLOC),
	NUMBER(BPF_F_MMAPABLE), NUMBER(BPF_F_INNER_MAP), NUMBER(BPF_F_SLEEPABLE),
	NUMBER(BPF_F_XDP_HAS_FRAGS), NUMBER(BPF_ANY), NUMBER(BPF_NOEXIST), NUMBER(BPF_F_LOCK),
};

static char *reference(const char *file)
{
	static const char *const places[] = { "../shared/reference/", "../../shared/reference/",
					      "../../../shared/reference/" };
	char path[256];
	size_t size;
	void *bytes, *text;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), "%s%s", places[i], file);
		if (read_file(path, &bytes, &size, 1 << 24) < 0)
			continue;
		text = calloc(1, size + 1);
		memcpy(text, bytes, size);
		free(bytes);
		return text;
	}
	print_message("skipped: there is no ../shared/reference/%s beside the checkout\n", file);
	return NULL;
}

static void abi__numbers_are_those_of_linux(void **state)
{
	char *text = reference("abi-7.3.json"), key[128];

	(void)state;
	if (!text)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *at;

		snprintf(key, sizeof(key), "\"%s\":", numbers[i].name);
		at = strstr(text, key);
		if (!at)
			continue; /* a #define that the table spells as an expression */
		at += strlen(key);
		if (*at == ' ')
			at++;
		if (*at != '-' && (*at < '0' || *at > '9'))
			continue;
		if (strtoll(at, NULL, 0) != numbers[i].value)
			fail_msg("%s is %lld, not %lld", numbers[i].name, strtoll(at, NULL, 0),
				 numbers[i].value);
	}
	free(text);
}

static void abi__helper_numbers_are_those_of_linux(void **state)
{
	char *text = reference("helpers-7.3.csv"), *save = NULL;
	size_t seen = 0;

	(void)state;
	if (!text)
		skip();
	strtok_r(text, "\n", &save);
	for (char *line; (line = strtok_r(NULL, "\n", &save));) {
		char name[128];
		int id;

		if (sscanf(line, "%d,bpf_%100[^,]", &id, name) != 2)
			continue;
		assert_non_null(helper_name(id));
		assert_string_equal(helper_name(id), name);
		assert_int_equal(helper_number(name, strlen(name)), id);
		seen++;
	}
	assert_true(seen >= 212);
	free(text);
}

static void abi__helper_names_are_those_of_the_descriptors(void **state)
{
	(void)state;
	for (int32_t id = 1; id < HELPER_ID_MAX; id++) {
		const struct helper *helper = helper_by_id((uint32_t)id);

		assert_non_null(helper);
		assert_string_equal(helper->name, helper_name(id));
	}
	assert_null(helper_name(HELPER_ID_MAX));
	assert_null(helper_name(-1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(abi__numbers_are_those_of_linux),
		test(abi__helper_numbers_are_those_of_linux),
		test(abi__helper_names_are_those_of_the_descriptors),
	};

	return run_group(tests);
}
