// Command producers publishes events of made-up machines, users and payments. See README.md two folders up.
package main

import (
	"os"

	"disparo/consumer/internal/producers"
)

func main() { os.Exit(producers.Main()) }
