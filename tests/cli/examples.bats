#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# Every example, as the build compiled it, over the capture that comes with them; what it must find there is
# worked out by expect.py without any eBPF.
load helper

setup_file() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	python3 "$top/examples/expect.py" "$top/examples/web.pcap" >"$BATS_FILE_TMPDIR/expected.json"
}

object() {
	echo "${SKEP%/*}/examples/$1.bpf.o"
}

# agrees EXAMPLE [PROGRAM [OPTION...]]: runs it, and compares verdicts, maps, events and packets
agrees() {
	local name=$1 program=${2:-$1} top
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	shift; [ $# -eq 0 ] || shift
	skep run -j "$@" -p "$program" "$(object "$name")" -r "$top/examples/web.pcap" \
		-w out.pcap >results.jsonl
	python3 "$top/tests/examples/check.py" "$BATS_FILE_TMPDIR/expected.json" "$name" \
		results.jsonl out.pcap
}

@test "examples: the capture is what its generator writes" {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	python3 "$top/examples/make_capture.py" again.pcap
	cmp again.pcap "$top/examples/web.pcap"
}

@test "examples: xdp_firewall drops the attacker and the closed ports" {
	agrees xdp_firewall
}

@test "examples: xdp_firewall interpreted finds the same" {
	agrees xdp_firewall xdp_firewall --interpreter
}

@test "examples: http_count knows methods, hosts and statuses" {
	agrees http_count
}

@test "examples: xdp_lb rewrites addresses and corrects checksums" {
	agrees xdp_lb
}

@test "examples: tc_vlan pushes, pops and refuses tags" {
	agrees tc_vlan
}

@test "examples: dns_log decodes names" {
	agrees dns_log
}

@test "examples: flow_stats counts flows and sizes" {
	agrees flow_stats
}

@test "examples: tail_parser goes from layer to layer" {
	agrees tail_parser ethernet
}

@test "examples: xdp_synflood drops sources that never finish a handshake" {
	agrees xdp_synflood
}

@test "examples: xdp_synflood interpreted finds the same" {
	agrees xdp_synflood xdp_synflood --interpreter
}

@test "examples: cgroup_account counts by protocol" {
	agrees cgroup_account count_ingress
}

@test "examples: cgroup_account cuts a container off at its budget" {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	skep run -j -s budget=20000 -p count_egress --egress "$(object cgroup_account)" \
		-r "$top/examples/web.pcap" -w out.pcap >results.jsonl
	python3 - <<-'EOF'
		import json
		rows = [json.loads(l) for l in open('results.jsonl')]
		sent = sum(r['value']['bytes'] for r in rows if r.get('map') == 'traffic')
		assert 15000 < sent <= 20000, sent
	EOF
}

@test "examples: tc_police lets each source have its burst" {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	skep run -j -s burst=8 -s rate=1 "$(object tc_police)" \
		-r "$top/examples/web.pcap" >results.jsonl
	python3 - <<-'EOF'
		import json
		rows = [json.loads(l) for l in open('results.jsonl')]
		values = [r['value'] for r in rows if r.get('map') == 'sources']
		assert len(values) > 50, len(values)
		assert all(v['passed'] <= 12 for v in values), values
		assert any(v['dropped'] > 50 for v in values), values
	EOF
}

@test "examples: opensnoop is accepted, by the kernel's types and by the machine's own" {
	skep check "$(object opensnoop)"
	skep check --btf machine "$(object opensnoop)"
}
