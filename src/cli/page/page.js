/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.js - the page itself. Everything shown is put in as text, never as markup:
 * names and source come from foreign objects.
 */
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

/* h("div", {class: "x", onclick: f}, "text", node, [nodes]) */
function h(tag, properties, ...children) {
	const node = document.createElement(tag);

	fill(node, properties);
	node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
	return node;
}

function s(tag, properties, ...children) {
	const node = document.createElementNS(SVG, tag);

	fill(node, properties);
	node.append(...children.flat(Infinity));
	return node;
}

function fill(node, properties) {
	for (const [key, value] of Object.entries(properties || {})) {
		if (key.startsWith("on"))
			node.addEventListener(key.slice(2), value);
		else if (value !== null && value !== undefined && value !== false)
			node.setAttribute(key, value === true ? "" : value);
	}
}

const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
const number = (n) => n.toLocaleString("en");
const bytes = (n) => n >= 1e6 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e3).toFixed(1)} kB`;
const duration = (us) => us >= 1e6 ? `${(us / 1e6).toFixed(2)} s` : us >= 1000 ? `${(us / 1000).toFixed(1)} ms` : `${us} µs`;
const base = (path) => path.slice(path.lastIndexOf("/") + 1);

/* --- what is shown --- */

const data = JSON.parse($("data").textContent);
const programs = new Map();
let current = 0, program = null;
let pc = -1, row = -1;          /* the instruction selected, and its visit; -1: none */
let graphs = new Map(), graphView = null, shownTab = "source";
const rows = { insn: new Map(), line: new Map(), block: new Map() };

function load(index) {
	if (!programs.has(index))
		programs.set(index, new Program(data.programs[index]));
	return programs.get(index);
}

function show(index) {
	current = index;
	program = load(index);
	pc = row = -1;
	graphs = new Map(); graphView = null;
	$("program").value = String(index);
	document.title = `${program.raw.name}: ${program.raw.verdict} - skep check`;
	showHead();
	showWhy();
	showSource();
	showInsns();
	showPaths();
	$("graph").replaceChildren();
	start();
}

/* What a reader wants first: the rejection, or else the entry. */
function start() {
	const raw = program.raw;

	if (raw.insn >= 0 && program.at.has(raw.insn)) {
		const visits = program.byInsn.get(raw.insn) || [];

		select(raw.insn, visits.length ? visits[visits.length - 1] : -1);
	} else if (program.insns.length) {
		select(program.insns[0].pc);
	} else {
		showState();
	}
}

/* --- head --- */

function showChooser() {
	const objects = new Map();

	data.programs.forEach((raw, i) => push(objects, raw.object, i));
	for (const [object, list] of objects) {
		const group = objects.size > 1 ? h("optgroup", { label: object }) : $("program");

		for (const i of list) {
			const raw = data.programs[i];
			const mark = { accepted: "✓", rejected: "✗", unloadable: "–" }[raw.verdict];

			group.append(h("option", { value: i }, `${mark} ${raw.name}`));
		}
		if (group !== $("program"))
			$("program").append(group);
	}
	$("program").addEventListener("change", (event) => show(Number(event.target.value)));
}

function showHead() {
	const raw = program.raw;
	const fact = (value, text, title) => h("span", { title }, h("b", {}, value), ` ${text}`);

	$("verdict").className = `pill ${raw.verdict}`;
	$("verdict").textContent = raw.verdict;
	$("facts").replaceChildren(...[
		h("span", { title: "program type and section" }, raw.type || "?", raw.section ? ` · ${raw.section}` : ""),
		fact(number(raw.size), "instructions", "slots of the program, with the functions it calls"),
		raw.verdict !== "unloadable" && [
			fact(number(raw.processed), "processed", "instructions the verifier looked at, on all paths"),
			fact(number(raw.states), raw.states === 1 ? "state" : "states", `kept for pruning; ${number(raw.peak)} at most at a time`),
			fact(duration(raw.time), "", "time it took, while recording"),
			fact(bytes(raw.memory), "", "memory the verifier needed"),
		],
		raw.stack > 0 && fact(`${raw.stack} B`, "stack", "of the deepest chain of calls"),
	].flat().filter(Boolean));
}

function showWhy() {
	const raw = program.raw, box = $("why"), blame = raw.story && raw.story.blame.source;

	box.hidden = raw.verdict === "accepted";
	if (box.hidden)
		return;
	box.className = raw.verdict;
	box.replaceChildren(...[
		h("div", {}, h("span", { class: "message" }, raw.message || raw.verdict),
		  h("span", { class: "where muted" },
		    raw.insn >= 0 && h("a", { onclick: toRejection }, `instruction ${raw.insn}`),
		    raw.file && [" · ", placeLink(raw.file, raw.line)],
		    blame && blame.line !== raw.line && [" · at fault: ", placeLink(blame.file, blame.line)],
		    ` · ${raw.errno}${raw.code ? ` · ${raw.code}` : ""}`)),
		raw.story && raw.story.cause && h("div", { class: "cause" }, raw.story.cause),
		raw.story && raw.story.path.length > 1 && h("ol", {}, raw.story.path.filter((event) => !event.detail).map(storyEvent)),
		(raw.story ? raw.story.fix : raw.help) && h("div", { class: "help" }, h("b", {}, "Fix: "), raw.story ? raw.story.fix : raw.help),
	].filter(Boolean));
}

/* One step on the way to the rejection. */
function storyEvent(event) {
	return h("li", { class: event.event },
		event.insn >= 0 ? h("a", { onclick: () => select(event.insn, onPath(event.insn)) }, event.text) : event.text,
		event.source && h("span", { class: "muted mono" }, `  ${event.source.line}: ${event.source.text || ""}`));
}

/* The last visit of an instruction on the way to the rejection; -1: none. */
function onPath(insn) {
	for (let at = program.byNumber.get(program.raw.processed); at !== undefined; at = program.byNumber.get(program.visits[at].from))
		if (program.visits[at].insn === insn)
			return at;
	return -1;
}

function placeLink(file, line) {
	return h("a", { title: file, onclick: () => { tab("source"); selectLine(file, line); } }, `${base(file)}:${line}`);
}

function toRejection() {
	if (program.raw.insn >= 0)
		start();
}

/* --- rows of code --- */

const TOKENS = /(\b[rw]\d+\b)|(\b(?:if|goto|gotol|goto_or_nop|may_goto|call|callx|exit|lock|return)\b)|(\b[us](?:8|16|32|64)\b)|(-?\b0x[0-9a-f]+\b|-?\b\d+\b)|((?:bpf_)[a-z_0-9]+|map\[[^\]]*\])/gi;

function coloured(text) {
	const parts = [];
	let last = 0;

	for (const match of text.matchAll(TOKENS)) {
		const kind = ["r", "k", "t", "n", "f"][[1, 2, 3, 4, 5].findIndex((i) => match[i] !== undefined)];

		parts.push(text.slice(last, match.index), h("span", { class: kind }, match[0]));
		last = match.index + match[0].length;
	}
	parts.push(text.slice(last));
	return parts;
}

function warm(node, visits) {
	if (visits)
		node.style.setProperty("--h", (0.12 + 0.88 * Math.log(visits) / Math.log(Math.max(2, program.hottest))).toFixed(3));
	return node;
}

/* Long lists in parts that are laid out only when they are seen. */
function chunks(list) {
	const out = [];

	for (let i = 0; i < list.length; i += 100)
		out.push(h("div", { class: "chunk" }, list.slice(i, i + 100)));
	return out;
}

function showInsns() {
	const list = [], raw = program.raw;

	rows.insn.clear();
	for (const insn of program.insns) {
		const fn = program.functions.find((f) => f.start === insn.pc);

		if (fn)
			list.push(h("div", { class: "name-row" }, `${fn.name}:`));
		list.push(insnRow(insn));
	}
	$("insns").replaceChildren(...(list.length ? chunks(list) : [h("div", { class: "empty" }, "No instructions: the program could not be linked.")]));
	$("middle-note").textContent = program.visits.length < raw.processed ?
		`states of ${number(program.visits.length)} of ${number(raw.processed)} visits are recorded` : "";
	if (program.insns.length && raw.size > program.insns[program.insns.length - 1].pc + 2)
		$("middle-note").textContent += ` · ${number(raw.size)} instructions, only the first are listed`;
}

function insnRow(insn) {
	const visits = program.heat[insn.pc] || 0, ended = program.ended[insn.pc];
	const target = insn.jumps ? insn.next[insn.next.length - 1] : insn.callee >= 0 ? insn.callee : undefined;
	const visited = program.heat.length > 0;
	const node = h("div", { class: `row${visited && !visits ? " dead" : ""}`, role: "option", id: `insn-${insn.pc}`, "data-pc": insn.pc,
				onclick: () => select(insn.pc) },
		warm(h("span", { class: "heat", title: visits ? `visited ${count(visits, "time")}` : "never visited: dead code" },
		       visits ? number(visits) : ""), visits),
		h("span", { class: "num" }, String(insn.pc)),
		h("span", { class: "text" }, coloured(insn.text),
		  target !== undefined && target !== insn.pc + 1 &&
		  h("a", { onclick: (event) => { event.stopPropagation(); select(target); } }, `  → ${target}`)),
		ended ? h("span", { class: "tag ended", title: `${count(ended, "path")} ended here, covered by what was explored before` }, `✂ ${number(ended)}`) : null,
		program.raw.insn === insn.pc && h("span", { class: "tag rejected" }, "✗ rejected"));

	if (program.raw.insn === insn.pc)
		node.classList.add("rejected");
	rows.insn.set(insn.pc, node);
	return node;
}

/* --- source --- */

const lineKey = (file, line) => `${file}:${line}`;

function showSource() {
	const list = [], heat = new Map(), insnsOf = new Map();

	rows.line.clear();
	for (const insn of program.insns) {
		if (insn.file < 0)
			continue;
		const key = lineKey(insn.file, insn.line);

		heat.set(key, Math.max(heat.get(key) || 0, program.heat[insn.pc] || 0));
		push(insnsOf, key, insn.pc);
	}
	program.linesInsns = insnsOf;
	program.raw.files.forEach((file, f) => {
		list.push(h("div", { class: "file-row", title: file.name }, file.name));
		let last = 0;

		for (const [line, text] of linesOf(file)) {
			if (line > last + 1 && last)
				list.push(h("div", { class: "gap-row" }, "⋯"));
			list.push(lineRow(f, line, text, heat.get(lineKey(f, line)), insnsOf.has(lineKey(f, line))));
			last = line;
		}
	});
	$("source").replaceChildren(...(list.length ? chunks(list) : [h("div", { class: "empty" },
		"The object has no line information: compile it with -g.")]));
}

function linesOf(file) {
	if (file.whole !== null)
		return file.whole.replace(/\n$/, "").split("\n").map((text, i) => [i + 1, text]);
	const lines = [];

	for (let i = 0; i < file.lines.length; i += 2)
		lines.push([file.lines[i], file.lines[i + 1]]);
	return lines;
}

function lineRow(file, line, text, visits, hasCode) {
	const node = h("div", { class: `row${hasCode ? "" : " plain"}`, "data-line": line,
				onclick: hasCode ? () => selectLineAt(file, line) : () => {} },
		warm(h("span", { class: "heat" }, visits ? number(visits) : ""), visits),
		h("span", { class: "num" }, String(line)), h("span", { class: "text" }, text));

	rows.line.set(lineKey(file, line), node);
	return node;
}

/* Each click on a line goes to its next instruction. */
function selectLineAt(file, line) {
	const insns = program.linesInsns.get(lineKey(file, line)) || [];

	if (insns.length)
		select(insns[(insns.indexOf(pc) + 1) % insns.length]);
}

function selectLine(name, line) {
	const file = program.raw.files.findIndex((f) => f.name === name);

	selectLineAt(file, line);
	reveal(rows.line.get(lineKey(file, line)), true);
}

/* --- selecting --- */

function reveal(node, centre) {
	if (!node)
		return;
	const box = node.closest(".body").getBoundingClientRect(), at = node.getBoundingClientRect();

	if (at.top < box.top + 40 || at.bottom > box.bottom - 20)
		node.scrollIntoView({ block: centre ? "center" : "nearest" });
}

/* visit -1: the instruction's first one that is recorded. */
function select(to, visit = -1) {
	const insn = program.at.get(to);

	if (!insn)
		return;
	pc = to;
	row = visit >= 0 ? visit : (program.byInsn.get(to) || [-1])[0];
	document.querySelectorAll(".row.selected, .row.linked").forEach((node) => {
		node.classList.remove("selected", "linked");
		node.removeAttribute("aria-selected");
	});
	unmarkCaret();
	const node = rows.insn.get(to);

	node.classList.add("selected");
	node.setAttribute("aria-selected", "true");
	$("insns").setAttribute("aria-activedescendant", node.id);
	reveal(node, true);
	if (insn.file >= 0)
		selectSource(insn);
	showState();
	markGraph();
	setAddress();
}

function setAddress() {
	const at = row >= 0 ? `v${program.visits[row].number}` : `i${pc}`;

	history.replaceState(null, "", `#${current}/${at}${shownTab === "source" ? "" : `/${shownTab}`}`);
}

function selectSource(insn) {
	const key = lineKey(insn.file, insn.line), line = rows.line.get(key);

	for (const other of program.linesInsns.get(key) || [])
		if (other !== insn.pc)
			rows.insn.get(other).classList.add("linked");
	if (!line)
		return;
	line.classList.add("selected");
	markCaret(line.querySelector(".text"), insn.column);
	if (!$("source").hidden)
		reveal(line, true);
}

/* The word at the column that the compiler noted. */
function markCaret(text, column) {
	const line = text.textContent;

	if (!column || column > line.length)
		return;
	const word = line.slice(column - 1).match(/^(?:\w+|->|[^\w\s])/);

	if (word)
		text.replaceChildren(line.slice(0, column - 1), h("span", { class: "caret" }, word[0]),
				     line.slice(column - 1 + word[0].length));
}

function unmarkCaret() {
	document.querySelectorAll(".caret").forEach((caret) => {
		const text = caret.parentNode;

		text.textContent = text.textContent;
	});
}

/* --- state --- */

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

/* --- paths --- */

function showPaths() {
	const LIMIT = 2000, ends = [];

	for (const visit of program.visits) {
		const rejected = program.raw.verdict === "rejected" && visit.number === program.raw.processed;
		const exit = !program.after.has(visit.number) && /^exit\b/.test(program.at.get(visit.insn)?.text || "");

		if (visit.coveredBy || rejected || exit)
			ends.push({ visit, rejected });
	}
	const lines = ends.slice(0, LIMIT).map(({ visit, rejected }) => h("tr", { "data-visit": visit.number, onclick: () => select(visit.insn, visit.row) },
		h("td", { class: "number" }, number(visit.number)), h("td", { class: "number" }, String(visit.insn)), h("td", {}, pathEnd(visit, rejected))));

	$("paths").replaceChildren(ends.length ? h("table", {},
		h("thead", {}, h("tr", {}, h("th", {}, "Step"), h("th", {}, "At"), h("th", {}, `Each path and how it ended (${number(ends.length)})`))),
		h("tbody", {}, lines)) : h("div", { class: "empty" }, "No path was explored."));
	if (ends.length > LIMIT)
		$("paths").append(h("div", { class: "empty" }, `Only the first ${number(LIMIT)} are listed.`));
}

function pathEnd(visit, rejected) {
	if (rejected)
		return h("span", { class: "tag rejected" }, `✗ ${program.raw.message}`);
	if (!visit.coveredBy)
		return "■ the program ends";
	const by = program.byNumber.get(visit.coveredBy);

	return ["✂ covered by ", by === undefined ? `step ${number(visit.coveredBy)}` :
		h("a", { onclick: (event) => { event.stopPropagation(); select(visit.insn, by); } }, `step ${number(visit.coveredBy)}`),
		visit.flags & WHOLE ? ", whole" : ", in what mattered"];
}

/* --- graph --- */

const BLOCK_LINES = 8, BLOCKS_MAX = 3000, LETTER = 6.65, LINE = 15;

function blockLines(block, many) {
	const texts = block.insns.map((insn) => ({ pc: insn.pc, text: `${insn.pc}: ${insn.text}` }));
	const most = many ? 3 : BLOCK_LINES;

	if (texts.length <= most)
		return texts;
	const head = texts.slice(0, most - 2);

	return [...head, { pc: -1, text: `⋯ ${texts.length - head.length - 1} more` }, texts[texts.length - 1]];
}

function graphOf(fn) {
	if (graphs.has(fn.start))
		return graphs.get(fn.start);
	const blocks = program.blocks(fn), graph = { fn, blocks };

	if (blocks.length && blocks.length <= BLOCKS_MAX) {
		for (const block of blocks) {
			block.lines = blockLines(block, blocks.length > 150);
			block.w = Math.max(70, Math.min(330, 16 + LETTER * Math.max(...block.lines.map((line) => Math.min(48, line.text.length)))));
			block.h = 22 + LINE * block.lines.length;
		}
		graph.layout = layoutGraph(blocks);
	}
	graphs.set(fn.start, graph);
	return graph;
}

function drawBlock(block) {
	const visits = program.heat[block.start] || 0;
	const node = s("g", { class: `block${program.heat.length && !visits ? " dead" : ""}`, transform: `translate(${(block.x - block.w / 2).toFixed(1)} ${block.y.toFixed(1)})`,
			      "data-block": block.start, onclick: () => graphView.moved || select(block.start) },
		s("rect", { class: "frame", width: block.w, height: block.h }),
		s("rect", { class: "warmth", width: block.w, height: 17,
			    opacity: visits ? (0.08 + 0.4 * Math.log(visits) / Math.log(Math.max(2, program.hottest))).toFixed(2) : 0 }),
		s("text", { class: "head", x: 8, y: 12.5 }, visits ? count(visits, "visit") : "never visited"),
		block.lines.map((line, i) => {
			const text = s("text", { x: 8, y: 31 + i * LINE, "data-line-pc": line.pc },
				line.text.length > 48 ? `${line.text.slice(0, 47)}…` : line.text);

			if (line.pc >= 0)
				text.addEventListener("click", (event) => {
					event.stopPropagation();
					if (!graphView.moved)
						select(line.pc);
				});
			return text;
		}));

	if (block.insns.some((insn) => insn.pc === program.raw.insn))
		node.classList.add("rejected");
	rows.block.set(block.start, node);
	return node;
}

function drawEdge(edge, blocks) {
	const kind = edge.back ? "back" : edge.taken ? "taken" : "";
	const dead = program.heat.length && (!program.heat[blocks[edge.from].start] || !program.heat[blocks[edge.to].start]);
	const [x, y] = edge.points[edge.points.length - 1];
	const tip = edge.back ? (edge.points[edge.points.length - 2][0] > x ? `${x},${y} ${x + 8},${y - 4} ${x + 8},${y + 4}` : `${x},${y} ${x - 8},${y - 4} ${x - 8},${y + 4}`) :
		`${x},${y} ${x - 4},${y - 8} ${x + 4},${y - 8}`;

	return [s("path", { class: `edge ${kind}${dead ? " dead" : ""}`, d: edgePath(edge), "data-from": blocks[edge.from].start, "data-to": blocks[edge.to].start }),
		s("polygon", { class: `tip ${kind}`, points: tip })];
}

function showGraph() {
	const fn = program.insns.length ? program.functionOf(pc) : null, box = $("graph");

	if (!fn) {
		box.replaceChildren(h("div", { class: "empty" }, "No instructions."));
		return;
	}
	if (graphView && graphView.fn === fn)
		return;
	const graph = graphOf(fn);

	rows.block.clear();
	if (!graph.layout) {
		graphView = { fn };
		box.replaceChildren(h("div", { class: "empty" }, `${fn.name} has ${number(graph.blocks.length)} blocks: too many to draw.`));
		return;
	}
	const layer = s("g", {}, graph.layout.edges.map((edge) => drawEdge(edge, graph.blocks)).flat(), graph.blocks.map(drawBlock));
	const svg = s("svg", { role: "img", "aria-label": `control-flow graph of ${fn.name}` }, layer);
	const chooser = h("select", { title: "function", onchange: (event) => select(Number(event.target.value)) },
		program.functions.map((f) => h("option", { value: f.start }, f.name)));

	chooser.value = String(fn.start);
	graphView = { fn, graph, layer, scale: 1, x: 0, y: 0, moved: false };
	box.replaceChildren(svg,
		h("div", { class: "zoom" }, program.functions.length > 1 && chooser,
		  h("button", { title: "closer (+)", onclick: () => zoom(1.25) }, "+"), h("button", { title: "away (-)", onclick: () => zoom(0.8) }, "−"),
		  h("button", { title: "all of it (f)", onclick: fit }, "⤢")),
		h("div", { class: "legend" }, [["taken", "branch taken"], ["fall", "goes on"], ["back", "loop"]].map(([name, text]) => {
			const line = h("i", {});

			line.style.borderColor = `var(--${name})`;
			return h("span", {}, line, text);
		})));
	fit();
	if (graphView.scale < 0.55) {
		graphView.scale = 0.8;
		graphView.y = 12;
	}
	moveGraph();
}

function moveGraph() {
	const v = graphView;

	if (v && v.layer)
		v.layer.classList.toggle("far", v.scale < 0.35);
	if (v && v.layer)
		v.layer.setAttribute("transform", `translate(${v.x.toFixed(1)} ${v.y.toFixed(1)}) scale(${v.scale.toFixed(4)})`);
}

function fit() {
	if (!graphView || !graphView.layer)
		return;
	const box = $("graph").getBoundingClientRect(), { width, height } = graphView.graph.layout;

	graphView.scale = Math.min(1.2, (box.width - 40) / width, (box.height - 40) / height);
	graphView.x = (box.width - width * graphView.scale) / 2;
	graphView.y = Math.max(12, (box.height - height * graphView.scale) / 2);
	moveGraph();
}

function zoom(by, x, y) {
	const v = graphView, box = $("graph").getBoundingClientRect();

	if (!v || !v.layer)
		return;
	x = x ?? box.width / 2;
	y = y ?? box.height / 2;
	const scale = Math.max(0.03, Math.min(3, v.scale * by));

	v.x = x - (x - v.x) * scale / v.scale;
	v.y = y - (y - v.y) * scale / v.scale;
	v.scale = scale;
	moveGraph();
}

function markGraph() {
	if ($("graph").hidden)
		return;
	showGraph();
	if (!graphView.layer)
		return;
	const block = graphView.graph.blocks.findLast((b) => b.start <= pc), v = graphView;

	document.querySelectorAll(".block.selected, .block text.now, .edge.near").forEach((node) => node.classList.remove("selected", "now", "near"));
	if (!block)
		return;
	const node = rows.block.get(block.start);

	node.classList.add("selected");
	node.querySelector(`[data-line-pc="${pc}"]`)?.classList.add("now");
	document.querySelectorAll(`.edge[data-from="${block.start}"], .edge[data-to="${block.start}"]`).forEach((edge) => edge.classList.add("near"));
	/* Into sight, if it is not. */
	const box = $("graph").getBoundingClientRect(), x = block.x * v.scale + v.x, y = block.y * v.scale + v.y;

	if (x < 60 || x > box.width - 60 || y < 0 || y + block.h * v.scale > box.height) {
		v.x += box.width / 2 - x;
		v.y += box.height / 2 - (y + block.h * v.scale / 2);
		moveGraph();
	}
}

function dragGraph() {
	let from = null;
	const box = $("graph");

	box.addEventListener("pointerdown", (event) => {
		if (event.button === 0 && graphView && graphView.layer && !event.target.closest(".zoom")) {
			from = { x: event.clientX, y: event.clientY, vx: graphView.x, vy: graphView.y };
			graphView.moved = false;
		}
	});
	addEventListener("pointermove", (event) => {
		if (!from || !graphView)
			return;
		const dx = event.clientX - from.x, dy = event.clientY - from.y;

		if (Math.abs(dx) + Math.abs(dy) > 4) {
			graphView.moved = true;
			box.classList.add("moving");
		}
		graphView.x = from.vx + dx;
		graphView.y = from.vy + dy;
		moveGraph();
	});
	addEventListener("pointerup", () => { from = null; box.classList.remove("moving"); });
	box.addEventListener("wheel", (event) => {
		const at = box.getBoundingClientRect();

		event.preventDefault();
		if (event.ctrlKey || event.metaKey) {
			zoom(Math.exp(-event.deltaY / 200), event.clientX - at.left, event.clientY - at.top);
		} else if (graphView && graphView.layer) {
			graphView.x -= event.shiftKey ? event.deltaY : event.deltaX;
			graphView.y -= event.shiftKey ? 0 : event.deltaY;
			moveGraph();
		}
	}, { passive: false });
}

/* --- tabs, panes, find, theme, keys --- */

function tab(name) {
	shownTab = name;
	for (const other of ["source", "graph", "paths"]) {
		$(other).hidden = other !== name;
		$(`tab-${other}`).setAttribute("aria-selected", String(other === name));
	}
	if (name === "graph")
		markGraph();
	if (name === "source" && pc >= 0 && program.at.get(pc).file >= 0)
		reveal(rows.line.get(lineKey(program.at.get(pc).file, program.at.get(pc).line)), true);
	if (pc >= 0)
		setAddress();
}

function dragPanes() {
	const main = document.querySelector("main");

	document.querySelectorAll(".grip").forEach((grip) => grip.addEventListener("pointerdown", (event) => {
		const panes = ["left", "middle", "right"].map((id) => $(id).getBoundingClientRect().width), at = Number(grip.dataset.grip), x = event.clientX;
		const move = (e) => {
			const by = Math.max(120 - panes[at], Math.min(panes[at + 1] - 120, e.clientX - x)), sizes = [...panes];

			sizes[at] += by;
			sizes[at + 1] -= by;
			["--a", "--b", "--c"].forEach((name, i) => main.style.setProperty(name, `${sizes[i]}fr`));
		};
		const end = () => { removeEventListener("pointermove", move); removeEventListener("pointerup", end); };

		event.preventDefault();
		addEventListener("pointermove", move);
		addEventListener("pointerup", end);
	}));
}

/* The next instruction that has the text in it or in its source line. */
function find(text) {
	const wanted = text.toLowerCase(), at = program.insns.findIndex((insn) => insn.pc === pc), n = program.insns.length;
	let found = false;

	for (let i = 1; i <= n && wanted && !found; i++) {
		const insn = program.insns[(at + i) % n], line = insn.file >= 0 && rows.line.get(lineKey(insn.file, insn.line));

		found = `${insn.pc}: ${insn.text}`.toLowerCase().includes(wanted) ||
			!!line && line.querySelector(".text").textContent.toLowerCase().includes(wanted);
		if (found)
			select(insn.pc);
	}
	$("find").classList.toggle("none", !found && !!wanted);
}

function theme(name) {
	document.documentElement.dataset.theme = name;
}

const KEYS = [
	["j k  ↓ ↑", "next and previous instruction", { j: () => moveInsn(1), k: () => moveInsn(-1), ArrowDown: () => moveInsn(1), ArrowUp: () => moveInsn(-1) }],
	["← →", "back and forth along the path", { ArrowLeft: () => movePath(false), ArrowRight: () => movePath(true) }],
	["n p", "next and previous visit of the instruction", { n: () => moveVisit(1), p: () => moveVisit(-1) }],
	["x", "where the program was rejected", { x: toRejection }],
	["s g e", "source, graph, paths and their ends", { s: () => tab("source"), g: () => tab("graph"), e: () => tab("paths") }],
	["+ - f", "graph: closer, away, all of it", { "+": () => zoom(1.25), "-": () => zoom(0.8), f: fit }],
	["[ ]", "previous and next program", { "[": () => current > 0 && show(current - 1), "]": () => current + 1 < data.programs.length && show(current + 1) }],
	["/", "find an instruction or source line (Enter: the next)", { "/": () => $("find").focus() }],
	["t", "light or dark", { t: () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark") }],
	["?", "this help", { "?": () => $("help").showModal() }],
];

function onKey(event) {
	if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey || $("help").open) {
		if (event.key === "Escape")
			event.target.blur();
		return;
	}
	for (const [, , actions] of KEYS)
		if (Object.hasOwn(actions, event.key)) {
			event.preventDefault();
			actions[event.key]();
			return;
		}
}

function showHelp() {
	$("help").append(h("h1", {}, "Keys"),
		h("table", {}, KEYS.map(([keys, text]) => h("tr", {}, h("td", {}, keys.split(/\s+/).map((key) => [h("kbd", {}, key), " "]).flat()), h("td", {}, text)))),
		h("p", { class: "muted" }, "Shade: how often the verifier came to an instruction. ✂: paths that ended there, covered by an earlier state. Escape closes this."));
}

/* "#2/v17": program 2 at visit 17; "#2/i5/graph": at instruction 5, in the graph. */
function fromAddress() {
	const match = location.hash.match(/^#(\d+)(?:\/([vi])(\d+)(?:\/(source|graph|paths))?)?$/);

	show(match && Number(match[1]) < data.programs.length ? Number(match[1]) : firstToShow());
	if (match && match[2] === "i")
		select(Number(match[3]));
	else if (match && match[2] === "v" && program.byNumber.has(Number(match[3])))
		select(program.visits[program.byNumber.get(Number(match[3]))].insn, program.byNumber.get(Number(match[3])));
	tab((match && match[4]) || "source");
}

function firstToShow() {
	const at = data.programs.findIndex((raw) => raw.verdict === "rejected");

	return Math.max(0, at);
}

theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
showHelp();
dragGraph();
dragPanes();
["source", "graph", "paths"].forEach((name) => $(`tab-${name}`).addEventListener("click", () => tab(name)));
$("theme").addEventListener("click", () => KEYS[8][2].t());
$("keys").addEventListener("click", () => $("help").showModal());
$("find").addEventListener("keydown", (event) => { if (event.key === "Enter") find(event.target.value); });
$("find").addEventListener("input", (event) => { if (!event.target.value) event.target.classList.remove("none"); });
document.addEventListener("keydown", onKey);
if (data.programs.length) {
	showChooser();
	fromAddress();
	addEventListener("hashchange", fromAddress);
} else {
	$("state").append(h("div", { class: "empty" }, "No program was checked."));
}
