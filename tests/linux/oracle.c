/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oracle.c - what the running kernel says about each program of an object.
 *
 *   oracle OBJECT...     one JSON object a line: object, program, section, type,
 *                        verdict (accepted, rejected, unjudged), errno, message, and
 *                        what the verifier counted: processed, states, peak_states, time_us
 *
 * Each program is loaded alone, by libbpf, in a process of its own. "rejected"
 * means that the verifier looked at it and refused: its log ends with the count
 * of instructions it processed. Whatever fails before that is "unjudged".
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define LOG_SIZE (1u << 20)
#define TIME_LIMIT 120 /* seconds for one program */

static char *verifier_log;
static char library_says[4096];  /* its last warnings */
static int load_failed;          /* it got as far as loading the program, and that failed */

static int on_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char line[1024];
	size_t used = strlen(library_says), len;

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, args);
	if (strstr(line, "BPF program load failed"))
		load_failed = 1;
	if (strstr(line, "PROG LOAD LOG"))
		return 0;
	len = strlen(line);
	if (used + len + 1 < sizeof(library_says))
		memcpy(library_says + used, line, len + 1);
	return 0;
}

static void print_string(const char *key, const char *text, size_t len)
{
	printf(",\"%s\":\"", key);
	for (size_t i = 0; i < len && text[i]; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 32 || c > 126)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static int is_statistics(const char *line)
{
	return strncmp(line, "processed ", 10) == 0 || strncmp(line, "verification time", 17) == 0 ||
	       strncmp(line, "stack depth", 11) == 0;
}

/* The first line of a text: what went wrong before the rest did. */
static const char *first_line(const char *text, size_t *len)
{
	if (strncmp(text, "libbpf: ", 8) == 0)
		text += 8;
	*len = strcspn(text, "\n");
	return text;
}

/* The last line of a text that says something. */
static const char *last_line(const char *text, size_t *len)
{
	const char *end = text + strlen(text);

	while (end > text) {
		const char *start;

		while (end > text && (end[-1] == '\n' || end[-1] == ' '))
			end--;
		for (start = end; start > text && start[-1] != '\n';)
			start--;
		if (end > start && !is_statistics(start)) {
			*len = (size_t)(end - start);
			return start;
		}
		end = start;
	}
	*len = 0;
	return "";
}

/* What the program that uses the object would set before loading it. */
static void settle_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		enum bpf_map_type type = bpf_map__type(map);
		int is_ring = type == BPF_MAP_TYPE_RINGBUF || type == BPF_MAP_TYPE_USER_RINGBUF;
		int is_storage = type == BPF_MAP_TYPE_SK_STORAGE || type == BPF_MAP_TYPE_TASK_STORAGE ||
				 type == BPF_MAP_TYPE_INODE_STORAGE ||
				 type == BPF_MAP_TYPE_CGROUP_STORAGE ||
				 type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE || type == 32;

		bpf_map__set_pin_path(map, NULL);
		if (!bpf_map__max_entries(map) && !is_storage && type != BPF_MAP_TYPE_STRUCT_OPS)
			bpf_map__set_max_entries(map, is_ring ? 4096 : 16);
		if (type == BPF_MAP_TYPE_STACK_TRACE && !bpf_map__value_size(map))
			bpf_map__set_value_size(map, 127 * 8);
		if (type == BPF_MAP_TYPE_PERF_EVENT_ARRAY || type == BPF_MAP_TYPE_STACK_TRACE)
			bpf_map__set_key_size(map, 4);
		if (type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
			bpf_map__set_value_size(map, 4);
	}
}

static struct bpf_program *program_at(struct bpf_object *object, int index)
{
	struct bpf_program *program, *found = NULL;
	int i = 0;

	bpf_object__for_each_program(program, object) {
		bpf_program__set_autoload(program, i == index);
		if (i++ == index)
			found = program;
	}
	return found;
}

/* The verifier's statistics: "processed N insns ... total_states N ...". */
static void report_statistics(void)
{
	static const struct {
		const char *words, *key;
	} rows[] = {
		{ "processed ", "processed" }, { "total_states ", "states" },
		{ "peak_states ", "peak_states" }, { "verification time ", "time_us" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strstr(verifier_log, rows[i].words);

		if (at)
			printf(",\"%s\":%ld", rows[i].key,
			       strtol(at + strlen(rows[i].words), NULL, 10));
	}
}

static void report(const char *path, struct bpf_program *program, int error)
{
	const char *type = libbpf_bpf_prog_type_str(bpf_program__type(program));
	int judged = strstr(verifier_log, "processed ") != NULL;
	const char *verdict = "unjudged", *line;
	size_t len;

	if (error == 0 || (judged && !load_failed))
		verdict = "accepted";
	else if (judged)
		verdict = "rejected";
	printf("{\"v\":1");
	print_string("object", path, SIZE_MAX);
	print_string("program", bpf_program__name(program), SIZE_MAX);
	print_string("section", bpf_program__section_name(program), SIZE_MAX);
	print_string("type", type ? type : "unspec", SIZE_MAX);
	print_string("verdict", verdict, SIZE_MAX);
	printf(",\"errno\":%d", verdict[0] == 'a' ? 0 : -error);
	if (judged)
		report_statistics();
	line = verdict[0] == 'u' ? first_line(library_says, &len) : last_line(verifier_log, &len);
	if (verdict[0] != 'a')
		print_string("message", line, len > 500 ? 500 : len);
	printf("}\n");
	fflush(stdout);
}

static void judge(const char *path, int index)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	int error;

	if (!object)
		return;
	program = program_at(object, index);
	settle_maps(object);
	verifier_log[0] = 0;
	bpf_program__set_log_level(program, 4); /* what it refuses, and statistics */
	bpf_program__set_log_buf(program, verifier_log, LOG_SIZE);
	error = bpf_object__load(object);
	report(path, program, error);
	bpf_object__close(object);
}

static int count_programs(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	int count = 0;

	if (!object) {
		printf("{\"v\":1");
		print_string("object", path, SIZE_MAX);
		printf(",\"verdict\":\"unjudged\",\"errno\":%d", errno);
		print_string("message", library_says, SIZE_MAX);
		printf("}\n");
		return 0;
	}
	bpf_object__for_each_program(program, object)
		count++;
	bpf_object__close(object);
	return count;
}

static void each_program(const char *path)
{
	int count = count_programs(path);

	fflush(stdout);
	for (int i = 0; i < count; i++) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			library_says[0] = 0;
			alarm(TIME_LIMIT);
			judge(path, i);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0)
			exit(1);
		if (status)
			printf("{\"v\":1,\"object\":\"%s\",\"index\":%d,\"verdict\":\"unjudged\","
			       "\"message\":\"the loader died or took too long\"}\n", path, i);
	}
}

int main(int argc, char **argv)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
	verifier_log = malloc(LOG_SIZE);
	if (!verifier_log)
		return 1;
	libbpf_set_print(on_print);
	for (int i = 1; i < argc; i++) {
		library_says[0] = 0;
		each_program(argv[i]);
	}
	return 0;
}
