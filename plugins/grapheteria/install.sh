#!/bin/sh
# Installs the engine: install.sh FOLDER makes FOLDER/grapheteria, which the
# gateway starts, and FOLDER/grapheteria.d with a virtual environment and the code.
# PYTHON names the interpreter.
set -eu

source=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
home=$folder/grapheteria.d
python=${PYTHON:-python3}

fail() {
	echo "plugins/grapheteria: $*" >&2
	exit 1
}

command -v "$python" >/dev/null || fail "no $python: install Python 3.11 or later, or set PYTHON"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
	fail "$("$python" --version) is too old: Python 3.11 or later is needed; PYTHON names another one"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
	fail "$python has no venv: install it (on Debian and Ubuntu: apt install python3-venv)"

# What was installed from the same list by the same interpreter is good.
want=$("$python" -c 'import sys; print(sys.version, sys.base_prefix)'; cat "$source/requirements.txt")
if [ "$(cat "$home/installed" 2>/dev/null)" != "$want" ]; then
	rm -rf "$home"
	mkdir -p "$home"
	"$python" -m venv "$home/venv"
	"$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
		--no-deps --only-binary :all: --require-hashes --requirement "$source/requirements.txt" ||
		fail "pip could not install requirements.txt"
	printf '%s\n' "$want" >"$home/installed"
fi

# The code, in one move: a gateway may be starting the engine just now.
fresh=$home/app.new
rm -rf "$fresh" "$home/app.old"
mkdir "$fresh"
cp "$source/__main__.py" "$fresh/"
for package in gateway_engine grapheteria_engine; do
	mkdir "$fresh/$package"
	cp "$source/$package"/*.py "$fresh/$package/"
done
"$home/venv/bin/python" -m compileall -q "$fresh"
[ ! -e "$home/app" ] || mv "$home/app" "$home/app.old"
mv "$fresh" "$home/app"
rm -rf "$home/app.old"

# The checksum that the gateway knows is of this file alone; the sum of the code
# in it makes a new version of the engine a new program.
sum=$(cat "$home"/app/*.py "$home"/app/*/*.py "$source/requirements.txt" | cksum)
cat >"$folder/grapheteria.new" <<EOF
#!/bin/sh
# Made by plugins/grapheteria/install.sh; code: $sum
here=\$(dirname "\$0")/grapheteria.d
exec "\$here/venv/bin/python" "\$here/app" "\$@"
EOF
chmod 755 "$folder/grapheteria.new"
mv "$folder/grapheteria.new" "$folder/grapheteria"
echo "build bin/plugins/grapheteria ($("$home/venv/bin/python" --version))"
