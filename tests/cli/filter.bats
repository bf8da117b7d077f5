#!/usr/bin/env bats
# SPDX-License-Identifier: BSD-2-Clause
load helper

@test "filter: passes the same packets as tcpdump, of eight link types, before and after the optimisers" {
	command -v tcpdump >/dev/null || skip "no tcpdump"
	mkdir captures
	python3 "$BATS_TEST_DIRNAME/make_filter_captures.py" captures
	run python3 "$BATS_TEST_DIRNAME/filter_compare.py" "$SKEP" captures
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *" 0 differ"* ]]
	compared=${output##*compared }
	[ "${compared%% *}" -gt 1800 ]
	passed=${output##*: }
	[ "${passed%% *}" -gt 1500 ]
}

@test "filter: counts what passes, stops after -c, and writes JSON" {
	capture in.pcap
	run skep filter -r in.pcap tcp port 80
	[ "$status" = 0 ]
	[[ "$output" == "6 of 10 packets passed, "*" million packets/s" ]]
	run skep filter -r in.pcap -c 2 -j udp
	[[ "$output" == '{"v":1,"packets":'*',"passed":2,'* ]]
	run skep filter --interpreter -r in.pcap 'udp port 53 or arp' -w out.pcap
	[[ "$output" == "4 of 10 packets passed"* ]]
	run skep filter -r out.pcap arp
	[[ "$output" == "1 of 4 packets passed"* ]]
}

@test "filter: what is wrong with an expression, a capture or an interface is said" {
	capture in.pcap
	run skep filter -r in.pcap 'tcp and'
	[ "$status" = 1 ]
	[[ "$output" == *"the filter 'tcp and' is not valid: "* ]]
	run skep filter -r nowhere.pcap tcp
	[ "$status" = 1 ]
	[[ "$output" == *"cannot read 'nowhere.pcap': No such file"* ]]
	run skep filter -i nowhere0 tcp
	[ "$status" = 1 ]
	[[ "$output" == *"nowhere0"* ]]
	run skep filter -y NOTHING -d tcp
	[ "$status" = 1 ]
	[[ "$output" == *"there is no link type 'NOTHING'"* ]]
	run skep filter tcp
	[ "$status" = 2 ]
	[[ "$output" == *"which packets? -r FILE, -i IF; or -d shows the filter"* ]]
	run skep filter -r in.pcap tcp -w out/of/reach.pcap
	[ "$status" = 1 ]
}

@test "filter: packets of an interface, filtered by the kernel" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	timeout 20 "$SKEP" filter -i lo -c 3 -w out.pcap 'udp dst port 40999' 2>said &
	pid=$!
	for _ in $(seq 100); do
		python3 -c '
import socket
for port in (40998, 40999):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))'
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	wait $pid || { cat said; grep -q "not allowed\|not permitted" said && skip "no raw sockets here"; false; }
	[[ "$(cat said)" == "3 packets passed in "* ]]
	run skep filter -r out.pcap 'udp dst port 40999'
	[[ "$output" == "3 of 3 packets passed"* ]]
}

@test "filter: without rights, an interface is refused with what would help" {
	[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || skip "needs root, and setpriv to drop it"
	run setpriv --reuid 65534 --clear-groups --bounding-set=-all "$SKEP" filter -i lo tcp
	[ "$status" = 1 ]
	[[ "$output" == *"capturing on 'lo' is not allowed"* ]]
	[[ "$output" == *"run as root, or: setcap"* ]]
}

@test "filter: every stage is shown; what is shown reads back as the same filter" {
	run skep filter -d 'tcp port 80'
	[ "${lines[0]}" = "(000) ldh      [12]" ]
	skep filter -d 'tcp port 80' >listing
	for form in -dd -ddd --asm; do
		skep filter "$form" 'tcp port 80' >text
		skep filter -O -d -F text | diff listing -
	done
	skep filter --ebpf udp | grep -q 'exit'
	skep filter --native udp >native
	grep -qx '(000) ldh      \[12\]' native
	grep -qE '^ +[0-9a-f]+: 0f b7 46 0c +movzx eax, word ptr \[rsi\+0x0C\]$' native
	grep -q ' ret$' native
	printf 'ld #0\nldx #3\nld #nla\nret a\n' >netlink
	run skep filter --native -F netlink
	[ "$output" = "it is interpreted, and no machine code: instruction 2: native code cannot load 'nla'" ]
	skep filter --dot udp | grep -q '^digraph filter {'
	skep filter --svg udp | python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.stdin.buffer)'
}

@test "filter: --c is the filter as C" {
	capture in.pcap
	{
		skep filter --c 'udp port 53 or arp'
		cat <<'END'
#include <stdio.h>
#include <string.h>
int main(void)
{
	static uint8_t b[65536];
	unsigned n = 0, head[4];

	fread(b, 1, 24, stdin);
	while (fread(head, 16, 1, stdin) == 1) {
		fread(b, 1, head[2], stdin);
		n += filter(b, head[2], head[3]) != 0;
	}
	printf("%u\n", n);
	return 0;
}
END
	} >f.c
	cc -Wall -Wno-unused-result -o f f.c
	[ "$(./f <in.pcap)" = 4 ]
}

@test "filter: objects for XDP and tc drop and pass by the same expression" {
	capture in.pcap
	skep filter --xdp x.o --tc t.o 'tcp port 80'
	run skep check -j x.o t.o
	[ "$status" = 0 ]
	for object in x.o t.o; do
		run skep run "$object" -r in.pcap -w out.pcap
		[ "$status" = 0 ]
		run skep filter -r out.pcap
		[[ "$output" == "6 of 6 packets passed"* ]]
	done
	readelf -S x.o | grep -q ' xdp '
	readelf -S t.o | grep -q ' tc '
}

# In a mount name space of its own: the BPF file system goes with it.
@test "filter: the running kernel loads the objects, and bpftool shows the filter beside them" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v bpftool >/dev/null || skip "no bpftool"
	mkdir pins
	unshare -m mount -t bpf none pins 2>/dev/null || skip "no BPF file system may be mounted here"
	python3 -c 'print(" or ".join(f"host 11.{i >> 8}.{i & 255}.1" for i in range(10000)))' >many
	skep filter --xdp x.o --tc t.o 'tcp port 443 and not host 10.0.0.1'
	skep filter --xdp sets_x.o --tc sets_t.o -F many
	for object in x t sets_x sets_t; do
		run unshare -m sh -c "mount -t bpf none pins && bpftool prog load $object.o pins/p && bpftool prog dump xlated pinned pins/p linum"
		[ "$status" = 0 ] || [[ "$output" != *"not permitted"* ]] || skip "the kernel does not let us"
		echo "$output"
		[ "$status" = 0 ]
		[[ "$output" == *"int filter(struct "* ]]
		[[ "$output" == *"; (000) ldh      [12]"* ]]
		[[ "$object" != sets* || "$output" == *"in       set of 10000 addresses of IPv4"* ]]
	done
}

@test "filter: --explain says what is accepted" {
	run skep filter --explain 'tcp port 443 and not host 10.0.0.1'
	[ "$status" = 0 ]
	[[ "$output" == *"It accepts an Ethernet frame if"* ]]
	[[ "$output" == *"its protocol is TCP, and"* ]]
	[[ "$output" == *"its source port is 443 or its destination port is 443, and"* ]]
	[[ "$output" == *"its source address is not 10.0.0.1, and"* ]]
	printf 'ret #0\n' >none
	run skep filter --explain none
	[ "$output" = "It accepts no packet." ]
	run skep filter --explain 'src net 192.168.0.0/16 and tcp[13] & 2 != 0'
	[[ "$output" == *"its source address is in 192.168.0.0/16"* ]]
	[[ "$output" == *"of its TCP flags there is SYN set"* ]]
	python3 -c 'print("tcp port 443 and (" + " or ".join(f"host 10.0.0.{i}" for i in range(1, 18)) + ")")' >set
	run skep filter --explain -F set
	[[ "$output" == *"its source address is one of 17 (10.0.0.1, 10.0.0.2, 10.0.0.3 ... 10.0.0.17) or its destination address is one of 17 ("* ]]
	[[ "$output" != *"is 10.0.0.1"* ]]
	python3 -c 'print("not (" + " or ".join(f"src net 2001:db8:{i:x}::/48" for i in range(10000)) + ") and ip6")' >set
	run skep filter --explain -F set
	[[ "$output" == *"its source address is none of 10000 (2001:db8::/48, 2001:db8:1::/48, 2001:db8:2::/48 ... 2001:db8:270f::/48)"* ]]
}

@test "filter: --equal proves filters equal, or shows a packet" {
	run skep filter --equal 'tcp port 443 and not host 10.0.0.1' 'not host 10.0.0.1 and port 443 and tcp'
	[ "$status" = 0 ]
	[[ "$output" == "equal: "* ]]
	run skep filter --equal 'net 10.0.0.0/8' 'net 10.0.0.0/9 or net 10.128.0.0/9'
	[ "$status" = 0 ]
	[[ "$output" == "equal: "* ]]
	run skep filter -O --equal 'host 10.0.0.1 or host 10.0.0.2' 'host 10.0.0.2 or host 10.0.0.1'
	[ "$status" = 0 ]
	[[ "$output" == "equal for whole packets; cut short"* ]]
	run skep filter --equal 'tcp port 80' 'tcp dst port 80'
	[ "$status" = 1 ]
	[[ "$output" == "different: of this packet"*"which passes the first and not the second:"* ]]
	run skep filter --equal tcp
	[ "$status" = 2 ]
	python3 -c '
hosts = [f"host 11.{i >> 8}.{i & 255}.{i % 199}" for i in range(10000)]
for name, members in (("a", hosts), ("b", hosts[:1] + hosts[:0:-1]), ("c", hosts[:5000] + hosts[5001:])):
    open(name, "w").write("tcp and (" + " or ".join(members) + ")")'
	run skep filter --equal a b
	[ "$status" = 0 ]
	[[ "$output" == "equal: "* ]]
	run skep filter --equal a c
	[ "$status" = 1 ]
	[[ "$output" == "different: of this packet"*"passes the first and not the second:"* ]]
}

@test "filter: an expression that needs a loop is run by libpcap, which is said" {
	capture in.pcap
	run skep filter -r in.pcap 'ip protochain 6'
	[ "$status" = 0 ]
	[[ "${lines[0]}" == *"needs a loop"* ]]
	[[ "${lines[1]}" == "6 of 10 packets passed"* ]]
	run skep filter --ebpf 'ip protochain 6'
	[ "$status" = 1 ]
}

@test "filter: hundreds of addresses are searched; more than classic BPF holds is an error that says so" {
	python3 -c 'print(" or ".join(f"host 11.{i >> 8}.{i & 255}.1" for i in range(300)))' >many
	skep filter -d -F many >listing
	[ "$(wc -l <listing)" -lt 2500 ]
	capture in.pcap
	run skep filter -r in.pcap -F many
	[[ "$output" == "0 of 10 packets passed"* ]]
	python3 -c 'print(" or ".join(f"host 11.{i >> 8}.{i & 255}.1" for i in range(40)))' >some
	skep filter -O -d -F some >plain
	run skep filter --equal plain some
	[[ "$output" == "equal"* ]]
	python3 -c 'print(" or ".join(f"src host 10.{i >> 8}.{i & 255}.1 or dst host 11.{i >> 8}.{i & 255}.1" for i in range(2500)))' >more
	run skep filter -d -F more
	[ "$status" = 1 ]
	[[ "$output" == *"it looks for 5000 addresses or ports, and to search them takes more than the 4096 instructions"* ]]
	[[ "$output" == *"help: eBPF looks them up in a table of any size: --xdp, --tc, --ebpf"* ]]
	skep filter -r in.pcap -F more
	python3 -c 'print(" or ".join(f"host {11 + i % 99}.{i >> 8}.{i & 255}.1" for i in range(1900)))' >most
	skep filter -d -F most >listing
	[ "$(wc -l <listing)" -le 4096 ]
	skep filter -O -r in.pcap -F listing
	python3 -c 'print("# a comment\n" + " or ".join(f"ip[{i % 40}] = {i % 251}" for i in range(3000)))' >many
	run skep filter -d -F many
	[ "$status" = 1 ]
	[[ "$output" == *" instructions, and its optimised form more than 4096 too"* ]]
}

@test "filter: sets of addresses, networks and ports pass what tcpdump passes, and at ten thousand what they should" {
	run python3 "$BATS_TEST_DIRNAME/filter_sets.py" "$SKEP" $(command -v tcpdump)
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *" 0 differ" ]]
	compared=${output##*compared }
	[ "${compared%% *}" -gt "$(command -v tcpdump >/dev/null && echo 400 || echo 300)" ]
	passed=${output##*: }
	[ "${passed%% *}" -gt 200 ]
}

@test "filter: what is wrong with an expression with sets is said of the user's text" {
	python3 -c 'print("vlan and (" + " or ".join(f"host 10.0.0.{i}" for i in range(20)) + ")")' >hosts
	run skep filter -y RAW -d -F hosts
	[ "$status" = 1 ]
	[[ "$output" == *"the filter 'hosts' is not valid: "*[Vv][Ll][Aa][Nn]* ]]
}

@test "filter: ten thousand addresses are a few eBPF instructions, as many as for a hundred" {
	for count in 100 10000; do
		python3 -c 'import sys; print(" or ".join(f"host {i % 223 + 1}.{i >> 8}.{i & 255}.{i * 7 % 256}" for i in range(int(sys.argv[1]))))' $count >hosts
		skep filter --ebpf -F hosts | wc -l >lines$count
	done
	[ "$(cat lines100)" -lt 200 ]
	diff lines100 lines10000
}

@test "filter: live packets are looked up too when the kernel has no room for the addresses" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	python3 -c 'print("udp port 40997 and (" + " or ".join(f"host 11.{i >> 8}.{i & 255}.1" for i in range(5000)) + " or host 127.0.0.1)")' >hosts
	timeout 20 "$SKEP" filter -i lo -c 2 -F hosts -w out.pcap 2>said 3>&- &
	pid=$!
	for _ in $(seq 100); do
		python3 -c '
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 40997))'
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	wait $pid || { cat said; grep -q "not allowed\|not permitted" said && skip "no raw sockets here"; false; }
	grep -q "looks for 5001 addresses or ports, too many for the kernel's classic BPF" said
	run skep filter -r out.pcap 'udp port 40997'
	[[ "$output" == "2 of 2 packets passed"* ]]
}
