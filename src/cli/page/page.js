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
