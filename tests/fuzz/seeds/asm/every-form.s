start:
0: (b7) r0 = 1
w1 += 5
r1 s/= r2
r1 = (s8)r2
r1 = -r1
r1 = be16 r1
r1 = bswap64 r1
r2 = *(u32 *)(r1 +8)
r2 = *(s16 *)(r10 -8)
*(u64 *)(r10 -8) = r2
*(u8 *)(r10 -9) = -1
lock *(u64 *)(r1 +0) += r2
r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)
r0 = atomic_cmpxchg((u32 *)(r1 +4), r0, r2)
r2 = load_acquire((u8 *)(r1 +0))
store_release((u16 *)(r1 +0), r2)
r0 = *(u16 *)skb[12]
r0 = *(u8 *)skb[r3 + 14]
r1 = 0x123456789abcdef0
r1 = map[fd:3]
r1 = map[idx:0][0]+16
r1 = ksym[id:12,fd:0]
r1 = subprog[start]
r1 = addr_space_cast(r2, 0, 1)
if r1 == 0x5 goto start ; a comment
if w1 s<= w2 goto pc+1
may_goto pc+0
goto pc-1
gotol start
gotox r1
call bpf_map_lookup_elem#1
call bpf_ktime_get_ns
call kfunc#123@1
call start
callx r3
exit
