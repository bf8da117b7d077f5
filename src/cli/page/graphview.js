/* SPDX-License-Identifier: BSD-2-Clause */
/* graphview.js - the control-flow graph drawn as graph.js laid it out: moved, zoomed, clicked. */
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
