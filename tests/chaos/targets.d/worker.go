// SPDX-License-Identifier: BSD-2-Clause

// worker.go - worker KIND NUMBER FILE, as worker.c; KIND is of no account.
package main

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

const call, words = 0x5eed, 65536

func main() {
	number, _ := strconv.Atoi(os.Args[2])
	file, err := os.OpenFile(os.Args[3], os.O_RDWR, 0)
	if err != nil {
		os.Exit(2)
	}
	bytes, err := syscall.Mmap(int(file.Fd()), 0, words*8, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_SHARED)
	if err != nil {
		os.Exit(2)
	}
	word := (*uint64)(unsafe.Pointer(&bytes[number*8]))
	for {
		syscall.RawSyscall(syscall.SYS_GETPRIORITY, call, uintptr(number), 0)
		*word++
	}
}
