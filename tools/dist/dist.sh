#!/bin/sh
# Makes the archives that are given out, into the folder $1: for each of the
# platforms in $PLATFORMS the programs, their licences and those of what is in
# them, and a bill of materials for each. The same commit and the same Go make
# the same bytes, wherever and whenever; `make dist-check` shows it.
set -eu
out=$1
: "${VERSION:?}" "${PLATFORMS:?}" "${ENGINES:?}" "${PROGRAMS:?}" "${PROFILE:?}"
root=$(pwd)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export CGO_ENABLED=0

# program builds ./$1 to $2, perhaps with the profile $3.
program() {
	go build -trimpath ${3:+-pgo="$3"} -ldflags "-s -w -X main.version=$VERSION" -o "$2" "./$1"
}

rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)

sbom=$out/.sbom
go build -modfile="$root/tools/sbom/go.mod" -o "$sbom" github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

for platform in $PLATFORMS; do
	GOOS=${platform%/*} GOARCH=${platform#*/}
	export GOOS GOARCH
	name=event-gateway-$VERSION-$GOOS-$GOARCH
	stage=$out/$name
	echo "$name"
	mkdir -p "$stage/bin/plugins" "$stage/sbom"
	program cmd/gateway "$stage/bin/gateway" "$PROFILE"
	for engine in $ENGINES; do
		program "plugins/$engine" "$stage/bin/plugins/$engine"
	done
	for binary in gateway $(printf 'plugins/%s ' $ENGINES); do
		"$sbom" bin -json -noserial -notimestamp -std -version "$VERSION" \
			-output "$stage/sbom/$(basename "$binary").cdx.json" "$stage/bin/$binary" 2>"$out/.log" || { cat "$out/.log"; exit 1; }
	done
	cp -R LICENSE README.md CHANGELOG.md gateway.yaml gateway.schema.json docs "$stage"
	mkdir -p "$stage/examples"
	cp -R examples/hello "$stage/examples"
	GOOS='' GOARCH='' tools/licenses/licenses.sh "$stage/third-party"
	(cd "$out" && tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode='u+rw,go+r-w,a+X' \
		-cf - "$name" | gzip -9n >"$name.tar.gz")
	rm -rf "$stage"
done
rm -f "$sbom" "$out/.log"
cd "$out" && sha256sum -- *.tar.gz >SHA256SUMS
cat SHA256SUMS
