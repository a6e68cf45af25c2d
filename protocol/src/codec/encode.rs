//! Domain frames to bytes.

use std::fmt;

use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};

use super::operation::{encode_all, point};
use crate::frame::{
    BatchResult, ClientFrame, CloseCode, Outcome, Person, Presence, Role, ServerFrame, Welcome,
};
use crate::generated::wire;
use crate::id::Revision;
use crate::limits::DeskLimits;
use crate::operation::{CollisionStatus, Commit, Operation};

/// Writes frames one after another with one buffer, so that a busy shard does
/// not allocate for each.
#[derive(Default)]
pub struct Encoder {
    builder: FlatBufferBuilder<'static>,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

type Body = WIPOffset<UnionWIPOffset>;

impl Encoder {
    /// An encoder; keeps the largest buffer that it needed.
    pub fn new() -> Self {
        Self { builder: FlatBufferBuilder::with_capacity(256) }
    }

    /// Appends a size-prefixed frame of a client.
    pub fn client(&mut self, frame: &ClientFrame, out: &mut Vec<u8>) {
        let builder = &mut self.builder;
        let (kind, body) = match frame {
            ClientFrame::Hello(hello) => {
                let session_key = Some(builder.create_string(&hello.session_key));
                let args = wire::HelloArgs {
                    session_key,
                    connection: hello.connection,
                    revision: hello.revision.map(|revision| revision.0),
                    user: text(builder, &hello.user),
                    repeats: hello.repeats,
                };
                (wire::Body::Hello, wire::Hello::create(builder, &args).as_union_value())
            }
            ClientFrame::Submit(submit) => {
                let operations = Some(encode_all(builder, &submit.operations));
                let args = wire::SubmitArgs {
                    client_seq: submit.client_seq.0,
                    base: submit.base.0,
                    operations,
                    made_at: (submit.made_at < submit.base).then_some(submit.made_at.0),
                };
                (wire::Body::Submit, wire::Submit::create(builder, &args).as_union_value())
            }
            ClientFrame::Presence(presence) => {
                (wire::Body::Presence, encode_presence(builder, presence).as_union_value())
            }
            ClientFrame::Ping { nonce } => {
                let args = wire::PingArgs { nonce: *nonce };
                (wire::Body::Ping, wire::Ping::create(builder, &args).as_union_value())
            }
        };
        self.finish(kind, body, out);
    }

    /// Appends a size-prefixed frame of the server.
    pub fn server(&mut self, frame: &ServerFrame, out: &mut Vec<u8>) {
        match frame {
            ServerFrame::Commit(commit) => return self.commit(commit, out),
            ServerFrame::SnapshotChunk(chunk) => {
                return self.snapshot_chunk(
                    chunk.revision,
                    chunk.offset,
                    chunk.total,
                    &chunk.bytes,
                    out,
                );
            }
            _ => {}
        }
        let (kind, body) = encode_other(&mut self.builder, frame);
        self.finish(kind, body, out);
    }

    /// Appends a commit, the hot frame, by reference.
    pub fn commit(&mut self, commit: &Commit, out: &mut Vec<u8>) {
        let builder = &mut self.builder;
        let purge = |operation: &Operation| matches!(operation, Operation::Purge { .. });
        let ordered = commit.operations.iter().rposition(|one| !purge(one)).map_or(0, |at| at + 1);
        let (operations, purges) = commit.operations.split_at(ordered);
        let operations = Some(encode_all(builder, operations));
        let purged = (!purges.is_empty()).then(|| {
            let ids = purges.iter().filter_map(|purge| purge.sticker());
            builder.create_vector_from_iter(ids.map(|id| id.0).collect::<Vec<_>>().into_iter())
        });
        let args = wire::CommitArgs {
            revision: commit.revision.0,
            author: commit.author.0,
            client_seq: commit.client_seq.0,
            status: status(commit.status),
            user: text(builder, &commit.user),
            accepted_at_ms: commit.accepted_at_ms,
            operations,
            purged,
        };
        let body = wire::Commit::create(builder, &args).as_union_value();
        self.finish(wire::Body::Commit, body, out);
    }

    /// Appends a part of a snapshot, straight from the shared buffer.
    pub fn snapshot_chunk(
        &mut self,
        revision: Revision,
        offset: u32,
        total: u32,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) {
        let builder = &mut self.builder;
        let bytes = Some(builder.create_vector(bytes));
        let args = wire::SnapshotChunkArgs { revision: revision.0, offset, total, bytes };
        let body = wire::SnapshotChunk::create(builder, &args).as_union_value();
        self.finish(wire::Body::SnapshotChunk, body, out);
    }

    fn finish(&mut self, body_type: wire::Body, body: Body, out: &mut Vec<u8>) {
        let args = wire::FrameArgs { body_type, body: Some(body) };
        let frame = wire::Frame::create(&mut self.builder, &args);
        wire::finish_size_prefixed_frame_buffer(&mut self.builder, frame);
        out.extend_from_slice(self.builder.finished_data());
        self.builder.reset();
    }
}

fn encode_other(
    builder: &mut FlatBufferBuilder<'static>,
    frame: &ServerFrame,
) -> (wire::Body, Body) {
    match frame {
        ServerFrame::Welcome(welcome) => {
            (wire::Body::Welcome, encode_welcome(builder, welcome).as_union_value())
        }
        ServerFrame::Stale { client_seq, sticker } => {
            let args = wire::StaleArgs { client_seq: client_seq.0, sticker: sticker.0 };
            (wire::Body::Stale, wire::Stale::create(builder, &args).as_union_value())
        }
        ServerFrame::Answer(result) => {
            (wire::Body::Answer, encode_result(builder, result).as_union_value())
        }
        ServerFrame::Presence(people) => {
            let people: Vec<_> = people.iter().map(|one| encode_person(builder, one)).collect();
            let args = wire::PeopleArgs { people: Some(builder.create_vector(&people)) };
            (wire::Body::People, wire::People::create(builder, &args).as_union_value())
        }
        ServerFrame::Pong { nonce } => {
            let args = wire::PongArgs { nonce: *nonce };
            (wire::Body::Pong, wire::Pong::create(builder, &args).as_union_value())
        }
        ServerFrame::Close { code, detail } => {
            let args = wire::CloseArgs { code: close_code(*code), detail: text(builder, detail) };
            (wire::Body::Close, wire::Close::create(builder, &args).as_union_value())
        }
        ServerFrame::Commit(_) | ServerFrame::SnapshotChunk(_) => {
            unreachable!("written by their own methods")
        }
    }
}

fn encode_welcome<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    welcome: &Welcome,
) -> WIPOffset<wire::Welcome<'b>> {
    let last = welcome.last.as_ref().map(|last| encode_result(builder, last));
    let limits = Some(encode_limits(builder, &welcome.limits));
    let args = wire::WelcomeArgs {
        author: welcome.author.0,
        role: match welcome.role {
            Role::Viewer => wire::Role::Viewer,
            Role::Editor => wire::Role::Editor,
            Role::Owner => wire::Role::Owner,
        },
        revision: welcome.revision.0,
        snapshot: welcome.snapshot,
        last,
        created_at: welcome.created_at,
        expires_at: welcome.expires_at,
        limits,
        now_ms: welcome.now_ms,
    };
    wire::Welcome::create(builder, &args)
}

fn encode_limits<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    limits: &DeskLimits,
) -> WIPOffset<wire::Limits<'b>> {
    let field = |limit| u32::try_from(limit).unwrap_or(u32::MAX);
    let args = wire::LimitsArgs {
        text_chars: field(limits.text_chars),
        title_chars: field(limits.title_chars),
        stickers: field(limits.stickers),
        desk_bytes: field(limits.desk_bytes),
        batch_operations: field(limits.batch_operations),
        delta_parts: field(limits.delta_parts),
        frame_bytes: field(limits.frame_bytes),
    };
    wire::Limits::create(builder, &args)
}

fn encode_result<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    result: &BatchResult,
) -> WIPOffset<wire::Answer<'b>> {
    let (outcome_type, outcome) = match &result.outcome {
        Outcome::Applied { revision, status: found, created } => {
            let created: Vec<_> = created.iter().map(|id| id.0).collect();
            let created = builder.create_vector(&created);
            let args = wire::AppliedArgs {
                revision: revision.0,
                status: status(*found),
                created: Some(created),
            };
            (wire::Outcome::Applied, wire::Applied::create(builder, &args).as_union_value())
        }
        Outcome::Rejected { operation, detail } => {
            let args = wire::RejectedArgs { operation: *operation, detail: text(builder, detail) };
            (wire::Outcome::Rejected, wire::Rejected::create(builder, &args).as_union_value())
        }
    };
    let args =
        wire::AnswerArgs { client_seq: result.client_seq.0, outcome_type, outcome: Some(outcome) };
    wire::Answer::create(builder, &args)
}

fn encode_person<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    person: &Person,
) -> WIPOffset<wire::Person<'b>> {
    let presence = person.presence.as_ref().map(|presence| encode_presence(builder, presence));
    let args = wire::PersonArgs { author: person.author.0, counter: person.counter, presence };
    wire::Person::create(builder, &args)
}

fn encode_presence<'b>(
    builder: &mut FlatBufferBuilder<'b>,
    presence: &Presence,
) -> WIPOffset<wire::Presence<'b>> {
    let name = text(builder, &presence.name);
    let cursor = presence.cursor.map(point);
    let drag = presence.drag.as_ref().map(|drag| wire::Drag::new(drag.sticker.0, &point(drag.to)));
    let args = wire::PresenceArgs {
        name,
        color: presence.color.0,
        cursor: cursor.as_ref(),
        editing: presence.editing.map(|id| id.0),
        caret: presence.caret,
        drag: drag.as_ref(),
        hidden: presence.hidden,
    };
    wire::Presence::create(builder, &args)
}

/// An empty text is left out: it reads the same.
fn text<'b>(builder: &mut FlatBufferBuilder<'b>, text: &str) -> Option<WIPOffset<&'b str>> {
    (!text.is_empty()).then(|| builder.create_string(text))
}

fn status(status: CollisionStatus) -> wire::CollisionStatus {
    match status {
        CollisionStatus::Clean => wire::CollisionStatus::Clean,
        CollisionStatus::Merged => wire::CollisionStatus::Merged,
        CollisionStatus::Overrode => wire::CollisionStatus::Overrode,
        CollisionStatus::Hidden => wire::CollisionStatus::Hidden,
        CollisionStatus::Purged => wire::CollisionStatus::Purged,
    }
}

fn close_code(code: CloseCode) -> wire::CloseCode {
    match code {
        CloseCode::Malformed => wire::CloseCode::Malformed,
        CloseCode::KeyVoid => wire::CloseCode::KeyVoid,
        CloseCode::NotAllowed => wire::CloseCode::NotAllowed,
        CloseCode::Finished => wire::CloseCode::Finished,
        CloseCode::Expired => wire::CloseCode::Expired,
        CloseCode::Deleted => wire::CloseCode::Deleted,
        CloseCode::Superseded => wire::CloseCode::Superseded,
        CloseCode::Draining => wire::CloseCode::Draining,
        CloseCode::Overloaded => wire::CloseCode::Overloaded,
        CloseCode::Internal => wire::CloseCode::Internal,
        CloseCode::LinkReplaced => wire::CloseCode::LinkReplaced,
        CloseCode::DeskFull => wire::CloseCode::DeskFull,
        CloseCode::TimedOut => wire::CloseCode::TimedOut,
        CloseCode::Moved => wire::CloseCode::Moved,
    }
}
