/* SPDX-License-Identifier: BSD-2-Clause */
/* events.c - handing over what programs wrote to rings. */
#include "helper/trace.h"
#include "machine/machine.h"

struct delivery {
	skep_event_fn *fn;
	void *arg;
	enum skep_event_kind kind;
	struct skep_map *map;
	int delivered;
	int result;              /* what stopped the poll */
};

static int deliver(struct delivery *d, const struct skep_event *event)
{
	d->result = d->fn(d->arg, event);
	d->delivered++;
	return d->result;
}

static int on_record(void *arg, uint32_t cpu, const void *data, size_t size)
{
	struct delivery *d = arg;
	struct skep_event event = { .kind = d->kind, .map = d->map, .cpu = cpu, .data = data,
				    .size = size };

	return deliver(d, &event);
}

static int on_trace(void *arg, uint32_t cpu, const void *data, size_t size)
{
	const struct trace_line *line = data;
	struct skep_event event = { .kind = SKEP_EVENT_TRACE };

	(void)cpu;
	if (size < sizeof(*line))
		return 0;
	event.cpu = line->cpu;
	event.data = line->text;
	event.size = MIN((size_t)line->size, size - sizeof(*line));
	return deliver(arg, &event);
}

static int poll_map(struct delivery *d, struct skep_map *map)
{
	uint64_t lost = 0;

	if (!map->object)
		return 0; /* its own process reads it */
	d->map = map;
	switch (map->map->type_id) {
	case BPF_MAP_TYPE_RINGBUF:
		d->kind = SKEP_EVENT_RINGBUF;
		ringbuf_consume(map->map, on_record, d);
		lost = ringbuf_take_lost(map->map);
		break;
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
		d->kind = SKEP_EVENT_PERF;
		perf_consume(map->map, on_record, d, &lost);
		break;
	default:
		break;
	}
	if (lost && !d->result) {
		struct skep_event event = { .kind = SKEP_EVENT_LOST, .map = map,
					    .size = (size_t)lost };

		deliver(d, &event);
	}
	return d->result;
}

/* Maps are only ever added, at the end: the count may grow under way. */
static struct skep_map *map_number(struct skep_machine *machine, size_t index)
{
	struct skep_map *map;

	pthread_mutex_lock(&machine->lock);
	map = index < machine->maps.count ? machine->maps.items[index] : NULL;
	pthread_mutex_unlock(&machine->lock);
	return map;
}

int skep_machine_poll(struct skep_machine *machine, skep_event_fn *fn, void *arg)
{
	struct delivery d = { .fn = fn, .arg = arg };
	struct skep_map *map;

	ringbuf_consume(machine->world->trace, on_trace, &d);
	for (size_t i = 0; !d.result && (map = map_number(machine, i)); i++)
		poll_map(&d, map);
	return d.result ? d.result : d.delivered;
}
