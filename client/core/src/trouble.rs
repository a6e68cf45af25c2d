//! Why a connection is not there, and the words that a person reads about it.
//!
//! This is the one table of such words: the page, the command line and programs
//! take them from here. A server's reason comes as a [`CloseCode`]; its text
//! (`detail`) is for logs, and nothing is decided by it.

use desk_protocol::frame::CloseCode;

/// Why the line is not there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trouble {
    /// No connection could be opened, or it broke.
    Lost,
    /// A connection was begun, and nobody answered.
    NoAnswer,
    /// The line was open, and the server was not heard of any more.
    Silent,
    /// What the server sent could not be used.
    Unreadable,
    /// The server knows no desk at the link. It may have another data folder for now,
    /// so nothing is over.
    NoDesk,
    /// The server said why.
    Server(CloseCode),
}

/// What a person reads: what happened, and what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Words {
    /// What happened, in few words, without a full stop.
    pub head: &'static str,
    /// What it means and what to do, in whole sentences.
    pub body: &'static str,
    /// What joining again is called, where that is the person's to decide.
    pub rejoin: Option<&'static str>,
}

const fn words(head: &'static str, body: &'static str) -> Words {
    Words { head, body, rejoin: None }
}

const fn asking(head: &'static str, body: &'static str, rejoin: &'static str) -> Words {
    Words { head, body, rejoin: Some(rejoin) }
}

impl Trouble {
    /// Every trouble that there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = [Self::Lost, Self::NoAnswer, Self::Silent, Self::Unreadable, Self::NoDesk];
        own.into_iter().chain(CloseCode::ALL.into_iter().map(Self::Server))
    }

    /// What the server's refusal of a request or a handshake means: the status, and
    /// the `code` of its `application/problem+json`, if there is one.
    ///
    /// A proxy or a sign-in page on the way answers in statuses too, and knows
    /// nothing of the desk. So only a code says that something is over.
    pub fn of_answer(status: u16, code: Option<&str>) -> Self {
        let named = code.and_then(CloseCode::of_word);
        match (named, status) {
            (Some(code), _) => Self::Server(code),
            (None, 404) if code == Some(NO_DESK) => Self::NoDesk,
            (None, 429 | 503) => Self::Server(CloseCode::Overloaded),
            (None, _) => Self::Lost,
        }
    }

    /// What the close code of a WebSocket means.
    pub fn of_websocket(number: u16) -> Self {
        CloseCode::of_websocket(number).map_or(Self::Lost, Self::Server)
    }

    /// The word for it, in logs and between the page and its core.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::NoAnswer => "no_answer",
            Self::Silent => "silent",
            Self::Unreadable => "unreadable",
            Self::NoDesk => NO_DESK,
            Self::Server(code) => code.as_str(),
        }
    }

    /// The trouble of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::all().find(|trouble| trouble.as_str() == word)
    }

    /// What a person reads about it.
    pub const fn words(self) -> Words {
        match self {
            Self::Lost => words(
                "Offline",
                "There is no line to the server. Go on working: it connects again by itself.",
            ),
            Self::NoAnswer => words(
                "The server does not answer",
                "It is away, or something on the way lets nothing through. It is tried again by \
                 itself; if that takes long, another network may help.",
            ),
            Self::Silent => words(
                "The line went dead",
                "Nothing has come from the server for some seconds. It connects again by itself.",
            ),
            Self::Unreadable => words(
                "The server's answer cannot be read",
                "It connects again by itself. If this stays, reload the page.",
            ),
            Self::NoDesk => words(
                "The server has no desk at this link",
                "It was deleted, or is not there yet. What you wrote is kept on this device: \
                 copy what you need. The link is tried again by itself.",
            ),
            Self::Server(code) => of_server(code),
        }
    }
}

/// The server's word for it in an answer, and the word of [`Trouble::NoDesk`].
const NO_DESK: &str = "no_desk";

const fn of_server(code: CloseCode) -> Words {
    match code {
        CloseCode::Malformed => words(
            "The server could not read a message",
            "It connects again by itself. If this stays, reload the page: it may be older than \
             the server.",
        ),
        CloseCode::TimedOut => words(
            "The server has waited too long",
            "This device was too slow to answer it. It connects again by itself.",
        ),
        CloseCode::Internal => words(
            "The server had a fault",
            "What it acknowledged is stored. It connects again by itself.",
        ),
        CloseCode::Draining => words(
            "The server is restarting",
            "Go on working: it connects again by itself in a moment.",
        ),
        CloseCode::Moved => words(
            "The desk moves to another server",
            "Go on working: it connects there by itself at once.",
        ),
        CloseCode::Overloaded => words(
            "The server cannot take changes now",
            "It is busy, or its disk is full. Go on working: it is tried again by itself.",
        ),
        CloseCode::DeskFull => words(
            "This desk is full",
            "As many people are on it as it holds. You get in by itself as soon as somebody \
             leaves.",
        ),
        CloseCode::KeyVoid => asking(
            "The server does not know you any more",
            "Your place on this desk is gone, and the desk is not. Join again to go on.",
            "Join again",
        ),
        CloseCode::NotAllowed => asking(
            "This link does not allow that",
            "It shows the desk and changes nothing. Ask the owner for a link that can edit.",
            "Join again",
        ),
        CloseCode::Finished => asking(
            "The session is finished",
            "The owner has ended it for everybody. The notes are stored, and the desk stays \
             until it expires.",
            "Rejoin",
        ),
        CloseCode::Superseded => asking(
            "This desk went on elsewhere",
            "Another window took over this one’s place. Nothing is lost.",
            "Go on here",
        ),
        CloseCode::LinkReplaced => words(
            "This link was replaced",
            "The owner has made a new link, and this one opens nothing any more. The desk is \
             still there: ask its owner for the new link.",
        ),
        CloseCode::Deleted => words(
            "This desk was deleted",
            "Its owner, or who runs the server, has deleted it, notes and all.",
        ),
        CloseCode::Expired => words(
            "This desk has expired",
            "Its time was up. An expired desk is deleted for good, notes and all.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_has_a_word_and_a_sentence_of_its_own() {
        for trouble in Trouble::all() {
            assert_eq!(Trouble::of_word(trouble.as_str()), Some(trouble));
            let said = trouble.words();
            let same = Trouble::all().filter(|other| {
                let other = other.words();
                other.head == said.head || other.body == said.body
            });
            assert_eq!(same.count(), 1, "{trouble:?}");
            assert!(!said.head.ends_with('.') && said.body.ends_with('.'), "{said:?}");
        }
    }

    #[test]
    fn only_the_person_is_asked_where_the_client_does_not_come_again() {
        for code in CloseCode::ALL {
            let asks = Trouble::Server(code).words().rejoin.is_some();
            assert!(!(asks && code.reconnect()), "{code:?}");
        }
    }

    #[test]
    fn a_status_without_a_code_of_ours_says_nothing_about_the_desk() {
        for status in [401, 403, 404, 410, 421, 502] {
            assert_eq!(Trouble::of_answer(status, None), Trouble::Lost);
            assert_eq!(Trouble::of_answer(status, Some("captive_portal")), Trouble::Lost);
        }
        assert_eq!(Trouble::of_answer(404, Some("no_desk")), Trouble::NoDesk);
        let busy = Trouble::Server(CloseCode::Overloaded);
        assert_eq!(Trouble::of_answer(503, None), busy);
        let over = Trouble::Server(CloseCode::Expired);
        assert_eq!(Trouble::of_answer(410, Some("expired")), over);
        assert_eq!(Trouble::of_websocket(1006), Trouble::Lost);
        let finished = CloseCode::Finished;
        assert_eq!(Trouble::of_websocket(finished.websocket()), Trouble::Server(finished));
    }
}
