//! JSON out: results, commits, polls.

use desk_protocol::operation::{CollisionStatus, Commit, Create, Operation, Write};
use desk_protocol::text::{Delta, Part};
use desk_protocol::{Revision, StickerId, StickerKind};
use serde_json::{Value, json};

use crate::export::ExportedDesk;
use crate::http::{Body, Response, Status};
use crate::problem::Problem;

/// `221 Desk Updated`: the diff was received.
pub fn submit_answer(
    status: CollisionStatus,
    revision: Revision,
    created: &[StickerId],
) -> Response {
    let json = batch_result(status, revision, created);
    Response::json(Status::DESK_UPDATED, json.to_string().into_bytes()).with("Upgrade", "websocket")
}

/// `200` with the same body: notes were imported as one batch. `told` says what of
/// the file was left out or changed.
pub fn import_answer(
    status: CollisionStatus,
    revision: Revision,
    created: &[StickerId],
    told: Vec<String>,
) -> Response {
    let mut json = batch_result(status, revision, created);
    json["told"] = told.into();
    Response::json(Status::OK, json.to_string().into_bytes())
}

fn batch_result(status: CollisionStatus, revision: Revision, created: &[StickerId]) -> Value {
    let created: Vec<_> = created.iter().map(StickerId::to_string).collect();
    json!({
        "collision_status": status.as_str(),
        "revision": revision.0,
        "created": created,
    })
}

/// The answer to a batch that was refused for good: names the operation at
/// fault, counted from 0 in the order sent.
pub fn rejection(operation: u32, detail: &str) -> Problem {
    Problem::new(
        Status::UNPROCESSABLE_CONTENT,
        format!(
            "ops[{operation}]: {detail}. Nothing was changed and client_seq is used up; correct \
             the batch and send it under the next one."
        ),
    )
}

/// The answer to a long poll: commits after the revision asked for, or none.
pub fn poll_answer<'a>(
    revision: Revision,
    commits: impl IntoIterator<Item = &'a Commit>,
) -> Response {
    let commits: Vec<_> = commits.into_iter().map(commit).collect();
    let json = json!({ "revision": revision.0, "commits": commits });
    Response::json(Status::OK, json.to_string().into_bytes())
}

/// The answer to a long poll from before what is kept: the whole desk.
pub fn poll_desk_answer(revision: Revision, desk: &ExportedDesk<'_>) -> Response {
    let json = json!({ "revision": revision.0, "desk": crate::export::json_value(desk, true) });
    Response::json(Status::OK, json.to_string().into_bytes())
}

/// The answer to a long poll that asked for frames: commits, or the chunks of a
/// snapshot, one after the other.
pub fn poll_frames_answer(frames: &[impl AsRef<[u8]>]) -> Response {
    let bytes = frames.iter().flat_map(|frame| frame.as_ref()).copied().collect();
    Response::content(Status::OK, "application/octet-stream", Body::Owned(bytes))
        .with("Cache-Control", "no-store")
}

fn commit(commit: &Commit) -> Value {
    let ops: Vec<_> = commit.operations.iter().map(operation).collect();
    json!({
        "revision": commit.revision.0,
        "author": commit.author.0,
        "user": commit.user,
        "client_seq": commit.client_seq.0,
        "collision_status": commit.status.as_str(),
        "ops": ops,
    })
}

/// One operation, ready to apply: a creation with every field, heights as numbers.
fn operation(operation: &Operation) -> Value {
    let body = match operation {
        Operation::Create(create) => creation(create),
        Operation::Set { id, write, .. } => written(*id, *write),
        Operation::Raise { id, z } | Operation::Lower { id, z } => {
            json!({ "id": id.to_string(), "z": z })
        }
        Operation::EditText { id, delta } => {
            json!({ "id": id.to_string(), "delta": parts(delta) })
        }
        Operation::SetTitle { title, .. } => json!({ "title": title }),
        Operation::Vote { id, count } => json!({ "id": id.to_string(), "count": count }),
        Operation::SetRegister { key, value } => json!({ "key": key, "value": value }),
        Operation::Purge { id } => json!({ "id": id.to_string() }),
    };
    json!({ operation.name(): body })
}

fn creation(create: &Create) -> Value {
    let mut body = json!({
        "id": create.id.to_string(),
        "x": create.position.x,
        "y": create.position.y,
        "width": create.size.width,
        "height": create.size.height,
        "color": create.color.to_string(),
        "text": create.text,
        "z": create.z,
    });
    // Born hidden: the batch that created it deleted it, too.
    if create.deleted {
        body["deleted"] = Value::Bool(true);
    }
    if create.kind != StickerKind::NOTE {
        body["kind"] = create.kind.0.into();
    }
    if create.locked {
        body["locked"] = Value::Bool(true);
    }
    body
}

fn written(id: StickerId, write: Write) -> Value {
    let id = id.to_string();
    match write {
        Write::Position(point) => json!({ "id": id, "x": point.x, "y": point.y }),
        Write::Size(size) => json!({ "id": id, "width": size.width, "height": size.height }),
        Write::Color(color) => json!({ "id": id, "color": color.to_string() }),
        Write::Z(z) => json!({ "id": id, "z": z }),
        Write::Deleted(_) | Write::Locked(_) => json!({ "id": id }),
    }
}

fn parts(delta: &Delta) -> Value {
    let part = |part: &Part| match part {
        Part::Retain(count) => json!({ "retain": count }),
        Part::Insert { text, continues: false } => json!({ "insert": text }),
        Part::Insert { text, continues: true } => json!({ "insert": text, "continues": true }),
        Part::Delete(count) => json!({ "delete": count }),
    };
    delta.parts().iter().map(part).collect()
}
