/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asker.h - which process a question is from.
 *
 * An agent abroad (map/owner.h) names itself by the ids that it has there, until it has been told
 * what it is called here. Nobody is stopped or read on that word alone: the question lies in the
 * asker's memory too, where it says, with a number that no other has.
 *
 * Threads: any.
 */
#ifndef HOOK_ASKER_H
#define HOOK_ASKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "hook/mail.h"

/* Makes pid and tid those of this process's namespace. False: nobody here has asked that. */
bool asker_find(struct mail_message *message);
/* The process or thread that a process here knows by an id; 0: none. */
pid_t asker_knows(pid_t pid, uint32_t id);
/* The one that it knew by it, which may have ended; 0: not known. */
pid_t asker_knew(pid_t pid, uint32_t id);
/* Whether no process of that space has that id in it; for owner_answer(). */
bool asker_is_gone(void *arg, uint64_t space, uint32_t pid);

#endif
