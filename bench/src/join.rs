//! `init`, over a plain blocking connection: desks and keys for the load.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context as _, Result, ensure};
use desk_gateway_http::http::client::{AnswerReader, request};
use serde_json::{Value, json};

use crate::limits::{MESSAGE_BYTES_MAX, PATIENCE};

/// Where WebSockets are opened.
pub const WEBSOCKET_TARGET: &str = "/api/desk/collaboration/init";

/// One keep-alive connection to the HTTP interface.
#[derive(Debug)]
pub struct Reception {
    stream: TcpStream,
    host: String,
}

impl Reception {
    /// Connects.
    pub fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, host: address.to_owned() })
    }

    /// Where the server is.
    pub fn address(&self) -> &str {
        &self.host
    }

    /// Makes a desk: its id and a key for its first client.
    pub fn create(&mut self, title: &str) -> Result<(String, String)> {
        let answer = self.init(&json!({ "name": title, "create_new": true, "desk": false }))?;
        Ok((text(&answer, "desk_id")?, text(&answer, "session_key")?))
    }

    /// A key for one more client.
    pub fn join(&mut self, desk: &str) -> Result<String> {
        let answer = self.init(&json!({ "name": desk, "create_new": false, "desk": false }))?;
        text(&answer, "session_key")
    }

    fn init(&mut self, body: &Value) -> Result<Value> {
        let fields = [("Content-Type", "application/json")];
        let body = body.to_string();
        let bytes = request("POST", "/api/desk/init", &self.host, &fields, body.as_bytes());
        self.stream.write_all(&bytes)?;
        let mut reader = AnswerReader::new(MESSAGE_BYTES_MAX);
        let mut buffer = [0; 8_192];
        loop {
            let length = self.stream.read(&mut buffer).context("no answer to init")?;
            ensure!(length > 0, "the server closed the connection instead of answering init");
            if let Some(answer) = reader.handle_bytes(&buffer[..length])? {
                ensure!(answer.status.0 == 200, "init: {} {}", answer.status.0, answer.detail());
                return Ok(serde_json::from_slice(&answer.body)?);
            }
        }
    }
}

fn text(answer: &Value, name: &str) -> Result<String> {
    Ok(answer[name].as_str().with_context(|| format!("init answers no {name}"))?.to_owned())
}
