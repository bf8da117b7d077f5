/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs attached to functions and static probes of this very program, which patches itself
 * as the agent does and runs. Nothing else of a target is there.
 */
#include "../object/fixture.h"
#include "probe_test.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <sys/mman.h>
#include <skep/link.h>

#include "agent/maps.h"
#include "agent/places.h"
#include "agent/thread.h"
#include "base/fault.h"
#include "hook/attach.h"
#include "hook/files.h"
#include "hook/usdt.h"

/* What STAP_PROBE() of <sys/sdt.h> leaves. */
#define NOTE(name, semaphore, args)                                                           \
	"990: nop\n.pushsection .note.stapsdt,\"\",@note\n.balign 4\n.long 992f-991f,994f-993f,3\n" \
	"991: .asciz \"stapsdt\"\n992: .balign 4\n993: .8byte 990b\n.8byte _.stapsdt.base\n"      \
	".8byte " semaphore "\n.asciz \"skep\"\n.asciz \"" name "\"\n.asciz \"" args "\"\n"          \
	"994: .balign 4\n.popsection\n"

__asm__(".pushsection .stapsdt.base,\"a\",@progbits\n_.stapsdt.base: .space 1\n.popsection\n"
	".section .probed,\"ax\",@progbits\n.balign 4096\n.text\n");
/* Two instructions fit a window, and the third is at u_add+4. */
FUNCTION(u_add, "push %rbx\nmov %rdi,%rbx\nadd %rsi,%rbx\nmov %rbx,%rax\npop %rbx\nret");
FUNCTION(u_many_one, "mov $1,%eax\nret");
FUNCTION(u_many_two, "mov $2,%eax\nret");
FUNCTION(u_many_three, "mov $3,%eax\nret");
FUNCTION(u_deep, "test %rdi,%rdi\njz 1f\nsub $8,%rsp\ndec %rdi\ncall u_deep\nadd $8,%rsp\ninc %rax\nret\n"
		 "1: xor %eax,%eax\nret");
FUNCTION(u_count, "mov $1,%eax\nadd %rdi,%rax\nret");
FUNCTION(u_static, "push %rbp\nmov %rsp,%rbp\nsub $16,%rsp\nmov %rsi,-16(%rbp)\nlea u_table(%rip),%rdx\n"
		   "mov $2,%ecx\n" NOTE("args", "u_semaphore",
					"-4@%edi 8@-16(%rbp) 4@$-5 1@%dil -2@4(%rdx)")
		   NOTE("indexed", "0", "8@(%rdx,%rcx,8)") NOTE("nothing", "0", "")
		   "movzwl u_semaphore(%rip),%eax\nleave\nret\n"
		   ".data\n.globl u_semaphore\nu_semaphore: .2byte 0\n.p2align 3\n"
		   "u_table: .4byte 0\n.2byte -300\n.2byte 0\n.section .probed");
__asm__(".section .probed,\"ax\",@progbits\n.balign 4096\n.text\n");
extern uint16_t u_semaphore;

struct slot {
	uint64_t count, values[12];
};

static struct skep_object *object;
static struct skep_machine *machine;
static struct skep_diag *diag;
static struct places_opts opts;

static struct target_thread me;
static struct thread_slot slots[THREAD_SLOTS + THREAD_PROBES + 1];
static char agent_stack[65536] __attribute__((aligned(64)));

static struct target_thread *self(void)
{
	return &me;
}

static struct skep_link *link_to(const char *name, const char *target)
{
	struct skep_link_opts o = { .cookie = 77, .place = target };

	return skep_link_attach(machine, prog_named(object, name), &o, diag);
}

static struct skep_link *attach(const char *name)
{
	struct skep_link *link = link_to(name, NULL);

	if (!link)
		fail_msg("%s: %s", name, skep_diag_text(diag, 0));
	if (places_stale())
		places_update(PATCH_ALONE);
	return link;
}

static void detach(struct skep_link *link)
{
	skep_link_detach(link);
	places_update(PATCH_ALONE);
}

static struct skep_map *seen(void)
{
	return skep_machine_map(machine, map_named(object, "seen"));
}

static struct slot slot(uint32_t index)
{
	struct slot slot;

	assert_int_equal(skep_map_lookup(seen(), &index, &slot), 0);
	return slot;
}

static void fails(const char *name, const char *target, const char *id, const char *words)
{
	const struct skep_diag_item *item;

	skep_diag_clear(diag);
	assert_null(link_to(name, target));
	item = skep_diag_get(diag, 0);
	assert_string_equal(skep_code_id(item->code), id);
	if (!strstr(item->message, words))
		fail_msg("'%s' is not in: %s", words, item->message);
	skep_diag_clear(diag);
}

static int set_up(void **state)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct skep_machine_opts o = { .engine = SKEP_ENGINE_JIT, .cpus = 4 };

	(void)state;
	sigaction(SIGTRAP, &action, NULL);
	fault_init();
	diag = skep_diag_new();
	me.stack = agent_stack + sizeof(agent_stack);
	probe_self = self;
	probe_slots = slots;
	slots[thread_hash(thread_fs_base())] =
		(struct thread_slot){ thread_key(thread_fs_base()), &me };
	object = fixture_open(FIXTURE("uprobes"));
	machine = skep_machine_new(&o, diag);
	if (!machine || skep_machine_load(machine, object, NULL, diag) < 0) {
		print_error("%s\n", skep_diag_text(diag, 0));
		return -1;
	}
	pthread_mutex_lock(&machine->lock);
	opts.board = machine_board(machine);
	files_scan(machine, "/proc/self/exe", diag);
	pthread_mutex_unlock(&machine->lock);
	return places_start(&opts, PATCH_ALONE);
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(places_stop(PATCH_ALONE), 0);
	skep_machine_free(machine);
	skep_object_free(object);
	skep_diag_free(diag);
	patch_free(false);
	return 0;
}

/* A target that maps a compiler's library must not wait until that is decoded. */
static void files__what_is_large_is_scanned_for_probes_alone(void **state)
{
	char path[] = "/tmp/skep-large-XXXXXX", copy[4096];
	int from = open("/proc/self/exe", O_RDONLY), to = mkstemp(path);
	ssize_t size;

	(void)state;
	assert_true(from >= 0 && to >= 0);
	while ((size = read(from, copy, sizeof(copy))) > 0)
		assert_int_equal(write(to, copy, (size_t)size), size);
	assert_int_equal(ftruncate(to, 64 << 20), 0);
	pthread_mutex_lock(&machine->lock);
	assert_int_equal(files_scan_open(machine, gettid(), to), -EFBIG);
	assert_non_null(files_scan(machine, path, diag));
	assert_int_equal(files_scan_open(machine, gettid(), to), 0);
	assert_int_equal(files_scan_open(machine, gettid(), from), 0);
	pthread_mutex_unlock(&machine->lock);
	unlink(path);
	close(from);
	close(to);
}

/* --- functions --- */

static void uprobe__runs_its_program_with_the_registers(void **state)
{
	struct skep_link *link = attach("entered");
	struct places_counts counts;

	(void)state;
	assert_int_equal(u_add(5, 6), 11);
	assert_int_equal(slot(0).count, 1);
	assert_int_equal(slot(0).values[0], 5);
	assert_int_equal(slot(0).values[1], 6);
	assert_int_equal(slot(0).values[2], (uintptr_t)u_add);
	assert_int_equal(slot(0).values[3], 77);
	places_count(&counts);
	assert_int_equal(counts.jumps, 1);
	assert_int_equal(counts.failed, 0);
	detach(link);
	assert_int_equal(*(uint8_t *)(uintptr_t)u_add, 0x53);
	assert_int_equal(u_add(5, 6), 11);
	assert_int_equal(slot(0).count, 1);
}

static void uretprobe__runs_its_program_with_the_result(void **state)
{
	struct skep_link *link = attach("left"), *other = attach("deep");

	(void)state;
	assert_int_equal(u_add(50, 6), 56);
	assert_int_equal(slot(1).count, 1);
	assert_int_equal(slot(1).values[0], 56);
	assert_int_equal(u_deep(10, 0), 10);
	assert_int_equal(slot(8).count, 11);
	assert_int_equal(slot(8).values[0], 10);
	detach(link);
	detach(other);
}

/* Where in its file the page is that u_add begins. */
static void find_page(void *arg, const struct maps_line *line)
{
	uint64_t at = (uintptr_t)u_add;

	if (at >= line->start && at < line->end)
		*(uint64_t *)arg = line->offset + (at - line->start);
}

/* Two mappings that end and begin with the same page of the program. */
static char *map_twice(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *at = mmap(NULL, 4 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t page = 0;

	assert_int_equal(maps_each(find_page, &page), 0);
	assert_true(page >= 4096 && at != MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		char *to = at + i * 8192;
		uint64_t offset = i ? page : page - 4096;

		assert_ptr_equal(mmap(to, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
				      (off_t)offset), to);
		places_mapped((uintptr_t)to, 8192, offset, fd, PATCH_ALONE);
	}
	close(fd);
	return at;
}

static void protect(char *at, size_t size, int prot)
{
	assert_int_equal(mprotect(at, size, prot), 0);
	places_protected((uintptr_t)at, size, prot);
}

static void code__of_several_mappings_may_be_data_for_a_while(void **state)
{
	char *at = map_twice(), *pages = at + 4096;
	struct skep_link *link = attach("entered");
	uint64_t before = slot(0).count;
	struct places_counts counts;

	(void)state;
	places_count(&counts);
	assert_int_equal(counts.jumps, 3);
	protect(pages, 8192, PROT_READ | PROT_WRITE);
	places_count(&counts);
	assert_int_equal(counts.jumps, 1);
	protect(pages, 8192, PROT_READ | PROT_EXEC);
	for (int i = 0; i < 2; i++)
		assert_int_equal(((uint64_t (*)(uint64_t, uint64_t))(uintptr_t)(pages + i * 4096))(4, 5), 9);
	assert_int_equal(slot(0).count, before + 2);
	detach(link);
	munmap(at, 4 * 4096);
	places_unmapped((uintptr_t)at, 4 * 4096);
}

/* One patch for all, until the last goes. */
static void programs__of_one_place_share_it(void **state)
{
	uint64_t before = slot(0).count, returns = slot(1).count;
	struct skep_link *first = attach("entered"), *second = attach("entered"),
			 *third = attach("left");
	struct places_counts counts;

	(void)state;
	places_count(&counts);
	assert_int_equal(counts.jumps, 1);
	u_add(1, 1);
	assert_int_equal(slot(0).count, before + 2);
	assert_int_equal(slot(1).count, returns + 1);
	detach(first);
	u_add(1, 1);
	assert_int_equal(slot(0).count, before + 3);
	detach(third);
	u_add(1, 1);
	assert_int_equal(slot(0).count, before + 4);
	assert_int_equal(slot(1).count, returns + 2);
	detach(second);
	assert_int_equal(*(uint8_t *)(uintptr_t)u_add, 0x53);
}

/* The window of the first would displace what the second probes. */
static void probes__side_by_side_are_both_hit(void **state)
{
	uint64_t before = slot(0).count, inside = slot(2).count;
	struct skep_link *first = attach("entered"), *second = attach("inside");

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(u_add(i, 2), i + 2);
	assert_int_equal(slot(0).count, before + 10);
	assert_int_equal(slot(2).count, inside + 10);
	detach(first);
	u_add(1, 1);
	assert_int_equal(slot(2).count, inside + 11);
	detach(second);
	second = attach("inside");
	first = attach("entered");
	u_add(1, 1);
	assert_int_equal(slot(0).count, before + 11);
	assert_int_equal(slot(2).count, inside + 12);
	detach(first);
	detach(second);
}

static void pattern__probes_every_function_that_matches(void **state)
{
	struct skep_link *link = attach("many");
	struct skep_link_info info;

	(void)state;
	skep_link_info(link, &info);
	assert_int_equal(info.places, 3);
	assert_int_equal(u_many_one(0, 0) + u_many_two(0, 0) + u_many_three(0, 0), 6);
	assert_int_equal(slot(3).count, 3);
	assert_int_equal(slot(3).values[0], (uintptr_t)u_many_three);
	detach(link);
	fails("many", "/proc/self/exe:u_nothing_*", "H010", "no function");
}

static void session__sees_the_return_of_calls_it_chose(void **state)
{
	struct skep_link *link = attach("session");

	(void)state;
	u_add(2, 1);
	assert_int_equal(slot(4).count, 2);
	u_add(3, 1);
	assert_int_equal(slot(4).count, 3);
	detach(link);
}

static void target__that_is_not_there_is_named(void **state)
{
	(void)state;
	fails("entered", "/proc/self/exe:u_ad", "H010", "no function 'u_ad'");
	fails("entered", "/nonexistent/lib.so:f", "H009", "/nonexistent/lib.so");
	fails("entered", "/proc/self/exe", "H020", "PATH:FUNCTION");
	fails("entered", "/proc/self/exe:u_add+2", "H011", "inside the instruction");
	fails("left", "/proc/self/exe:u_add+1", "H015", "not the start of a function");
	fails("args", "/proc/self/exe:skep", "H020", "PATH:PROVIDER:NAME");
	fails("args", "/proc/self/exe:skep:none", "H012", "no probe skep:none");
}

static void go__program_has_no_return_probes(void **state)
{
	char path[] = "/tmp/skep-go-XXXXXX", target[64], command[256];
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	snprintf(command, sizeof(command), "objcopy --add-section .go.buildinfo=/proc/self/status "
		 "/proc/%d/exe %s", getpid(), path);
	if (system(command) != 0) {
		unlink(path);
		skip();
	}
	snprintf(target, sizeof(target), "%s:u_add", path);
	fails("left", target, "H015", "Go program");
	assert_non_null(link_to("entered", target));
	unlink(path);
}

/* --- static probes --- */

static void usdt__reads_arguments_wherever_they_are(void **state)
{
	struct skep_link *link = attach("args");

	(void)state;
	/* Somebody listens, and the target can tell. */
	assert_int_equal(u_static(-7, 0x123456789a), 1);
	assert_int_equal(slot(5).count, 1);
	assert_int_equal(slot(5).values[0], -7);
	assert_int_equal(slot(5).values[1], 0x123456789a);
	assert_int_equal(slot(5).values[2], (uint32_t)-5);
	assert_int_equal(slot(5).values[3], 0xf9);
	assert_int_equal(slot(5).values[4], -300);
	assert_int_equal(slot(5).values[5], 5);
	detach(link);
	assert_int_equal(u_static(0, 0), 0);
	assert_int_equal(slot(5).count, 1);
}

static void usdt__without_arguments_has_a_description_of_its_own(void **state)
{
	struct skep_link *first = attach("args"), *second = attach("nothing");

	(void)state;
	u_static(-9, 0);
	assert_int_equal(slot(7).count, 1);
	assert_int_equal(slot(5).values[0], -9);
	detach(first);
	detach(second);
}

static void usdt__argument_that_the_header_cannot_describe_is_refused(void **state)
{
	(void)state;
	/* Debian 12's header has no index registers. */
	fails("indexed", NULL, "H013", "index register");
}

static void parses(const char *args, const char *wrong)
{
	struct usdt_place place = { .args = args };
	const char *reason = usdt_parse(&place);

	if (!wrong && reason)
		fail_msg("%s: %s", args, reason);
	if (wrong && (!reason || !strstr(reason, wrong)))
		fail_msg("%s: %s", args, reason ? reason : "accepted");
}

static void usdt__arguments_are_parsed(void **state)
{
	struct usdt_place place = { .args = "8@-8(%rax,%r12,4) -1@%al" };

	(void)state;
	assert_null(usdt_parse(&place));
	assert_int_equal(place.arg_count, 2);
	assert_int_equal(place.arg[0].kind, USDT_SIB);
	assert_int_equal(place.arg[0].value, -8);
	assert_int_equal(place.arg[0].reg, offsetof(struct target_regs, ax));
	assert_int_equal(place.arg[0].index, offsetof(struct target_regs, r12));
	assert_int_equal(place.arg[0].shift, 2);
	assert_true(place.arg[1].is_signed);
	parses("", NULL);
	parses("4@$0x10  8@(%rsp)", NULL);
	parses("3@%eax", "size");
	parses("4%eax", "'@'");
	parses("8f@%xmm0", "floating");
	parses("8@%xmm0", "register");
	parses("8@symbol(%rip)", "number");
	parses("8@16", "fixed address");
	parses("8@(%rax", "parenthesis");
	parses("8@(%rax,%rbx,3)", "scaled");
	parses("8@%raxx", "register");
	parses("8@$1x", "unknown way");
	parses("1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1 1@$1", "more than 12");
}

/* --- cost --- */

static double measure(unsigned calls)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < calls; i++)
		u_count(i, 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
	       calls;
}

static void hit__costs_little(void **state)
{
	double plain = measure(1000000), entry, both;
	struct skep_link *link = attach("counted"), *other;

	(void)state;
	entry = measure(1000000);
	other = attach("counted_return");
	both = measure(1000000);
	print_message("call %.1f ns, with uprobe %.1f, with uretprobe too %.1f\n", plain, entry,
		      both);
	assert_int_equal(slot(9).count, 2000000);
	assert_int_equal(slot(10).count, 1000000);
	/* A system call, let alone two, would take longer on any machine. */
	assert_true(entry < 1000);
	detach(link);
	detach(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uprobe__runs_its_program_with_the_registers),
		cmocka_unit_test(uretprobe__runs_its_program_with_the_result),
		cmocka_unit_test(programs__of_one_place_share_it),
		cmocka_unit_test(code__of_several_mappings_may_be_data_for_a_while),
		cmocka_unit_test(probes__side_by_side_are_both_hit),
		cmocka_unit_test(pattern__probes_every_function_that_matches),
		cmocka_unit_test(session__sees_the_return_of_calls_it_chose),
		cmocka_unit_test(target__that_is_not_there_is_named),
		cmocka_unit_test(go__program_has_no_return_probes),
		cmocka_unit_test(usdt__reads_arguments_wherever_they_are),
		cmocka_unit_test(usdt__without_arguments_has_a_description_of_its_own),
		cmocka_unit_test(usdt__argument_that_the_header_cannot_describe_is_refused),
		cmocka_unit_test(usdt__arguments_are_parsed),
		cmocka_unit_test(files__what_is_large_is_scanned_for_probes_alone),
		cmocka_unit_test(hit__costs_little),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
