# One end of a conversation over Python's ssl. See src/scripted-peer.ts.
import argparse
import hashlib
import json
import os
import select
import socket
import ssl
import struct

parser = argparse.ArgumentParser()
for word in ["role", "version", "ca", "certificate", "key", "pkcs12", "password", "alpn", "client-certificate"]:
    parser.add_argument(f"--{word}")
for word in ["port", "bytes", "connections"]:
    parser.add_argument(f"--{word}", type=int)
words = parser.parse_args()
is_client = words.role == "client"


def pieces():
    random = os.urandom(65536)
    for offset in range(0, words.bytes, len(random)):
        piece = random[: min(len(random), words.bytes - offset)]
        yield struct.pack("<d", offset) + piece[8:] if len(piece) >= 8 else piece


def exchange(tls):
    """Sends and takes at once, in one thread: an SSLSocket is nothing for two."""
    sent, received, taken = hashlib.sha256(), hashlib.sha256(), 0
    tls.setblocking(False)
    rest = pieces()
    piece = memoryview(next(rest, b""))
    sent.update(piece)
    while piece or taken < words.bytes:
        moved = False
        if piece:
            try:
                piece = piece[tls.send(piece) :]
                moved = True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            if not piece:
                piece = memoryview(next(rest, b""))
                sent.update(piece)
        if taken < words.bytes:
            try:
                chunk = tls.recv(65536)
                if not chunk:
                    raise EOFError(f"ended after {taken} bytes")
                received.update(chunk)
                taken += len(chunk)
                moved = True
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        if not moved:
            select.select([tls], [tls] if piece else [], [], 60)
    tls.setblocking(True)
    digest = lambda count, hash: {"bytes": count, "sha256": hash.hexdigest()}
    return digest(words.bytes, sent), digest(taken, received)


def resumable_session(tls):
    """With TLS 1.3 its ticket may come behind the data, and nobody says when."""
    tls.setblocking(False)
    while not tls.session.has_ticket:
        select.select([tls], [], [], 60)
        try:
            tls.recv(1)
        except ssl.SSLWantReadError:
            pass
    tls.setblocking(True)
    return tls.session


def name_of(tls):
    certificate = tls.getpeercert() or {}
    return next((value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"), "")


def close(tls):
    try:
        if not is_client and tls.recv(1) != b"":
            raise ValueError("more bytes than was agreed upon")
        tls.unwrap().close()
        return "clean"
    except ssl.SSLEOFError:
        return "truncated"
    except ConnectionResetError:
        return "reset"


def converse(tls):
    report = {
        "protocol": tls.version(),
        "alpn": tls.selected_alpn_protocol() or "",
        "isResumed": tls.session_reused,
        "peerName": name_of(tls),
    }
    report["sent"], report["received"] = exchange(tls)
    session = resumable_session(tls) if is_client and words.connections > 1 else None
    report["end"] = close(tls)
    print(json.dumps(report), flush=True)
    return session


context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if is_client else ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = context.maximum_version = ssl.TLSVersion[words.version.replace(".", "_")]
context.load_verify_locations(words.ca)
if words.certificate:
    context.load_cert_chain(words.certificate, words.key)
if words.alpn:
    context.set_alpn_protocols([words.alpn])

if is_client:
    session = None
    for _ in range(words.connections):
        plain = socket.create_connection(("127.0.0.1", words.port))
        session = converse(
            context.wrap_socket(plain, server_hostname="localhost", session=session, suppress_ragged_eofs=False)
        )
else:
    if words.client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"listening": listener.getsockname()[1]}), flush=True)
    for _ in range(words.connections):
        converse(context.wrap_socket(listener.accept()[0], server_side=True, suppress_ragged_eofs=False))
