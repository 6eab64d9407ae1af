// Command consumer is the campaign consumer of Disparo. See README.md two folders up.
package main

import (
	"os"

	"disparo/consumer/internal/consumer"
)

func main() { os.Exit(consumer.Main()) }
