/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * member.h - the words of a tcpdump expression, and the primitives that can be members of a set:
 * 'src host 10.0.0.1', 'tcp portrange 1-1023'. Private to src/cbpf.
 */
#ifndef CBPF_MEMBER_H
#define CBPF_MEMBER_H

#include "cbpf/set.h"

enum token_kind { TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_AND, TOKEN_OR, TOKEN_NOT, TOKEN_OTHER };

struct token { enum token_kind kind; const char *at; size_t len; };
struct tokens { struct token *items; size_t count, size; }; /* a VEC */

/* Brackets with what is in them are one token. False: no memory. */
bool tokens_read(struct tokens *tokens, const char *text);
bool token_is(const struct token *token, const char *word);
/* A primitive by itself: 'tcp', 'vlan'. */
bool token_is_protocol(const struct token *token);

enum member_type { MEMBER_NONE, MEMBER_HOST, MEMBER_NET, MEMBER_PORT, MEMBER_PORTRANGE };
enum member_way { WAY_ANY, WAY_SRC, WAY_DST };

/* What stands before an address or port, and is understood again where it is left out. */
struct qualifiers { const char *protocol; enum member_way way; enum member_type type; };

/* Reads it from tokens[from..to); returns how many it takes, 0 if none. */
size_t qualifiers_read(const struct token *tokens, size_t from, size_t to, struct qualifiers *q);
/* The same in words, with another type. */
void qualifiers_write(const struct qualifiers *q, enum member_type type, struct skep_text *out);
/*
 * The address or port that the word says after these qualifiers; width: 0 if it is none, or libpcap
 * would find fault with it.
 */
unsigned member_read(const struct qualifiers *q, const struct token *word, struct set_range *range);

#endif
