/* SPDX-License-Identifier: BSD-2-Clause */
/* test_calls.c - what helpers return, without a program around them. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/fault.h"
#include "helper/dynptr.h"
#include "helper/list.h"
#include "helper/packet.h"
#include "helper/trace.h"

static struct memory *memory;
static struct vcpu_set *vcpus;
static struct vm_world world;
static struct vm vm;

static struct sigaction fault_action;

/* The test library puts its own handler there before each test. */
static void guard_faults(void)
{
	sigaction(SIGSEGV, &fault_action, NULL);
}

static int setup(void **state)
{
	struct map_spec spec = { .name = "trace", .type = BPF_MAP_TYPE_RINGBUF,
				 .max_entries = 65536 };
	int error = 0;

	(void)state;
	if (fault_init() < 0)
		return -1;
	sigaction(SIGSEGV, NULL, &fault_action);
	memory = memory_new(0);
	vcpus = memory ? vcpu_set_new(memory, 0) : NULL;
	if (!vcpus)
		return -1;
	world = (struct vm_world){ .memory = memory, .vcpus = vcpus };
	world.trace = map_new(&spec, memory, vcpus, &error);
	vm = (struct vm){ .world = &world, .cpu = vcpu_take(vcpus) };
	return world.trace && vm.cpu ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	vcpu_give(vm.cpu);
	map_free(world.trace);
	memory_free(memory);
	return 0;
}

#define ADDRESS(x) ((uint64_t)(uintptr_t)(x))
#define CALL(name, ...) \
	((int64_t)helper_##name.call(&vm, (const uint64_t[5]){ __VA_ARGS__ }))

static void time__clocks_agree_with_the_systems(void **state)
{
	struct timespec now;
	uint64_t ns, before = (uint64_t)CALL(ktime_get_ns, 0);

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	assert_in_range(ns, before, (uint64_t)CALL(ktime_get_ns, 0));
	assert_true(CALL(ktime_get_boot_ns, 0) >= CALL(ktime_get_coarse_ns, 0));
	assert_true(CALL(ktime_get_coarse_ns, 0) <= CALL(ktime_get_ns, 0));
	/* International atomic time is years, not days, since its epoch. */
	assert_true(CALL(ktime_get_tai_ns, 0) > 1500000000000000000);
}

static void time__jiffies_start_five_minutes_before_wrapping(void **state)
{
	struct timespec tick;
	uint64_t hz, jiffies = (uint64_t)CALL(jiffies64, 0);

	(void)state;
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	hz = 1000000000u / (uint64_t)tick.tv_nsec;
	assert_in_range(jiffies - ((1ull << 32) - 300 * hz),
			(uint64_t)CALL(ktime_get_ns, 0) / 1000000000u * hz - hz,
			(uint64_t)CALL(ktime_get_ns, 0) / 1000000000u * hz + 2 * hz);
}

static void cpu__random_numbers_use_all_bits_and_differ(void **state)
{
	uint32_t ones = 0, zeros = 0, last = 0, same = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t number = (uint64_t)CALL(get_prandom_u32, 0);

		assert_true(number <= UINT32_MAX);
		ones |= (uint32_t)number;
		zeros |= ~(uint32_t)number;
		same += number == last;
		last = (uint32_t)number;
	}
	assert_int_equal(ones, UINT32_MAX);
	assert_int_equal(zeros, UINT32_MAX);
	assert_true(same < 2);
	assert_int_equal(CALL(get_smp_processor_id, 0), vm.cpu->id);
}

static void task__is_the_thread_that_runs_the_program(void **state)
{
	char comm[20], name[16];
	struct stat ns;
	uint32_t info[2];

	(void)state;
	assert_int_equal(CALL(get_current_pid_tgid, 0),
			 (uint64_t)getpid() << 32 | (uint32_t)gettid());
	assert_int_equal(CALL(get_current_uid_gid, 0), (uint64_t)getgid() << 32 | getuid());
	memset(comm, 0x55, sizeof(comm));
	prctl(PR_GET_NAME, name);
	assert_int_equal(CALL(get_current_comm, ADDRESS(comm), sizeof(comm)), 0);
	assert_string_equal(comm, name);
	assert_int_equal(comm[19], 0);
	memset(comm, 0x55, sizeof(comm));
	CALL(get_current_comm, ADDRESS(comm), 4);
	assert_memory_equal(comm, name, 3);
	assert_int_equal(comm[3], 0);
	assert_int_equal(comm[4], 0x55);

	assert_int_equal(stat("/proc/self/ns/pid", &ns), 0);
	assert_int_equal(CALL(get_ns_current_pid_tgid, ns.st_dev, ns.st_ino, ADDRESS(info), 8), 0);
	assert_int_equal(info[0], gettid());
	assert_int_equal(info[1], getpid());
	assert_int_equal(CALL(get_ns_current_pid_tgid, ns.st_dev, 1, ADDRESS(info), 8), -EINVAL);
	assert_int_equal(info[1], 0);
	assert_int_equal(CALL(get_ns_current_pid_tgid, ns.st_dev, ns.st_ino, ADDRESS(info), 4),
			 -EINVAL);
}

static void probe__bad_addresses_give_zeros_and_an_error(void **state)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char to[32];

	(void)state;
	guard_faults();
	assert_ptr_not_equal(page, MAP_FAILED);
	munmap(page + 4096, 4096);
	memcpy(page + 4088, "abcdefgh", 8);
	assert_int_equal(CALL(probe_read_user, ADDRESS(to), 8, ADDRESS(page + 4088)), 0);
	assert_memory_equal(to, "abcdefgh", 8);
	memset(to, 1, sizeof(to));
	assert_int_equal(CALL(probe_read_kernel, ADDRESS(to), 16, ADDRESS(page + 4088)), -ERANGE);
	for (int i = 0; i < 16; i++)
		assert_int_equal(to[i], 0);
	assert_int_equal(to[16], 1);
	assert_int_equal(CALL(probe_read, ADDRESS(to), 8, 0), -EFAULT);
	assert_int_equal(CALL(probe_read, ADDRESS(to), 0, 0), 0);
	assert_int_equal(CALL(probe_read_user_str, ADDRESS(to), 16, ADDRESS(page + 4088)), -EFAULT);
	assert_int_equal(CALL(probe_read_user_str, ADDRESS(to), 4, ADDRESS("hello")), 4);
	assert_string_equal(to, "hel");
	/* Only the kernel's half has addresses that are the kernel's and bad. */
	assert_int_equal(CALL(probe_read_kernel, ADDRESS(to), 8, UINT64_C(1) << 63), -ERANGE);
	assert_int_equal(CALL(probe_read_kernel, ADDRESS(to), 8, 0xffff800000000000), -EFAULT);
	assert_int_equal(CALL(probe_read_kernel_str, ADDRESS(to), 8, 0), -ERANGE);
	assert_int_equal(CALL(probe_read_kernel_str, ADDRESS(to), 32, ADDRESS("hello")), 6);
	assert_int_equal(CALL(probe_write_user, ADDRESS(page), ADDRESS("xy"), 2), 0);
	assert_memory_equal(page, "xy", 2);
	assert_int_equal(CALL(probe_write_user, ADDRESS(page + 4094), ADDRESS("wxyz"), 4), -EFAULT);
	munmap(page, 4096);
}

static int keep_line(void *arg, uint32_t cpu, const void *data, size_t size)
{
	(void)cpu;
	assert_true(size <= 512);
	memcpy(arg, data, size);
	return 0;
}

static void print__a_line_says_who_wrote_it(void **state)
{
	union {
		struct trace_line line;
		char bytes[512];
	} kept;
	const char *fmt = "pid %d %s %x\n";

	(void)state;
	assert_int_equal(CALL(trace_printk, ADDRESS(fmt), strlen(fmt) + 1, 7, ADDRESS("seven"), 255),
			 strlen("pid 7 seven ff\n"));
	assert_int_equal(ringbuf_consume(world.trace, keep_line, &kept), 1);
	assert_int_equal(kept.line.pid, getpid());
	assert_int_equal(kept.line.tid, gettid());
	assert_int_equal(kept.line.cpu, vm.cpu->id);
	assert_int_equal(kept.line.size, strlen("pid 7 seven ff\n"));
	assert_memory_equal(kept.line.text, "pid 7 seven ff\n", kept.line.size);
}

static void print__formats_linux_refuses_are_refused(void **state)
{
	static const char *const bad[] = { "%", "%5", "%d %d %d %d", "%*d", "%hd", "%.2s", "%#x",
					   "%f", "%pM", "%pI5", "\x01", "%sx" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(CALL(trace_printk, ADDRESS(bad[i]), strlen(bad[i]) + 1), -EINVAL);
	assert_int_equal(CALL(trace_printk, ADDRESS("abc"), 3), -EINVAL);
	assert_int_equal(CALL(trace_vprintk, ADDRESS("%d"), 3, 0, 8), -EINVAL);
	assert_int_equal(CALL(trace_vprintk, ADDRESS("%d"), 3, ADDRESS(bad), 7), -EINVAL);
	assert_int_equal(ringbuf_consume(world.trace, keep_line, NULL), 0);
}

static void print__snprintf_counts_the_nul_and_cuts(void **state)
{
	uint64_t values[] = { (uint64_t)-5, ADDRESS("text"), ADDRESS("\x7f\0\0\1"), 1 };
	char out[64];

	(void)state;
	guard_faults();
	memset(out, 0x55, sizeof(out));
	assert_int_equal(CALL(snprintf, ADDRESS(out), 64, ADDRESS("%d|%6s|%pI4|%c"),
			      ADDRESS(values), 32), 22);
	assert_string_equal(out, "-5|  text|127.0.0.1|\x01");
	assert_int_equal(CALL(snprintf, ADDRESS(out), 5, ADDRESS("%05lld"), ADDRESS(values), 8), 6);
	assert_string_equal(out, "-000");
	assert_int_equal(CALL(snprintf, 0, 0, ADDRESS("abc"), 0, 0), 4);
	assert_int_equal(CALL(snprintf, ADDRESS(out), 64, ADDRESS("%s"), ADDRESS(&(uint64_t){ 1 }), 8),
			 1);
	assert_string_equal(out, "");
}

static void string__numbers_keep_to_their_range(void **state)
{
	int64_t value = 7;

	(void)state;
	assert_int_equal(CALL(strtol, ADDRESS("-9223372036854775808"), 20, 10, ADDRESS(&value)), 20);
	assert_true(value == INT64_MIN);
	assert_int_equal(CALL(strtol, ADDRESS("9223372036854775808"), 19, 0, ADDRESS(&value)),
			 -ERANGE);
	assert_int_equal(value, 0);
	assert_int_equal(CALL(strtoul, ADDRESS(" 0xff "), 6, 0, ADDRESS(&value)), 5);
	assert_int_equal(value, 255);
	assert_int_equal(CALL(strtoul, ADDRESS("-1"), 2, 0, ADDRESS(&value)), -EINVAL);
	assert_int_equal(CALL(strtol, ADDRESS("12"), 2, 7, ADDRESS(&value)), -EINVAL);
	assert_int_equal(CALL(strncmp, ADDRESS("abc"), 3, ADDRESS("abd")), -1);
	assert_int_equal(CALL(strncmp, ADDRESS("abc"), 2, ADDRESS("abd")), 0);
	assert_int_equal(CALL(strncmp, ADDRESS("\xff"), 1, ADDRESS("a")), 1);
}

static void csum__difference_makes_up_for_a_change(void **state)
{
	uint8_t header[20] = { 0x45, 0, 0, 60, 0x1c, 0x46, 0x40, 0, 64, 6, 0, 0,
			       172, 16, 10, 99, 172, 16, 10, 12 };
	uint64_t before, after;
	uint8_t changed[20];

	(void)state;
	memcpy(changed, header, sizeof(header));
	changed[8] = 63;
	before = (uint64_t)CALL(csum_diff, 0, 0, ADDRESS(header), 20, 0);
	after = (uint64_t)CALL(csum_diff, ADDRESS(header), 20, ADDRESS(changed), 20, before);
	/* The known checksum of this header is b1e6, and 0100 more with one hop less. */
	assert_int_equal((uint16_t)~__builtin_bswap16((uint16_t)before), 0xb1e6);
	assert_int_equal((uint16_t)~__builtin_bswap16((uint16_t)after), 0xb2e6);
	assert_int_equal(CALL(csum_diff, ADDRESS(header), 3, 0, 0, 0), -EINVAL);
}

static void dynptr__access_outside_its_bounds_fails(void **state)
{
	struct dynptr ptr;
	uint8_t data[16] = "0123456789abcde", to[16];

	(void)state;
	assert_int_equal(CALL(dynptr_from_mem, ADDRESS(data), 16, 0, ADDRESS(&ptr)), 0);
	assert_int_equal(CALL(dynptr_read, ADDRESS(to), 6, ADDRESS(&ptr), 10, 0), 0);
	assert_memory_equal(to, "abcde", 6);
	assert_int_equal(CALL(dynptr_read, ADDRESS(to), 7, ADDRESS(&ptr), 10, 0), -E2BIG);
	assert_int_equal(CALL(dynptr_read, ADDRESS(to), 1, ADDRESS(&ptr), UINT64_MAX, 0), -E2BIG);
	assert_int_equal(CALL(dynptr_read, ADDRESS(to), 1, ADDRESS(&ptr), 0, 1), -EINVAL);
	assert_int_equal(CALL(dynptr_write, ADDRESS(&ptr), 15, ADDRESS("!"), 1, 0), 0);
	assert_int_equal(data[15], '!');
	assert_int_equal(CALL(dynptr_write, ADDRESS(&ptr), 16, ADDRESS("!"), 1, 0), -E2BIG);
	assert_int_equal((uint64_t)CALL(dynptr_data, ADDRESS(&ptr), 4, 12), ADDRESS(data + 4));
	assert_int_equal(CALL(dynptr_data, ADDRESS(&ptr), 5, 12), 0);
	assert_int_equal(CALL(dynptr_from_mem, ADDRESS(data), 1 << 24, 0, ADDRESS(&ptr)), -E2BIG);
	assert_int_equal(CALL(dynptr_read, ADDRESS(to), 0, ADDRESS(&ptr), 0, 0), -EINVAL);
}

static void ringbuf__a_dynptr_that_found_no_room_may_be_given_up(void **state)
{
	struct dynptr ptr;

	(void)state;
	assert_int_equal(CALL(ringbuf_reserve_dynptr, ADDRESS(world.trace), 1 << 20, 0,
			      ADDRESS(&ptr)), -EINVAL);
	assert_null(ptr.data);
	assert_int_equal(CALL(ringbuf_discard_dynptr, ADDRESS(&ptr), 0), 0);
	assert_int_equal(CALL(ringbuf_reserve_dynptr, ADDRESS(world.trace), 8, 0, ADDRESS(&ptr)), 0);
	assert_int_equal(CALL(dynptr_write, ADDRESS(&ptr), 0, ADDRESS("12345678"), 8, 0), 0);
	assert_int_equal(CALL(ringbuf_submit_dynptr, ADDRESS(&ptr), 0), 0);
	assert_null(ptr.data);
	{
		char kept[512];

		assert_int_equal(ringbuf_consume(world.trace, keep_line, kept), 1);
		assert_memory_equal(kept, "12345678", 8);
	}
	assert_int_equal(CALL(ringbuf_reserve, ADDRESS(world.trace), 8, 1), 0);
}

static void stack__frames_are_followed_and_damage_ends_them(void **state)
{
	/* frames[i] points at frames[i + 2], with a return address behind it. */
	uint64_t frames[8], regs[21] = { 0 }, ips[10];

	(void)state;
	guard_faults();
	for (unsigned i = 0; i < 6; i += 2) {
		frames[i] = ADDRESS(&frames[i + 2]);
		frames[i + 1] = 0x1000 + i;
	}
	frames[6] = ADDRESS(&frames[0]); /* back down: a loop */
	frames[7] = 0x1006;
	regs[16] = 0x999;
	regs[4] = ADDRESS(&frames[0]);
	vm.regs = regs;
	assert_int_equal(CALL(get_stack, 0, ADDRESS(ips), 80, BPF_F_USER_STACK), 5 * 8);
	assert_int_equal(ips[0], 0x999);
	assert_int_equal(ips[1], 0x1000);
	assert_int_equal(ips[4], 0x1006);
	assert_int_equal(ips[5], 0);
	assert_int_equal(CALL(get_stack, 0, ADDRESS(ips), 16, BPF_F_USER_STACK | 2), 16);
	assert_int_equal(ips[0], 0x1002);
	regs[4] = 8;
	assert_int_equal(CALL(get_stack, 0, ADDRESS(ips), 80, BPF_F_USER_STACK), 8);
	assert_int_equal(CALL(get_stack, 0, ADDRESS(ips), 80, 0), -EFAULT);
	assert_int_equal(CALL(get_stack, 0, ADDRESS(ips), 79, BPF_F_USER_STACK), -EINVAL);
	assert_int_equal(CALL(get_stack, 0, ADDRESS(ips), 80, 1 << 20), -EINVAL);
	assert_int_equal(ips[0], 0);
	vm.regs = NULL;
	assert_int_equal(CALL(get_stack, 0, ADDRESS(ips), 80, BPF_F_USER_STACK), -EFAULT);
}

static uint64_t count_calls(struct vm *with, uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3,
			    uint64_t a4, uint64_t a5)
{
	(void)with, (void)a3, (void)a4, (void)a5;
	++*(uint64_t *)(uintptr_t)a2;
	return a1 == fn; /* stops in the round that fn names */
}

static void loop__stops_when_told_and_counts_its_calls(void **state)
{
	uint64_t calls = 0;

	(void)state;
	vm.callback = count_calls;
	assert_int_equal(CALL(loop, 10, 100, ADDRESS(&calls), 0), 10);
	assert_int_equal(calls, 10);
	assert_int_equal(CALL(loop, 10, 3, ADDRESS(&calls), 0), 4);
	assert_int_equal(calls, 14);
	assert_int_equal(CALL(loop, 10, 3, ADDRESS(&calls), 1), -EINVAL);
	assert_int_equal(CALL(loop, (8 << 20) + 1, 3, ADDRESS(&calls), 0), -E2BIG);
	assert_int_equal(CALL(loop, 0, 3, ADDRESS(&calls), 0), 0);
	assert_int_equal(calls, 14);
}

static void redirect__a_bad_flag_gives_the_types_own_refusal(void **state)
{
	(void)state;
	vm.prog_type = BPF_PROG_TYPE_XDP;
	assert_int_equal(CALL(redirect, 3, 0), XDP_REDIRECT);
	assert_int_equal(vm.redirect_ifindex, 3);
	assert_int_equal(CALL(redirect, 3, 1), XDP_ABORTED);
	vm.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	assert_int_equal(CALL(redirect, 4, BPF_F_INGRESS), TC_ACT_REDIRECT);
	assert_int_equal(CALL(redirect, 4, 2), TC_ACT_SHOT);
	assert_int_equal(CALL(redirect_peer, 4, 1), TC_ACT_SHOT);
	assert_int_equal(CALL(redirect_neigh, 4, 0, 4, 0), TC_ACT_SHOT);
	assert_int_equal(CALL(redirect_neigh, 4, 0, 0, 0), TC_ACT_REDIRECT);
	assert_int_equal(vm.redirect_kind, REDIRECT_NEIGH);
}

static void redirect__a_map_without_the_entry_gives_the_flags_action(void **state)
{
	struct map_spec spec = { .name = "targets", .type = BPF_MAP_TYPE_DEVMAP, .key_size = 4,
				 .value_size = 4, .max_entries = 2 };
	uint32_t key = 1, port = 7;
	int error = 0;
	struct map *map = map_new(&spec, memory, vcpus, &error);

	(void)state;
	assert_non_null(map);
	assert_int_equal(map_user_update(map, &key, &port, 0), 0);
	vm.prog_type = BPF_PROG_TYPE_XDP;
	vm.redirect_kind = REDIRECT_NONE;
	assert_int_equal(CALL(redirect_map, ADDRESS(map), 2, 0), XDP_ABORTED);
	assert_int_equal(CALL(redirect_map, ADDRESS(map), 2, XDP_PASS), XDP_PASS);
	assert_int_equal(CALL(redirect_map, ADDRESS(map), 0, 4), XDP_ABORTED);
	assert_int_equal(CALL(redirect_map, ADDRESS(map), 0, XDP_DROP), XDP_DROP);
	assert_int_equal(CALL(redirect_map, ADDRESS(map), 1, 1 << 5), XDP_ABORTED);
	assert_int_equal(vm.redirect_kind, REDIRECT_NONE);
	assert_int_equal(CALL(redirect_map, ADDRESS(map), 1ull << 32 | 1, XDP_PASS), XDP_REDIRECT);
	assert_int_equal(vm.redirect_kind, REDIRECT_MAP);
	assert_int_equal(vm.redirect_key, 1);
	assert_ptr_equal(vm.redirect_map, map);
	assert_int_equal(vm.redirect_ifindex, 7);
	/* To all but where it came from, whatever the key; a miss takes that back. */
	assert_int_equal(CALL(redirect_map, ADDRESS(map), 0, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS),
			 XDP_REDIRECT);
	assert_int_equal(vm.redirect_flags, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS);
	assert_int_equal(vm.redirect_ifindex, 0);
	assert_int_equal(CALL(redirect_map, ADDRESS(map), 0, XDP_PASS), XDP_PASS);
	assert_int_equal(vm.redirect_kind, REDIRECT_NONE);
	map_free(map);
}

static void skb__loads_without_a_packet_fail(void **state)
{
	uint32_t to = 7;

	(void)state;
	assert_null(vm.packet);
	assert_int_equal(CALL(skb_load_bytes, 0, 0, ADDRESS(&to), 4), -EFAULT);
	assert_int_equal(to, 0);
	assert_int_equal(CALL(skb_load_bytes_relative, 0, 0, ADDRESS(&to), 4, 1), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time__clocks_agree_with_the_systems),
		cmocka_unit_test(time__jiffies_start_five_minutes_before_wrapping),
		cmocka_unit_test(cpu__random_numbers_use_all_bits_and_differ),
		cmocka_unit_test(task__is_the_thread_that_runs_the_program),
		cmocka_unit_test(probe__bad_addresses_give_zeros_and_an_error),
		cmocka_unit_test(print__a_line_says_who_wrote_it),
		cmocka_unit_test(print__formats_linux_refuses_are_refused),
		cmocka_unit_test(print__snprintf_counts_the_nul_and_cuts),
		cmocka_unit_test(string__numbers_keep_to_their_range),
		cmocka_unit_test(csum__difference_makes_up_for_a_change),
		cmocka_unit_test(dynptr__access_outside_its_bounds_fails),
		cmocka_unit_test(ringbuf__a_dynptr_that_found_no_room_may_be_given_up),
		cmocka_unit_test(stack__frames_are_followed_and_damage_ends_them),
		cmocka_unit_test(loop__stops_when_told_and_counts_its_calls),
		cmocka_unit_test(redirect__a_bad_flag_gives_the_types_own_refusal),
		cmocka_unit_test(skb__loads_without_a_packet_fail),
		cmocka_unit_test(redirect__a_map_without_the_entry_gives_the_flags_action),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
