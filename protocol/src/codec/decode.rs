//! Verified flatbuffers to domain frames.

use super::DecodeError;
use super::operation::{UnknownKinds, decode_all, point_from};
use crate::frame::{
    BatchResult, ClientFrame, CloseCode, Drag, Hello, Outcome, Person, Presence, Role, ServerFrame,
    SnapshotChunk, Submit, Welcome,
};
use crate::generated::wire;
use crate::id::{Author, ClientSeq, Revision, StickerId};
use crate::limits::DeskLimits;
use crate::operation::{CollisionStatus, Commit, Operation};
use crate::sticker::Color;

/// `None`: a frame of a type that this version does not know.
pub(super) fn client(
    frame: wire::Frame<'_>,
    bytes: usize,
) -> Result<Option<ClientFrame>, DecodeError> {
    let kind = frame.body_type();
    if let Some(hello) = frame.body_as_hello() {
        return Ok(Some(ClientFrame::Hello(Hello {
            session_key: hello.session_key().to_owned(),
            connection: hello.connection(),
            revision: hello.revision().map(Revision),
            user: hello.user().unwrap_or_default().to_owned(),
            repeats: hello.repeats(),
        })));
    }
    if let Some(submit) = frame.body_as_submit() {
        return Ok(Some(ClientFrame::Submit(Submit {
            client_seq: ClientSeq(submit.client_seq()),
            base: Revision(submit.base()),
            made_at: Revision(submit.made_at().unwrap_or(submit.base())),
            operations: decode_all(submit.operations(), bytes, UnknownKinds::Refuse)?,
        })));
    }
    if let Some(found) = frame.body_as_presence() {
        return Ok(Some(ClientFrame::Presence(presence(found))));
    }
    if let Some(ping) = frame.body_as_ping() {
        return Ok(Some(ClientFrame::Ping { nonce: ping.nonce() }));
    }
    unread(kind)
}

/// `None`: a frame of a type that this version does not know.
pub(super) fn server(
    frame: wire::Frame<'_>,
    bytes: usize,
) -> Result<Option<ServerFrame>, DecodeError> {
    let kind = frame.body_type();
    if let Some(found) = frame.body_as_commit() {
        return Ok(Some(ServerFrame::Commit(commit(found, bytes, UnknownKinds::Skip)?)));
    }
    if let Some(found) = frame.body_as_people() {
        let person = |found: wire::Person<'_>| Person {
            author: Author(found.author()),
            counter: found.counter(),
            presence: found.presence().map(presence),
        };
        return Ok(Some(ServerFrame::Presence(found.people().iter().map(person).collect())));
    }
    if let Some(chunk) = frame.body_as_snapshot_chunk() {
        return Ok(Some(ServerFrame::SnapshotChunk(SnapshotChunk {
            revision: Revision(chunk.revision()),
            offset: chunk.offset(),
            total: chunk.total(),
            bytes: chunk.bytes().bytes().to_owned(),
        })));
    }
    if let Some(found) = frame.body_as_welcome() {
        return Ok(Some(ServerFrame::Welcome(welcome(found)?)));
    }
    if let Some(found) = frame.body_as_answer() {
        return Ok(Some(ServerFrame::Answer(result(found)?)));
    }
    if let Some(stale) = frame.body_as_stale() {
        return Ok(Some(ServerFrame::Stale {
            client_seq: ClientSeq(stale.client_seq()),
            sticker: StickerId(stale.sticker()),
        }));
    }
    if let Some(pong) = frame.body_as_pong() {
        return Ok(Some(ServerFrame::Pong { nonce: pong.nonce() }));
    }
    if let Some(close) = frame.body_as_close() {
        return Ok(Some(ServerFrame::Close {
            code: close_code(close.code())?,
            detail: close.detail().unwrap_or_default().to_owned(),
        }));
    }
    unread(kind)
}

/// A commit, each of whose operations must be known.
pub(super) fn whole_commit(frame: wire::Frame<'_>, bytes: usize) -> Result<Commit, DecodeError> {
    let missing = DecodeError::Missing { what: "frame", field: "commit" };
    commit(frame.body_as_commit().ok_or(missing)?, bytes, UnknownKinds::Refuse)
}

/// An error for a frame that only the other end sends or that has no type; `None`
/// for a type of a later version.
fn unread<T>(kind: wire::Body) -> Result<Option<T>, DecodeError> {
    if kind == wire::Body::NONE {
        return Err(DecodeError::Missing { what: "frame", field: "body" });
    }
    match kind.variant_name() {
        Some(frame) => Err(DecodeError::Direction { frame }),
        None => Ok(None),
    }
}

fn commit(
    found: wire::Commit<'_>,
    bytes: usize,
    unknown: UnknownKinds,
) -> Result<Commit, DecodeError> {
    let mut operations = match found.operations() {
        Some(found) => decode_all(found, bytes, unknown)?,
        None => Vec::new(),
    };
    if let Some(purged) = found.purged() {
        operations.extend(purged.iter().map(|id| Operation::Purge { id: StickerId(id) }));
    }
    Ok(Commit {
        revision: Revision(found.revision()),
        author: Author(found.author()),
        client_seq: ClientSeq(found.client_seq()),
        status: status(found.status())?,
        user: found.user().unwrap_or_default().to_owned(),
        accepted_at_ms: found.accepted_at_ms(),
        operations,
    })
}

fn welcome(found: wire::Welcome<'_>) -> Result<Welcome, DecodeError> {
    Ok(Welcome {
        author: Author(found.author()),
        role: match found.role() {
            wire::Role::Viewer => Role::Viewer,
            wire::Role::Editor => Role::Editor,
            wire::Role::Owner => Role::Owner,
            wire::Role(value) => return Err(DecodeError::UnknownKind { what: "role", value }),
        },
        revision: Revision(found.revision()),
        snapshot: found.snapshot(),
        last: found.last().map(result).transpose()?,
        created_at: found.created_at(),
        expires_at: found.expires_at(),
        limits: found.limits().map(limits).unwrap_or_default(),
        now_ms: found.now_ms(),
    })
}

/// A limit that is absent, or 0, has this version's default.
fn limits(found: wire::Limits<'_>) -> DeskLimits {
    let or = |found: u32, default| match found {
        0 => default,
        found => usize::try_from(found).unwrap_or(usize::MAX),
    };
    let default = DeskLimits::default();
    DeskLimits {
        text_chars: or(found.text_chars(), default.text_chars),
        title_chars: or(found.title_chars(), default.title_chars),
        stickers: or(found.stickers(), default.stickers),
        desk_bytes: or(found.desk_bytes(), default.desk_bytes),
        batch_operations: or(found.batch_operations(), default.batch_operations),
        delta_parts: or(found.delta_parts(), default.delta_parts),
        frame_bytes: or(found.frame_bytes(), default.frame_bytes),
    }
}

fn result(found: wire::Answer<'_>) -> Result<BatchResult, DecodeError> {
    let outcome = if let Some(applied) = found.outcome_as_applied() {
        Outcome::Applied {
            revision: Revision(applied.revision()),
            status: status(applied.status())?,
            created: applied.created().into_iter().flatten().map(StickerId).collect(),
        }
    } else if let Some(rejected) = found.outcome_as_rejected() {
        Outcome::Rejected {
            operation: rejected.operation(),
            detail: rejected.detail().unwrap_or_default().to_owned(),
        }
    } else {
        let wire::Outcome(value) = found.outcome_type();
        return Err(DecodeError::UnknownKind { what: "outcome", value });
    };
    Ok(BatchResult { client_seq: ClientSeq(found.client_seq()), outcome })
}

fn presence(found: wire::Presence<'_>) -> Presence {
    Presence {
        name: found.name().unwrap_or_default().to_owned(),
        color: Color(found.color()),
        cursor: found.cursor().map(point_from),
        editing: found.editing().map(StickerId),
        caret: found.caret(),
        drag: found
            .drag()
            .map(|drag| Drag { sticker: StickerId(drag.sticker()), to: point_from(drag.to()) }),
        hidden: found.hidden(),
    }
}

fn status(found: wire::CollisionStatus) -> Result<CollisionStatus, DecodeError> {
    Ok(match found {
        wire::CollisionStatus::Clean => CollisionStatus::Clean,
        wire::CollisionStatus::Merged => CollisionStatus::Merged,
        wire::CollisionStatus::Overrode => CollisionStatus::Overrode,
        wire::CollisionStatus::Hidden => CollisionStatus::Hidden,
        wire::CollisionStatus::Purged => CollisionStatus::Purged,
        wire::CollisionStatus(value) => {
            return Err(DecodeError::UnknownKind { what: "collision status", value });
        }
    })
}

fn close_code(found: wire::CloseCode) -> Result<CloseCode, DecodeError> {
    Ok(match found {
        wire::CloseCode::Malformed => CloseCode::Malformed,
        wire::CloseCode::KeyVoid => CloseCode::KeyVoid,
        wire::CloseCode::NotAllowed => CloseCode::NotAllowed,
        wire::CloseCode::Finished => CloseCode::Finished,
        wire::CloseCode::Expired => CloseCode::Expired,
        wire::CloseCode::Deleted => CloseCode::Deleted,
        wire::CloseCode::Superseded => CloseCode::Superseded,
        wire::CloseCode::Draining => CloseCode::Draining,
        wire::CloseCode::Overloaded => CloseCode::Overloaded,
        wire::CloseCode::Internal => CloseCode::Internal,
        wire::CloseCode::LinkReplaced => CloseCode::LinkReplaced,
        wire::CloseCode::DeskFull => CloseCode::DeskFull,
        wire::CloseCode::TimedOut => CloseCode::TimedOut,
        wire::CloseCode::Moved => CloseCode::Moved,
        wire::CloseCode(value) => {
            return Err(DecodeError::UnknownKind { what: "close code", value });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_has_a_place_a_word_and_a_number_of_its_own() {
        assert_eq!(CloseCode::ALL.len(), usize::from(wire::CloseCode::ENUM_MAX));
        for (place, code) in (1..).zip(CloseCode::ALL) {
            assert_eq!(close_code(wire::CloseCode(place)), Ok(code));
            let same = |other: &&CloseCode| {
                other.as_str() == code.as_str() || other.websocket() == code.websocket()
            };
            assert_eq!(CloseCode::ALL.iter().filter(same).count(), 1, "{}", code.as_str());
        }
    }
}
