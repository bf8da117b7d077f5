/* SPDX-License-Identifier: BSD-2-Clause */
/* skep.h - everything libskep offers. Each header says what it is for. */
#ifndef SKEP_SKEP_H
#define SKEP_SKEP_H

#include <skep/btf.h>
#include <skep/cbpf.h>
#include <skep/diag.h>
#include <skep/engine.h>
#include <skep/feature.h>
#include <skep/insn.h>
#include <skep/link.h>
#include <skep/linux.h>
#include <skep/machine.h>
#include <skep/object.h>
#include <skep/seccomp.h>
#include <skep/observe.h>
#include <skep/packet.h>
#include <skep/stacks.h>
#include <skep/target.h>
#include <skep/verify.h>

#endif
