//! NATS' core publish and subscribe, over its WebSocket listener: lines of text, a room a subject.
//! It keeps nothing, and tells an author nothing of what it published.

use anyhow::{Context as _, Result, bail};
use desk_gateway_http::websocket::Opcode;
use desk_protocol::Point;

use super::client::{Dialect, Heard, Seat};

/// A client of nats-server.
#[derive(Debug)]
pub struct Nats {
    seat: Seat,
    joined: bool,
    /// What of a message has come: the server's frames end anywhere.
    partial: Vec<u8>,
}

impl Nats {
    /// Someone who has not joined.
    pub fn new(seat: Seat) -> Self {
        Self { seat, joined: false, partial: Vec::new() }
    }

    /// Takes one message off the front of `bytes`, if it is whole; says how long it was.
    fn take(&mut self, bytes: &[u8], heard: &mut Heard) -> Result<Option<usize>> {
        let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
        let line = std::str::from_utf8(&bytes[..end])?;
        let behind = end + 2;
        let mut words = line.split(' ');
        match words.next().unwrap_or_default() {
            "MSG" => {
                let length = words.next_back().context("a message has a length")?;
                let whole = behind + length.parse::<usize>()? + 2;
                if bytes.len() < whole {
                    return Ok(None);
                }
                heard.operations(&bytes[behind..whole]);
                return Ok(Some(whole));
            }
            "PING" => heard.reply(*b"PONG\r\n"),
            "PONG" => self.joined = true,
            "INFO" | "+OK" => {}
            _ => bail!("nats-server says {line}"),
        }
        Ok(Some(behind))
    }
}

impl Dialect for Nats {
    const OPCODE: Opcode = Opcode::Binary;
    const ANSWERS: bool = false;

    fn greet(&mut self, heard: &mut Heard) {
        let options = r#"{"verbose":false,"pedantic":false,"echo":false,"protocol":1}"#;
        let room = self.seat.room;
        heard.reply(format!("CONNECT {options}\r\nSUB room.{room} 1\r\nPING\r\n"));
    }

    fn receive(&mut self, message: &[u8], heard: &mut Heard) -> Result<()> {
        let mut all = std::mem::take(&mut self.partial);
        all.extend_from_slice(message);
        let mut taken = 0;
        while let Some(length) = self.take(&all[taken..], heard)? {
            taken += length;
        }
        all.drain(..taken);
        self.partial = all;
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.joined
    }

    fn move_note(&mut self, to: Point, mark: &str) -> Vec<u8> {
        let Seat { room, client } = self.seat;
        let note = format!(r#"{{"note":{client},"x":{},"y":{},"mark":"{mark}"}}"#, to.x, to.y);
        format!("PUB room.{room} {}\r\n{note}\r\n", note.len()).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::marker::marker;

    #[test]
    fn a_message_cut_anywhere_is_taken_once() {
        let mark = marker(5);
        let stream = format!("PONG\r\nMSG room.0 1 {}\r\n{mark}\r\nPING\r\n", mark.len());
        for cut in 0..stream.len() {
            let mut nats = Nats::new(Seat { room: 0, client: 0 });
            let mut heard = Heard::default();
            let (first, second) = stream.as_bytes().split_at(cut);
            nats.receive(first, &mut heard).unwrap();
            nats.receive(second, &mut heard).unwrap();
            assert!(nats.joined && nats.partial.is_empty(), "cut at {cut}");
            assert_eq!(heard.batches(), [5], "cut at {cut}");
        }
    }
}
