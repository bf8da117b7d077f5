/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * member.c - reading words, qualifiers, addresses and ports as pcap-filter(7) has them. Anything
 * unusual (names, short addresses, leading zeros) is refused: libpcap knows what it means.
 */
#include "cbpf/member.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

/* --- words --- */

static size_t word_length(const char *at)
{
	size_t len = 0;

	while (isalnum((unsigned char)at[len]) || (at[len] && strchr("_.:/\\-", at[len])))
		len++;
	return len;
}

bool token_is(const struct token *token, const char *word)
{
	return token->kind == TOKEN_WORD && strlen(word) == token->len && memcmp(token->at, word, token->len) == 0;
}

bool token_is_protocol(const struct token *token)
{
	static const char *const names[] = {
		"ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "esp", "ah", "pim", "vrrp",
		"vlan", "mpls", "pppoes", "pppoed", "geneve", "broadcast", "multicast", "inbound", "outbound",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (token_is(token, names[i]))
			return true;
	}
	return false;
}

static struct token next_token(const char *at)
{
	struct token token = { TOKEN_OTHER, at, 1 };

	if (*at == '(' || *at == ')') {
		token.kind = *at == '(' ? TOKEN_OPEN : TOKEN_CLOSE;
	} else if (strncmp(at, "&&", 2) == 0 || strncmp(at, "||", 2) == 0) {
		token.kind = *at == '&' ? TOKEN_AND : TOKEN_OR;
		token.len = 2;
	} else if (*at == '!' && at[1] != '=') {
		token.kind = TOKEN_NOT;
	} else if (*at == '[') {
		token.len = strcspn(at, "]");
		token.len += at[token.len] == ']';
	} else if (word_length(at)) {
		token.kind = TOKEN_WORD;
		token.len = word_length(at);
		token.kind = token_is(&token, "and") ? TOKEN_AND : token_is(&token, "or") ? TOKEN_OR :
			     token_is(&token, "not") ? TOKEN_NOT : TOKEN_WORD;
	}
	return token;
}

bool tokens_read(struct tokens *tokens, const char *text)
{
	while (*(text += strspn(text, " \t\r\n"))) {
		struct token *room = vec_push(tokens);

		if (!room)
			return false;
		*room = next_token(text);
		text += room->len;
	}
	return true;
}

/* --- qualifiers --- */

static const char *const protocols[] = { "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp" };
static const char *const types[] = {
	[MEMBER_HOST] = "host", [MEMBER_NET] = "net", [MEMBER_PORT] = "port",
	[MEMBER_PORTRANGE] = "portrange",
};

static size_t read_way(const struct token *tokens, size_t from, size_t to, enum member_way *way)
{
	bool src = from < to && token_is(&tokens[from], "src");
	bool dst = from < to && token_is(&tokens[from], "dst");

	*way = src ? WAY_SRC : dst ? WAY_DST : WAY_ANY;
	if ((src || dst) && from + 2 < to && tokens[from + 1].kind == TOKEN_OR &&
	    token_is(&tokens[from + 2], src ? "dst" : "src")) {
		*way = WAY_ANY;
		return 3;
	}
	return src || dst;
}

size_t qualifiers_read(const struct token *tokens, size_t from, size_t to, struct qualifiers *q)
{
	size_t at = from, way;

	*q = (struct qualifiers){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(protocols) && at < to && !q->protocol; i++) {
		if (token_is(&tokens[at], protocols[i]))
			q->protocol = protocols[i];
	}
	at += q->protocol != NULL;
	way = read_way(tokens, at, to, &q->way);
	at += way;
	if (way && at < to && (tokens[at].kind == TOKEN_AND || tokens[at].kind == TOKEN_OR)) {
		*q = (struct qualifiers){ 0 };
		return 0;
	}
	for (enum member_type type = MEMBER_HOST; type <= MEMBER_PORTRANGE && at < to && !q->type; type++) {
		if (token_is(&tokens[at], types[type]))
			q->type = type;
	}
	at += q->type != MEMBER_NONE;
	return way || q->type ? at - from : 0;
}

void qualifiers_write(const struct qualifiers *q, enum member_type type, struct skep_text *out)
{
	static const char *const ways[] = { "", "src ", "dst " };

	text_add(out, "%s%s%s%s ", q->protocol ? q->protocol : "", q->protocol ? " " : "", ways[q->way],
		 types[type ? type : MEMBER_HOST]);
}

/* --- numbers --- */

/* Digits without leading zeros, up to max. */
static bool read_number(const char **at, const char *end, uint32_t max, uint32_t *number)
{
	const char *from = *at;

	*number = 0;
	while (*at < end && isdigit((unsigned char)**at) && *at - from < 6)
		*number = *number * 10 + (uint32_t)(*(*at)++ - '0');
	return *at > from && *number <= max && (*from != '0' || *at - from == 1);
}

static struct set_range prefix4(uint32_t address, unsigned bits)
{
	uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;

	return (struct set_range){ { 0, address & mask }, { 0, address | ~mask } };
}

/* a.b.c.d; of networks fewer numbers will do, and a length may follow. */
static bool read_address(bool net, const struct token *word, struct set_range *range)
{
	const char *at = word->at, *end = word->at + word->len;
	uint32_t address = 0, number, bits;
	unsigned numbers = 0;

	do {
		if (!read_number(&at, end, 255, &number))
			return false;
		address |= number << (24 - 8 * numbers++);
	} while (numbers < 4 && at < end && *at == '.' && at++);
	bits = 8 * numbers;
	if (at < end && *at == '/' && net) {
		at++;
		if (!read_number(&at, end, 32, &bits))
			return false;
	} else if (numbers < 4 && (!net || address == 0)) {
		return false;
	}
	*range = prefix4(address, bits);
	return at == end && range->first.low == address;
}

static uint64_t half_of(const uint8_t *bytes)
{
	uint64_t half = 0;

	for (unsigned i = 0; i < 8; i++)
		half = half << 8 | bytes[i];
	return half;
}

static bool read_address6(bool net, const struct token *word, struct set_range *range)
{
	const char *slash = memchr(word->at, '/', word->len), *end = word->at + word->len, *at;
	size_t len = slash ? (size_t)(slash - word->at) : word->len;
	struct set_number mask, address;
	char text[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	uint32_t bits = 128;

	if (len >= sizeof(text) || memchr(word->at, '.', len) || (slash && !net))
		return false;
	memcpy(text, word->at, len);
	text[len] = '\0';
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return false;
	at = slash ? slash + 1 : end;
	if (slash && (!read_number(&at, end, 128, &bits) || at != end))
		return false;
	mask.high = bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : UINT64_MAX << (64 - bits);
	mask.low = bits <= 64 ? 0 : UINT64_MAX << (128 - bits);
	address = (struct set_number){ half_of(bytes), half_of(bytes + 8) };
	*range = (struct set_range){ address, { address.high | ~mask.high, address.low | ~mask.low } };
	return (address.high & ~mask.high) == 0 && (address.low & ~mask.low) == 0;
}

static bool read_ports(bool is_range, const struct token *word, struct set_range *range)
{
	const char *at = word->at, *end = word->at + word->len;
	uint32_t first, last;

	if (!read_number(&at, end, UINT16_MAX, &first))
		return false;
	last = first;
	if (is_range && (at == end || *at++ != '-' || !read_number(&at, end, UINT16_MAX, &last)))
		return false;
	*range = (struct set_range){ { 0, first }, { 0, last } };
	return at == end && first <= last;
}

static bool protocol_in(const char *protocol, const char *one, const char *two, const char *three)
{
	return !protocol || strcmp(protocol, one) == 0 || (two && strcmp(protocol, two) == 0) ||
	       (three && strcmp(protocol, three) == 0);
}

unsigned member_read(const struct qualifiers *q, const struct token *word, struct set_range *range)
{
	bool net = q->type == MEMBER_NET;

	if (word->kind != TOKEN_WORD)
		return 0;
	if (q->type == MEMBER_PORT || q->type == MEMBER_PORTRANGE)
		return protocol_in(q->protocol, "tcp", "udp", "sctp") &&
		       read_ports(q->type == MEMBER_PORTRANGE, word, range) ? SET_PORTS : 0;
	if (memchr(word->at, ':', word->len))
		return protocol_in(q->protocol, "ip6", NULL, NULL) && read_address6(net, word, range) ?
			       SET_ADDRESSES6 : 0;
	return protocol_in(q->protocol, "ip", "arp", "rarp") && read_address(net, word, range) ?
		       SET_ADDRESSES : 0;
}
