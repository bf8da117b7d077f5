# SPDX-License-Identifier: BSD-2-Clause
"""Real programs that are not to notice: what they print and how they end, under programs.

Each that is installed runs plainly, with a program at its system calls (opensnoop), and
with one at malloc() and its return. One that prints something else from run to run by itself
is no use here. No right is needed.
"""
import json
import os
import shutil
import subprocess
import time


class Program:
    """status: how it ends where all it needs is there; errors: what it prints as errors is
    compared too; static: it may have no libc of its own to probe."""

    def __init__(self, name, argv, needs, status=0, errors=True, static=False):
        self.name, self.argv, self.status = name, argv, status
        self.errors, self.static = errors, static
        self.build, self.time_limit = None, 300
        self.missing = [tool for tool in needs if not shutil.which(tool)]


NODE = r'''
const fs = require('fs'), http = require('http'), cp = require('child_process');
const { Worker } = require('worker_threads');
console.log(fs.readFileSync('/etc/hostname', 'utf8').length > 0);
console.log(cp.execSync('echo child; exit 0').toString().trim());
const spawned = cp.spawnSync('sh', ['-c', 'kill -USR1 $$']);
console.log(spawned.signal);
const worker = new Worker('require("worker_threads").parentPort.postMessage(6 * 7)', { eval: true });
worker.on('message', m => {
  console.log('worker', m);
  const server = http.createServer((q, r) => r.end('answer')).listen(0, '127.0.0.1', () => {
    http.get({ port: server.address().port, host: '127.0.0.1', agent: false }, r => {
      r.on('data', d => console.log(d.toString())); r.on('end', () => server.close());
    });
  });
});
process.on('exit', () => console.log('end'));
'''

JAVA = r'''
import java.util.*; import java.util.concurrent.*;
public class Battery {
  public static void main(String[] args) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Future<Long>> parts = new ArrayList<>();
    for (int i = 0; i < 8; i++) { final int n = i; parts.add(pool.submit(() -> {
      long sum = 0; List<byte[]> garbage = new ArrayList<>();
      for (int k = 0; k < 2000; k++) { garbage.add(new byte[5000]); sum += k * n;
        if (garbage.size() > 100) garbage.clear(); }
      return sum; })); }
    long all = 0; for (Future<Long> part : parts) all += part.get();
    pool.shutdown(); System.out.println(all);
    try { Object o = null; o.hashCode(); } catch (NullPointerException e) { System.out.println("null"); }
    try { deep(0); } catch (StackOverflowError e) { System.out.println("deep"); }
    Process p = new ProcessBuilder("sh", "-c", "echo child; exit 3").inheritIO().start();
    System.out.println(p.waitFor()); System.exit(7);
  }
  static int deep(int n) { return deep(n + 1) + 1; }
}
'''

PERL = r'''
use POSIX; $| = 1;
local $SIG{ALRM} = sub { die "alarm\n" };
eval { alarm 1; select(undef, undef, undef, 30); }; print "caught $@";
my $n = 0; $SIG{USR1} = sub { $n++ };
kill 'USR1', $$ for 1 .. 20; print "$n signals\n";
sigaction(SIGSEGV, POSIX::SigAction->new(sub { print "segv\n" })); kill 'SEGV', $$;
my $set = POSIX::SigSet->new(SIGUSR2); $SIG{USR2} = sub { print "usr2\n" };
sigprocmask(SIG_BLOCK, $set); kill 'USR2', $$; print "blocked\n"; sigprocmask(SIG_UNBLOCK, $set);
for my $i (1 .. 5) { my $pid = fork; if (!$pid) { POSIX::_exit($i) } waitpid $pid, 0; print $? >> 8, "\n" }
my $pid = fork; if (!$pid) { kill 'KILL', $$ } waitpid $pid, 0; print $? & 127, "\n";
open my $p, '-|', 'sort -r' or die; close $p; print `echo quoted`; exit 9;
'''

ASYNCIO = r'''
import asyncio, os, signal, sys
async def serve(reader, writer):
    writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
async def main():
    loop, got = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, got.set)
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    async def ask(n):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b'question %d\n' % n)
        line = await reader.readline(); writer.close(); return line
    print(await asyncio.gather(*map(ask, range(20))))
    p = await asyncio.create_subprocess_exec('sh', '-c', 'cat; exit 4', stdin=-1, stdout=-1)
    print(await p.communicate(b'through'), p.returncode)
    os.kill(os.getpid(), signal.SIGUSR1); await got.wait(); print('signal')
    try: await asyncio.wait_for(asyncio.sleep(60), 0.05)
    except asyncio.TimeoutError: print('timeout')
    server.close()
asyncio.run(main())
'''

PYTHON = r'''
import multiprocessing, queue, sqlite3, subprocess, tempfile, threading, time, zlib, mmap, os
def square(n): return n * n
if __name__ == '__main__':
    with multiprocessing.get_context('fork').Pool(3) as pool: print(sum(pool.map(square, range(1000))))
    db = sqlite3.connect(':memory:'); db.execute('create table t(x)')
    db.executemany('insert into t values(?)', ((i,) for i in range(5000)))
    print(db.execute('select sum(x), count(*) from t').fetchone())
    q, lock, total = queue.Queue(), threading.Lock(), [0]
    def work():
        while (n := q.get()) is not None:
            with lock: total[0] += n
    ts = [threading.Thread(target=work) for _ in range(6)]; [t.start() for t in ts]
    [q.put(n) for n in range(3000)]; [q.put(None) for _ in ts]; [t.join() for t in ts]; print(total)
    print(subprocess.run(['tr', 'a-z', 'A-Z'], input=b'shout', capture_output=True).stdout)
    with tempfile.TemporaryFile() as f:
        f.truncate(1 << 20); m = mmap.mmap(f.fileno(), 1 << 20); m[:5] = b'mmap!'; print(m[:5], zlib.crc32(m))
    start = time.monotonic(); time.sleep(0.2); print(time.monotonic() - start >= 0.2)
    raise SystemExit(5)
'''

BASH = r'''
trap 'echo usr1' USR1; trap 'echo exit' EXIT
kill -USR1 $$; diff <(seq 5) <(seq 4) ; echo "status $?"
for i in 1 2 3; do (exit $i) & all+=($!); done; for job in "${all[@]}"; do wait "$job"; echo "job $?"; done
coproc { read -r line; echo "co $line"; }; echo hello >&"${COPROC[1]}"; read -r answer <&"${COPROC[0]}"; echo "$answer"
printf '%s\n' {a..e} | while read -r x; do echo "<$x>"; done; cat <<<"here"; set -o pipefail; false | true; echo "pipe $?"
timeout 1 sleep 20; echo "timeout $?"; ulimit -n; exec 5</etc/passwd; read -r first <&5; echo "${first%%:*}"; exit 12
'''

CXX = r'''
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <csetjmp>
#include <csignal>
static jmp_buf out; static int depth(int n) { if (n == 0) throw std::runtime_error("deep"); return depth(n - 1) + 1; }
static void on(int) { siglongjmp(out, 1); }
int main() {
	std::mutex m; long sum = 0; std::vector<std::thread> all;
	for (int t = 0; t < 8; t++) all.emplace_back([&, t] { for (int i = 0; i < 500; i++) {
		std::vector<std::string> v(10, std::string(100, 'x'));
		try { depth(i % 20); } catch (const std::exception &e) { std::lock_guard<std::mutex> g(m); sum += t + (long)v.size(); } } });
	for (auto &t : all) t.join();
	std::printf("%ld\n", sum);
	std::signal(SIGSEGV, on);
	if (sigsetjmp(out, 1) == 0) *(volatile int *)8 = 1; else std::puts("segv");
	try { throw 3; } catch (int n) { return n; }
}
'''

RUST = r'''
use std::{panic, process::Command, sync::mpsc, thread};
fn main() {
    let (tx, rx) = mpsc::channel();
    let all: Vec<_> = (0..8u64).map(|n| { let tx = tx.clone(); thread::spawn(move || tx.send((0..1000).map(|i| i * n).sum::<u64>()).unwrap()) }).collect();
    drop(tx); for t in all { t.join().unwrap(); }
    println!("{}", rx.iter().sum::<u64>());
    println!("{}", panic::catch_unwind(|| panic!("caught")).is_err());
    println!("{:?}", Command::new("sh").args(["-c", "exit 6"]).status().unwrap().code());
    std::process::exit(8);
}
'''

GO = r'''
package main
import ("fmt"; "io"; "net"; "net/http"; "os"; "os/exec"; "os/signal"; "sync"; "syscall")
func main() {
	var wg sync.WaitGroup; sums := make([]int, 50)
	for i := range sums { wg.Add(1); go func(i int) { defer wg.Done(); for k := 0; k < 10000; k++ { sums[i] += k } }(i) }
	wg.Wait(); total := 0; for _, s := range sums { total += s }; fmt.Println(total)
	c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGUSR1); syscall.Kill(os.Getpid(), syscall.SIGUSR1); fmt.Println(<-c)
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "answer") }))
	r, err := http.Get("http://" + l.Addr().String()); if err != nil { panic(err) }
	b, _ := io.ReadAll(r.Body); fmt.Println(string(b))
	out, err := exec.Command("sh", "-c", "echo child; exit 2").Output(); fmt.Print(string(out)); fmt.Println(err)
	func() { defer func() { fmt.Println(recover() != nil) }(); var p *int; *p = 1 }()
	os.Exit(11)
}
'''

GIT = '''
set -e; rm -rf r; git init -q r; cd r; git config user.name a; git config user.email a@b
for i in 1 2 3 4 5; do echo $i >>f; git add f; git commit -qm "change $i"; done
git checkout -qb side HEAD~2; echo x >g; git add g; git commit -qm side; git merge -q master -m merge
git log --oneline --graph --stat; git gc -q; git fsck; git diff HEAD~1 --stat; git blame f | cut -c1-8
'''


def sources(dir):
    """Writes what is compiled or read as a file."""
    for name, text in (('Battery.java', JAVA), ('b.cc', CXX), ('b.rs', RUST), ('b.go', GO),
                       ('b.js', NODE), ('b.pl', PERL), ('asyncio_.py', ASYNCIO),
                       ('b.py', PYTHON), ('b.bash', BASH), ('git.sh', GIT)):
        with open(os.path.join(dir, name), 'w') as f:
            f.write(text)


def programs(top):
    def sh(text):
        return ['sh', '-c', text]

    src = os.path.join(top, 'src')
    return [
        Program('node', ['node', 'b.js'], ['node']),
        Program('java', ['java', 'Battery.java'], ['java', 'javac'], 7),
        Program('chromium', ['chromium', '--headless', '--no-sandbox', '--disable-gpu',
                             '--user-data-dir=chromium', '--dump-dom',
                             'data:text/html,<script>document.write(6*7)</script>'],
                ['chromium'], errors=False),
        Program('git', ['sh', 'git.sh'], ['git']),
        Program('gcc and what it made', sh('g++ -O1 -pthread -o b b.cc && ./b'), ['g++'], 3),
        Program('clang', sh('clang -O1 -xc++ -c -o b.o b.cc && nm b.o | grep -c " T "'),
                ['clang', 'nm']),
        Program('rustc and what it made', sh('rustc -O -o rs b.rs && ./rs 2>/dev/null'), ['rustc'], 8),
        Program('go and what it made', sh('GO111MODULE=off go build -o gb b.go && ./gb'), ['go'], 11),
        Program('perl with signals', ['perl', 'b.pl'], ['perl'], 9),
        Program('python with asyncio', ['python3', 'asyncio_.py'], ['python3']),
        Program('python with processes and threads', ['python3', 'b.py'], ['python3'], 5),
        Program('bash', ['bash', 'b.bash'], ['bash'], 12),
        Program('busybox', ['busybox', 'sh', '-c',
                            'seq 100 | awk "{ s += \\$1 } END { print s }"; (sleep 0.1; exit 3) & '
                            'wait $!; echo $?; tar c b.py | gzip | gunzip | tar t; exit 2'], ['busybox'], 2,
                static=True),
        Program('find, sort and xargs', sh('find %s -type f | sort | xargs -P3 -n40 sha256sum | '
                                           'sort | sha256sum' % src), ['find', 'xargs']),
        Program('tar and compressors', sh(
            'for c in gzip xz bzip2 zstd; do tar c -C %s --sort=name map | $c -c | $c -dc | '
            'tar t | wc -l; done' % src), ['tar', 'gzip', 'xz', 'bzip2', 'zstd']),
        Program('xz with threads', sh('tar c -C %s --sort=name . | xz -T3 -1 | xz -dc | sha256sum' % src),
                ['xz']),
        Program('openssl', sh('openssl speed -seconds 1 -bytes 64 sha256 >/dev/null 2>&1; '
                              'openssl dgst -sha512 b.py; openssl enc -aes-256-cbc -pbkdf2 -S 00 '
                              '-k p -in b.py | openssl enc -d -aes-256-cbc -pbkdf2 -S 00 -k p | wc -c'),
                ['openssl']),
        Program('curl', sh('curl -s file://$PWD/b.py | sha256sum; curl -s http://127.0.0.1:1/; echo $?'),
                ['curl']),
        Program('sqlite3', ['sqlite3', ':memory:', 'create table t(x); with recursive c(n) as (select 1 '
                            'union all select n+1 from c where n<50000) insert into t select n from c; '
                            'create index i on t(x); select sum(x) from t'], ['sqlite3']),
        Program('tclsh', sh("echo 'after 50 {set done 1}; vwait done; puts [exec sort -r << \"a\\nb\"]; "
                            "puts [catch {exec false}]; exit 3' | tclsh"), ['tclsh'], 3),
        Program('jq and bc', sh("seq 1000 | jq -s add; echo '2^500' | bc"), ['jq', 'bc']),
        Program('vim', sh('cp b.py v; vim -u NONE -es -c "%s/e/E/g" -c wq v; sha256sum v'),
                ['vim']),
        Program('a terminal of its own', sh("script -qec 'tty >/dev/null && stty size; echo inside; exit 5' "
                                            "/dev/null"), ['script'], 5),
        Program('make', sh("printf 'all: $(addprefix t,1 2 3 4 5 6)\\nt%%:\\n\\t@sh -c \"exit 0\"\\n' "
                           ">m.mk; make -j4 -f m.mk; make -f m.mk nothing 2>/dev/null; echo $?"),
                ['make']),
        Program('convert', sh("convert -size 200x200 gradient:red-blue -rotate 30 -blur 0x3 rgb:- | wc -c"),
                ['convert']),
    ]


def differences(program, before, now):
    found = []
    for name, a, b in zip(('exit status', 'output', 'error output'), before, now):
        if a != b and (program.errors or name != 'error output'):
            found.append('%s was %r, is %r' % (name, str(a)[-400:], str(b)[-400:]))
    return found


def malloc_object(here, dir):
    made = os.path.join(dir, 'malloc.bpf.o')
    subprocess.run(['clang', '-O2', '-g', '-target', 'bpf', '-I/usr/include/%s-linux-gnu' % os.uname().machine,
                    '-c', os.path.join(here, 'targets.d', 'malloc.bpf.c'), '-o', made], check=True)
    return made


def seen(path):
    """(opens, calls of malloc, returns) in the events of a run."""
    opens = calls = returns = 0
    with open(path) as f:
        for event in map(json.loads, f):
            opens += event.get('map') == 'events'
            if event.get('map') == 'calls':
                calls, returns = calls + event['value'][0], returns + event['value'][1]
    return opens, calls, returns


def judge(program, objects, skep, run, dir):
    events = os.path.join(dir, 'events')
    start = time.monotonic()
    before = run(program.argv, program, dir)
    again = run(program.argv, program, dir)
    took = time.monotonic() - start
    if before[0] != program.status:
        print('  SKIPPED: it does not work here: status %d, %r' % (before[0], before[2][-200:]))
        return True
    if differences(program, before, again):
        print('  SKIPPED: it differs from run to run by itself')
        return True
    good = True
    for name, object in objects:
        start = time.monotonic()
        now = run([skep, 'run', '-j', '-a', '-o', events, object, '--', *program.argv], program, dir)
        problems = differences(program, before, now)
        counts = seen(events)
        if not any(counts) and not (name == 'probes' and program.static):
            problems.append('the program saw nothing')
        print('  %-6s %-8s status %d, %.1f s (plain %.1f); %d opens, %d mallocs, %d returns' % (
            'FAILED' if problems else 'ok', name, now[0], time.monotonic() - start, took / 2,
            *counts))
        for problem in problems:
            print('           ' + problem)
        good &= not problems
    return good


def main(args, run, dir, here, top):
    failed = ran = 0
    for tool in 'rustup', 'cargo':  # a proxy finds its compiler below the user's directory
        os.environ.setdefault(tool.upper() + '_HOME', os.path.expanduser('~/.' + tool))
    os.environ.update(HOME=dir, GOCACHE=os.path.join(dir, 'go'), GIT_CONFIG_NOSYSTEM='1', TZ='UTC',
                      LC_ALL='C.UTF-8', GIT_AUTHOR_DATE='2020-01-01T00:00:00Z',
                      GIT_COMMITTER_DATE='2020-01-01T00:00:00Z', GIT_CONFIG_COUNT='1',
                      GIT_CONFIG_KEY_0='init.defaultBranch', GIT_CONFIG_VALUE_0='master')
    sources(dir)
    objects = [('calls', os.path.join(args.examples, 'opensnoop.bpf.o')),
               ('probes', malloc_object(here, dir))]
    for program in programs(top):
        if args.only and args.only not in program.name:
            continue
        print(program.name)
        if program.missing:
            print('  SKIPPED: not installed: ' + ' '.join(program.missing))
            continue
        ran += 1
        failed += not judge(program, objects, args.skep, run, dir)
    print('%d of %d programs failed' % (failed, ran) if failed else 'all %d run as they do alone' % ran)
    return failed > 0
