/* SPDX-License-Identifier: BSD-2-Clause */
/* faults.h - looks that fault, under cmocka. */
#ifndef TEST_MACHINE_FAULTS_H
#define TEST_MACHINE_FAULTS_H

#include <signal.h>

/* cmocka takes the signal for each test; the machine installs its handler once, by the first call. */
static void keep_fault_handler(void)
{
	static struct sigaction ours;

	if (ours.sa_flags & SA_SIGINFO)
		sigaction(SIGSEGV, &ours, NULL);
	else
		sigaction(SIGSEGV, NULL, &ours);
}

#endif
