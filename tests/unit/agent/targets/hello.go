// SPDX-License-Identifier: BSD-2-Clause
// A target whose runtime is its own: goroutines on threads, no libc.
package main

import (
	"os"
	"sync"
)

func main() {
	var wait sync.WaitGroup
	sums := make([]int, 8)
	for i := range sums {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for n := 0; n < 100000; n++ {
				sums[i] += n % 7
			}
		}(i)
	}
	wait.Wait()
	for _, sum := range sums {
		if sum != sums[0] {
			os.Exit(1)
		}
	}
	os.Exit(40 + len(os.Args))
}
