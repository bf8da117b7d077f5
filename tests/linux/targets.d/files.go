// SPDX-License-Identifier: BSD-2-Clause
// Goroutines on threads of their own that open files, one that is not there, and a process.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
)

func main() {
	var wait sync.WaitGroup
	opened := make([]int, 4)
	for n := range opened {
		wait.Add(1)
		go func(n int) {
			defer wait.Done()
			runtime.LockOSThread()
			for i := 0; i < 25; i++ {
				if f, err := os.Open("/etc/hostname"); err == nil {
					opened[n]++
					f.Close()
				}
				if _, err := os.Open("/nothing/here"); err == nil {
					os.Exit(1)
				}
			}
		}(n)
	}
	wait.Wait()
	out, err := exec.Command("/bin/echo", "child").Output()
	fmt.Println(opened, string(out), err)
	os.Exit(5)
}
