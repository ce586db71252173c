// Command gateway is the one binary: it runs the gateway and, as a client of
// its admin address, shows and operates a running one. There is one file for
// each verb, with nothing but flags and printing in it.
package main

import "os"

func main() { os.Exit(newApp().execute(os.Args[1:])) }
