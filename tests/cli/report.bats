#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep check over many objects: tables, filters, order, comparison, formats for machines.
load helper

# Columns of a CSV, by name.
csv() {
	python3 -c 'import csv, sys
for row in csv.DictReader(sys.stdin):
    print(*[row[name] for name in sys.argv[1:]])' "$@"
}

@test "report: a table has the columns asked for, in their order" {
	objects filter chain
	run skep check -e program,size,verdict filter.o chain.o
	[ "$status" = 0 ]
	[[ "${lines[0]}" =~ ^program\ +size\ +verdict$ ]]
	[[ "${lines[1]}" =~ ^filter\ +[0-9]+\ +accepted$ ]]
	run skep check -e program,verdct filter.o
	[ "$status" = 2 ]
	[[ "$output" == *"did you mean 'verdict'"* ]]
}

@test "report: only failures are explained, all are in the table" {
	objects bad
	run skep check bad.o
	[ "$status" = 1 ]
	[ "$(grep -c '^error' <<<"$output")" = 2 ]
	[[ "$output" =~ accepted\ +good ]]
	[[ "$output" =~ rejected\ +past_the_end ]]
	[[ "$output" == *'1 accepted, 1 rejected, 1 unloadable in 1 object;'* ]]
	run skep check -q bad.o
	[[ ! "$output" =~ accepted\ +good ]]
}

@test "report: CSV has a head, every statistic, and plain numbers" {
	objects filter bad
	skep check -o csv filter.o bad.o >out.csv || [ $? = 1 ]
	[ "$(csv program verdict <out.csv)" = "filter accepted
good accepted
past_the_end rejected
no_type unloadable" ]
	[[ "$(csv time processed states peak memory size stack <out.csv | head -n 1)" =~ ^[0-9]+(\ [0-9]+)+$ ]]
	[ "$(csv line <out.csv | sed -n 3p)" = 22 ]
	# what the verifier never saw has no cost
	[ -z "$(csv processed <out.csv | sed -n 4p | tr -d ' ')" ]
}

@test "report: sorted by several keys, in both directions, and cut" {
	objects chain bad filter
	skep check -o csv -s 'verdict<,program>' chain.o bad.o filter.o >out.csv || [ $? = 1 ]
	csv verdict program <out.csv >got
	sort -k1,1 -k2,2r got | cmp - got
	skep check -o csv -s size chain.o bad.o filter.o >out.csv || [ $? = 1 ]
	csv size <out.csv | sort -rnc
	skep check -o csv -s 'size<' -n 2 chain.o bad.o filter.o >out.csv || [ $? = 1 ]
	csv size <out.csv | sort -nc
	[ "$(csv size <out.csv | wc -l)" = 2 ]
	run skep check -s 'size+' filter.o
	[ "$status" = 2 ]
}

@test "report: filters by name decide what is checked" {
	objects bad filter
	run skep check -f 'goo*' bad.o filter.o
	[ "$status" = 0 ]
	[[ "$output" != *past_the_end* ]]
	skep check -j -f 'bad.o/good' -f filter.o bad.o filter.o | json program >got
	[ "$(tr '\n' ' ' <got)" = 'good filter ' ]
	skep check -j -f '!bad.o/' bad.o filter.o | json program >got
	[ "$(cat got)" = filter ]
	printf '# what works\n  good   \n\nfilter # and this\n' >list
	skep check -j -f @list bad.o filter.o | json program >got
	[ "$(tr '\n' ' ' <got)" = 'good filter ' ]
	run skep check -f nothing bad.o
	[ "$status" = 1 ]
	[[ "$output" == *'none of the objects has the programs asked for'* ]]
}

@test "report: filters by statistics decide what is shown, not the exit status" {
	objects bad
	run skep check -j -f 'verdict=failure' bad.o
	[ "$status" = 1 ]
	[ "$(json program <<<"$output")" = past_the_end ]
	run skep check -j -f '!verdict=accepted' bad.o
	[ "${#lines[@]}" = 2 ]
	run skep check -j -f 'insns>=1&&verdict=accepted' bad.o
	[ "$status" = 1 ]
	[ "$(json program <<<"$output")" = good ]
	run skep check -j -f 'processed>1k' bad.o
	[ -z "$output" ]
	for wrong in 'insns>many' 'nothing=1' 'insns=1&&insns'; do
		run skep check -f "$wrong" bad.o
		[ "$status" = 2 ]
	done
}

@test "report: a comparison shows old and new, and what changed first" {
	objects filter bad
	skep check -j filter.o bad.o >new.json || [ $? = 1 ]
	python3 - new.json >old.json <<-'EOP'
	import json, sys
	for line in open(sys.argv[1]):
	    row = json.loads(line)
	    row["object"] = "/somewhere/else/" + row["object"]
	    if row["program"] == "past_the_end":
	        row["verdict"] = "accepted"
	    if row["program"] == "filter":
	        row["processed"] *= 2
	    if row["program"] != "good":
	        print(json.dumps(row))
	print(json.dumps({"object": "gone.o", "program": "gone", "verdict": "accepted", "processed": 7}))
	EOP
	run skep check --compare old.json -e verdict,program,processed -q filter.o bad.o
	[[ "$output" == *'rejected, was accepted'* ]]
	[[ "$output" == *'gone, was accepted'* ]]
	[[ "$output" == *'1 of 3 verdicts changed'* ]]
	skep check -C old.json -o csv -f 'verdict=changed' filter.o bad.o >out.csv || [ $? = 1 ]
	[ "$(csv program verdict verdict_old <out.csv)" = 'past_the_end rejected accepted' ]
	skep check -C old.json -o csv -f 'processed_p<0' filter.o bad.o >out.csv || [ $? = 1 ]
	[ "$(csv program processed_percent <out.csv)" = 'filter -50' ]
	skep check -C old.json -o csv filter.o bad.o >out.csv || [ $? = 1 ]
	[ "$(csv program <out.csv | head -n 2 | tr '\n' ' ')" = 'past_the_end filter ' ]
	run skep check -j -C old.json -f '|processed_d|>0' filter.o bad.o
	[ "$(json old.processed <<<"$output")" = $((2 * $(json processed <<<"$output"))) ]
	echo 'no json' >wrong.json
	run skep check -C wrong.json filter.o
	[ "$status" = 1 ]
	[[ "$output" == *'line 1'* ]]
}

@test "report: SARIF has what its schema requires, at the line to blame" {
	objects bad filter
	skep check -o sarif bad.o filter.o >out.sarif || [ $? = 1 ]
	python3 - <<-'EOP'
	import json
	log = json.load(open("out.sarif"))
	assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-2.1.0.json")
	[run] = log["runs"]
	driver = run["tool"]["driver"]
	assert driver["name"] == "skep"
	rules = [rule["id"] for rule in driver["rules"]]
	assert len(set(rules)) == len(rules) and all(rule["shortDescription"]["text"] for rule in driver["rules"])
	assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
	assert run["invocations"] == [{"executionSuccessful": True}]
	results = {r["locations"][0]["logicalLocations"][0]["name"]: r for r in run["results"]}
	assert set(results) == {"past_the_end", "no_type"}
	for r in results.values():
	    assert r["level"] == "error" and r["message"]["text"]
	    assert rules[r["ruleIndex"]] == r["ruleId"]
	    place = r["locations"][0]["physicalLocation"]
	    assert place["artifactLocation"]["uri"]
	r = results["past_the_end"]
	assert "outside of the allowed memory range" in r["message"]["text"]
	place = r["locations"][0]["physicalLocation"]
	assert place["artifactLocation"]["uri"].endswith("bad.bpf.c")
	assert place["region"]["startLine"] == 22
	assert "data[14]" in place["region"]["snippet"]["text"]
	EOP
	skep check -o sarif filter.o >out.sarif
	[ "$(json runs.0.results <out.sarif)" = '[]' ]
}

@test "report: SARIF points at the line at fault, and tells how it came about" {
	cat >fw.bpf.c <<-'EOC'
	#include <linux/bpf.h>
	#include <bpf/bpf_helpers.h>
	SEC("xdp") int f(struct xdp_md *ctx)
	{
		char *data = (char *)(long)ctx->data, *end = (char *)(long)ctx->data_end;

		if (data + 14 > end)
			return XDP_PASS;
		return data[23] == 17 ? XDP_DROP : XDP_PASS;
	}
	EOC
	skep check -o sarif fw.bpf.c >out.sarif || [ $? = 1 ]
	python3 - <<-'EOP'
	import json
	[r] = json.load(open("out.sarif"))["runs"][0]["results"]
	place = r["locations"][0]["physicalLocation"]
	assert place["artifactLocation"]["uri"] == "fw.bpf.c" and place["region"]["startLine"] == 7
	steps = r["codeFlows"][0]["threadFlows"][0]["locations"]
	lines = [s["location"]["physicalLocation"]["region"]["startLine"] for s in steps]
	assert lines[0] == 5 and lines[-1] == 9, lines
	assert all(s["location"]["message"]["text"] for s in steps)
	assert "Fix: " in r["message"]["text"]
	EOP
}

@test "report: a path in SARIF is a URI" {
	objects bad
	mkdir 'a b'
	cp bad.o 'a b/x%y.o'
	skep check -o sarif 'a b/x%y.o:no_type' >out.sarif || [ $? = 1 ]
	[ "$(json runs.0.results.0.locations.0.physicalLocation.artifactLocation.uri <out.sarif)" = a%20b/x%25y.o ]
}

@test "report: the order is the operands' and programs', however many work" {
	objects filter bad chain
	for i in 1 2 3 4 5 6; do
		cp filter.o "f$i.o"
		cp chain.o "c$i.o"
	done
	skep check -j --jobs 1 [cf]?.o bad.o | json object >one
	skep check -j --jobs 7 [cf]?.o bad.o | json object >seven
	cmp one seven
	# few objects: their programs are shared out
	skep check -j --jobs 1 bad.o chain.o | json program >one
	skep check -j --jobs 5 bad.o chain.o | json program >five
	cmp one five
	[ "$(wc -l <one)" -ge 6 ]
}

@test "report: a thousand objects" {
	objects filter
	mkdir many
	for i in $(seq 1000); do
		ln filter.o "many/$i.o"
	done
	echo nonsense >many/500.txt
	run skep check -j many/*
	[ "$status" = 1 ]
	[ "${#lines[@]}" = 1001 ]
	run skep check many/*.o
	[[ "$output" == *'1000 accepted, 0 rejected, 0 unloadable in 1000 objects'* ]]
}

@test "report: each wrong file has its line, and none stops the rest" {
	objects filter
	echo nonsense >a.o
	: >b.o
	mkdir c.o
	run skep check a.o b.o c.o missing.o filter.o
	[ "$status" = 1 ]
	[ "$(grep -c '^error' <<<"$output")" = 4 ]
	[[ "$output" == *missing.o* ]]
	[[ "$output" =~ accepted\ +filter.o\ +filter ]]
}

@test "report: an interrupt keeps what is done" {
	objects filter
	mkfifo never.o
	"$SKEP" check --jobs 1 filter.o never.o >out 2>err 9>&- &
	pid=$!
	exec 9<>never.o
	for _ in $(seq 100); do
		[ -z "$(pgrep -P $pid)" ] || break
		sleep 0.05
	done
	sleep 0.3
	kill -INT $pid
	status=0
	wait $pid || status=$?
	exec 9>&-
	[ "$status" = 1 ]
	grep -q '^accepted  filter' out || grep -Eq 'accepted +filter.o +filter' out
	grep -q 'interrupted: 1 of 2 objects are done' err
}

@test "report: a worker that dies costs its object, not the run" {
	objects filter
	mkfifo never.o
	"$SKEP" check --jobs 1 never.o filter.o >out 2>err 9>&- &
	pid=$!
	exec 9<>never.o
	for _ in $(seq 100); do
		worker=$(cat /proc/$pid/task/$pid/children) && [ -n "$worker" ] && break
		sleep 0.05
	done
	sleep 0.3
	kill -KILL $worker
	status=0
	wait $pid || status=$?
	exec 9>&-
	[ "$status" = 1 ]
	grep -q 'never.o: skep itself failed on it' err
	grep -Eq 'accepted +filter' out
}

@test "report: names of objects cannot steer the terminal" {
	objects filter
	name=$(printf 'a\033[31mb.o')
	cp filter.o "$name"
	skep check "$name" filter.o >out
	! grep -q "$(printf '\033')" out
}

@test "report: options that contradict each other are refused" {
	objects filter
	run skep check --kernel 6.1 -o csv filter.o
	[ "$status" = 2 ]
	run skep check --kernel 6.1 --html page.html filter.o
	[ "$status" = 2 ]
	[ ! -e page.html ]
	run skep check -j -o csv filter.o
	[ "$status" = 2 ]
	run skep check -o yaml filter.o
	[ "$status" = 2 ]
	run skep check -o json filter.o
	[ "$status" = 0 ]
	[ "$(json verdict <<<"$output")" = accepted ]
}
