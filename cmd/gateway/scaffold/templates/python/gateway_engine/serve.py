"""Being a hashicorp/go-plugin subprocess: handshake, TLS, health, and the end."""

from __future__ import annotations

import base64
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import grpc

from . import log as output
from .model import Engine
from .service import Service

log = logging.getLogger(__name__)

DEFAULT_MAX_MESSAGE = 64 << 20  # bytes, where GATEWAY_MAX_MESSAGE_BYTES is not set
MESSAGE_OVERHEAD = 1 << 20  # what the rest of a message may take
STOP_GRACE = 7.0  # seconds that runs may take to end when the engine stops
THREADS = 32  # for calls; a stream of runs takes one


def serve(engine: Engine) -> None:
    """Serve engine to the gateway that started this program, until it is done.

    Started by hand, the program explains itself and exits.
    """
    if not output.started_by_gateway():
        sys.exit(_by_hand(engine.name or os.path.basename(sys.argv[0])))
    parent, stop = os.getppid(), threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: it is the gateway's to act on
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    limit = _message_limit(os.environ.get("GATEWAY_MAX_MESSAGE_BYTES", ""))
    service = Service(engine, limit)
    server = _server(service, limit, stop)
    folder = tempfile.mkdtemp(prefix="e", dir=os.environ.get("PLUGIN_UNIX_SOCKET_DIR") or None)
    address = os.path.join(folder, "s")
    certificate = _listen(server, "unix:" + address)
    server.start()
    output.handshake(f"1|1|unix|{address}|grpc|{certificate}")
    code = _wait(stop, parent)
    service.runs.close(STOP_GRACE)
    engine.close()
    server.stop(0.2).wait(1)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(code)  # threads of an author's may still be busy


def _by_hand(name: str) -> str:
    return (
        f"{name} is a workflow engine: the event gateway starts it, people don't.\n"
        "Name it in gateway.yaml, and send events to it with a route:\n\n"
        f"  engines:\n    {name}:\n      plugin: ./{name}\n\n"
        f"  routes:\n    my-route:\n      events: [some.event]\n      run: {name}/some-workflow"
    )


def _wait(stop: threading.Event, parent: int) -> int:
    """Until the gateway says so, or is gone: nobody else would end this process."""
    while not stop.wait(0.5):
        if os.getppid() != parent:
            log.error("the gateway is gone")
            return 1
    return 0


def _message_limit(value: str) -> int:
    return int(value) if value.isdecimal() and 0 < int(value) < 1 << 31 else DEFAULT_MAX_MESSAGE


def _server(service: Service, limit: int, stop: threading.Event) -> grpc.Server:
    largest = min(limit + MESSAGE_OVERHEAD, (1 << 31) - 1)
    server = grpc.server(ThreadPoolExecutor(THREADS, "call"), options=[
        ("grpc.max_receive_message_length", largest),
        ("grpc.max_send_message_length", largest),
        ("grpc.so_reuseport", 0),
    ])
    server.add_generic_rpc_handlers((service.handlers(), _health(), _controller(stop)))
    return server


def _health() -> grpc.GenericRpcHandler:
    """grpc.health.v1: HealthCheckResponse{SERVING} is these two bytes."""
    check = grpc.unary_unary_rpc_method_handler(lambda *_: b"\x08\x01")
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})


def _controller(stop: threading.Event) -> grpc.GenericRpcHandler:
    """go-plugin's way to end an engine."""

    def shutdown(*_: object) -> bytes:
        stop.set()
        return b""

    method = grpc.unary_unary_rpc_method_handler(shutdown)
    return grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": method})


def _listen(server: grpc.Server, address: str) -> str:
    """Listen, with mutual TLS when the gateway gave a certificate; our own, for the handshake."""
    client = os.environ.get("PLUGIN_CLIENT_CERT", "")
    if not client:
        server.add_insecure_port(address)
        return ""
    key, pem, der = _certificate()
    server.add_secure_port(address, grpc.ssl_server_credentials(
        [(key, pem)], root_certificates=client.encode(), require_client_auth=True))
    return base64.b64encode(der).decode().rstrip("=")


def _certificate() -> tuple[bytes, bytes, bytes]:
    """A certificate for this process alone: key and certificate as PEM, and as DER."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    return private, certificate.public_bytes(pem), certificate.public_bytes(der)
