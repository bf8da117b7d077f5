/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asker.h - which process a question is from.
 *
 * An agent names itself by the ids that its own pid namespace gives it. Nobody is stopped or
 * read on that word alone: the question lies in the asker's memory too, where it says, with a
 * number that no other has.
 *
 * Threads: any.
 */
#ifndef HOOK_ASKER_H
#define HOOK_ASKER_H

#include <stdbool.h>

#include "hook/mail.h"

/* Makes pid and tid those of this process's namespace. False: nobody here has asked that. */
bool asker_find(struct mail_message *message);

#endif
