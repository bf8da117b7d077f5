/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of the kernel: which may be traced, changed, and slept in. */
#include "typed.h"

LICENSE;

#define AT(name, section, ...)                                                                \
	__VA_ARGS__ SEC(section) __naked int name(void)                                       \
	{                                                                                     \
		__asm__ volatile("r0 = 0; exit;");                                            \
	}

AT(entry__of_any_function, "fentry/security_open", ACCEPTED)
AT(entry__of_one_that_does_not_return, "fentry/do_exit", ACCEPTED)
AT(exit__of_one_that_does_not_return, "fexit/do_exit",
   REJECTED("Attaching fexit/fsession/fmod_ret to __noreturn function 'do_exit' is rejected."))
AT(entry__of_what_tracing_needs, "fentry/migrate_disable",
   REJECTED("Attaching tracing programs to function 'migrate_disable' is rejected."))
AT(sleeping__in_system_calls, "fentry.s/__x64_sys_getpid", ACCEPTED)
AT(sleeping__elsewhere, "fentry.s/security_open", REJECTED("security_open is not sleepable"))
AT(result__of_security_functions, "fmod_ret/security_open", ACCEPTED)
AT(result__of_system_calls, "fmod_ret/__x64_sys_getpid", ACCEPTED)
AT(result__of_others, "fmod_ret/bpf_lsm_file_open", REJECTED("bpf_lsm_file_open() is not modifiable"))

REJECTED("program of this type cannot use helper bpf_sk_storage_get#107")
SEC("fentry/bpf_sk_storage_free") __naked int storage__not_while_it_is_freed(void)
{
	__asm__ volatile("r1 = 0; r2 = 0; r3 = 0; r4 = 0; call 107; r0 = 0; exit;");
}

ACCEPTED LOGS("R1=trusted_ptr_file(") SEC("lsm/file_open") __naked int hook__gives_whole_objects(void)
{
	__asm__ volatile("r1 = *(u64 *)(r1 + 0); r0 = 0; exit;");
}

ACCEPTED LOGS("R1=ptr_task_struct(") SEC("lsm/task_free") __naked int hook__gives_objects_being_freed(void)
{
	__asm__ volatile("r1 = *(u64 *)(r1 + 0); r0 = 0; exit;");
}
