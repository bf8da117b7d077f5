/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space.h - what this process has mapped, as walks up its stacks need it. [runtime, in
 * the agent's image only]
 *
 * Nothing is asked before a program wants a stack; then the supervisor is, which reads
 * the files. Without a supervisor, and until one has answered, frame pointers are followed.
 *
 * Threads: any. Async-signal-safe.
 */
#ifndef AGENT_SPACE_H
#define AGENT_SPACE_H

/* From now on the supervisor answers: it does not while it starts the agent. */
void space_start(void);
/* Nothing is asked any more, and nothing walks. */
void space_stop(void);
/* More has been mapped than was known. */
void space_changed(void);
/* In the child of a fork, with memory of its own. */
void space_forked(void);

#endif
