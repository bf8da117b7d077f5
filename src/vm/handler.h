/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handler.h - the interpreter's handlers, one for each thing an instruction can
 * do, so that dispatch is one indirect jump and a handler decides nothing.
 *
 * ALU and jump handlers come four to a row: 32 bits with an immediate, 32 bits
 * with a register, then the same in 64 bits.
 */
#ifndef VM_HANDLER_H
#define VM_HANDLER_H

/* The others: HANDLER(name). The loads and stores are in order of width. */
#define HANDLERS(HANDLER)                                                                \
	HANDLER(INVALID)                                                                 \
	HANDLER(MOVSX)                                                                   \
	HANDLER(SWAP)                                                                    \
	HANDLER(IMM64)                                                                   \
	HANDLER(LOAD1) HANDLER(LOAD2) HANDLER(LOAD4) HANDLER(LOAD8)                      \
	HANDLER(LOADS1) HANDLER(LOADS2) HANDLER(LOADS4)                                  \
	HANDLER(STORE1_K) HANDLER(STORE2_K) HANDLER(STORE4_K) HANDLER(STORE8_K)          \
	HANDLER(STORE1_X) HANDLER(STORE2_X) HANDLER(STORE4_X) HANDLER(STORE8_X)          \
	HANDLER(ATOMIC)                                                                  \
	HANDLER(LOAD_PACKET)                                                             \
	HANDLER(GOTO)                                                                    \
	HANDLER(GOTO_REG)                                                                \
	HANDLER(MAY_GOTO)                                                                \
	HANDLER(CALL_HELPER)                                                             \
	HANDLER(CALL_TAIL)                                                               \
	HANDLER(CALL_MAP_LOOKUP)                                                         \
	HANDLER(CALL_LOCAL)                                                              \
	HANDLER(CALL_REGISTER)                                                           \
	HANDLER(EXIT)                                                                    \
	HANDLER(CAST)

enum handler {
#define ALU(name, token, code, expr, fold) \
	H_ALU4_K_##name, H_ALU4_X_##name, H_ALU8_K_##name, H_ALU8_X_##name,
#include "isa/alu.def"
#define COND(name, token, code, expr, mirror, inverse) \
	H_JUMP4_K_##name, H_JUMP4_X_##name, H_JUMP8_K_##name, H_JUMP8_X_##name,
#include "isa/cond.def"
#define HANDLER(name) H_##name,
	HANDLERS(HANDLER)
#undef HANDLER
	HANDLER_COUNT,
};

#endif
