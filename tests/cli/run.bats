#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

@test "run: counts verdicts, streams events, prints maps and histograms" {
	objects filter
	capture in.pcap
	run skep run filter.o -r in.pcap
	[ "$status" = 0 ]
	[[ "$output" == *'filter: 10 packets'* ]]
	[[ "$output" =~ XDP_DROP\ +6\ +60.0% ]]
	[[ "$output" =~ XDP_PASS\ +4\ +40.0% ]]
	[[ "$output" == *'drops drop_event'*'blocked'* ]]
	[[ "$output" == *'drop 40003'* ]]
	[[ "$output" =~ 80\ +6 ]]
	[[ "$output" =~ 32\ ..\ 63\ +10 ]]
}

@test "run: what was not dropped is written" {
	objects filter
	capture in.pcap
	run skep run filter.o -r in.pcap -w out.pcap
	[ "$status" = 0 ]
	[[ "$output" == *'4 packets written to out.pcap'* ]]
	run skep run filter.o -r out.pcap
	[[ "$output" == *'filter: 4 packets'* ]]
	[[ "$output" =~ XDP_PASS\ +4\ +100.0% ]]
}

@test "run: JSON has events, packets, counts and maps" {
	objects filter
	capture in.pcap
	skep run -j -v filter.o -r in.pcap >out.json
	[ "$(json v <out.json | sort -u)" = 1 ]
	[ "$(grep -c '"event":"ringbuf"' out.json)" = 6 ]
	[ "$(grep -m1 '"event":"ringbuf"' out.json | json data.port)" = 80 ]
	[ "$(grep -m1 '"event":"ringbuf"' out.json | json type)" = drop_event ]
	[ "$(grep -c '"event":"trace"' out.json)" = 6 ]
	[ "$(grep -c '"packet":' out.json)" = 10 ]
	[ "$(grep '"actions"' out.json | json actions.XDP_DROP)" = 6 ]
	[ "$(grep '"map":"ports"' out.json | grep '"key"' | json value)" = 6 ]
}

@test "run: globals are set before loading; wrong ones are refused" {
	objects filter
	capture in.pcap
	run skep run filter.o -r in.pcap --set blocked_port=443 --set reason=other
	[ "$status" = 0 ]
	[[ "$output" =~ XDP_PASS\ +10 ]]
	run skep run filter.o -r in.pcap --set blocked_port=0x50 --set 'reason="why"'
	[[ "$output" == *'why'* ]]
	run skep run filter.o -r in.pcap --set nothing=1
	[ "$status" = 1 ]
	[[ "$output" == *"no global variable 'nothing'"* ]]
	run skep run filter.o -r in.pcap --set blocked_port=70000
	[ "$status" = 1 ]
	[[ "$output" == *'does not fit in 16 bits'* ]]
	run skep run filter.o -r in.pcap --set reason=muchtoolong
	[ "$status" = 1 ]
}

@test "run: of several packet programs one must choose; several run in order" {
	objects chain
	capture in.pcap
	run skep run chain.o -r in.pcap
	[ "$status" = 1 ]
	[[ "$output" == *'-p mark -p look -p snap'* ]]
	run skep run chain.o -r in.pcap -p mark -p look -w out.pcap
	[ "$status" = 0 ]
	[[ "$output" == *'10 changed'* ]]
	[[ "$output" =~ TC_ACT_SHOT\ +10 ]]
	run skep run chain.o:look -r in.pcap
	[[ "$output" =~ TC_ACT_OK\ +10 ]]
}

@test "run: filter, count, repeat" {
	objects filter
	capture in.pcap
	run skep run filter.o -r in.pcap -f 'udp port 53'
	[[ "$output" == *'filter: 3 packets'* ]]
	run skep run filter.o -r in.pcap -c 2
	[[ "$output" == *'filter: 2 packets'* ]]
	run skep run filter.o -r in.pcap --repeat 5 --no-maps
	[[ "$output" == *'filter: 50 packets'* ]]
	run skep run filter.o -r in.pcap -f 'not a filter'
	[ "$status" = 1 ]
}

@test "run: an interrupt ends it with the summary so far" {
	objects chain
	capture in.pcap
	run timeout --foreground -s INT 2 "$SKEP" run chain.o:look -r in.pcap --repeat 100000000
	[ "$status" = 124 ] || [ "$status" = 0 ]
	[[ "$output" =~ look:\ [0-9]+\ packets ]]
}

@test "run: interpreter and compiled code agree" {
	objects filter
	capture in.pcap
	skep run -j -v filter.o -r in.pcap >a
	skep run -i -j -v filter.o -r in.pcap >b
	cmp a b
}

@test "run: a program the verifier rejects does not run" {
	objects bad
	capture in.pcap
	run skep run bad.o:past_the_end -r in.pcap
	[ "$status" = 1 ]
	[[ "$output" == *'min value is outside of the allowed memory range'* ]]
	# The same words as check's: the instruction, the source line, what to do.
	reason=$(sed -n '/error\[V005\]/,/  fix:/p' <<<"$output")
	[[ "$reason" == *'bad.bpf.c:22'* ]]
	[[ "$reason" == *'return data[14] ? XDP_DROP : XDP_PASS;'* ]]
	[[ "$reason" == *'fix: '*'> data_end) return'* ]]
	run skep check bad.o:past_the_end
	[[ "$output" == *"$reason"* ]]
}

@test "run: a bad capture, a damaged one, a wrong program type are explained" {
	objects filter bad
	echo nonsense >bad.pcap
	run skep run filter.o -r bad.pcap
	[ "$status" = 1 ]
	[[ "$output" == *bad.pcap* ]]
	capture in.pcap
	head -c 200 in.pcap >cut.pcap
	run skep run filter.o -r cut.pcap
	[ "$status" = 1 ]
	run skep run bad.o:no_type -r in.pcap
	[ "$status" = 1 ]
	[[ "$output" == *'does not run on packets'* ]]
	run skep run filter.o
	[ "$status" = 2 ]
}

@test "run: nothing half written is left, nothing is said of a run that was none" {
	objects filter
	capture in.pcap
	head -c 200 in.pcap >cut.pcap
	: >empty.pcap
	run skep run filter.o -r cut.pcap -w out.pcap
	[ "$status" = 1 ]
	[[ "$output" != *'written to'* ]]
	[ -z "$(find . -name 'out.pcap*')" ]
	run skep run filter.o -r in.pcap -w /dev/full
	[ "$status" = 1 ]
	[[ "$output" == *"cannot write '/dev/full': No space"* ]]
	run skep run filter.o -r empty.pcap
	[ "$status" = 1 ]
	[[ "$output" == "error[C003]: cannot read 'empty.pcap': it is empty" ]]
	run skep run filter.o -r nowhere.pcap
	[[ "$output" == "error[C003]: cannot read 'nowhere.pcap': No such file or directory" ]]
	run skep run filter.o -r in.pcap -w nowhere/out.pcap
	[ "$status" = 1 ]
	[[ "$output" == *"cannot create 'nowhere/out.pcap'"* ]]
	skep run filter.o -r in.pcap -w in.pcap --no-maps
	run skep run filter.o -r in.pcap
	[[ "$output" == *'filter: 4 packets'* ]]
}

@test "run: the program that no program array holds is the one to run" {
	objects tail
	capture in.pcap
	run skep run tail.o -r in.pcap
	[ "$status" = 0 ]
	[[ "$output" == *'entry: 10 packets'* ]]
	[[ "$output" =~ XDP_DROP\ +10 ]]
}

@test "run: a record's struct is not guessed; --event says it" {
	objects tail
	capture in.pcap
	run skep run tail.o -r in.pcap -c 1
	[[ "$output" == *'notes 8 bytes: 41 62 0d 01 00 00 00 00  |Ab...|'* ]]
	[[ "$output" == *'say \r there'* ]]
	run skep run tail.o -r in.pcap -c 1 -e notes=scrap
	[[ "$output" == *'notes scrap { .text = [65, 98, 13, 1, 0, 0, 0, 0] }'* ]]
	run skep run tail.o -r in.pcap -e nothing=scrap
	[ "$status" = 1 ]
	[[ "$output" == *"no map 'nothing'"* ]]
	run skep run tail.o -r in.pcap -e notes=nothing
	[ "$status" = 1 ]
	[[ "$output" == *"no type 'nothing'"* ]]
}

@test "run: long maps are cut short, --all has all" {
	objects tail
	capture in.pcap
	run skep run tail.o -r in.pcap -c 1
	[[ "$output" == *'... 8 more (--all)'* ]]
	run skep run tail.o -r in.pcap -c 1 --all
	[[ "$output" != *'more'* ]]
	[ "$(skep run tail.o -r in.pcap -c 1 --all | grep -c '^  [0-9]* *7$')" = 40 ]
}

@test "prog run: the result, the packet and the time of a run" {
	objects chain filter
	capture in.pcap
	tail -c +41 in.pcap | head -c 54 >packet.bin
	run skep prog run chain.o:mark data_in packet.bin data_out out.bin repeat 10 -j
	[ "$status" = 0 ]
	[ "$(json retval <<<"$output")" = 0 ]
	[ "$(json data_size_out <<<"$output")" = 54 ]
	[ "$(json duration_ns <<<"$output")" -ge 0 ]
	[ "$(head -c 1 out.bin | od -An -tx1 | tr -d ' ')" = aa ]
	run skep prog run filter.o:filter data_in packet.bin
	[ "$status" = 0 ]
	[[ "$output" == 'Return value: 1 (0x1)'* ]]
	run skep prog run filter.o data_in packet.bin --set blocked_port=1
	[[ "$output" == 'Return value: 2 (0x2)'* ]]
}

@test "prog run: words that are wrong, files that are not there" {
	objects filter
	run skep prog run filter.o nonsense 1
	[ "$status" = 2 ]
	run skep prog run filter.o repeat
	[ "$status" = 2 ]
	run skep prog run filter.o data_in nowhere.bin
	[ "$status" = 1 ]
	[[ "$output" == *nowhere.bin* ]]
	run skep prog
	[ "$status" = 2 ]
}

@test "run: -w - writes the capture, and nothing else, to standard output" {
	objects filter
	capture in.pcap
	skep run filter.o -r in.pcap -w file.pcap
	skep run filter.o -r in.pcap -w - >piped.pcap 2>summary
	cmp file.pcap piped.pcap
	grep -q packets summary
}

@test "prog run: a jump through a table, compiled and interpreted" {
	local length
	objects jump
	for length in 64 65 66 67; do # a socket filter sees what is behind the 14 bytes of Ethernet
		head -c "$length" /dev/zero >packet.bin
		run skep prog run jump.o data_in packet.bin -j
		[ "$status" = 0 ]
		[ "$(json retval <<<"$output")" = $((100 + (length - 14) % 4 % 3)) ]
		run skep prog run -i jump.o data_in packet.bin -j
		[ "$(json retval <<<"$output")" = $((100 + (length - 14) % 4 % 3)) ]
	done
}

@test "run: functions get more than five arguments, interpreted and compiled" {
	objects sixth
	capture in.pcap
	for engine in '' -i; do
		for program in eight six; do
			run skep run $engine sixth.o -p $program -r in.pcap
			[ "$status" = 0 ]
			[[ "$output" =~ TC_ACT_SHOT\ +10\ +100.0% ]]
		done
	done
}
