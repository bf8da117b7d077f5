#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# skep check --html: the page itself, and in a browser where there is one.
load helper

browser() {
	(cd "$BATS_TEST_DIRNAME" && python3 -c 'import browser, sys; sys.exit(not browser.browser_path())') ||
		skip "no Chromium to show the page: apt-get install chromium"
	PYTHONDONTWRITEBYTECODE=1 timeout 120 python3 "$BATS_TEST_DIRNAME/page_test.py" "$@"
}

# The page of loop.bpf.c, with its source beside it.
loop_page() {
	cp "$BATS_TEST_DIRNAME/objects/loop.bpf.c" .
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -c loop.bpf.c -o loop.o
	skep check --html page.html loop.o >out || [ $? = 1 ]
}

# A program of some 400,000 steps.
long_object() {
	cat >long.bpf.c <<-'EOC'
	#include <linux/bpf.h>
	#include <bpf/bpf_helpers.h>
	SEC("socket") int slow(struct __sk_buff *skb)
	{
		int sum = 0;
		for (int i = 0; i < 60000; i++)
			sum += skb->len * i + (sum >> 3);
		return sum;
	}
	char LICENSE[] SEC("license") = "GPL";
	EOC
	clang -O1 -fno-unroll-loops -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -c long.bpf.c -o long.o
}

# What the page carries, as JSON.
page_data() {
	python3 -c 'import re, sys
print(re.search(r"<script type=\"application/json\" id=\"data\">(.*?)</script>", open(sys.argv[1]).read(), re.S)[1])' "$1"
}

@test "html: one page, with every program and its verdict, beside the usual output" {
	loop_page
	grep -q 'accepted *fine' out
	grep -q "invalid mem access 'map_value_or_null'" out
	page_data page.html >data.json
	[ "$(json programs.0.verdict <data.json | head -n 1)" = accepted ] || python3 - <<-'EOP'
	import json
	data = json.load(open("data.json"))
	assert [(p["name"], p["verdict"]) for p in data["programs"]] == [("fine", "accepted"), ("no_check", "rejected")]
	EOP
	python3 - <<-'EOP'
	import json
	fine, bad = json.load(open("data.json"))["programs"]
	# every visit of a small program has its state
	assert fine["recorded"] == fine["processed"] == sum(fine["heat"][::3])
	assert bad["insn"] >= 0 and bad["story"]["path"]
	assert any(f["whole"] for f in fine["files"])
	EOP
}

@test "html: the page needs nothing from outside, and allows nothing" {
	loop_page
	grep -q "default-src 'none'" page.html
	! grep -Eiq '(src|href)=|@import|url\(|https?://[^w]' page.html
}

@test "html: the page stays small however long the verification is" {
	long_object
	skep check --html page.html long.o >out || [ $? = 1 ]
	page_data page.html >data.json
	python3 - <<-'EOP'
	import json, os
	[p] = json.load(open("data.json"))["programs"]
	assert p["processed"] > 200000, p["processed"]
	assert 1000 < p["recorded"] <= 30000
	assert sum(p["heat"][::3]) == p["processed"]
	assert os.path.getsize("page.html") < 12 << 20
	EOP
}

@test "html: source that is not what was compiled is not put into the page" {
	loop_page
	sed -i 's/sum += i \* 3/sum += i * 4/' loop.bpf.c
	skep check --html page.html loop.o >out || [ $? = 1 ]
	! grep -q 'max_entries, 16' page.html
	grep -q 'return weigh(skb->mark)' page.html || grep -q 'return weigh(skb-.u003emark)' page.html
}

@test "html: a page that cannot be written is an error, a file that is no object is not in it" {
	loop_page
	run skep check --html /nowhere/page.html loop.o
	[ "$status" = 1 ]
	[[ "$output" == *'/nowhere/page.html'* ]]
	echo nonsense >no.o
	run skep check --html page.html no.o loop.o
	[ "$status" = 1 ]
	[[ "$output" == *no.o* ]]
	python3 -c 'import json,sys; assert len(json.loads(sys.stdin.read())["programs"]) == 2' < <(page_data page.html)
}

@test "html: an interrupt leaves a page of what is done" {
	loop_page
	rm page.html out
	long_object
	for i in $(seq 300); do
		ln long.o "long$i.o"
	done
	# shellcheck disable=SC2046 # one operand a number
	"$SKEP" check --html page.html loop.o $(seq -f 'long%g.o' 300) >out 2>err &
	pid=$!
	until grep -qs "^error" out; do
		kill -0 $pid
		sleep 0.1
	done
	kill -INT $pid
	status=0
	wait $pid || status=$?
	[ "$status" = 1 ]
	grep -Eq 'interrupted: [0-9]+ of 301 objects are done' err
	python3 -c 'import json,sys; assert 2 <= len(json.loads(sys.stdin.read())["programs"]) < 302' < <(page_data page.html)
	[ -z "$(find . -name '*page.html?*')" ]
}

@test "page: it opens at the rejection, with what led there" {
	loop_page
	browser page.html opens_at_the_rejection
}

@test "page: a click on an instruction shows the state there" {
	loop_page
	browser page.html shows_the_state_at_the_instruction_clicked
}

@test "page: source and instructions lead to each other" {
	loop_page
	browser page.html source_and_instructions_are_linked
}

@test "page: every visit of an instruction, back and forth" {
	loop_page
	browser page.html every_visit_can_be_looked_at keys_walk_along_the_path
}

@test "page: the graph shows loops and leads to instructions" {
	loop_page
	browser page.html the_graph_shows_loops
}

@test "page: pruned paths name what covers them" {
	loop_page
	browser page.html ends_of_paths_say_what_covers_them
}

@test "page: hostile names and source are only text" {
	dir='</title><img src=x onerror=window.broken=1>'
	mkdir -p "${dir%%/*}" "$(dirname "./$dir")"
	cat >evil.c <<-'EOC'
	#include <linux/bpf.h>
	#define SEC(x) __attribute__((section(x), used))
	SEC("xdp") int evil(struct xdp_md *x) __asm__("<b class=\"hostile\">'&amp;</script><script>window.broken=1</script>");
	int evil(struct xdp_md *x) { return x->data ? 2 : 1; } /* </script><script>window.broken=1</script> --><!-- */
	char LICENSE[] SEC("license") = "GPL";
	EOC
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" -fdebug-prefix-map="$PWD=$dir" \
		-c "$PWD/evil.c" -o 'a<img src=x onerror=window.broken=1>.o'
	run skep check --html page.html 'a<img src=x onerror=window.broken=1>.o'
	[ "$status" = 0 ]
	# nothing but the two scripts of ours
	[ "$(grep -c '<script' page.html)" = 2 ]
	browser page.html nothing_in_names_or_source_is_markup
}
