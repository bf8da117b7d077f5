#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

verbs() {
	skep help | sed -n '/^verbs:/,/^$/s/^  \([a-z]* *[a-z]*\)  .*/\1/p' | sed 's/ *$//'
}

@test "usage: every verb has a help page, by help and by --help" {
	verbs | grep -q '^asm$'
	while read -r verb; do
		[ "$verb" = help ] && continue
		# shellcheck disable=SC2086
		skep help $verb >a
		# shellcheck disable=SC2086
		skep $verb --help >b
		cmp a b
		grep -q "^skep $verb - " a
	done < <(verbs)
}

@test "usage: no verb is status 2, a mistyped one gets a suggestion" {
	run skep
	[ "$status" = 2 ]
	run skep asn
	[ "$status" = 2 ]
	[[ "$output" == *"did you mean 'asm'?"* ]]
}

@test "usage: a mistyped option gets a suggestion, a missing value is named" {
	run skep asm --fromat hex
	[ "$status" = 2 ]
	[[ "$output" == *"did you mean '--format'?"* ]]
	run skep asm -o
	[ "$status" = 2 ]
	[[ "$output" == *'-o wants FILE'* ]]
	run skep conformance --budget many
	[ "$status" = 2 ]
	[[ "$output" == *"--budget wants a number"* ]]
}

@test "usage: -- ends options, letters may be joined" {
	printf 'r0 = 1\n' >-x
	run skep asm -fhex -- -x
	[ "$status" = 0 ]
}

@test "usage: the version is printed" {
	run skep --version
	[ "$status" = 0 ]
	[[ "$output" =~ ^skep\ [0-9]+\.[0-9]+ ]]
}

@test "usage: colours follow --color and NO_COLOR" {
	printf 'nonsense\n' >bad.s
	run skep --color always asm bad.s
	[[ "$output" == *$'\033['* ]]
	run skep asm bad.s
	[[ "$output" != *$'\033['* ]]
	run skep --color sometimes asm bad.s
	[ "$status" = 2 ]
}

@test "usage: a full disk is a failure" {
	[ -w /dev/full ] || skip "there is no /dev/full"
	run bash -c "printf 'r0 = 1\nexit\n' | '$SKEP' asm >/dev/full"
	[ "$status" = 1 ]
}

@test "completion: bash completes verbs, their options and second words" {
	# shellcheck disable=SC1090
	source <(skep completion bash)
	COMP_WORDS=(skep as) COMP_CWORD=1
	_skep
	[ "${COMPREPLY[*]}" = asm ]
	COMP_WORDS=(skep asm --fo) COMP_CWORD=2
	_skep
	[ "${COMPREPLY[*]}" = --format ]
	COMP_WORDS=(skep conformance --int) COMP_CWORD=2
	_skep
	[ "${COMPREPLY[*]}" = --interpreter ]
}

@test "man: the page is what the command says of itself, and clean" {
	root=$BATS_TEST_DIRNAME/../..
	"$root/tools/make-manpage" "$SKEP" >skep.1
	cmp skep.1 "$root/docs/skep.1"
	command -v mandoc >/dev/null || skip "mandoc is not installed"
	run mandoc -T lint -W warning skep.1
	[ "$output" = "" ]
}

@test "usage: what cannot be judged is told what would be" {
	objects filter
	: >empty.o
	echo text >types
	mkdir folder
	run skep check empty.o
	[ "$status" = 1 ]
	[[ "$output" == *'an empty file'* ]]
	run skep check folder
	[ "$status" = 1 ]
	[[ "$output" == *'help: name the object files in it: folder/*.o'* ]]
	run skep check --btf types filter.o
	[ "$status" = 1 ]
	[[ "$output" == *'help: kernel types are in '*'vmlinux'* ]]
	run skep check --kernel 5.20 filter.o
	[ "$status" = 2 ]
	[[ "$output" == *'there was no Linux 5.20'* ]]
	run skep check -s nonsense filter.o
	[ "$status" = 2 ]
	[[ "$output" == *"there is no statistic 'nonsense'; there are object, program, "* ]]
	echo 'int x;' >none.bpf.c
	run skep check none.bpf.c
	[[ "$output" == *'no programs: one is a function in a section'* ]]
}

@test "usage: a direction to sort in stands before a name or behind it" {
	objects filter loop
	for key in processed '<processed' 'processed<' '>processed' 'processed>' '>object' 'object<'; do
		skep check -s "$key" -e object,processed -o csv filter.o loop.o >"sorted.$key" || true
	done
	cmp 'sorted.<processed' 'sorted.processed<'
	cmp 'sorted.>processed' 'sorted.processed>'
	! cmp 'sorted.<processed' 'sorted.>processed'
	! cmp 'sorted.>object' 'sorted.object<'
}

@test "usage: a group of verbs lists its own" {
	run skep seccomp
	[ "$status" = 2 ]
	[[ "$output" == *'seccomp compile '*'seccomp disasm '* ]]
	[[ "$output" != *'machine create'* ]]
	run skep machine --help
	[ "$status" = 0 ]
	[[ "$output" == *'usage: skep machine VERB'*'machine create '* ]]
	run skep help map
	[ "$status" = 0 ]
	[[ "$output" == *'map dump '* ]]
	run skep seccomp compil x
	[ "$status" = 2 ]
	[[ "$output" == *"there is no verb 'seccomp compil'; did you mean 'seccomp compile'?"* ]]
	run skep help machine remov
	[ "$status" = 2 ]
	[[ "$output" == *"did you mean 'machine remove'?"* ]]
}
