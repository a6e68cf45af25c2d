//! JSON of strangers: a field may hold anything, a list is bounded, and what
//! nobody asks for costs no memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    Visitor,
};

use crate::error::{ReadError, shown};
use crate::kind::Kind;
use crate::limits::ELEMENTS_MAX;

/// A value that is looked at later: a wrong one is an error only where it counts.
#[derive(Clone, Debug, Default)]
pub(crate) enum Loose {
    #[default]
    Nothing,
    Bool(bool),
    Number(f64),
    Text(String),
    Array,
    Object,
}

impl Loose {
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn into_text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(self, Self::Bool(true))
    }

    pub(crate) fn is_there(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => shown(text),
            Self::Array => "an array".to_owned(),
            Self::Object => "an object".to_owned(),
        }
    }
}

/// Where a value of a document goes. One visitor fills all places: code that is generated
/// for each struct would be most of the page's module.
pub(crate) trait Place {
    /// A value that is neither an array nor an object. `false`: it must not stand here.
    fn scalar(&mut self, value: Loose) -> bool;

    /// An object begins; `None`: nobody asks for what is in it.
    fn object(&mut self) -> Option<&mut dyn Record>;

    /// An array begins; `None`: nobody asks for what is in it.
    fn array(&mut self) -> Option<&mut dyn Items>;

    /// What must stand here.
    fn expected(&self) -> &'static str {
        "a value"
    }
}

/// An object of which some fields are asked for; [`record!`] makes one of a struct.
pub(crate) trait Record {
    /// The place of a field; `None`: nobody asks for it.
    fn field(&mut self, name: &str) -> Option<&mut dyn Place>;

    /// The names that are asked for.
    fn names(&self) -> &'static [&'static str];

    /// Fields without which it is none.
    fn required(&self) -> &'static [&'static str];

    /// Whether a field that nobody asks for is an error.
    fn is_closed(&self) -> bool;
}

/// An array of which each element is asked for.
pub(crate) trait Items {
    /// The place of the next element; `None`: there are too many.
    fn next(&mut self) -> Option<&mut dyn Place>;

    /// The last element was none.
    fn drop_last(&mut self);
}

/// A struct whose fields come out of an object, each by one of its names there.
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($fields:tt)* }) => {
        $crate::loose::record! {
            $(#[$meta])* $vis struct $name, closed: false, required: []; { $($fields)* }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident, closed: $closed:literal, required: $required:expr; {
            $($(#[$doc:meta])* $field:ident: $type:ty = $first:literal $(| $more:literal)*,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        $vis struct $name {
            $($(#[$doc])* $field: $type,)+
        }

        impl $crate::loose::Record for $name {
            fn field(&mut self, name: &str) -> Option<&mut dyn $crate::loose::Place> {
                match name {
                    $($first $(| $more)* => Some(&mut self.$field),)+
                    _ => None,
                }
            }

            fn names(&self) -> &'static [&'static str] {
                &[$($first),+]
            }

            fn required(&self) -> &'static [&'static str] {
                &$required
            }

            fn is_closed(&self) -> bool {
                $closed
            }
        }
    };
}
pub(crate) use record;

impl Place for Loose {
    fn scalar(&mut self, value: Loose) -> bool {
        *self = value;
        true
    }

    fn object(&mut self) -> Option<&mut dyn Record> {
        *self = Self::Object;
        None
    }

    fn array(&mut self) -> Option<&mut dyn Items> {
        *self = Self::Array;
        None
    }
}

/// A value of which nobody asks what it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ignored;

impl Place for Ignored {
    fn scalar(&mut self, _: Loose) -> bool {
        true
    }

    fn object(&mut self) -> Option<&mut dyn Record> {
        None
    }

    fn array(&mut self) -> Option<&mut dyn Items> {
        None
    }
}

/// An object, or nothing where something else stands.
#[derive(Clone, Debug)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Record + Default> Place for Maybe<T> {
    fn scalar(&mut self, _: Loose) -> bool {
        true
    }

    fn object(&mut self) -> Option<&mut dyn Record> {
        Some(self.0.insert(T::default()))
    }

    fn array(&mut self) -> Option<&mut dyn Items> {
        None
    }
}

/// An object, and nothing else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Must<T>(pub(crate) T);

impl<T: Record> Place for Must<T> {
    fn scalar(&mut self, _: Loose) -> bool {
        false
    }

    fn object(&mut self) -> Option<&mut dyn Record> {
        Some(&mut self.0)
    }

    fn array(&mut self) -> Option<&mut dyn Items> {
        None
    }

    fn expected(&self) -> &'static str {
        "an object"
    }
}

/// Nothing where the field is not there, or is `null`.
impl<T: Place + Default> Place for Option<T> {
    fn scalar(&mut self, value: Loose) -> bool {
        matches!(value, Loose::Nothing) || self.insert(T::default()).scalar(value)
    }

    fn object(&mut self) -> Option<&mut dyn Record> {
        self.insert(T::default()).object()
    }

    fn array(&mut self) -> Option<&mut dyn Items> {
        self.insert(T::default()).array()
    }

    fn expected(&self) -> &'static str {
        T::default().expected()
    }
}

/// A list of at most [`ELEMENTS_MAX`]; `null` is an empty one.
#[derive(Clone, Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Place + Default> Place for List<T> {
    fn scalar(&mut self, value: Loose) -> bool {
        matches!(value, Loose::Nothing)
    }

    fn object(&mut self) -> Option<&mut dyn Record> {
        None
    }

    fn array(&mut self) -> Option<&mut dyn Items> {
        self.0.clear();
        Some(self)
    }

    fn expected(&self) -> &'static str {
        "an array"
    }
}

impl<T: Place + Default> Items for List<T> {
    fn next(&mut self) -> Option<&mut dyn Place> {
        if self.0.len() == ELEMENTS_MAX {
            return None;
        }
        self.0.push(T::default());
        self.0.last_mut().map(|last| last as &mut dyn Place)
    }

    fn drop_last(&mut self) {
        self.0.pop();
    }
}

/// What an object has by names that nobody knows, such as ids. Of more than
/// [`ELEMENTS_MAX`] it keeps one too many, so that its reader can tell.
#[derive(Clone, Debug)]
pub(crate) struct Entries<T>(pub(crate) Vec<T>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Place + Default> Record for Entries<T> {
    fn field(&mut self, _: &str) -> Option<&mut dyn Place> {
        if self.0.len() > ELEMENTS_MAX {
            return None;
        }
        self.0.push(T::default());
        self.0.last_mut().map(|last| last as &mut dyn Place)
    }

    fn names(&self) -> &'static [&'static str] {
        &[]
    }

    fn required(&self) -> &'static [&'static str] {
        &[]
    }

    fn is_closed(&self) -> bool {
        false
    }
}

/// The reason by which [`parse`] knows a list that is too long.
const TOO_MANY: &str = "too many elements";

/// The visitor that fills a place.
pub(crate) struct Filling<'a>(pub(crate) &'a mut dyn Place);

impl Filling<'_> {
    fn scalar<E: serde::de::Error>(self, value: Loose, found: Unexpected<'_>) -> Result<(), E> {
        if self.0.scalar(value) { Ok(()) } else { Err(E::invalid_type(found, &self)) }
    }
}

impl<'de> DeserializeSeed<'de> for Filling<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Filling<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.expected())
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar(Loose::Nothing, Unexpected::Unit)
    }
    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Loose::Bool(value), Unexpected::Bool(value))
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Loose::Number(value as f64), Unexpected::Signed(value))
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Loose::Number(value as f64), Unexpected::Unsigned(value))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Loose::Number(value), Unexpected::Float(value))
    }
    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Loose::Text(value.to_owned()), Unexpected::Str(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some(items) = self.0.array() else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        // Whether there is one more is known only when its place is: the last one is extra.
        let mut spare = Loose::default();
        loop {
            let Some(place) = items.next() else {
                return match seq.next_element_seed(Filling(&mut spare))? {
                    Some(()) => Err(A::Error::custom(TOO_MANY)),
                    None => Ok(()),
                };
            };
            if seq.next_element_seed(Filling(place))?.is_none() {
                items.drop_last();
                return Ok(());
            }
        }
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(record) = self.0.object() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let (is_closed, names) = (record.is_closed(), record.names());
        let mut missing = record.required().to_vec();
        while let Some(name) = map.next_key_seed(Name)? {
            missing.retain(|required| *required != name);
            match record.field(&name) {
                Some(place) => map.next_value_seed(Filling(place))?,
                None if is_closed => return Err(A::Error::unknown_field(&name, names)),
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        match missing.first() {
            Some(name) => Err(A::Error::missing_field(name)),
            None => Ok(()),
        }
    }
}

/// A field's name, borrowed where it can be.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Parses a document of a kind.
pub(crate) fn parse<T: Record + Default>(kind: Kind, text: &str) -> Result<T, ReadError> {
    let mut document = Must(T::default());
    fill(&mut document, text).map_err(|error| json_error(kind, &error))?;
    Ok(document.0)
}

fn fill(place: &mut dyn Place, text: &str) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    Filling(place).deserialize(&mut parser)?;
    parser.end()
}

/// An error of the parser, without the place, which stands before it.
pub(crate) fn json_error(kind: Kind, error: &serde_json::Error) -> ReadError {
    let told = error.to_string();
    let reason = told.rsplit_once(" at line ").map_or(told.as_str(), |(reason, _)| reason);
    if reason == TOO_MANY {
        return ReadError::TooMany { kind, what: "elements", limit: ELEMENTS_MAX };
    }
    let reason = if error.is_eof() {
        format!("the file ends here, cut off ({reason})")
    } else {
        reason.to_owned()
    };
    ReadError::Json { kind, line: error.line(), column: error.column(), reason }
}
