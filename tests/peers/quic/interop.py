"""aioquic speaks to the real binary: the protocol of programs, and WebTransport.

    python3 interop.py BINARY FLATC

Frames are written and read by flatc, from the schema alone.
"""

import asyncio
import base64
import hashlib
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived, StreamDataReceived
from cryptography.hazmat.primitives.serialization import Encoding

SCHEMA = pathlib.Path(__file__).parents[3] / "protocol/schema/desk.fbs"
PATH = "/api/desk/collaboration/webtransport"
PATIENCE_S = 20


class Frames:
    """flatc as the codec."""

    def __init__(self, flatc, folder):
        self.flatc, self.folder = flatc, folder

    def write(self, kind, **fields):
        source = self.folder / "frame.json"
        source.write_text(json.dumps({"body_type": kind, "body": fields}))
        self.run("--binary", "--size-prefixed", SCHEMA, source)
        return (self.folder / "frame.bin").read_bytes()

    def read(self, data):
        source = self.folder / "read.bin"
        source.write_bytes(data)
        self.run("--json", "--strict-json", "--size-prefixed", "--defaults-json", SCHEMA, "--", source)
        frame = json.loads((self.folder / "read.json").read_text())
        return frame["body_type"], frame["body"]

    def run(self, *arguments):
        subprocess.run([self.flatc, "-o", self.folder, *arguments], check=True)


class Peer(QuicConnectionProtocol):
    """Keeps all that comes, and wakes whoever waits for it."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.h3 = None
        # Streams of a session that this side opened: aioquic reads them as requests.
        self.own = set()
        self.streams, self.datagrams, self.headers, self.end = {}, [], {}, None
        self.news = asyncio.Event()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.end = event
        elif self.h3 is not None and getattr(event, "stream_id", None) not in self.own:
            for one in self.h3.handle_event(event):
                if isinstance(one, HeadersReceived):
                    self.headers[one.stream_id] = dict(one.headers)
                elif isinstance(one, (DataReceived, WebTransportStreamDataReceived)):
                    self.streams.setdefault(one.stream_id, bytearray()).extend(one.data)
        elif isinstance(event, StreamDataReceived):
            self.streams.setdefault(event.stream_id, bytearray()).extend(event.data)
        elif isinstance(event, DatagramFrameReceived):
            self.datagrams.append(event.data)
        self.news.set()

    async def until(self, wanted):
        async def wait():
            while not (found := wanted()):
                self.news.clear()
                await self.news.wait()
            return found

        return await asyncio.wait_for(wait(), PATIENCE_S)

    async def frame(self, frames, stream, kind):
        """The next frame of a kind on a stream; others are passed over."""

        def whole():
            data = self.streams.get(stream, bytearray())
            size = 4 + int.from_bytes(data[:4], "little")
            if len(data) < 4 or len(data) < size:
                return None
            one = bytes(data[:size])
            del data[:size]
            return one

        while True:
            found, body = frames.read(await self.until(whole))
            if found == kind:
                return body

    def say(self, stream, data, end=False):
        self._quic.send_stream_data(stream, data, end)
        self.transmit()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def dual_socket():
    """As aioquic makes its own: for addresses of both families."""
    new = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    new.bind(("::", 0))
    return new


def init(address, name, create):
    body = json.dumps({"name": name, "create_new": create}).encode()
    request = urllib.request.Request(
        f"http://{address}/api/desk/init", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def dial(address, alpn):
    host, port = address.rsplit(":", 1)
    configuration = QuicConfiguration(
        alpn_protocols=[alpn], verify_mode=ssl.CERT_NONE, max_datagram_frame_size=65536
    )
    return connect(host, int(port), configuration=configuration, create_protocol=Peer)


def check_certificate(peer, joined):
    certificate = peer._quic.tls._peer_certificate.public_bytes(Encoding.DER)
    told = joined["collaboration"]["certificates"]
    assert base64.b64encode(hashlib.sha256(certificate).digest()).decode() in told, told


async def programs(frames, address, joined):
    """Hello, snapshot, batches, datagrams, and two new addresses."""
    async with dial(joined["collaboration"]["quic"], "sticker-desk/1") as peer:
        check_certificate(peer, joined)
        stream = peer._quic.get_next_available_stream_id()
        key = joined["session_key"]
        peer.say(stream, frames.write("Hello", session_key=key, connection=1, user="aioquic"))
        welcome = await peer.frame(frames, stream, "Welcome")
        assert welcome["snapshot"], welcome
        # The first stream of the server's: a snapshot and nothing else.
        chunk = await peer.frame(frames, 3, "SnapshotChunk")
        assert chunk["total"] == len(chunk["bytes"]), "one part"
        loop = asyncio.get_running_loop()
        for seq in range(1, 7):
            title = [{"kind": "SetTitle", "text": f"title {seq}"}]
            batch = frames.write("Submit", client_seq=seq, base=seq - 1, operations=title)
            if seq % 2 == 0:
                # Once by a datagram alone.
                peer._quic.send_datagram_frame(batch)
                peer.transmit()
            else:
                peer.say(stream, batch)
            if seq in (3, 5):
                # The batch is on its way when the address changes.
                old = peer._transport
                await loop.create_datagram_endpoint(lambda: peer, sock=dual_socket())
                if seq == 5:
                    peer.change_connection_id()
                old.close()
                peer.transmit()
            commit = await peer.frame(frames, stream, "Commit")
            assert (commit["revision"], commit["client_seq"]) == (seq, seq), commit
        peer._quic.send_datagram_frame(frames.write("Ping", nonce=7))
        peer._quic.send_datagram_frame(b"no frame")
        peer.transmit()
        assert (await peer.frame(frames, stream, "Pong"))["nonce"] == 7
        # What is no frame on the stream ends it, by name.
        peer.say(stream, b"\xff" * 64)
        close = await peer.frame(frames, stream, "Close")
        end = await peer.until(lambda: peer.end)
        assert (close["code"], end.error_code) == ("Malformed", 1007), (close, end)
    print("programs: greeting, snapshot, batches, datagrams, two new addresses, a named end")


async def another_protocol(joined):
    try:
        async with dial(joined["collaboration"]["quic"], "other/1"):
            raise AssertionError("another protocol was taken")
    except ConnectionError:
        print("another protocol: refused")


async def session(frames, joined, path, key):
    """Asks for a session; the peer, its status and the request's stream."""
    target = path if key is None else f"{path}?session_key={key}"
    authority = joined["collaboration"]["quic"]
    context = dial(authority, "h3")
    peer = await context.__aenter__()
    peer.h3 = H3Connection(peer._quic, enable_webtransport=True)
    stream = peer._quic.get_next_available_stream_id()
    fields = [
        (b":method", b"CONNECT"),
        (b":scheme", b"https"),
        (b":authority", authority.encode()),
        (b":path", target.encode()),
        (b":protocol", b"webtransport"),
        (b"wt-available-protocols", b'"sticker-desk.v1"'),
    ]
    peer.h3.send_headers(stream, fields)
    peer.transmit()
    headers = await peer.until(lambda: peer.headers.get(stream))
    return context, peer, stream, headers


async def pages(frames, joined):
    key = joined["session_key"]
    context, peer, stream, headers = await session(frames, joined, PATH, key)
    assert headers[b":status"] == b"200", headers
    own = peer.h3.create_webtransport_stream(stream)
    peer.own.add(own)
    peer.say(own, frames.write("Hello", session_key=key, connection=2, user="aioquic"))
    welcome = await peer.frame(frames, own, "Welcome")
    assert welcome["revision"] == 6, welcome
    batch = [{"kind": "SetTitle", "text": "by a page"}]
    peer.say(own, frames.write("Submit", client_seq=7, base=6, operations=batch))
    assert (await peer.frame(frames, own, "Commit"))["revision"] == 7
    # A page leaves by ending its side of the request.
    peer.say(stream, b"", end=True)
    await peer.until(lambda: peer.end)
    await context.__aexit__(None, None, None)

    context, peer, stream, headers = await session(frames, joined, "/other", key)
    assert headers[b":status"] == b"404", headers
    await context.__aexit__(None, None, None)

    context, peer, stream, headers = await session(frames, joined, PATH, "A-B-C")
    assert headers[b":status"] == b"200", headers
    # A capsule that closes: kind 0x2843, its length, the code, the reason.
    capsule = bytes(await peer.until(lambda: peer.streams.get(stream)))
    assert capsule[:2] == b"\x68\x43", capsule
    assert (int.from_bytes(capsule[3:7], "big"), capsule[7:]) == (4001, b"key_void"), capsule
    await context.__aexit__(None, None, None)
    print("pages: a session, a wrong path, a bad key")


async def main(binary, flatc):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        address, quic = (f"127.0.0.1:{free_port()}" for _ in range(2))
        arguments = ["serve", "--shards", "2", "--listen", address, "--quic", quic]
        data = ["--data", str(folder / "data")]
        server = subprocess.Popen([binary, *arguments, *data], stdout=subprocess.PIPE, text=True)
        try:
            for line in server.stdout:
                if address in line:
                    break
            frames = Frames(flatc, folder)
            joined = init(address, "aioquic", True)
            await programs(frames, address, joined)
            await another_protocol(joined)
            await pages(frames, joined)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
