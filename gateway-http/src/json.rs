//! Reading JSON of strangers: every error names the place and what is expected.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value};

use crate::http::Status;
use crate::problem::Problem;

/// What is wrong with a body of JSON; the caller's fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON at all.
    #[error("the body is not JSON: {0}")]
    Syntax(String),
    /// A name comes twice in one object; which of both counts would be a guess.
    #[error("the body: {0}")]
    Twice(String),
    /// A value is not what it should be.
    #[error("{place}: expected {expected}, found {found}")]
    Unexpected {
        /// Where, as in `ops[3].move.x`.
        place: String,
        /// What should be there.
        expected: String,
        /// What is there, shortened.
        found: String,
    },
    /// A field is not there.
    #[error("{place}: the field is missing")]
    Missing {
        /// Which one, as in `ops[3].move.x`.
        place: String,
    },
    /// A field that nobody knows.
    #[error("{place}: that name is not known here, expected {expected}")]
    Unknown {
        /// Which one, as in `ops[3].move.w`.
        place: String,
        /// The fields that there are.
        expected: String,
    },
}

impl JsonError {
    /// The answer that says so.
    pub fn problem(&self) -> Problem {
        Problem::new(Status::BAD_REQUEST, format!("{self}. Correct it and send it again."))
    }
}

/// Parses a body.
pub(crate) fn parse(body: &[u8]) -> Result<Value, JsonError> {
    let parsed = serde_json::from_slice(body);
    parsed.map(|Unambiguous(value)| value).map_err(|error| match error.classify() {
        Category::Data => JsonError::Twice(error.to_string()),
        Category::Syntax | Category::Eof | Category::Io => JsonError::Syntax(error.to_string()),
    })
}

/// A value none of whose objects has a name twice. serde_json would take the last.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Unambiguous, E> {
        Ok(Unambiguous(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Unambiguous(Value::Array(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Unambiguous, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            if map.contains_key(&name) {
                let name: String = name.chars().take(40).collect();
                return Err(de::Error::custom(format_args!("the name {name:?} comes twice")));
            }
            let Unambiguous(value) = fields.next_value()?;
            map.insert(name, value);
        }
        Ok(Unambiguous(Value::Object(map)))
    }
}

/// Where a value stands in its document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Root,
    Field(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the body"),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A value and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) place: Place<'a>,
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, place: Place::Root }
    }

    pub(crate) fn unexpected(&self, expected: impl Into<String>) -> JsonError {
        JsonError::Unexpected {
            place: self.place.to_string(),
            expected: expected.into(),
            found: shown(self.value),
        }
    }

    /// An object that has no fields but `known`.
    pub(crate) fn object(&'a self, known: &'a [&'a str]) -> Result<Object<'a>, JsonError> {
        let Value::Object(map) = self.value else { return Err(self.unexpected("an object")) };
        if let Some(name) = map.keys().find(|name| !known.contains(&name.as_str())) {
            let name: String = name.chars().take(40).collect();
            return Err(JsonError::Unknown {
                place: Place::Field(&self.place, &name).to_string(),
                expected: known.join(", "),
            });
        }
        Ok(Object { map, place: &self.place })
    }

    pub(crate) fn array(&'a self) -> Result<impl Iterator<Item = Node<'a>>, JsonError> {
        let Value::Array(items) = self.value else { return Err(self.unexpected("an array")) };
        let place = &self.place;
        Ok(items
            .iter()
            .enumerate()
            .map(move |(index, value)| Node { value, place: Place::Item(place, index) }))
    }

    pub(crate) fn string(&self) -> Result<&'a str, JsonError> {
        self.value.as_str().ok_or_else(|| self.unexpected("a string"))
    }

    pub(crate) fn bool(&self) -> Result<bool, JsonError> {
        self.value.as_bool().ok_or_else(|| self.unexpected("true or false"))
    }

    /// A whole number that its type can hold; `range` says in words what is
    /// allowed. JSON knows one kind of number, so `3.0` is 3.
    pub(crate) fn integer<T: TryFrom<i64>>(&self, range: &str) -> Result<T, JsonError> {
        let exact = |number: f64| {
            let fits = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
            fits.then_some(number as i64)
        };
        let number = self.value.as_i64().or_else(|| self.value.as_f64().and_then(exact));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.unexpected(format!("a whole number{range}")))
    }

    /// A string that reads as `T`; the error says why it does not.
    pub(crate) fn parsed<T>(&self, expected: &str) -> Result<T, JsonError>
    where
        T: std::str::FromStr<Err: fmt::Display>,
    {
        self.string()?.parse().map_err(|why| JsonError::Unexpected {
            place: self.place.to_string(),
            expected: expected.to_owned(),
            found: format!("{}: {why}", shown(self.value)),
        })
    }
}

/// An object whose fields are all known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    map: &'a Map<String, Value>,
    place: &'a Place<'a>,
}

impl<'a> Object<'a> {
    /// A field; `null` is as good as none.
    pub(crate) fn optional(&self, name: &'a str) -> Option<Node<'a>> {
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(Node { value, place: Place::Field(self.place, name) })
    }

    pub(crate) fn required(&self, name: &'a str) -> Result<Node<'a>, JsonError> {
        self.optional(name)
            .ok_or_else(|| JsonError::Missing { place: Place::Field(self.place, name).to_string() })
    }
}

/// A value as an error shows it: short, and one line.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => {
            let start: String = text.chars().take(40).collect();
            format!("{:?}…", start)
        }
        other => other.to_string(),
    }
}
