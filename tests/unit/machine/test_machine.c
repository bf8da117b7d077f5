/* SPDX-License-Identifier: BSD-2-Clause */
/* test_machine.c - loading objects, running programs, maps and events; on both engines. */
#include "../object/fixture.h"

#include <sys/wait.h>
#include <skep/machine.h>
#include <skep/packet.h>

#include "machine/machine.h"
#include "machine/tag.h"

struct bench {
	struct skep_object *object;
	struct skep_machine *machine;
	struct skep_diag *diag;
};

static const enum skep_engine engines[] = { SKEP_ENGINE_INTERPRETER, SKEP_ENGINE_JIT };

static struct bench bench_new(const char *path, enum skep_engine engine)
{
	struct skep_machine_opts opts = { .engine = engine, .cpus = 4 };
	struct bench b = { .object = fixture_open(path), .diag = skep_diag_new() };

	b.machine = skep_machine_new(&opts, b.diag);
	if (!b.machine)
		print_error("%s\n", skep_diag_text(b.diag, 0));
	assert_non_null(b.machine);
	for (size_t i = 0; i < skep_object_prog_count(b.object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(b.object, i);

		if (strcmp(skep_object_prog_type(prog), "unspec") == 0)
			skep_object_prog_set_autoload(prog, false);
	}
	return b;
}

static struct bench bench_loaded(const char *path, enum skep_engine engine)
{
	struct bench b = bench_new(path, engine);

	if (skep_machine_load(b.machine, b.object, NULL, b.diag) < 0)
		fail_msg("%s", skep_diag_text(b.diag, 0));
	return b;
}

static void bench_free(struct bench *b)
{
	skep_machine_free(b->machine);
	skep_object_free(b->object);
	skep_diag_free(b->diag);
}

static struct skep_prog *prog_of(struct bench *b, const char *name)
{
	struct skep_prog *prog = skep_machine_prog(b->machine, prog_named(b->object, name));

	assert_non_null(prog);
	return prog;
}

static struct skep_map *map_of(struct bench *b, const char *name)
{
	struct skep_map *map = skep_machine_map(b->machine, map_named(b->object, name));

	assert_non_null(map);
	return map;
}

static int32_t run(struct bench *b, const char *name, uint64_t a0, uint64_t a1)
{
	uint64_t ctx[2] = { a0, a1 }, retval;

	if (skep_prog_run(prog_of(b, name), ctx, sizeof(ctx), &retval, b->diag) < 0)
		fail_msg("%s", skep_diag_text(b->diag, 0));
	return (int32_t)retval;
}

/* --- loading --- */

static void load__runs_what_the_source_says(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_loaded(FIXTURE("subprogs"), engines[e]);
		int x = 1234, middle = x * 3 + (x + 1) * 3;

		assert_int_equal(run(&b, "one", (uint64_t)x, 0), x * 3);
		assert_int_equal(run(&b, "two", (uint64_t)x, 0), middle - 1 + (x ^ 0x55));
		assert_int_equal(run(&b, "three", (uint64_t)x, 0), middle + 1 + 6);
		assert_int_equal(run(&b, "four", 0, 0), 55);
		assert_null(skep_machine_prog(b.machine, prog_named(b.object, "five")));
		bench_free(&b);
	}
}

static void load__globals_start_as_the_object_says_and_change(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_loaded(FIXTURE("globals"), engines[e]);
		uint32_t zero = 0, custom, limit = 5;
		uint64_t total;

		assert_int_equal(run(&b, "count", 10, 0), 6 + 9 + 'h');
		assert_int_equal(run(&b, "count", 20, 0), 7 + 11 + 'h');
		assert_int_equal(run(&b, "count", 90, 0), -1);
		assert_int_equal(skep_map_lookup(map_of(&b, ".bss"), &zero, &total), 0);
		assert_int_equal(total, 30);
		assert_int_equal(skep_map_lookup(map_of(&b, ".data.custom_section"), &zero, &custom),
				 0);
		assert_int_equal(custom, 41);
		/* Constants are frozen. */
		assert_int_equal(skep_map_update(map_of(&b, ".rodata"), &zero, &limit, 0), -EPERM);
		bench_free(&b);
	}
}

static void load__constants_may_be_set_before(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_new(FIXTURE("globals"), engines[e]);
		uint32_t *limit = skep_object_map_data(map_named(b.object, ".rodata"), NULL);

		*limit = 15;
		assert_int_equal(skep_machine_load(b.machine, b.object, NULL, b.diag), 0);
		assert_int_equal(run(&b, "count", 10, 0), 6 + 9 + 'h');
		assert_int_equal(run(&b, "count", 6, 0), -1);
		bench_free(&b);
	}
}

static void load__is_all_or_nothing(void **state)
{
	struct bench b = bench_new(FIXTURE("machine"), SKEP_ENGINE_AUTO);

	(void)state;
	skep_object_prog_set_autoload(prog_named(b.object, "unsafe"), true);
	assert_int_equal(skep_machine_load(b.machine, b.object, NULL, b.diag), -EACCES);
	assert_true(skep_diag_count(b.diag) > 0);
	assert_null(skep_machine_prog(b.machine, prog_named(b.object, "last")));
	assert_null(skep_machine_map(b.machine, map_named(b.object, "ring")));
	skep_object_prog_set_autoload(prog_named(b.object, "unsafe"), false);
	assert_int_equal(skep_machine_load(b.machine, b.object, NULL, b.diag), 0);
	bench_free(&b);
}

static void load__leaves_the_log_of_each_program(void **state)
{
	struct bench b = bench_new(FIXTURE("machine"), SKEP_ENGINE_AUTO);
	struct skep_object_prog *unsafe = prog_named(b.object, "unsafe");
	struct skep_verify_opts opts = { .log_level = 1 };
	const struct skep_verify_result *result;

	(void)state;
	assert_null(skep_object_prog_result(unsafe));
	skep_object_prog_set_autoload(unsafe, true);
	assert_int_equal(skep_machine_load(b.machine, b.object, &opts, b.diag), -EACCES);
	result = skep_object_prog_result(unsafe);
	assert_int_equal(result->error, -EACCES);
	assert_non_null(strstr(result->log, result->message));
	assert_int_equal(result->log_true_size, strlen(result->log) + 1);
	skep_object_prog_set_autoload(unsafe, false);
	opts.log_size = 20;
	assert_int_equal(skep_machine_load(b.machine, b.object, &opts, b.diag), 0);
	result = skep_object_prog_result(prog_named(b.object, "last"));
	assert_int_equal(result->error, 0);
	assert_int_equal(strlen(result->log), 19);
	assert_true(result->log_true_size > 20);
	bench_free(&b);
}

static void load__maps_hold_maps_from_the_start(void **state)
{
	struct bench b = bench_loaded(FIXTURE("maps"), SKEP_ENGINE_AUTO);
	struct skep_map *outer = map_of(&b, "outer");
	static const char *const names[4] = { "inner_b", NULL, "inner_a", NULL };

	(void)state;
	for (uint32_t key = 0; key < 4; key++) {
		struct skep_map_info info;
		uint32_t id = 0;

		if (!names[key]) {
			assert_int_equal(skep_map_lookup(outer, &key, &id), -ENOENT);
			continue;
		}
		skep_map_info(map_of(&b, names[key]), &info);
		assert_int_equal(skep_map_lookup(outer, &key, &id), 0);
		assert_int_equal(id, info.id);
	}
	assert_int_equal(run(&b, "second", 0, 0), 0); /* jumps to first: no such key */
	bench_free(&b);
}

static void load__missing_fields_matter_only_where_they_are_reached(void **state)
{
	struct skep_btf *kernel = fixture_btf(FIXTURE("kernel"));
	struct skep_object *object = fixture_open(FIXTURE("core"));
	struct skep_verify_opts opts = { .log_level = 1 };
	struct skep_verify_result result = { 0 };
	struct skep_diag *diag = skep_diag_new();

	(void)state;
	skep_object_set_kernel_btf(object, kernel);
	assert_int_equal(skep_object_check(prog_named(object, "guarded"), &opts, &result, diag), 0);
	assert_int_equal(result.error, 0);
	skep_verify_result_done(&result);
	result = (struct skep_verify_result){ 0 };
	assert_true(skep_object_check(prog_named(object, "broken"), &opts, &result, diag) < 0);
	assert_reported(diag, SKEP_OBJECT_CORE);
	assert_non_null(strstr(skep_diag_get(diag, 0)->message, "gone"));
	assert_non_null(result.log);
	assert_non_null(strstr(result.log, "<invalid CO-RE relocation>"));
	assert_null(strstr(result.log, "unknown#"));
	assert_null(strstr(result.log, "Verification failed"));
	assert_non_null(strstr(result.log, "\nprocessed "));
	skep_verify_result_done(&result);
	skep_diag_free(diag);
	skep_object_free(object);
	skep_btf_unref(kernel);
}

/* --- programs --- */

static void prog__info_tells_type_tag_and_runs(void **state)
{
	struct bench b = bench_loaded(FIXTURE("machine"), SKEP_ENGINE_JIT);
	struct skep_prog_info info, other;

	(void)state;
	run(&b, "last", 0, 5);
	run(&b, "last", 0, 5);
	skep_prog_info(prog_of(&b, "last"), &info);
	skep_prog_info(prog_of(&b, "jump"), &other);
	assert_string_equal(info.name, "last");
	assert_string_equal(info.type, "raw_tracepoint");
	assert_int_equal(info.run_count, 2);
	assert_int_equal(info.missed, 0);
	assert_true(info.jited_size > 0);
	assert_int_not_equal(info.id, other.id);
	assert_memory_not_equal(info.tag, other.tag, 8);
	bench_free(&b);
}

/* As the kernel reports it for the same two instructions. */
static void prog__tag_is_linuxes(void **state)
{
	static const uint8_t expected[8] = { 0x59, 0xf4, 0xa9, 0x31, 0x74, 0x4d, 0xcd, 0xc6 };
	static const struct skep_insn insns[] = { { .code = 0xb7 }, { .code = 0x95 } };
	uint8_t tag[8];

	(void)state;
	assert_int_equal(prog_tag(insns, 2, tag), 0);
	assert_memory_equal(tag, expected, 8);
}

static void prog__tag_does_not_depend_on_which_map(void **state)
{
	struct skep_insn insns[] = { { .code = 0x18, .src = 5, .imm = 1 }, { 0 },
				     { .code = 0x95 } };
	uint8_t tag[8], same[8], other[8];

	(void)state;
	prog_tag(insns, 3, tag);
	insns[0].imm = 7;
	prog_tag(insns, 3, same);
	insns[0].src = 0;
	prog_tag(insns, 3, other);
	assert_memory_equal(tag, same, 8);
	assert_memory_not_equal(tag, other, 8);
}

static void prog__tail_calls_go_where_the_array_says(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_loaded(FIXTURE("machine"), engines[e]);
		uint32_t slot = 2, id;
		struct skep_prog_info info;

		assert_int_equal(run(&b, "jump", 1, 14), 42);
		assert_int_equal(run(&b, "jump", 2, 14), -1);
		assert_int_equal(skep_map_update_prog(map_of(&b, "jumps"), &slot,
						      prog_of(&b, "last")), 0);
		assert_int_equal(run(&b, "jump", 2, 14), 42);
		skep_prog_info(prog_of(&b, "last"), &info);
		assert_int_equal(skep_map_lookup(map_of(&b, "jumps"), &slot, &id), 0);
		assert_int_equal(id, info.id);
		assert_int_equal(skep_map_delete(map_of(&b, "jumps"), &slot), 0);
		assert_int_equal(run(&b, "jump", 2, 14), -1);
		assert_int_equal(skep_map_update(map_of(&b, "jumps"), &slot, &id, 0), -EOPNOTSUPP);
		bench_free(&b);
	}
}

static void prog__a_short_context_reads_as_zero_behind(void **state)
{
	struct bench b = bench_loaded(FIXTURE("machine"), SKEP_ENGINE_AUTO);
	uint64_t one = 1, retval;

	(void)state;
	assert_int_equal(skep_prog_run(prog_of(&b, "last"), &one, 8, &retval, b.diag), 0);
	assert_int_equal(retval, 0);
	bench_free(&b);
}

static void prog__test_runs_take_and_give_back_contexts(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_loaded(FIXTURE("machine"), engines[e]);
		uint64_t in[2] = { 12, 0 }, out[2] = { 0 };
		struct skep_test_run test = {
			.ctx_in = in, .ctx_size_in = sizeof(in), .ctx_out = out,
			.ctx_size_out = sizeof(out), .repeat = 3,
		};

		assert_int_equal(plain_test_run(prog_of(&b, "square"), &test, b.diag), 0);
		assert_int_equal(test.retval, 9);
		assert_int_equal(out[1], 144);
		assert_int_equal(in[1], 0);
		assert_int_equal(test.ctx_size_out, sizeof(out));
		test.ctx_size_out = 8;
		assert_int_equal(plain_test_run(prog_of(&b, "square"), &test, NULL), -ENOSPC);
		test.data_in = in;
		assert_int_equal(plain_test_run(prog_of(&b, "square"), &test, NULL), -EINVAL);
		bench_free(&b);
	}
}

static void prog__test_runs_take_no_pointers(void **state)
{
	struct bench b = bench_loaded(FIXTURE("machine"), SKEP_ENGINE_AUTO);
	uint64_t in[9] = { 0 };
	struct skep_test_run test = { .ctx_in = in, .ctx_size_in = sizeof(in) };

	(void)state;
	assert_int_equal(plain_test_run(prog_of(&b, "reuse"), &test, b.diag), -EOPNOTSUPP);
	assert_non_null(strstr(skep_diag_text(b.diag, 0), "sk_reuseport"));
	assert_int_equal(plain_test_run(prog_of(&b, "look"), &test, NULL), 0);
	assert_int_equal(test.retval, 1);
	in[0] = (uint64_t)(uintptr_t)in;
	assert_int_equal(plain_test_run(prog_of(&b, "look"), &test, NULL), -EINVAL);
	bench_free(&b);
}

/* --- maps and events --- */

static void maps__programs_and_user_space_see_the_same(void **state)
{
	struct bench b = bench_loaded(FIXTURE("machine"), SKEP_ENGINE_AUTO);
	struct skep_map *counts = map_of(&b, "counts");
	uint32_t key = 5, next;
	uint64_t value = 0;

	(void)state;
	assert_int_equal(skep_map_lookup(counts, &key, &value), -ENOENT);
	assert_int_equal(run(&b, "tally", 5, 0), 1);
	assert_int_equal(run(&b, "tally", 5, 0), 2);
	assert_int_equal(skep_map_lookup(counts, &key, &value), 0);
	assert_int_equal(value, 2);
	value = 40;
	assert_int_equal(skep_map_update(counts, &key, &value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(skep_map_update(counts, &key, &value, 0), 0);
	assert_int_equal(run(&b, "tally", 5, 0), 41);
	assert_int_equal(skep_map_next_key(counts, NULL, &next), 0);
	assert_int_equal(next, 5);
	assert_int_equal(skep_map_next_key(counts, &next, &next), -ENOENT);
	assert_int_equal(skep_map_delete(counts, &key), 0);
	assert_int_equal(run(&b, "tally", 5, 0), 1);
	bench_free(&b);
}

static void maps__forks_share_them(void **state)
{
	struct bench b = bench_loaded(FIXTURE("machine"), SKEP_ENGINE_AUTO);
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(run(&b, "tally", 7, 0), 1);
	child = fork();
	if (child == 0) {
		uint64_t ctx[2] = { 7, 0 }, retval = 0;

		skep_prog_run(prog_of(&b, "tally"), ctx, sizeof(ctx), &retval, NULL);
		_exit((int)retval);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_int_equal(run(&b, "tally", 7, 0), 3);
	bench_free(&b);
}

struct guarded {
	uint32_t lock, inside;
	uint64_t overlaps, count;
};

static int run_on_packet(struct bench *b, const char *name, struct skep_packet_out *out)
{
	static const uint8_t packet[60] = { 0x02 };
	struct skep_packet_in in = { .data = packet, .size = sizeof(packet), .rx_queue = 3 };

	return skep_prog_run_packet(prog_of(b, name), &in, out, b->diag);
}

static void maps__a_spin_lock_excludes_other_processes(void **state)
{
	enum { TIMES = 4000, CHILDREN = 3, ROUNDS = 500 };

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_loaded(FIXTURE("shared"), engines[e]);
		struct guarded value;
		uint32_t key = 0;
		pid_t child[CHILDREN];
		int start[2];
		char none;

		assert_int_equal(pipe(start), 0);
		for (int c = 0; c < CHILDREN; c++) {
			struct skep_packet_out out = { .retval = -1 };

			child[c] = fork();
			if (child[c] != 0)
				continue;
			/* All begin when the parent closes its end. */
			close(start[1]);
			if (read(start[0], &none, 1) != 0)
				_exit(2);
			for (int i = 0; i < TIMES; i++)
				if (run_on_packet(&b, "count", &out) < 0 || out.retval != 0)
					_exit(1);
			_exit(0);
		}
		close(start[0]);
		close(start[1]);
		for (int c = 0; c < CHILDREN; c++) {
			int status = -1;

			waitpid(child[c], &status, 0);
			assert_int_equal(status, 0);
		}
		assert_int_equal(skep_map_lookup(map_of(&b, "guarded"), &key, &value), 0);
		assert_int_equal(value.overlaps, 0);
		assert_int_equal(value.count, (uint64_t)TIMES * CHILDREN * ROUNDS);
		bench_free(&b);
	}
}

static void maps__of_ports_come_from_objects(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_loaded(FIXTURE("shared"), engines[e]);
		struct skep_packet_out out;
		uint32_t queue = 3, port = 12;

		assert_int_equal(run_on_packet(&b, "forward", &out), 0);
		assert_int_equal(out.verdict, SKEP_VERDICT_PASS);
		assert_int_equal(skep_map_update(map_of(&b, "ports"), &queue, &port, 0), 0);
		assert_int_equal(run_on_packet(&b, "forward", &out), 0);
		assert_int_equal(out.verdict, SKEP_VERDICT_REDIRECT);
		assert_int_equal(out.redirect_ifindex, 12);
		bench_free(&b);
	}
}

struct seen {
	unsigned rings, samples, lines, stop_after;
	uint64_t last[2];
	char text[64];
};

static int on_event(void *arg, const struct skep_event *event)
{
	struct seen *seen = arg;

	if (event->kind == SKEP_EVENT_RINGBUF) {
		assert_int_equal(event->size, sizeof(seen->last));
		memcpy(seen->last, event->data, sizeof(seen->last));
		seen->rings++;
	} else if (event->kind == SKEP_EVENT_PERF) {
		assert_true(event->size >= sizeof(seen->last));
		memcpy(seen->last, event->data, sizeof(seen->last));
		seen->samples++;
	} else {
		assert_int_equal(event->kind, SKEP_EVENT_TRACE);
		assert_true(event->size < sizeof(seen->text));
		memcpy(seen->text, event->data, event->size);
		seen->lines++;
	}
	return seen->stop_after && seen->rings == seen->stop_after ? -7 : 0;
}

static void events__arrive_in_order_and_once(void **state)
{
	struct bench b = bench_loaded(FIXTURE("machine"), SKEP_ENGINE_AUTO);
	struct seen seen = { 0 };

	(void)state;
	assert_int_equal(skep_machine_poll(b.machine, on_event, &seen), 0);
	assert_int_equal(run(&b, "send", 1, 2), 0);
	assert_int_equal(run(&b, "send", 3, 4), 0);
	assert_true(run(&b, "say", 17, 0) > 0);
	assert_int_equal(skep_machine_poll(b.machine, on_event, &seen), 3);
	assert_int_equal(seen.rings, 2);
	assert_int_equal(seen.last[0], 3);
	assert_int_equal(seen.lines, 1);
	assert_non_null(strstr(seen.text, "value 17"));
	assert_int_equal(skep_machine_poll(b.machine, on_event, &seen), 0);
	bench_free(&b);
}

static void events__samples_come_from_perf_buffers(void **state)
{
	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_loaded(FIXTURE("machine"), engines[e]);
		struct seen seen = { 0 };
		struct skep_map_info info;

		skep_map_info(map_of(&b, "samples"), &info);
		assert_int_equal(info.max_entries, 4); /* virtual CPUs */
		assert_int_equal(run(&b, "sample", 21, 22), 0);
		assert_int_equal(skep_machine_poll(b.machine, on_event, &seen), 1);
		assert_int_equal(seen.samples, 1);
		assert_int_equal(seen.last[0], 21);
		assert_int_equal(seen.last[1], 22);
		bench_free(&b);
	}
}

static void events__a_callback_may_stop_the_poll(void **state)
{
	struct bench b = bench_loaded(FIXTURE("machine"), SKEP_ENGINE_AUTO);
	struct seen seen = { .stop_after = 1 };

	(void)state;
	run(&b, "send", 1, 2);
	run(&b, "send", 3, 4);
	assert_int_equal(skep_machine_poll(b.machine, on_event, &seen), -7);
	seen.stop_after = 0;
	assert_int_equal(skep_machine_poll(b.machine, on_event, &seen), 1);
	assert_int_equal(seen.last[0], 3);
	bench_free(&b);
}

static void machine__two_objects_live_side_by_side(void **state)
{
	struct bench b = bench_loaded(FIXTURE("machine"), SKEP_ENGINE_AUTO);
	struct skep_object *other = fixture_open(FIXTURE("machine"));
	struct skep_map_info a, c;
	uint64_t ctx[2] = { 9, 0 }, retval;

	(void)state;
	assert_null(skep_machine_prog(b.machine, prog_named(other, "tally")));
	assert_int_equal(skep_machine_load(b.machine, other, NULL, b.diag), 0);
	assert_int_equal(run(&b, "tally", 9, 0), 1);
	assert_int_equal(skep_prog_run(skep_machine_prog(b.machine, prog_named(other, "tally")), ctx,
				       sizeof(ctx), &retval, b.diag), 0);
	assert_int_equal(retval, 1);
	skep_map_info(map_of(&b, "counts"), &a);
	skep_map_info(skep_machine_map(b.machine, map_named(other, "counts")), &c);
	assert_int_not_equal(a.id, c.id);
	assert_string_equal(a.name, c.name);
	skep_object_free(other);
	assert_int_equal(run(&b, "tally", 9, 0), 2);
	bench_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(load__runs_what_the_source_says),
		cmocka_unit_test(load__globals_start_as_the_object_says_and_change),
		cmocka_unit_test(load__constants_may_be_set_before),
		cmocka_unit_test(load__is_all_or_nothing),
		cmocka_unit_test(load__leaves_the_log_of_each_program),
		cmocka_unit_test(load__maps_hold_maps_from_the_start),
		cmocka_unit_test(load__missing_fields_matter_only_where_they_are_reached),
		cmocka_unit_test(prog__info_tells_type_tag_and_runs),
		cmocka_unit_test(prog__tag_is_linuxes),
		cmocka_unit_test(prog__tag_does_not_depend_on_which_map),
		cmocka_unit_test(prog__tail_calls_go_where_the_array_says),
		cmocka_unit_test(prog__a_short_context_reads_as_zero_behind),
		cmocka_unit_test(prog__test_runs_take_and_give_back_contexts),
		cmocka_unit_test(prog__test_runs_take_no_pointers),
		cmocka_unit_test(maps__programs_and_user_space_see_the_same),
		cmocka_unit_test(maps__forks_share_them),
		cmocka_unit_test(maps__a_spin_lock_excludes_other_processes),
		cmocka_unit_test(maps__of_ports_come_from_objects),
		cmocka_unit_test(events__arrive_in_order_and_once),
		cmocka_unit_test(events__samples_come_from_perf_buffers),
		cmocka_unit_test(events__a_callback_may_stop_the_poll),
		cmocka_unit_test(machine__two_objects_live_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
