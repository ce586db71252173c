#!/bin/sh
# Generates gateway_engine/engine_pb2.py: generate.sh FOLDER keeps the tools in FOLDER.
# The tools' protobuf may not be newer than the one in requirements.txt.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ -x "$1/bin/python" ] || "${PYTHON:-python3}" -m venv "$1"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check grpcio-tools==1.85.1
"$1/bin/python" -m grpc_tools.protoc -I "$here/../sdk/proto/engine/v1" \
	--python_out="$here/gateway_engine" --pyi_out="$here/gateway_engine" engine.proto
