/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * graph.js - where to draw the blocks and edges of a control-flow graph.
 *
 * In layers from the entry down: an edge that goes back up (a loop) is left out
 * of the layering. Where an edge passes a layer it has a place there, like a
 * block without size, so that nothing is drawn across a block; one that goes
 * back has a place in every layer from its block to its loop's head. Blocks are
 * ordered inside layers by where their neighbours are, then moved sideways to
 * lie under these, as far as order and distances allow.
 */
const GAP_X = 26, GAP_Y = 46, LANE = 12;

/* nodes: [{w, h, next: [{to}]}], the first is the entry. Gives each x, y (its middle), and edges. */
function layoutGraph(nodes) {
	const edges = [];

	nodes.forEach((node, from) => node.next.forEach((edge) => edges.push({ ...edge, from })));
	markBackEdges(nodes, edges);
	const layers = placeInLayers(nodes, edges, setLayers(nodes, edges));

	orderLayers(layers);
	const width = setX(layers);
	const height = setY(layers);

	for (const edge of edges)
		edge.points = route(edge, nodes);
	return { edges, width, height };
}

/* Depth first, without recursion: an edge to what is being visited goes back. */
function markBackEdges(nodes, edges) {
	const out = nodes.map(() => []), seen = new Uint8Array(nodes.length);

	edges.forEach((edge) => out[edge.from].push(edge));
	for (let start = 0; start < nodes.length; start++) {
		if (seen[start])
			continue;
		const stack = [{ node: start, next: 0 }];

		seen[start] = 1;
		while (stack.length) {
			const top = stack[stack.length - 1], edge = out[top.node][top.next++];

			if (!edge) {
				seen[top.node] = 2;
				stack.pop();
			} else if (seen[edge.to] === 1) {
				edge.back = true;
			} else if (!seen[edge.to]) {
				seen[edge.to] = 1;
				stack.push({ node: edge.to, next: 0 });
			}
		}
	}
}

/* Below all that lead to it. */
function setLayers(nodes, edges) {
	const layer = new Array(nodes.length).fill(0), waits = new Array(nodes.length).fill(0);
	const out = nodes.map(() => []), ready = [];

	for (const edge of edges) {
		if (edge.back)
			continue;
		out[edge.from].push(edge.to);
		waits[edge.to]++;
	}
	waits.forEach((count, i) => { if (!count) ready.push(i); });
	while (ready.length) {
		const node = ready.pop();

		for (const to of out[node]) {
			layer[to] = Math.max(layer[to], layer[node] + 1);
			if (--waits[to] === 0)
				ready.push(to);
		}
	}
	return layer;
}

function placeInLayers(nodes, edges, layer) {
	const layers = [];
	const put = (place, at) => {
		place.layer = at;
		(layers[at] = layers[at] || []).push(place);
		return place;
	};
	const join = (above, below) => { above.down.push(below); below.up.push(above); };

	nodes.forEach((node, i) => {
		node.up = []; node.down = []; node.beside = [];
		put(node, layer[i]);
	});
	for (const edge of edges) {
		const from = layer[edge.from], to = layer[edge.to];

		edge.places = [];
		if (edge.back) {
			/* From beside the head down to beside the block it comes from. */
			for (let at = to; at <= from; at++)
				edge.places.push(put({ w: LANE, h: 0, lane: true, up: [], down: [], beside: [] }, at));
			edge.places[0].beside.push(nodes[edge.to]);
			edge.places[edge.places.length - 1].beside.push(nodes[edge.from]);
			edge.places.forEach((place, i) => { if (i) join(edge.places[i - 1], place); });
			edge.places.reverse();
			continue;
		}
		let above = nodes[edge.from];

		for (let at = from + 1; at < to; at++) {
			const place = put({ w: LANE, h: 0, lane: true, up: [], down: [], beside: [] }, at);

			join(above, place);
			edge.places.push(place);
			above = place;
		}
		join(above, nodes[edge.to]);
	}
	return layers;
}

function orderLayers(layers) {
	const number = (layer) => layer.forEach((place, i) => { place.order = i; });
	const middle = (list) => list.length ? list.reduce((sum, p) => sum + (p.order + 0.5) / p.count, 0) / list.length : -1;
	const count = (layer) => layer.forEach((place) => { place.count = layer.length; });
	const sort = (layer, side) => {
		for (const place of layer) {
			const at = middle(place[side]);

			place.want = at >= 0 ? at : place.beside.length ? -2 : (place.order + 0.5) / place.count;
		}
		for (const place of layer)
			if (place.want === -2)
				place.want = Math.max(...place.beside.map((p) => p.want)) + 1e-4;
		layer.sort((a, b) => a.want - b.want || a.order - b.order);
		number(layer);
	};

	layers.forEach((layer) => { number(layer); count(layer); });
	for (let round = 0; round < 12; round++) {
		if (round % 2 === 0)
			layers.forEach((layer) => sort(layer, "up"));
		else
			for (let i = layers.length - 1; i >= 0; i--)
				sort(layers[i], "down");
	}
}

/*
 * The places nearest to those wanted, in order and not overlapping: with the
 * distances taken off this is the problem of a rising line through points, which
 * joining what falls into groups of one height solves.
 */
function settle(layer) {
	const groups = [];
	let offset = 0;

	layer.forEach((place, i) => {
		if (i)
			offset += (layer[i - 1].w + place.w) / 2 + (place.lane && layer[i - 1].lane ? LANE / 2 : GAP_X);
		place.offset = offset;
		groups.push({ sum: (place.wantX - offset) * place.weight, weight: place.weight, count: 1 });
		while (groups.length > 1) {
			const last = groups[groups.length - 1], before = groups[groups.length - 2];

			if (before.sum / before.weight <= last.sum / last.weight)
				break;
			before.sum += last.sum;
			before.weight += last.weight;
			before.count += last.count;
			groups.pop();
		}
	});
	let at = 0;

	for (const group of groups)
		for (let n = 0; n < group.count; n++, at++)
			layer[at].x = group.sum / group.weight + layer[at].offset;
}

function setX(layers) {
	for (const layer of layers) {
		layer.forEach((place) => { place.x = 0; place.wantX = 0; place.weight = 1; });
		settle(layer);
		const middle = (layer[0].x + layer[layer.length - 1].x) / 2;

		layer.forEach((place) => { place.x -= middle; });
	}
	for (let round = 0; round < 24; round++) {
		const down = round % 2 === 0;

		for (let n = 0; n < layers.length; n++) {
			const layer = layers[down ? n : layers.length - 1 - n];

			for (const place of layer) {
				let sum = 0, weight = 0;
				const near = round > 20 ? place.up.concat(place.down) : down ? place.up : place.down;

				for (const other of near) {
					const w = place.lane && other.lane ? 6 : 1;

					sum += other.x * w;
					weight += w;
				}
				place.wantX = weight ? sum / weight : place.x;
				place.weight = place.lane ? 2 : 1 + near.length;
			}
			settle(layer);
		}
	}
	let left = Infinity, right = -Infinity;

	for (const layer of layers)
		for (const place of layer) {
			left = Math.min(left, place.x - place.w / 2);
			right = Math.max(right, place.x + place.w / 2);
		}
	for (const layer of layers)
		layer.forEach((place) => { place.x -= left; });
	return right - left;
}

function setY(layers) {
	let y = 0;

	for (const layer of layers) {
		const height = layer.reduce((h, place) => Math.max(h, place.h), 0);
		/* Many edges between two layers need room to be told apart. */
		const crowd = layer.reduce((n, place) => n + place.down.length, 0);

		layer.forEach((place) => { place.y = y; place.layerHeight = height; });
		y += height + GAP_Y + Math.min(60, crowd * 2);
	}
	return y - GAP_Y;
}

/* Corners of an edge, from its block to the one it goes to. */
function route(edge, nodes) {
	const from = nodes[edge.from], to = nodes[edge.to], points = [];

	if (edge.back) {
		const first = edge.places[0], last = edge.places[edge.places.length - 1];
		const start = first.x > from.x ? 1 : -1, end = last.x > to.x ? 1 : -1;

		points.push([from.x + start * from.w / 2, from.y + from.h - 9]);
		if (edge.places.length === 1) {
			points.push([first.x, from.y + from.h - 9], [first.x, to.y + 9]);
		} else {
			points.push([first.x, from.y + from.h - 9], [first.x, first.y]);
			for (const place of edge.places.slice(1, -1))
				points.push([place.x, place.y + place.layerHeight], [place.x, place.y]);
			points.push([last.x, last.y + last.layerHeight], [last.x, to.y + 9]);
		}
		points.push([to.x + end * to.w / 2, to.y + 9]);
		return points;
	}
	const outs = from.next.filter((other) => !other.back).length;
	const ends = [...edge.places, to];
	const lean = Math.max(-from.w / 4, Math.min(from.w / 4, (ends[0].x - from.x) / 3));

	points.push([from.x + (outs > 1 ? lean : 0), from.y + from.h]);
	for (const place of edge.places)
		points.push([place.x, place.y], [place.x, place.y + place.layerHeight]);
	const before = edge.places.length ? edge.places[edge.places.length - 1] : from;

	points.push([to.x + Math.max(-to.w / 4, Math.min(to.w / 4, (before.x - to.x) / 4)), to.y]);
	return points;
}

/* An SVG path through the corners: upright where it passes a layer, bent between. */
function edgePath(edge) {
	const p = edge.points, n = (x) => x.toFixed(1);
	let d = `M${n(p[0][0])} ${n(p[0][1])}`;

	if (edge.back) {
		/* Out to the side, up in its lane, in from the side. */
		for (let i = 1; i < p.length - 1; i++) {
			const [px, py] = p[i - 1], [x, y] = p[i];

			if (i === 1 || Math.abs(x - px) < 0.5)
				d += ` L${n(x)} ${n(y)}`;
			else
				d += ` C${n(px)} ${n((py + y) / 2)} ${n(x)} ${n((py + y) / 2)} ${n(x)} ${n(y)}`;
		}
		return d + ` L${n(p[p.length - 1][0])} ${n(p[p.length - 1][1])}`;
	}
	for (let i = 1; i < p.length; i++) {
		const [px, py] = p[i - 1], [x, y] = p[i];

		if (i % 2 === 0 && Math.abs(x - px) < 0.5)
			d += ` L${n(x)} ${n(y)}`;
		else
			d += ` C${n(px)} ${n((py + y) / 2)} ${n(x)} ${n((py + y) / 2)} ${n(x)} ${n(y)}`;
	}
	return d;
}
