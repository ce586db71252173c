#!/bin/sh
# Lists the licences of all that is in the programs, or with a folder as $1 saves
# their texts there, and sources where a licence wants them. Fails on a licence
# that is not allowed, and on none. PROGRAMS are packages of this module.
set -eu
: "${PROGRAMS:?}"
root=$(pwd)
allowed=Apache-2.0,BSD-2-Clause,BSD-3-Clause,ISC,MIT,MPL-2.0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The tool warns of sources in assembler, and of addresses that it would look up
# online. Neither changes what it says of licences.
quietly() {
	go tool -modfile="$root/tools/licenses/go.mod" go-licenses "$@" --ignore github.com/event-gateway/gateway 2>"$log" ||
		{ cat "$log" >&2; return 1; }
}

if [ $# -gt 0 ]; then
	quietly save --force --save_path "$1" $PROGRAMS
	exit
fi
quietly check --allowed_licenses=$allowed $PROGRAMS
show() { sort -u | awk -F, '{printf "  %-13s %s\n", $3, $1}'; }
echo "in the programs that make dist gives out:"
quietly report $PROGRAMS | show
# Temporal's own module has one that states no licence, in its archive as in its
# repository: who builds this engine should know.
unstated=github.com/nexus-rpc/nexus-proto-annotations
echo "and in plugins/temporal, which is not given out:"
cd plugins/temporal
quietly check --ignore $unstated --allowed_licenses=$allowed .
{ quietly report --ignore $unstated . && echo "$unstated,,none stated"; } | show
