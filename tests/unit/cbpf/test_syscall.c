/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of system calls: as the headers of this machine have them, and as its kernel takes them. */
#include "cbpf_test.h"

#include <errno.h>
#include <skep/seccomp.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where Debian's linux-libc-dev has what "unistd.h" of an architecture includes. */
static const struct header { enum skep_seccomp_arch arch; const char *path, *other; } headers[] = {
	{ SKEP_ARCH_X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h" },
	{ SKEP_ARCH_X86, "/usr/include/x86_64-linux-gnu/asm/unistd_32.h", "/usr/include/asm/unistd_32.h" },
	{ SKEP_ARCH_X32, "/usr/include/x86_64-linux-gnu/asm/unistd_x32.h", "/usr/include/asm/unistd_x32.h" },
	{ SKEP_ARCH_AARCH64, "/usr/lib/linux/uapi/arm64/asm/unistd_64.h", "/usr/include/aarch64-linux-gnu/asm/unistd_64.h" },
};

/* "#define __NR_read (__X32_SYSCALL_BIT + 0)": the name and the number. */
static bool read_line(const char *line, char *name, unsigned *number)
{
	return sscanf(line, "#define __NR_%63s (__X32_SYSCALL_BIT + %u)", name, number) == 2 ||
	       sscanf(line, "#define __NR_%63s %u", name, number) == 2;
}

/* Names of what this header has, each of which must be ours; how many. */
static size_t compare_header(FILE *file, enum skep_seccomp_arch arch)
{
	char line[256], name[64];
	size_t count = 0;
	unsigned number;

	while (fgets(line, sizeof(line), file)) {
		uint32_t bit = arch == SKEP_ARCH_X32 ? SKEP_X32_BIT : 0;

		if (!read_line(line, name, &number) || strcmp(name, "syscalls") == 0)
			continue;
		if (skep_syscall_number(arch, name) != (int64_t)(number | bit))
			fail_msg("%s on %s is %u in the header", name, skep_arch_name(arch), number);
		count++;
	}
	return count;
}

static void syscall__numbers_are_those_of_the_headers(void **state)
{
	unsigned compared = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		FILE *file = fopen(headers[i].path, "re") ?: fopen(headers[i].other, "re");

		if (!file)
			continue;
		assert_true(compare_header(file, headers[i].arch) > 250);
		fclose(file);
		compared++;
	}
	if (!compared) {
		print_message("no headers of Linux are installed\n");
		skip();
	}
}

/* What a call with arguments that nothing takes comes to, in a process of its own. */
static int error_of(long number)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(5);
		_exit(syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

/* A number that the kernel knows has a name: 335 ends the process, as only uretprobe does. */
static void syscall__what_the_kernel_knows_has_a_name(void **state)
{
	unsigned known = 0;

	(void)state;
	if (sizeof(long) != 8 || error_of(1000) != ENOSYS)
		skip();
	for (uint32_t nr = 424; nr < 512; nr++) {
		int error = error_of(nr);

		/* a container's filter may say EPERM to what it does not know */
		if (error == ENOSYS || error == EPERM)
			continue;
		known++;
		if (!skep_syscall_name(SKEP_ARCH_X86_64, nr))
			fail_msg("the kernel has a system call %u", nr);
	}
	assert_true(known > 0);
}

static void syscall__names_are_in_order_and_numbers_are_once(void **state)
{
	(void)state;
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		uint32_t bit = arch == SKEP_ARCH_X32 ? SKEP_X32_BIT : 0;

		for (uint32_t nr = 0; nr < 600; nr++) {
			const char *name = skep_syscall_name((enum skep_seccomp_arch)arch, nr | bit);

			if (name)
				assert_int_equal(skep_syscall_number((enum skep_seccomp_arch)arch, name), nr | bit);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syscall__numbers_are_those_of_the_headers),
		cmocka_unit_test(syscall__what_the_kernel_knows_has_a_name),
		cmocka_unit_test(syscall__names_are_in_order_and_numbers_are_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
