//! What comes out of one case.

use serde_json::{Value, json};

use super::operation::{list, number, read_all, read_delta, string, write_all, write_delta};
use crate::desk::Desk;
use crate::id::{Author, ClientSeq, Revision};
use crate::limits::{DeskLimits, OrderLimits};
use crate::operation::Batch;
use crate::resolver::{self, Refusal, Submission, TextHistories, overlay, transform};
use crate::sticker::StickerKind;
use crate::text::{Anchor, Delta, Order, Run};

pub(super) fn find(case: &Value) -> Result<Value, String> {
    match string(case, "kind")? {
        "text" => text(case),
        "compose" => compose(case),
        "invert" => invert(case),
        "run" => run(case),
        "caret" => caret(case),
        "accept" => accept(case),
        "pending" => pending(case),
        other => Err(format!("there is no kind {other}")),
    }
}

fn apply(delta: &Delta, text: &str) -> Result<String, String> {
    delta.apply(text).map_err(|error| error.to_string())
}

fn text(case: &Value) -> Result<Value, String> {
    let text = string(case, "text")?;
    let (first, second) = (read_delta(case, "first")?, read_delta(case, "second")?);
    let over = second.transform(&first, Order::After);
    let under = first.transform(&second, Order::Before);
    let result = apply(&over, &apply(&first, text)?)?;
    if apply(&under, &apply(&second, text)?)? != result {
        return Err("the two ways do not meet".into());
    }
    Ok(json!({ "over": write_delta(&over), "under": write_delta(&under), "result": result }))
}

fn compose(case: &Value) -> Result<Value, String> {
    let text = string(case, "text")?;
    let (first, then) = (read_delta(case, "first")?, read_delta(case, "then")?);
    let composed = first.compose(&then);
    let result = apply(&then, &apply(&first, text)?)?;
    if apply(&composed, text)? != result {
        return Err("the composition does something else".into());
    }
    Ok(json!({ "composed": write_delta(&composed), "result": result }))
}

fn invert(case: &Value) -> Result<Value, String> {
    let text = string(case, "text")?;
    let delta = read_delta(case, "delta")?;
    let inverse = delta.invert(text).map_err(|error| error.to_string())?;
    let result = apply(&delta, text)?;
    if apply(&inverse, &result)? != text {
        return Err("the inverse does not take it back".into());
    }
    Ok(json!({ "result": result, "inverse": write_delta(&inverse) }))
}

/// What a client's run does as its author types and others change the text.
fn run(case: &Value) -> Result<Value, String> {
    let mut text = string(case, "text")?.to_owned();
    let mut run = Run::default();
    let mut steps = Vec::new();
    for step in list(case, "steps")? {
        let mut found = json!({});
        if step["typed"].is_null() {
            let delta = read_delta(step, "moved")?;
            run.moved(&delta);
            text = apply(&delta, &text)?;
        } else {
            let delta = run.typed(&read_delta(step, "typed")?);
            text = apply(&delta, &text)?;
            found["typed"] = write_delta(&delta);
        }
        found["run"] = json!([run.start(), run.end()]);
        steps.push(found);
    }
    Ok(json!({ "steps": steps, "result": text }))
}

fn caret(case: &Value) -> Result<Value, String> {
    let delta = read_delta(case, "delta")?;
    let anchor = if case["continues"] == true { Anchor::Run } else { Anchor::Right };
    let caret = delta.transform_position(number(case, "caret")?, anchor);
    Ok(json!({ "result": apply(&delta, string(case, "text")?)?, "caret": caret }))
}

/// The desk after all submits, what became of each, and what was committed.
struct Ordered {
    desk: Desk,
    answers: Vec<Value>,
    commits: Vec<crate::operation::Commit>,
}

fn order(case: &Value) -> Result<Ordered, String> {
    let mut limits = OrderLimits::default();
    if !case["bin"].is_null() {
        limits.bin.stickers = number(case, "bin")?;
    }
    if !case["text"].is_null() {
        limits.desk.text_chars = number(case, "text")?;
    }
    let (mut desk, mut histories) = (Desk::default(), TextHistories::default());
    let (mut answers, mut commits) = (Vec::new(), Vec::new());
    for submit in list(case, "submits")? {
        let batch = match Batch::from_operations(read_all(submit, "ops")?, &limits.desk) {
            Ok(batch) => batch,
            Err(error) => {
                answers.push(json!({ "rejected": error.to_string() }));
                continue;
            }
        };
        let base = Revision(number(submit, "base")?);
        let made_at = match submit["made_at"].is_null() {
            true => base,
            false => Revision(number(submit, "made_at")?),
        };
        let submission = Submission {
            author: Author(number(submit, "author")?),
            client_seq: ClientSeq(1),
            base,
            made_at,
            batch: &batch,
            user: "",
            now_ms: 0,
            text_at_head: &[],
        };
        if submission.base > desk.revision() {
            return Err(format!("a base above the head: {submit}"));
        }
        answers.push(match resolver::accept(&mut desk, &mut histories, submission, &limits) {
            Ok(acceptance) => {
                let commit = acceptance.commit;
                let ops = write_all(&commit.operations);
                let status = commit.status.as_str();
                commits.push(commit);
                json!({ "status": status, "ops": ops })
            }
            Err(Refusal::Stale(id)) => json!({ "stale": id.to_string() }),
            Err(Refusal::Rejected(why)) => json!({ "rejected": why.to_string() }),
        });
    }
    Ok(Ordered { desk, answers, commits })
}

fn accept(case: &Value) -> Result<Value, String> {
    let ordered = order(case)?;
    Ok(json!({ "answers": ordered.answers, "desk": content(&ordered.desk) }))
}

fn pending(case: &Value) -> Result<Value, String> {
    let ordered = order(case)?;
    let mine = &case["mine"];
    let base = Revision(number(mine, "base")?);
    let mut over = Batch::from_operations(read_all(mine, "ops")?, &DeskLimits::default())
        .map_err(|error| error.to_string())?;
    let mut under = Vec::new();
    for commit in ordered.commits.iter().filter(|commit| commit.revision > base) {
        let above;
        (over, above) = transform(&over, &commit.operations);
        under.push(write_all(&above));
    }
    let mut view = ordered.desk;
    overlay(&mut view, &over, Author(number(mine, "author")?), 0);
    let over = write_all(over.operations());
    Ok(json!({ "over": over, "under": under, "view": content(&view) }))
}

/// What a person sees, from the bottom of the pile to its top.
fn content(desk: &Desk) -> Value {
    let stickers = desk.pile().map(|sticker| {
        let mut content = json!({
            "id": sticker.id.to_string(),
            "x": sticker.position.value.x,
            "y": sticker.position.value.y,
            "width": sticker.size.value.width,
            "height": sticker.size.value.height,
            "color": sticker.color.value.to_string(),
            "z": sticker.z.value,
            "text": sticker.text.value,
            "deleted": sticker.deleted.value,
        });
        if sticker.kind != StickerKind::NOTE {
            content["kind"] = json!(sticker.kind.0);
        }
        // Only where there are some: most cases are about other things.
        if !sticker.counters.is_empty() {
            let counters = sticker.counters.iter();
            let counters = counters.map(|(author, count)| (author.to_string(), json!(count)));
            content["counters"] = counters.collect();
        }
        if sticker.locked.value {
            content["locked"] = Value::Bool(true);
        }
        content
    });
    let mut content =
        json!({ "title": desk.title().value, "stickers": stickers.collect::<Value>() });
    if !desk.registers().is_empty() {
        let registers = desk.registers().iter();
        content["registers"] =
            registers.map(|(key, value)| (key.to_string(), json!(value))).collect();
    }
    content
}
