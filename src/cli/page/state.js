/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.js - the right side of the page: what the verifier knew at the visit that
 * is selected, what became of the path there, and the instruction's other visits.
 */
function valueCells(text, also) {
	if (!text)
		return [h("span", { class: "muted" }, "—")];
	const open = text.indexOf("("), kind = open >= 0 ? text.slice(0, open) : text;
	const details = open >= 0 ? text.slice(open + 1, text.endsWith(")") ? -1 : undefined) : "";
	const precise = /^P(?=-?\d|scalar|0x)/.test(kind);
	const name = precise ? kind.slice(1) : kind;
	const look = /or_null/.test(name) ? "kind null" : /^(-?\d|0x|scalar)/.test(name) ? "kind number" : /^fp/.test(name) ? "kind stack" : "kind";

	return [
		precise && h("span", { class: "precise", title: "its exact value mattered to a decision" }, "P "),
		h("span", { class: look }, name),
		details && h("span", { class: "details" }, ` ${spaced(details)}`),
		also,
	];
}

/* Commas outside of brackets get a blank. */
function spaced(text) {
	return text.replace(/,(?![^(]*\))/g, ", ");
}

const partName = (part) => part < PART_SLOT ? `r${part}` : `fp-${(part - PART_SLOT + 1) * 8}`;

/* The parts of a frame that hold something in any of the states: registers, then slots. */
function partsOf(frame, ...states) {
	const parts = new Set();

	for (const state of states)
		for (const key of state.keys())
			if (Math.floor(key / FRAME_PARTS) === frame && key % FRAME_PARTS < PART_FRAME)
				parts.add(key % FRAME_PARTS);
	return [...parts].sort((a, b) => a - b);
}

function showState() {
	const box = $("state"), insn = program.at.get(pc);

	showVisitNav();
	if (!insn) {
		box.replaceChildren(h("div", { class: "empty" }, program.raw.verdict === "unloadable" ?
			"The program did not reach the verifier." : "Choose an instruction."));
		return;
	}
	const file = insn.file >= 0 ? program.raw.files[insn.file] : null;
	const text = insn.file >= 0 && rows.line.get(lineKey(insn.file, insn.line));

	box.scrollTop = 0;
	box.replaceChildren(...[
		h("div", { class: "insn" }, h("span", { class: "muted" }, `${pc}: `), coloured(insn.text)),
		file && h("div", { class: "line" }, placeLink(file.name, insn.line),
			 `  ${text ? text.querySelector(".text").textContent.trim() : ""}`),
		row < 0 ? h("div", { class: "note" }, program.heat[pc] ?
			`Visited ${count(program.heat[pc], "time")}; no state of these is recorded.` :
			program.heat.length ? "The verifier never came here." : "Nothing was recorded.") : visitParts(),
	].flat().filter(Boolean));
}

function visitParts() {
	const visit = program.visits[row], state = program.state(row);
	const before = program.byNumber.get(visit.from);
	const old = before === undefined ? null : program.state(before);
	const depth = frames(state), parts = [stepButtons(visit), outcome(visit, state), effect(visit, state)];

	for (let f = depth - 1; f >= 0; f--)
		parts.push(frameParts(f, f === depth - 1, state, old, visit));
	if (state.get(PART_HOLDS))
		parts.push(h("h2", {}, "Held"), h("div", { class: "mono" }, state.get(PART_HOLDS)));
	return parts.flat(Infinity).filter(Boolean);
}

function stepButtons(visit) {
	const before = program.byNumber.get(visit.from), after = program.after.get(visit.number) || [];
	const go = (to) => () => select(program.visits[to].insn, to);

	return h("div", { class: "step" },
		h("button", { id: "back", disabled: before === undefined, title: "the step before on this path (←)", onclick: before !== undefined ? go(before) : () => {} },
		  before === undefined ? (visit.from ? `← ${number(visit.from)} (not recorded)` : "← entry") : `← ${program.visits[before].insn}`),
		after.map((to) => h("button", { title: "the next step on this path (→)", onclick: go(to) }, `${program.visits[to].insn} →`)),
		h("span", { class: "muted" }, ` step ${number(visit.number)} of ${number(program.raw.processed)}`));
}

/* What became of the path here. */
function outcome(visit, state) {
	const raw = program.raw, parts = [];
	const rejected = raw.verdict === "rejected" && visit.number === raw.processed && visit.insn === raw.insn;

	if (rejected)
		parts.push(h("div", { class: "note bad" }, h("b", {}, "Rejected here: "), raw.message));
	if (visit.coveredBy)
		parts.push(coveredNote(visit, state));
	if (visit.flags & KEPT) {
		const by = program.covers.get(visit.number) || [];

		parts.push(h("div", { class: "note kept" }, "This state is kept: a later path that can be no more than this may end here.",
			by.length ? [" ", h("a", { onclick: () => select(program.visits[by[0]].insn, by[0]) }, `${count(by.length, "path")} did`), "."] : ""));
	}
	if (!rejected && !visit.coveredBy && !program.after.has(visit.number) && /^exit\b/.test(program.at.get(visit.insn).text))
		parts.push(h("div", { class: "note" }, "The path ends here, with the program."));
	return parts;
}

function coveredNote(visit, state) {
	const by = program.byNumber.get(visit.coveredBy);
	const link = by === undefined ? `visit ${number(visit.coveredBy)}` :
		h("a", { onclick: () => select(visit.insn, by) }, `visit ${number(program.visits[by].ordinal + 1)}`);
	const why = visit.flags & WHOLE ? "every register and stack slot is within what it was there" :
		"all that the paths from there made use of is within what it was there";

	return [
		h("div", { class: "note ended" }, h("b", {}, "The path ends here: "), "what can follow was explored from ", link, " of this instruction, and ", why, "."),
		by === undefined ? null : compareTable(visit, state, program.state(by)),
	];
}

/* This state beside the one that covers it. */
function compareTable(visit, state, old) {
	const top = frames(state) - 1, lines = [];

	for (const part of partsOf(top, state, old)) {
		const now = state.get(top * FRAME_PARTS + part), then = old.get(top * FRAME_PARTS + part);
		const dead = part < 10 && !(visit.live >> part & 1);

		lines.push(h("tr", { class: dead ? "dead" : "", title: dead ? "not read any more: it does not matter" : null },
			h("td", {}, partName(part)), h("td", {}, valueCells(now)), h("td", {}, valueCells(then))));
	}
	return [h("h2", {}, "Covered by"), h("table", { class: "values" },
		h("thead", {}, h("tr", {}, h("th", {}, ""), h("th", {}, "here"), h("th", {}, "kept state"))), h("tbody", {}, lines))];
}

/* What the instruction changes, on each way on. */
function effect(visit, state) {
	const after = program.after.get(visit.number) || [], parts = [];

	for (const to of after) {
		const next = program.visits[to], then = program.state(to), lines = [];

		for (const key of new Set([...state.keys(), ...then.keys()])) {
			const part = key % FRAME_PARTS;

			if (part >= PART_FRAME || state.get(key) === then.get(key))
				continue;
			lines.push([key, h("tr", {}, h("td", {}, `${Math.floor(key / FRAME_PARTS) !== frames(then) - 1 ? `#${Math.floor(key / FRAME_PARTS)} ` : ""}${partName(part)}`),
				h("td", {}, valueCells(then.get(key))))]);
		}
		lines.sort((a, b) => a[0] - b[0]);
		parts.push(h("h2", {}, "Then", h("a", { onclick: () => select(next.insn, to) }, `at ${next.insn}`),
			     lines.length ? "" : h("span", { class: "muted" }, "nothing known has changed")));
		if (lines.length)
			parts.push(h("table", { class: "values" }, h("tbody", {}, lines.map((line) => line[1]))));
	}
	return parts;
}

function frameParts(frame, running, state, old, visit) {
	const [call, callback, ...name] = (state.get(frame * FRAME_PARTS + PART_FRAME) || "-1 0 ").split(" ");
	const lines = [];

	for (const part of partsOf(frame, state)) {
		const key = frame * FRAME_PARTS + part, dead = running && part < 10 && !(visit.live >> part & 1);

		lines.push(h("tr", { class: `${dead ? "dead" : ""}${old && old.get(key) !== state.get(key) ? " changed" : ""}`, "data-part": `${frame}/${partName(part)}`,
				     title: dead ? "not read any more from here on" : old && old.get(key) !== state.get(key) ? "changed by the step before" : null },
			h("td", {}, partName(part)), h("td", {}, valueCells(state.get(key)))));
	}
	return [
		h("h2", {}, running ? "Before it" : "Waiting", h("span", { class: "f" }, name.join(" ") || `frame ${frame}`),
		  Number(call) >= 0 && h("span", {}, callback === "1" ? "callback of the call at " : "called at ",
			h("a", { onclick: () => select(Number(call)) }, call))),
		h("table", { class: "values" }, h("tbody", {}, lines)),
	];
}

/* --- visits --- */

function showVisitNav() {
	const list = program.byInsn.get(pc) || [], at = list.indexOf(row), total = program.heat[pc] || 0;

	if (row < 0) {
		$("visit-nav").replaceChildren(h("span", { class: "muted" }, total ? count(total, "visit") : ""));
		return;
	}
	const visit = program.visits[row];

	$("visit-nav").replaceChildren(...[
		h("button", { id: "visit-previous", disabled: at <= 0, title: "its visit before (p)", onclick: () => moveVisit(-1) }, "◀"),
		h("span", { id: "visit" }, `visit ${number(visit.ordinal + 1)} of ${number(total)}`),
		list.length < total && h("span", { class: "muted", title: "of so many visits the state is recorded" }, `(${number(list.length)} recorded)`),
		h("button", { id: "visit-next", disabled: at + 1 >= list.length, title: "its next visit (n)", onclick: () => moveVisit(1) }, "▶"),
	].filter(Boolean));
}

function moveVisit(by) {
	const list = program.byInsn.get(pc) || [], to = list[list.indexOf(row) + by];

	if (to !== undefined)
		select(pc, to);
}

function movePath(forward) {
	if (row < 0)
		return;
	const visit = program.visits[row];
	const to = forward ? (program.after.get(visit.number) || [])[0] : program.byNumber.get(visit.from);

	if (to !== undefined)
		select(program.visits[to].insn, to);
}

function moveInsn(by) {
	const at = program.insns.findIndex((insn) => insn.pc === pc), to = program.insns[at + by];

	if (to)
		select(to.pc);
}
