#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
# What a person sees when a program is rejected.
load helper

@test "why: the line at fault with a caret, how it came about, and the fix, on one screen" {
	objects wrong
	run skep check wrong.o:short_check
	[ "$status" = 1 ]
	[[ "${lines[0]}" == 'error[V005]: '*' min value is outside of the allowed memory range' ]]
	[[ "${lines[1]}" == *'wrong.bpf.c:19 in short_check (wrong.o); the verifier stopped at line 21, instruction '* ]]
	[ "${lines[2]}" = '    19 | if (data + 14 > end)' ]
	[[ "${lines[3]}" == '       |     ^~~~' ]]
	[[ "$output" == *'= this check proves 14 bytes, but data[23] reads byte 23 of the packet'* ]]
	[[ "$output" == *'how it comes to this:'*'read from ctx->data: the start of the packet'*'14 bytes are proved'* ]]
	[[ "$output" == *'fix: check for 24 bytes here: if (data + 24 > data_end) return ...;'* ]]
	[ "${#lines[@]}" -le 24 ]
}

@test "why: -v shows each step with its registers, -vv the whole log" {
	objects wrong
	run skep check wrong.o:short_check
	[[ "$output" != *'R10=fp0'* ]]
	run skep check -v wrong.o:short_check
	[[ "$output" == *'r1 = *(u32 *)(r1 +0) ;'*'R10=fp0'* ]]
	[[ "$output" != *'processed '*' insns (limit'* ]]
	run skep check -vv wrong.o:short_check
	[[ "$output" == *'processed '*' insns (limit 1000000)'* ]]
}

@test "why: --all reports independent errors, and no others" {
	objects wrong
	run skep check wrong.o:two_mistakes
	[ "$(grep -c '^error' <<<"$output")" = 1 ]
	run skep check --all wrong.o:two_mistakes
	[ "$(grep -c '^error' <<<"$output")" = 2 ]
	[[ "$output" == *'error[V005]'* ]]
	[[ "$output" == *'error[V006]'* ]]
	run skep check --all wrong.o:one_mistake_twice
	[ "$(grep -c '^error' <<<"$output")" = 1 ]
	run skep check --all wrong.o:two_functions
	[ "$(grep -c '^error' <<<"$output")" = 2 ]
	[[ "$output" == *'in broken(), program two_functions'* ]]
	run skep check --all wrong.o:short_check
	[ "$(grep -c '^error' <<<"$output")" = 1 ]
}

@test "why: -j has the same: cause, blame, path, fix, and errors with --all" {
	objects wrong
	run skep check -j wrong.o:short_check
	[ "$status" = 1 ]
	[ "$(json id <<<"$output")" = V005 ]
	[ "$(json blame.source.line <<<"$output")" = 19 ]
	[ "$(json source.line <<<"$output")" = 21 ]
	[[ "$(json cause <<<"$output")" == 'this check proves 14 bytes, but '* ]]
	[[ "$(json fix <<<"$output")" == *'data + 24 > data_end'* ]]
	python3 - "$output" <<-'END'
		import json, sys
		path = json.loads(sys.argv[1])["path"]
		assert [e["event"] for e in path if not e.get("detail")] == ["value", "check", "stop"], path
		assert all(e["text"] and e["insn"] >= 0 and e["source"]["line"] for e in path), path
		assert [e["insn"] for e in path] == [3, 5, 7] or path[-1]["event"] == "stop", path
	END
	run skep check -j --all wrong.o:two_mistakes
	[ "$(json errors.0.id <<<"$output")" != "$(json id <<<"$output")" ]
	[ "$(json errors.0.blame.source.line <<<"$output")" -gt 0 ]
	[[ "$(json errors.0.fix <<<"$output")" != null ]]
}

@test "why: an accepted program has no story" {
	objects filter
	run skep check -j filter.o
	[ "$(json cause <<<"${lines[0]}" 2>/dev/null || echo none)" = none ]
}
