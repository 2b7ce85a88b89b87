// Command guest is the init of the user-mode-linux guest that a proof may run in. It is of no use elsewhere.
package main

import (
	"fmt"
	"os"

	"github.com/megawire/megawire/bench/million"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is the first process of a guest, which switches it off in the end; run million instead")
		os.Exit(2)
	}
	million.Guest()
}
