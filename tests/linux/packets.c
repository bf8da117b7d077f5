/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packets.c - a packet program over a capture, in the running kernel.
 *
 *   packets OBJECT PROGRAM CAPTURE [OUTPUT]
 *
 * Each packet goes through BPF_PROG_TEST_RUN. Prints what `skep run -j` prints
 * at its end: a line with the actions taken and one per map element; OUTPUT
 * gets the packets that were not dropped, as the program left them. Exit
 * status 77 where the kernel does not let us ask.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <skep/btf.h>

#include "base/base.h"

enum { SKIPPED = 77, MAX_PACKET = 65536, ROOM = 512 };

struct pcap_record {
	uint32_t sec, usec, size, wire;
};

static const char *const xdp_actions[] = { "XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX",
					   "XDP_REDIRECT" };
static const char *const tc_actions[] = { "TC_ACT_OK", "TC_ACT_RECLASSIFY", "TC_ACT_SHOT",
					  "TC_ACT_PIPE", "TC_ACT_STOLEN" };

/* libbpf forgets these where the kernel would not take them (enums as array keys). */
struct types {
	const struct bpf_map *map;
	uint32_t key, value;
};

struct run {
	struct types types[32];
	size_t type_count;
	struct bpf_object *object;
	struct bpf_program *program;
	struct skep_btf *btf;
	uint64_t packets, too_short, actions[8];
	FILE *out;
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN && getenv("VERBOSE") ? vfprintf(stderr, format, args) : 0;
}

static bool is_xdp(const struct run *run)
{
	return bpf_program__type(run->program) == BPF_PROG_TYPE_XDP;
}

static bool dropped(const struct run *run, uint32_t action)
{
	return is_xdp(run) ? action == XDP_DROP || action == XDP_ABORTED : action == 2;
}

static int open_object(struct run *run, const char *path, const char *name)
{
	struct bpf_program *program;
	struct bpf_map *map;

	run->btf = skep_btf_open_file(path, NULL, NULL);
	run->object = bpf_object__open_file(path, NULL);
	if (!run->object || !run->btf)
		return fprintf(stderr, "%s: cannot be opened\n", path), 1;
	run->program = bpf_object__find_program_by_name(run->object, name);
	if (!run->program)
		return fprintf(stderr, "%s: no program %s\n", path, name), 1;
	bpf_object__for_each_program(program, run->object)
		bpf_program__set_autoload(program, bpf_program__type(program) ==
						   bpf_program__type(run->program));
	bpf_object__for_each_map(map, run->object)
		if (run->type_count < ARRAY_SIZE(run->types) && !bpf_map__is_internal(map))
			run->types[run->type_count++] = (struct types){
				map, bpf_map__btf_key_type_id(map),
				bpf_map__btf_value_type_id(map) };
	if (bpf_object__load(run->object) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return errno == EPERM || errno == ENOSYS ? SKIPPED : 1;
	}
	return 0;
}

static int run_packet(struct run *run, const struct pcap_record *record, void *data)
{
	static unsigned char result[MAX_PACKET + ROOM];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = record->size,
		    .data_out = result, .data_size_out = sizeof(result));
	int error = bpf_prog_test_run_opts(bpf_program__fd(run->program), &opts);

	if (error && errno == EINVAL && record->size < 14 + 20) {
		run->packets++;
		run->too_short++;
		return 0;
	}
	if (error) {
		fprintf(stderr, "packet %llu of %u bytes: %s\n", (unsigned long long)run->packets,
			record->size, strerror(errno));
		return 1;
	}
	run->packets++;
	run->actions[opts.retval < 8 ? opts.retval : 7]++;
	if (run->out && !dropped(run, opts.retval)) {
		struct pcap_record header = { record->sec, record->usec, opts.data_size_out,
					      opts.data_size_out };

		fwrite(&header, sizeof(header), 1, run->out);
		fwrite(result, opts.data_size_out, 1, run->out);
	}
	return 0;
}

static int run_capture(struct run *run, const char *path)
{
	static unsigned char packet[MAX_PACKET];
	struct pcap_record record;
	char header[24];
	FILE *in = fopen(path, "rb");
	int error = 0;

	if (!in || fread(header, sizeof(header), 1, in) != 1)
		return fprintf(stderr, "%s: cannot be read\n", path), 1;
	if (run->out)
		fwrite(header, sizeof(header), 1, run->out);
	while (!error && fread(&record, sizeof(record), 1, in) == 1) {
		if (record.size > sizeof(packet) || fread(packet, record.size, 1, in) != 1)
			break;
		error = run_packet(run, &record, packet);
	}
	fclose(in);
	return error;
}

static void print_typed(const struct run *run, uint32_t type, const void *bytes, size_t size)
{
	struct skep_text text = { 0 };

	if (skep_btf_print_value(run->btf, type, bytes, size, SKEP_VALUE_JSON, &text) < 0)
		text_add(&text, "null");
	fputs(text.data, stdout);
	text_done(&text);
}

static void print_element(const struct run *run, const struct types *types, const void *key,
			  const unsigned char *value, bool per_cpu)
{
	const struct bpf_map *map = types->map;
	size_t size = bpf_map__value_size(map), stride = (size + 7) & ~(size_t)7;
	int cpus = per_cpu ? libbpf_num_possible_cpus() : 1;

	printf("{\"v\":1,\"map\":\"%s\",\"key\":", bpf_map__name(map));
	print_typed(run, types->key, key, bpf_map__key_size(map));
	printf(per_cpu ? ",\"values\":[" : ",\"value\":");
	for (int cpu = 0; cpu < cpus; cpu++) {
		printf("%s", cpu ? "," : "");
		print_typed(run, types->value, value + (size_t)cpu * stride, size);
	}
	printf("%s}\n", per_cpu ? "]" : "");
}

static void print_map(const struct run *run, const struct types *types)
{
	const struct bpf_map *map = types->map;
	enum bpf_map_type type = bpf_map__type(map);
	bool per_cpu = type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
		       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	unsigned char key[512], *value = malloc(1 << 20);
	const void *from = NULL;

	if (!types->value || !value) {
		free(value);
		return;
	}
	while (bpf_map_get_next_key(bpf_map__fd(map), from, key) == 0) {
		from = key;
		if (bpf_map_lookup_elem(bpf_map__fd(map), key, value) == 0)
			print_element(run, types, key, value, per_cpu);
	}
	free(value);
}

static void print_actions(const struct run *run)
{
	const char *gap = "";

	printf("{\"v\":1,\"program\":\"%s\",\"packets\":%llu,\"too_short\":%llu,"
	       "\"actions\":{", bpf_program__name(run->program),
	       (unsigned long long)run->packets, (unsigned long long)run->too_short);
	for (unsigned i = 0; i < ARRAY_SIZE(run->actions); i++) {
		char number[16];
		const char *name = number;

		if (!run->actions[i])
			continue;
		snprintf(number, sizeof(number), "%u", i);
		if (is_xdp(run) && i < ARRAY_SIZE(xdp_actions))
			name = xdp_actions[i];
		else if (bpf_program__type(run->program) == BPF_PROG_TYPE_SCHED_CLS &&
			 i < ARRAY_SIZE(tc_actions))
			name = tc_actions[i];
		printf("%s\"%s\":%llu", gap, name, (unsigned long long)run->actions[i]);
		gap = ",";
	}
	printf("}}\n");
}

int main(int argc, char **argv)
{
	struct run run = { 0 };
	int error;

	if (argc < 4 || argc > 5)
		return fprintf(stderr, "usage: packets OBJECT PROGRAM CAPTURE [OUTPUT]\n"), 2;
	libbpf_set_print(quiet);
	error = open_object(&run, argv[1], argv[2]);
	if (error)
		return error;
	run.out = argc == 5 ? fopen(argv[4], "wb") : NULL;
	error = run_capture(&run, argv[3]);
	if (run.out)
		fclose(run.out);
	if (error)
		return error;
	print_actions(&run);
	for (size_t i = 0; i < run.type_count; i++)
		print_map(&run, &run.types[i]);
	bpf_object__close(run.object);
	skep_btf_unref(run.btf);
	return 0;
}
