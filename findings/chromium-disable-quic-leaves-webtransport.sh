#!/bin/sh
# Chromium's --disable-quic turns HTTP/3 off and leaves WebTransport on.
#
# Version: Chromium 156 (Debian's package), playwright-core 1.65.1 (npm), aioquic 1.3.0 and
#          cryptography 46.0.3 (PyPI).
# Guess:   WebTransport runs over QUIC alone, so a browser that was started with
#          --disable-quic has none, and pages fall back to WebSocket.
# Seen:    with the flag `new WebTransport(...)` opens as without it.
# So:      tests of the WebSocket path must take WebTransport from the page itself.
set -eu
CHROMIUM=${CHROMIUM_BIN:-/usr/bin/chromium}
[ -x "$CHROMIUM" ] || { echo "needs Chromium: set CHROMIUM_BIN"; exit 2; }
folder=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; rm -rf "$folder"' EXIT
server=
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund playwright-core@1.65.1
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check aioquic==1.3.0 cryptography==46.0.3
cat >serve.py <<'END'
import asyncio, base64, datetime, hashlib, ipaddress, sys
from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
now = datetime.datetime.now(datetime.timezone.utc)
cert = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name)
    .public_key(key.public_key()).serial_number(1)
    .not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=9))
    .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
    .sign(key, hashes.SHA256())
)

class Protocol(QuicConnectionProtocol):
    http = None
    def quic_event_received(self, event):
        if self.http is None:
            self.http = H3Connection(self._quic, enable_webtransport=True)
        for told in self.http.handle_event(event):
            if isinstance(told, HeadersReceived):
                answer = [(b":status", b"200"), (b"sec-webtransport-http3-draft", b"draft02")]
                self.http.send_headers(told.stream_id, answer)
        self.transmit()

async def main():
    config = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False, max_datagram_frame_size=65536)
    config.certificate, config.private_key = cert, key
    server = await serve("127.0.0.1", 0, configuration=config, create_protocol=Protocol)
    port = server._transport.get_extra_info("sockname")[1]
    der = cert.public_bytes(serialization.Encoding.DER)
    print(port, base64.b64encode(hashlib.sha256(der).digest()).decode(), flush=True)
    await asyncio.Future()

asyncio.run(main())
END
cat >seen.mjs <<'END'
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const [port, hash] = process.argv.slice(2);
const site = createServer((_, answer) => answer.end("<title>page</title>"));
await new Promise((done) => site.listen(0, "127.0.0.1", done));
async function opens(flags) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", ...flags],
  });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  const said = await page.evaluate(async ([port, hash]) => {
    const value = Uint8Array.from(atob(hash), (char) => char.charCodeAt(0));
    const session = new WebTransport(`https://127.0.0.1:${port}/`, {
      serverCertificateHashes: [{ algorithm: "sha-256", value }],
    });
    return session.ready.then(() => "open", (error) => String(error));
  }, [port, hash]);
  await browser.close();
  return said;
}
const plain = await opens([]);
const disabled = await opens(["--disable-quic"]);
site.closeAllConnections();
site.close();
if (plain !== "open") throw new Error(`the server does not work: ${plain}`);
if (disabled !== "open") {
  console.log(`changed: with --disable-quic WebTransport says ${disabled}`);
  process.exit(1);
}
console.log("as seen: WebTransport opens with --disable-quic too");
END
venv/bin/python serve.py >address.txt 2>serve.log &
server=$!
tries=0
until [ -s address.txt ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] && kill -0 "$server" || { cat serve.log; exit 1; }
    sleep 0.1
done
CHROMIUM=$CHROMIUM node seen.mjs $(cat address.txt)
