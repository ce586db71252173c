#!/bin/sh
# A workflow of the exec engine is a program: one JSON object comes in on the
# standard input, the output leaves on the standard output, and what is written
# to the standard error is logged. Exit 0 is success.
set -eu

# The text that the route's `with:` made of the event, if it is a harmless one.
name=$(sed -n 's/.*"input":{"name":"\([A-Za-z0-9 ._-]*\)"}.*/\1/p')

echo "hello, ${name:=stranger}" >&2
echo "{\"greeting\": \"hello, $name\"}"
