/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * data.js - the recorded verification of one program, as src/cli/html.c writes it.
 * A visit is known by its row here; its number is its place among all visits.
 */
const KEPT = 1, COVERED = 2, WHOLE = 4;
const FRAME_PARTS = 128, PART_SLOT = 16, PART_FRAME = 100, PART_HOLDS = 101;

class Program {
	constructor(raw) {
		this.raw = raw;
		this.insns = raw.insns.map(([pc, code, text, file, line, column, jumps, callee, ...next]) =>
			({ pc, code, text, file, line, column, jumps: !!jumps, callee, next }));
		this.at = new Map(this.insns.map((insn) => [insn.pc, insn]));
		this.readHeat();
		this.readFunctions();
		this.readVisits();
	}

	readHeat() {
		const heat = this.raw.heat;

		this.heat = []; this.kept = []; this.ended = [];
		for (let i = 0; i < heat.length; i += 3) {
			this.heat.push(heat[i]); this.kept.push(heat[i + 1]); this.ended.push(heat[i + 2]);
		}
		this.hottest = this.heat.reduce((a, b) => Math.max(a, b), 1);
	}

	readFunctions() {
		this.functions = this.raw.functions.map(([start, name]) => ({ start, name }));
		if (!this.functions.length || this.functions[0].start !== 0)
			this.functions.unshift({ start: 0, name: this.raw.name });
		this.functions.forEach((f, i) => {
			f.end = i + 1 < this.functions.length ? this.functions[i + 1].start : Infinity;
		});
	}

	functionOf(pc) {
		return this.functions.findLast((f) => f.start <= pc) || this.functions[0];
	}

	readVisits() {
		const list = this.raw.visits;

		this.visits = []; this.byNumber = new Map(); this.byInsn = new Map();
		this.after = new Map(); this.covers = new Map();
		for (let i = 0; i < list.length;) {
			const [number, insn, from, ordinal, flags, coveredBy, live, changes] = list.slice(i, i + 8);
			const row = this.visits.length;

			this.visits.push({ row, number, insn, from, ordinal, flags, coveredBy, live,
					   changes: i + 8, end: i + 8 + 2 * changes });
			this.byNumber.set(number, row);
			push(this.byInsn, insn, row);
			push(this.after, from, row);
			if (coveredBy)
				push(this.covers, coveredBy, row);
			i += 8 + 2 * changes;
		}
		this.keyframes = [];
	}

	/* The whole state at a recorded visit: part to text. */
	state(row) {
		const EVERY = 256;
		let state = new Map(), from = 0;

		for (let k = Math.min(Math.floor(row / EVERY), this.keyframes.length); k > 0; k--) {
			if (this.keyframes[k]) {
				state = new Map(this.keyframes[k]);
				from = k * EVERY;
				break;
			}
		}
		for (let at = from; at <= row; at++) {
			const visit = this.visits[at], list = this.raw.visits;

			if (at % EVERY === 0 && at > from && !this.keyframes[at / EVERY])
				this.keyframes[at / EVERY] = new Map(state);
			for (let i = visit.changes; i < visit.end; i += 2) {
				if (list[i + 1])
					state.set(list[i], this.raw.strings[list[i + 1]]);
				else
					state.delete(list[i]);
			}
		}
		return state;
	}

	/* Straight stretches of a function: where paths part and join. */
	blocks(fn) {
		const insns = this.insns.filter((insn) => insn.pc >= fn.start && insn.pc < fn.end);
		const starts = new Set(insns.length ? [insns[0].pc] : []);
		const blocks = [];

		for (const insn of insns) {
			if (!insn.jumps)
				continue;
			insn.next.forEach((pc) => starts.add(pc));
			starts.add(insn.pc + 1);
		}
		for (const insn of insns) {
			if (starts.has(insn.pc))
				blocks.push({ id: blocks.length, start: insn.pc, insns: [] });
			blocks[blocks.length - 1].insns.push(insn);
		}
		const byStart = new Map(blocks.map((block) => [block.start, block.id]));

		for (const block of blocks) {
			const last = block.insns[block.insns.length - 1];

			block.next = last.next.filter((pc) => byStart.has(pc)).map((pc, i) =>
				({ to: byStart.get(pc), taken: last.next.length > 1 && i === 1 }));
		}
		return blocks;
	}
}

function push(map, key, value) {
	if (map.has(key))
		map.get(key).push(value);
	else
		map.set(key, [value]);
}

function frames(state) {
	let count = 0;

	while (state.has(count * FRAME_PARTS + PART_FRAME))
		count++;
	return count;
}
