//! Why a file was not read, as the message of what is thrown: a record as JSON, so that
//! each language of the page has words of its own for it.

use desk_files::{Place, ReadError};
use serde_json::{Value, json};

/// `{reason, detail, …}`: a word for the reason, the sentence of the readers, and what of
/// it a sentence in another language needs.
pub(crate) fn refusal(error: &ReadError) -> String {
    let mut record = match error {
        ReadError::Unknown { .. } => json!({"reason": "unknown"}),
        ReadError::TooLarge { limit, .. } => json!({"reason": "too_large", "limit": limit}),
        ReadError::NotText { byte, .. } => json!({"reason": "not_text", "byte": byte}),
        ReadError::Json { line, column, .. } => {
            json!({"reason": "json", "line": line, "column": column})
        }
        ReadError::Unexpected { place, .. } => {
            json!({"reason": "unexpected", "place": place_of(place)})
        }
        ReadError::NoColumn { name, .. } => json!({"reason": "no_column", "name": name}),
        ReadError::TooMany { limit, .. } => json!({"reason": "too_many", "limit": limit}),
        ReadError::LongText { place, chars, limit, .. } => {
            json!({"reason": "long_text", "place": place_of(place), "found": chars, "limit": limit})
        }
        ReadError::TooFar { place, limit, .. } => {
            json!({"reason": "too_far", "place": place_of(place), "limit": limit})
        }
        ReadError::Empty { .. } => json!({"reason": "empty"}),
    };
    record["detail"] = error.to_string().into();
    record.to_string()
}

/// A place in parts: `{line, field}`, `{list, index, field}` or `{part}`.
fn place_of(place: &Place) -> Value {
    match place {
        Place::Line { line, field } => json!({"line": line, "field": field}),
        Place::Element { list, index, field } => {
            json!({"list": list, "index": index, "field": field})
        }
        Place::Part(part) => json!({"part": part}),
    }
}

#[cfg(test)]
mod tests {
    use desk_files::{Options, read};

    use super::*;

    #[test]
    fn a_refusal_has_a_word_and_a_place() {
        let cut = read(b"{\"nodes\": [{\"id\"", &Options::default()).expect_err("cut");
        let record: serde_json::Value = serde_json::from_str(&refusal(&cut)).expect("JSON");
        assert_eq!((&record["reason"], &record["line"]), (&"json".into(), &1.into()));
        assert_eq!(record["detail"], cut.to_string());
        let wrong = read(b"{\"nodes\": [{\"type\": \"text\"}]}", &Options::default());
        let record = refusal(&wrong.expect_err("no text"));
        let record: Value = serde_json::from_str(&record).expect("JSON");
        assert_eq!(record["place"], json!({"list": "nodes", "index": 0, "field": "text"}));
    }
}
