//! What owners and the operator ask of a desk that another machine has: it goes through
//! the cluster's queue, and the answer comes back by it.
//!
//! ```text
//! takedown | version u8 | 1 u8 | link [16] |
//! delete   | version u8 | 2 u8 | desk [16] | key |
//! link     | version u8 | 3 u8 | role u8 | rotate u8 | desk [16] | key |
//! finish   | version u8 | 4 u8 | key | frame, to the end; none without a last batch |
//! key      | bytes u8 | text |
//!
//! deleted  | version u8 | 1 u8 |
//! link     | version u8 | 3 u8 | role u8 | link [16] |
//! finished | version u8 | 4 u8 |
//! refused  | version u8 | status u16 | retry after | authenticate | JSON, to the end |
//! ```
//!
//! A field of a refusal has its length in a byte. Another machine may run another version of
//! the program, so all of it is read as if it were hostile.

use std::future::poll_fn;
use std::rc::Rc;

use desk_engine_core::{Reply, Request, ServiceError, SessionKey};
use desk_gateway_http::Problem;
use desk_gateway_http::http::{Body, Response, Status};
use desk_nats::{Outcome, REQUEST_BYTES_MAX, Verdict};
use desk_protocol::codec::{self, Decoded};
use desk_protocol::frame::{Role, Submit};
use desk_protocol::limits::CLIENT_FRAME_BYTES_MAX;
use desk_protocol::{ClientFrame, LinkId};

use super::answers;
use crate::limits::MOVED_RETRY_S;
use crate::shard::{Answer, Question, Shell};

const VERSION: u8 = 1;
const TAKEDOWN: u8 = 1;
const DELETE: u8 = 2;
const LINK: u8 = 3;
const FINISH: u8 = 4;

/// The fields of a refusal that its sender passes on.
const RETRY: &str = "Retry-After";
const AUTHENTICATE: &str = "WWW-Authenticate";

/// A request for the queue: what it is, in a word, and its bytes.
pub(super) struct Parcel {
    pub(super) what: &'static str,
    pub(super) body: Vec<u8>,
}

/// What the owner made of a request, wherever the owner is.
pub(super) enum Carried {
    /// This machine's shard has answered, or another machine did what was asked.
    Reply(Reply),
    /// Another machine has refused it, or nobody could do it.
    Refused(Response),
}

/// A request as bytes; `None`: a request of that kind is led elsewhere.
pub(super) fn pack(request: &Request) -> Option<Parcel> {
    let mut body = vec![VERSION];
    let what = match request {
        Request::Remove { link } => {
            body.push(TAKEDOWN);
            body.extend_from_slice(&link.to_bytes());
            "takedown"
        }
        Request::Delete { key, desk } => {
            body.push(DELETE);
            body.extend_from_slice(&desk.to_bytes());
            write_key(&mut body, key);
            "delete"
        }
        Request::Link { key, desk, role, rotate } => {
            body.extend_from_slice(&[LINK, role_number(*role), u8::from(*rotate)]);
            body.extend_from_slice(&desk.to_bytes());
            write_key(&mut body, key);
            "link"
        }
        Request::Finish { key, diff } => {
            body.push(FINISH);
            write_key(&mut body, key);
            if let Some(diff) = diff {
                codec::encode_client(&ClientFrame::Submit(diff.clone()), &mut body);
            }
            "finish"
        }
        _ => return None,
    };
    (body.len() <= REQUEST_BYTES_MAX).then_some(Parcel { what, body })
}

/// Reads what [`pack`] wrote; `None`: it is of a newer program, or damaged.
fn unpack(body: &[u8]) -> Option<Request> {
    let mut reader = Reader(body);
    if reader.byte()? != VERSION {
        return None;
    }
    let request = match reader.byte()? {
        TAKEDOWN => Request::Remove { link: reader.link()? },
        DELETE => {
            let desk = reader.link()?;
            Request::Delete { key: reader.key()?, desk }
        }
        LINK => {
            let role = role_of(reader.byte()?)?;
            let rotate = reader.byte()? != 0;
            let desk = reader.link()?;
            Request::Link { key: reader.key()?, desk, role, rotate }
        }
        FINISH => {
            let key = reader.key()?;
            let frame = std::mem::take(&mut reader.0);
            let diff = if frame.is_empty() { None } else { Some(submit(frame)?) };
            Request::Finish { key, diff }
        }
        _ => return None,
    };
    reader.0.is_empty().then_some(request)
}

fn submit(frame: &[u8]) -> Option<Submit> {
    match codec::decode_client_within(frame, CLIENT_FRAME_BYTES_MAX) {
        Ok(Decoded::Frame(length, Some(ClientFrame::Submit(submit)))) if length == frame.len() => {
            Some(submit)
        }
        _ => None,
    }
}

/// What the sender is told of this machine's answer.
fn outcome(reply: &Reply) -> Outcome {
    match reply {
        Reply::Deleted => Outcome::Acknowledged(vec![VERSION, TAKEDOWN]),
        Reply::Finished => Outcome::Acknowledged(vec![VERSION, FINISH]),
        Reply::Link { role, link } => {
            let mut said = vec![VERSION, LINK, role_number(*role)];
            said.extend_from_slice(&link.to_bytes());
            Outcome::Acknowledged(said)
        }
        Reply::Failed(error @ (ServiceError::Moved | ServiceError::Unavailable(_))) => {
            Outcome::NotNow(error.to_string())
        }
        Reply::Failed(error) => refused(&answers::problem(error)),
        _ => refused(&answers::defect()),
    }
}

fn refused(problem: &Problem) -> Outcome {
    let response = problem.to_response();
    let mut said = vec![VERSION];
    said.extend_from_slice(&response.status.0.to_le_bytes());
    for name in [RETRY, AUTHENTICATE] {
        let value = response.field(name).unwrap_or_default();
        let value = value.get(..value.len().min(usize::from(u8::MAX))).unwrap_or_default();
        said.push(value.len() as u8);
        said.extend_from_slice(value.as_bytes());
    }
    said.extend_from_slice(response.body.bytes());
    Outcome::Refused(said)
}

/// What a verdict means to who asked.
pub(super) fn carried(verdict: &Verdict) -> Carried {
    let read = match verdict {
        Verdict::Acknowledged(said) => read_reply(said).map(Carried::Reply),
        Verdict::Refused(said) => read_refusal(said).map(Carried::Refused),
        Verdict::GivenUp(why) => Some(given_up(why)),
    };
    read.unwrap_or_else(|| given_up("the machine that has the desk runs another program"))
}

fn given_up(why: &str) -> Carried {
    let detail = format!("The desk's machine was asked and it was given up: {why}. Ask again.");
    let problem = Problem::new(Status::SERVICE_UNAVAILABLE, detail);
    Carried::Refused(problem.retry_after(MOVED_RETRY_S).to_response())
}

/// The answer to who has waited as long as may be.
pub(super) fn late(is_kept: bool) -> Carried {
    let detail = match is_kept {
        true => "The request is kept, and is done as soon as a machine has the desk; look again.",
        false => "The machines cannot be reached now, so the request was not kept; ask again.",
    };
    let problem = Problem::new(Status::SERVICE_UNAVAILABLE, detail);
    Carried::Refused(problem.retry_after(MOVED_RETRY_S).to_response())
}

fn read_reply(said: &[u8]) -> Option<Reply> {
    let mut reader = Reader(said);
    if reader.byte()? != VERSION {
        return None;
    }
    let reply = match reader.byte()? {
        TAKEDOWN => Reply::Deleted,
        FINISH => Reply::Finished,
        LINK => {
            let role = role_of(reader.byte()?)?;
            Reply::Link { role, link: reader.link()? }
        }
        _ => return None,
    };
    reader.0.is_empty().then_some(reply)
}

fn read_refusal(said: &[u8]) -> Option<Response> {
    let mut reader = Reader(said);
    if reader.byte()? != VERSION {
        return None;
    }
    let status = Status(u16::from_le_bytes(*reader.take()?));
    if !(400..600).contains(&status.0) {
        return None;
    }
    let fields = [(RETRY, reader.text()?), (AUTHENTICATE, reader.text()?)];
    let body = Body::Owned(reader.0.to_vec());
    let mut response = Response::content(status, "application/problem+json", body)
        .with("Cache-Control", "no-store");
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        response = response.with(name, value.to_owned());
    }
    Some(response)
}

/// Does what other machines ask of the desks of a shard.
pub(crate) async fn serve(shell: Rc<Shell>) {
    loop {
        let (number, body) = shell.next_asked().await;
        let shell = Rc::clone(&shell);
        // Each may have to wait for its desk.
        glommio::spawn_local(async move {
            let outcome = match unpack(&body) {
                Some(request) => outcome(&ask(&shell, request).await),
                None => Outcome::NotNow("the request is of another program".to_owned()),
            };
            if let Some(cluster) = &shell.shared.cluster {
                cluster.handle.done(number, outcome);
            }
        })
        .detach();
    }
}

async fn ask(shell: &Rc<Shell>, request: Request) -> Reply {
    let question = Question::Desk(Box::new(request));
    let asking = shell.ask(shell.target_of(&question), question).await;
    match poll_fn(|context| asking.poll(context)).await {
        Answer::Desk(reply) => reply,
        Answer::Line(_) | Answer::Carried(_) => unreachable!("an answer is of its question's kind"),
    }
}

fn write_key(out: &mut Vec<u8>, key: &SessionKey) {
    let text = key.to_string();
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

const fn role_number(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Editor => 1,
        Role::Owner => 2,
    }
}

const fn role_of(number: u8) -> Option<Role> {
    match number {
        0 => Some(Role::Viewer),
        1 => Some(Role::Editor),
        2 => Some(Role::Owner),
        _ => None,
    }
}

/// Takes bytes apart from their front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| *byte)
    }

    fn link(&mut self) -> Option<LinkId> {
        self.take().map(|bytes| LinkId::from_bytes(*bytes))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(self.byte()?);
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(taken).ok()
    }

    fn key(&mut self) -> Option<SessionKey> {
        self.text()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use desk_protocol::{ClientSeq, Revision};

    use super::*;

    fn key() -> SessionKey {
        let group = LinkId::from_bytes([9; 16]);
        format!("{group}-{group}-{group}").parse().expect("a key")
    }

    #[test]
    fn a_request_survives_its_bytes() {
        let (key, desk) = (key(), LinkId::from_bytes([7; 16]));
        let diff = Submit {
            client_seq: ClientSeq(3),
            base: Revision(2),
            made_at: Revision(2),
            operations: Vec::new(),
        };
        for request in [
            Request::Remove { link: desk },
            Request::Delete { key, desk },
            Request::Link { key, desk, role: Role::Viewer, rotate: true },
            Request::Finish { key, diff: None },
            Request::Finish { key, diff: Some(diff) },
        ] {
            let parcel = pack(&request).expect("it is carried");
            let read = unpack(&parcel.body).expect("its bytes are read");
            assert_eq!(format!("{read:?}"), format!("{request:?}"));
            assert!(parcel.body.len() <= REQUEST_BYTES_MAX);
            // The end of a frame is the end of the bytes.
            let end = parcel.body.len().min(20);
            assert!((0..end).all(|cut| unpack(&parcel.body[..cut]).is_none()));
        }
        assert!(pack(&Request::Attach { key }).is_none());
        assert!(unpack(&[2, TAKEDOWN]).is_none());
    }

    #[test]
    fn the_longest_request_is_carried() {
        const { assert!(CLIENT_FRAME_BYTES_MAX + 1_024 <= REQUEST_BYTES_MAX) };
    }

    #[test]
    fn an_answer_survives_its_bytes() {
        let link = LinkId::from_bytes([7; 16]);
        for reply in [Reply::Deleted, Reply::Finished, Reply::Link { role: Role::Editor, link }] {
            let Outcome::Acknowledged(said) = outcome(&reply) else { panic!("{reply:?}") };
            let Carried::Reply(read) = carried(&Verdict::Acknowledged(said)) else { panic!() };
            assert_eq!(format!("{read:?}"), format!("{reply:?}"));
        }
        let error = ServiceError::KeyVoid;
        let Outcome::Refused(said) = outcome(&Reply::Failed(error.clone())) else { panic!() };
        let Carried::Refused(read) = carried(&Verdict::Refused(said)) else { panic!() };
        let wanted = answers::problem(&error).to_response();
        assert_eq!((read.status, read.body.bytes()), (wanted.status, wanted.body.bytes()));
        assert_eq!(read.field(AUTHENTICATE), wanted.field(AUTHENTICATE));
        assert!(matches!(outcome(&Reply::Failed(ServiceError::Moved)), Outcome::NotNow(_)));
        for bad in [&[][..], &[VERSION], &[VERSION, 200, 0, 0, 0], &[VERSION, 0x91, 1, 9]] {
            let Carried::Refused(read) = carried(&Verdict::Refused(bad.to_vec())) else { panic!() };
            assert_eq!(read.status, Status::SERVICE_UNAVAILABLE);
        }
    }
}
