/* SPDX-License-Identifier: BSD-2-Clause */
/* signal_test.h - a handler that notes what it was given, for the tests of signals at the gate. */
#ifndef SIGNAL_TEST_H
#define SIGNAL_TEST_H

#include "gate_test.h"

#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t handled, handled_sig, handled_nested;
static siginfo_t handled_info;
static sigset_t handled_mask;     /* in the handler */
static ucontext_t *volatile handled_context;
static uintptr_t handled_sp;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	handled++;
	handled_sig = sig;
	handled_info = *info;
	handled_context = context;
	handled_sp = (uintptr_t)__builtin_frame_address(0);
	pthread_sigmask(SIG_BLOCK, NULL, &handled_mask);
}

static void install(int sig, int flags, const sigset_t *mask)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };

	if (mask)
		action.sa_mask = *mask;
	handled = 0;
	assert_int_equal(sigaction(sig, &action, NULL), 0);
}

static sigset_t set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	if (a)
		sigaddset(&set, a);
	if (b)
		sigaddset(&set, b);
	return set;
}

static void nothing_done(int sig)
{
	(void)sig;
	handled++;
}

static char alternate[65536] __attribute__((aligned(16)));

static bool on_alternate(uintptr_t sp)
{
	return sp >= (uintptr_t)alternate && sp < (uintptr_t)alternate + sizeof(alternate);
}

#endif
