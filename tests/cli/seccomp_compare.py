#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Skep's filters decide as libseccomp's do: the same policy goes to both, and an interpreter of
this file runs what they make on every system call number with telling arguments.

   seccomp_compare.py SKEP [N]            N random profiles
   seccomp_compare.py SKEP -p PROFILE...  profiles of container runtimes, with and without capabilities

It prints "compared N: M differ", and both filters' sizes and steps.
"""
import ctypes, errno, json, random, struct, subprocess, sys, tempfile

ARCHS = {"x86_64": 0xC000003E, "x86": 0x40000003, "x32": 0x4000003E, "aarch64": 0xC00000B7}
AUDIT = {"x86_64": 0xC000003E, "x86": 0x40000003, "x32": 0xC000003E, "aarch64": 0xC00000B7}
BADARCH = 2   # SCMP_FLTATR_ACT_BADARCH
OPS = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4, "SCMP_CMP_GE": 5,
       "SCMP_CMP_GT": 6, "SCMP_CMP_MASKED_EQ": 7}
ACTIONS = {"SCMP_ACT_ALLOW": 0x7FFF0000, "SCMP_ACT_ERRNO": 0x00050000, "SCMP_ACT_LOG": 0x7FFC0000,
           "SCMP_ACT_KILL_PROCESS": 0x80000000, "SCMP_ACT_TRAP": 0x00030000, "SCMP_ACT_KILL": 0, "SCMP_ACT_NOTIFY": 0x7FC00000,
           "SCMP_ACT_TRACE": 0x7FF00000}


# x32 has them in newer kernels alone, which this libseccomp may not know.
NEWER = {("x32", "map_shadow_stack"), ("x32", "uprobe"), ("x32", "uretprobe")}


class Test(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def library():
    try:
        lib = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        print("no libseccomp")
        sys.exit(77)
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_init.argtypes = [ctypes.c_uint32]
    lib.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    lib.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                           ctypes.POINTER(Test)]
    lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.seccomp_release.argtypes = [ctypes.c_void_p]
    lib.seccomp_syscall_resolve_num_arch.argtypes = [ctypes.c_uint32, ctypes.c_int]
    lib.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    return lib


def action_of(rule, key="action", data="errnoRet"):
    value = ACTIONS[rule[key]]
    return value | rule.get(data, 1) if rule[key] == "SCMP_ACT_ERRNO" else value


def by_libseccomp(lib, profile):
    normal = action_of(profile, "defaultAction", "defaultErrnoRet")
    ctx = lib.seccomp_init(normal)
    lib.seccomp_attr_set(ctx, BADARCH, 0x80000000)
    for arch in profile["architectures"]:
        lib.seccomp_arch_add(ctx, ARCHS[arch[10:].lower()])
    for rule in profile["syscalls"]:
        action = action_of(rule)
        tests = rule.get("args", [])
        array = (Test * max(1, len(tests)))(*[
            Test(t["index"], OPS[t["op"]], t["value"], t.get("valueTwo", 0)) for t in tests])
        if action == normal:
            continue
        for name in rule["names"]:
            nr = lib.seccomp_syscall_resolve_name(name.encode())
            error = lib.seccomp_rule_add_array(ctx, action, nr, len(tests), array) if nr != -1 else 0
            assert error in (0, -errno.EEXIST, -errno.EDOM), (name, error)
    with tempfile.TemporaryFile() as out:
        assert lib.seccomp_export_bpf(ctx, out.fileno()) == 0
        out.seek(0)
        code = out.read()
    lib.seccomp_release(ctx)
    return list(struct.iter_unpack("<HBBI", code))


def by_skep(skep, profile, *options):
    run = subprocess.run([skep, "seccomp", "compile", "--binary", *options, "-"], input=json.dumps(profile).encode(),
                         stdout=subprocess.PIPE, check=True)
    return list(struct.iter_unpack("<HBBI", run.stdout))


def emulate(code, data):
    pc = a = steps = 0
    while True:
        op, jt, jf, k = code[pc]
        pc += 1
        steps += 1
        if op == 0x20:
            a = struct.unpack_from("<I", data, k)[0]
        elif op == 0x06:
            return k, steps
        elif op == 0x54:
            a &= k
        elif op == 0x05:
            pc += k
        elif op in (0x15, 0x25, 0x35, 0x45):
            yes = {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x45: (a & k) != 0}[op]
            pc += jt if yes else jf
        elif op in (0x14, 0x04):
            a = (a - k if op == 0x14 else a + k) & 0xFFFFFFFF
        elif op == 0x74:
            a >>= k
        elif op == 0x64:
            a = a << k & 0xFFFFFFFF
        else:
            raise AssertionError(f"instruction {op:#x}")


def differences(skep, codes, keep=False):
    """By Skep's own comparison, which follows every way: what the sample below may have missed."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, code in enumerate(codes):
            paths.append(f"{folder}/{i}")
            with open(paths[i], "wb") as out:
                out.write(b"".join(struct.pack("<HBBI", *insn) for insn in code))
        run = subprocess.run([skep, "seccomp", "diff", "-j", *paths], stdout=subprocess.PIPE, check=False)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    rows = [row for row in rows if keep or (row["arch"], row["call"]) not in (("x86", "socketcall"), ("x86", "ipc"))]
    assert run.returncode == bool(run.stdout), run
    return rows


def names_of(lib, archs):
    """Calls that this libseccomp knows on any of the architectures, by name."""
    names = {}
    for arch in archs:
        for nr in range(600):
            text = lib.seccomp_syscall_resolve_num_arch(ARCHS[arch], nr | (0x40000000 if arch == "x32" else 0))
            if text:
                names.setdefault(ctypes.string_at(text).decode(), []).append(arch)
    return {name: on for name, on in names.items() if ("x32", name) not in NEWER}


def random_profile(rng, names):
    archs = ["x86_64"] + rng.sample(sorted(ARCHS)[:-1], rng.randint(0, 3)) # the host's is always there
    rules = []
    used = rng.sample(sorted(names), rng.randint(1, min(200, len(names))))
    for name in used:
        kind = rng.random()
        action = rng.choice(["SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG", "SCMP_ACT_TRAP"])
        rule = {"names": [name], "action": action}
        if action == "SCMP_ACT_ERRNO":
            rule["errnoRet"] = rng.randint(0, 133)
        if kind < 0.3:
            # what several tests of one argument mean to libseccomp is another matter
            rule["args"] = [{"index": i, "op": rng.choice(sorted(OPS)), "value": rng.choice(VALUES),
                             "valueTwo": 0} for i in rng.sample(range(6), rng.randint(1, 3))]
            for test in rule["args"]:
                if test["op"] == "SCMP_CMP_MASKED_EQ":
                    test["valueTwo"] = test["value"] & rng.choice(VALUES)
        rules.append(rule)
    return {"defaultAction": rng.choice(["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ERRNO"]), "defaultErrnoRet": 99,
            "architectures": ["SCMP_ARCH_" + a.upper() for a in archs], "syscalls": rules}


def resolved(profile, caps):
    """What a runtime hands to libseccomp on x86_64: rules whose conditions hold, and architectures."""
    def holds(rule):
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        return (all(cap in caps for cap in includes.get("caps") or []) and
                not any(cap in caps for cap in excludes.get("caps") or []) and
                (not includes.get("arches") or "amd64" in includes["arches"]) and
                "amd64" not in (excludes.get("arches") or []) and not excludes.get("minKernel"))
    archs = [[m["architecture"], *m.get("subArchitectures", [])] for m in profile.get("archMap", [])
             if m["architecture"] == "SCMP_ARCH_X86_64"] or [profile.get("architectures", ["SCMP_ARCH_X86_64"])]
    rules = []
    for rule in filter(holds, profile["syscalls"]):
        rule = dict(rule, names=rule.get("names") or [rule["name"]], args=rule.get("args") or [])
        if rule.get("errnoRet") is None:
            rule.pop("errnoRet", None)
        rules.append(rule)
    return dict(profile, architectures=archs[0], syscalls=rules)


def compare_profiles(lib, skep, paths):
    failed = False
    for path in paths:
        with open(path, encoding="utf-8") as file:
            profile = json.load(file)
        every = {cap for rule in profile["syscalls"] for side in ("includes", "excludes")
                 for cap in (rule.get(side) or {}).get("caps") or []}
        for caps in [set(), every]:
            plain = resolved(profile, caps)
            codes = by_libseccomp(lib, plain), by_skep(skep, profile, *[f"--cap={cap}" for cap in sorted(caps)])
            rows = [row for row in differences(skep, codes, keep=True) if (row["arch"], row["call"]) not in NEWER]
            values = sorted({v + d for r in plain["syscalls"] for t in r["args"] for v in (t["value"], t.get("valueTwo") or 0)
                             for d in (-1, 0, 1) if v + d >= 0} | {0, 2**64 - 1})
            compared = differ = 0
            steps = [0, 0]
            for arch in [a[10:].lower() for a in plain["architectures"]] + ["aarch64"]:
                for nr in range(560):
                    if arch == "x32" and nr in (335, 336, 453):
                        continue
                    nr |= 0x40000000 if arch == "x32" else 0
                    for value in values if nr < 400 else values[:3]:
                        data = struct.pack("<IIQ6Q", nr, AUDIT[arch], 0, *[value] * 6)
                        got = [emulate(code, data) for code in codes]
                        compared += 1
                        differ += got[0][0] != got[1][0]
                        steps = [steps[0] + got[0][1], steps[1] + got[1][1]]
            print(f"{path} with {len(caps)} capabilities: libseccomp {len(codes[0])} instructions, {steps[0] / compared:.1f} "
                  f"steps a call; skep {len(codes[1])}, {steps[1] / compared:.1f}; compared {compared}: {differ} differ; "
                  f"{len(rows)} by proof {rows[:3] or ''}")
            failed |= differ != 0 or bool(rows) or len(codes[1]) > len(codes[0]) or steps[1] >= steps[0]
    return failed


VALUES = [0, 1, 2, 8, 40, 0x7E020000, 0xFFFFFFFF, 0x80000000, 0x100000000, 0x1234500000000, 0x7FFFFFFFFFFFFFFF]


def main():
    lib, skep = library(), sys.argv[1]
    if sys.argv[2:3] == ["-p"]:
        return compare_profiles(lib, skep, sys.argv[3:])
    rng = random.Random(20)
    compared = differ = 0
    sizes, steps = [0, 0], [0, 0]
    names = names_of(lib, ARCHS)
    for n in range(int(sys.argv[2]) if len(sys.argv) > 2 else 12):
        profile = random_profile(rng, names)
        wide = {v for r in profile["syscalls"] for t in r.get("args", []) for v in (t["value"], t["valueTwo"])}
        codes = by_libseccomp(lib, profile), by_skep(skep, profile)
        rows = differences(skep, codes)
        differ += len(rows)
        if rows:
            print(f"profile {n}: {rows[:3]}")
        for i in (0, 1):
            sizes[i] += len(codes[i])
        values = sorted({v + d for v in wide for d in (-1, 0, 1) if 0 <= v + d < 1 << 64} | {0})
        numbers = list(range(480)) + [0x40000000 + i for i in range(560)] + [0x3FFFFFFF, 0x7FFFFFFF, 0xFFFFFFFE]
        for arch in list(ARCHS) + ["none"]:
            for nr in numbers:
                if (nr >= 0x40000000) != (arch == "x32") and rng.random() < 0.9:
                    continue
                if arch == "x86" and nr in (102, 117):
                    continue # socketcall and ipc: libseccomp makes of them what they are used for
                for _ in range(3):
                    args = [rng.choice(values) for _ in range(6)]
                    data = struct.pack("<IIQ6Q", nr, AUDIT.get(arch, 0x12345), 0, *args)
                    got = [emulate(code, data) for code in codes]
                    compared += 1
                    for i in (0, 1):
                        steps[i] += got[i][1]
                    if got[0][0] != got[1][0]:
                        differ += 1
                        if differ < 10:
                            print(f"profile {n} {profile['architectures']}: {arch} {nr:#x} "
                                  f"{[hex(a) for a in args]}: {got[0][0]:#x} {got[1][0]:#x}")
    print(f"libseccomp {sizes[0]} instructions, {steps[0] / compared:.1f} steps a call; "
          f"skep {sizes[1]}, {steps[1] / compared:.1f}; compared {compared}: {differ} differ")
    return differ != 0 or sizes[1] > sizes[0] * 1.1 or steps[1] * 4 > steps[0]


sys.exit(main())
