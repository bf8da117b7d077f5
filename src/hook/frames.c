/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.c - reads .eh_frame and the exception tables it refers to, for two things: where
 * functions start (a stripped library has no other list of them) and where exceptions land.
 *
 *      CIE:  length, 0, version, augmentation "zPLR", factors, ...
 *      FDE:  length, distance to its CIE, start, size, augmentation data: address of the LSDA
 *      LSDA: encodings, then call sites: start, length, landing pad, action
 *
 * Encodings are DWARF exception header encodings (LSB core, "DW_EH_PE"). The bytes are
 * foreign: a cursor that meets its end reads zeros and is bad from then on.
 */
#include "hook/sweep.h"

enum {
	ENC_ABS = 0x00, ENC_ULEB = 0x01, ENC_U2 = 0x02, ENC_U4 = 0x03, ENC_U8 = 0x04,
	ENC_SLEB = 0x09, ENC_S2 = 0x0a, ENC_S4 = 0x0b, ENC_S8 = 0x0c,
	ENC_FORMAT = 0x0f, ENC_PCREL = 0x10, ENC_BASE = 0x70, ENC_OMIT = 0xff,
};

struct cursor {
	const uint8_t *bytes;
	size_t at, size;
	uint64_t address;       /* of bytes[0] */
	bool bad;
};

static uint64_t take(struct cursor *c, size_t size)
{
	uint64_t value = 0;

	if (c->bad || c->at > c->size || size > c->size - c->at) {
		c->bad = true;
		return 0;
	}
	memcpy(&value, c->bytes + c->at, size);
	c->at += size;
	return value;
}

static uint64_t take_leb(struct cursor *c, bool is_signed)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;

	do {
		byte = take(c, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && shift < 64 && byte & 0x40)
		value |= ~(uint64_t)0 << shift;
	return value;
}

static uint64_t take_encoded(struct cursor *c, unsigned encoding)
{
	uint64_t from = c->address + c->at, value;

	switch (encoding & ENC_FORMAT) {
	case ENC_ABS:
	case ENC_U8:
	case ENC_S8:
		value = take(c, 8);
		break;
	case ENC_ULEB:
	case ENC_SLEB:
		value = take_leb(c, (encoding & ENC_FORMAT) == ENC_SLEB);
		break;
	case ENC_U2:
		value = take(c, 2);
		break;
	case ENC_S2:
		value = (uint64_t)(int64_t)(int16_t)take(c, 2);
		break;
	case ENC_U4:
		value = take(c, 4);
		break;
	case ENC_S4:
		value = (uint64_t)(int64_t)(int32_t)take(c, 4);
		break;
	default:
		c->bad = true;
		return 0;
	}
	if (value && (encoding & ENC_BASE) == ENC_PCREL)
		value += from;
	return value;
}

struct cie {
	unsigned start_encoding, lsda_encoding;
	bool has_data;          /* FDEs have augmentation data */
	bool is_signal;         /* FDEs are of what handlers of signals return to */
};

static bool read_cie(struct cursor c, struct cie *cie)
{
	const char *augmentation;
	unsigned version;

	*cie = (struct cie){ ENC_ABS, ENC_OMIT, false, false };
	version = (unsigned)take(&c, 1);
	augmentation = (const char *)c.bytes + c.at;
	while (take(&c, 1))
		;
	if (version >= 4)
		take(&c, 2);
	take_leb(&c, false);
	take_leb(&c, true);
	if (version == 1)
		take(&c, 1);
	else
		take_leb(&c, false);
	if (c.bad)
		return false;
	for (; *augmentation; augmentation++) {
		if (*augmentation == 'z') {
			cie->has_data = true;
			take_leb(&c, false);
		} else if (*augmentation == 'R') {
			cie->start_encoding = (unsigned)take(&c, 1);
		} else if (*augmentation == 'L') {
			cie->lsda_encoding = (unsigned)take(&c, 1);
		} else if (*augmentation == 'P') {
			unsigned encoding = (unsigned)take(&c, 1);

			take_encoded(&c, encoding);
		} else if (*augmentation == 'S') {
			cie->is_signal = true;
		} else if (*augmentation != 'B') {
			return false;
		}
	}
	return !c.bad;
}

static void read_lsda(const struct binary *binary, uint64_t address, uint64_t function,
		      void (*pad)(void *, uint64_t), void *arg)
{
	struct view bytes = binary_bytes(binary, address);
	struct cursor c = { bytes.data, 0, bytes.size, address, !bytes.data };
	uint64_t base = function;
	unsigned encoding;
	size_t end;

	encoding = (unsigned)take(&c, 1);
	if (encoding != ENC_OMIT)
		base = take_encoded(&c, encoding);
	encoding = (unsigned)take(&c, 1);
	if (encoding != ENC_OMIT)
		take_leb(&c, false);
	encoding = (unsigned)take(&c, 1);
	end = (size_t)take_leb(&c, false);
	if (c.bad || end > c.size - c.at)
		return;
	end += c.at;
	while (!c.bad && c.at < end) {
		uint64_t landing;

		take_encoded(&c, encoding);
		take_encoded(&c, encoding);
		landing = take_encoded(&c, encoding);
		take_leb(&c, false);
		if (!c.bad && landing)
			pad(arg, base + landing);
	}
}

static int read_fde(const struct binary *binary, struct cursor c, const struct cie *cie,
		    frame_fn *function, void (*pad)(void *, uint64_t), void *arg)
{
	uint64_t start = take_encoded(&c, cie->start_encoding);
	uint64_t size = take_encoded(&c, cie->start_encoding & ENC_FORMAT);
	uint64_t lsda;
	int error;

	if (c.bad || !start)
		return 0;
	/* Unwinders look up the address before, so that byte is described as well. */
	if (cie->is_signal && size > 1) {
		start++;
		size--;
	}
	error = function(arg, start, size);
	if (error || !cie->has_data || cie->lsda_encoding == ENC_OMIT)
		return error;
	take_leb(&c, false);
	lsda = take_encoded(&c, cie->lsda_encoding);
	if (!c.bad && lsda)
		read_lsda(binary, lsda, start, pad, arg);
	return 0;
}

int frames_read(const struct binary *binary, frame_fn *function, void (*pad)(void *, uint64_t),
		void *arg)
{
	uint64_t address = 0;
	struct view section = binary_section(binary, ".eh_frame", &address);
	struct cursor c = { section.data, 0, section.size, address, !section.data };
	struct cie cie;
	int error = 0;

	while (!error && !c.bad && c.at < c.size) {
		uint64_t length = take(&c, 4);
		struct cursor entry = c, head;
		uint64_t back;

		if (length == 0xffffffff || length > c.size - c.at || !length)
			break;
		entry.size = c.at + (size_t)length;
		c.at = entry.size;
		head = entry;
		back = take(&entry, 4);
		if (!back || back > head.at)
			continue;
		/* the CIE: its length and zero come before what read_cie() reads */
		head.at -= (size_t)back;
		head.size = section.size;
		length = take(&head, 4);
		if (take(&head, 4) != 0 || length < 4 || length - 4 > head.size - head.at)
			continue;
		head.size = head.at + (size_t)length - 4;
		if (read_cie(head, &cie))
			error = read_fde(binary, entry, &cie, function, pad, arg);
	}
	return error;
}
