/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logbuf.c - how much is kept of the log.
 *
 * A program of a million steps has a log of gigabytes. Like Linux, keep the end,
 * where the reason is (or the beginning, asked for with SKEP_LOG_FIXED), and count:
 *
 *      lost                      data[0..len)
 *   |..........................|##############|          the end is kept
 *   |##############|..........................|          the beginning is kept
 *      data[0..len)              lost
 *
 * Positions count both. The text in memory may grow to twice what is to be kept
 * before its front is cut off, so that cutting costs little.
 */
#include "verify/passes.h"

enum { KEEP_DEFAULT = 16 << 20, KEEP_LEAST = 4096 };

static bool keeps_start(const struct env *env)
{
	return env->log_level & SKEP_LOG_FIXED;
}

static size_t kept(const struct env *env)
{
	return MAX(env->log_keep, (size_t)KEEP_LEAST);
}

void log_setup(struct env *env, const struct skep_verify_opts *opts)
{
	env->log_level = opts->log_level;
	env->log_keep = opts->log_size ? opts->log_size : KEEP_DEFAULT;
}

size_t log_position(const struct env *env)
{
	return env->log.len + env->log_lost;
}

static void note_most(struct env *env)
{
	env->log_most = MAX(env->log_most, log_position(env));
}

static void cut_front(struct env *env, size_t bytes)
{
	struct skep_text *log = &env->log;

	memmove(log->data, log->data + bytes, log->len - bytes);
	log->len -= bytes;
	log->data[log->len] = '\0';
	env->log_lost += bytes;
}

static void cut_back(struct env *env, size_t bytes)
{
	env->log.len -= bytes;
	env->log.data[env->log.len] = '\0';
	env->log_lost += bytes;
}

void log_trim(struct env *env)
{
	if (env->log.len <= kept(env) * (keeps_start(env) ? 1 : 2))
		return;
	if (keeps_start(env))
		cut_back(env, env->log.len - kept(env));
	else
		cut_front(env, env->log.len - kept(env));
}

void log_go_back(struct env *env, size_t position)
{
	size_t front = keeps_start(env) ? 0 : env->log_lost;

	if (position >= log_position(env))
		return;
	note_most(env);
	if (position < front) { /* it is gone, and so is all that came after */
		env->log.len = 0;
		env->log_lost = position;
	} else if (keeps_start(env) && position > env->log.len) {
		env->log_lost = position - env->log.len;
	} else {
		env->log.len = position - front;
		env->log_lost = front;
	}
	if (env->log.data)
		env->log.data[env->log.len] = '\0';
}

void log_hand_out(struct env *env, struct skep_verify_result *result)
{
	size_t room = env->log_keep - 1; /* as in a buffer of that size */

	if (!env->log_level)
		return;
	note_most(env);
	if (env->log.len > room && keeps_start(env))
		cut_back(env, env->log.len - room);
	else if (env->log.len > room)
		cut_front(env, env->log.len - room);
	result->log = env->log.data;
	result->log_true_size = env->log_most + 1;
	result->log_lost = env->log_lost;
}
