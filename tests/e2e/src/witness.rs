//! Somebody who goes on working on a desk while others misbehave there.

use desk_protocol::operation::Write;
use desk_protocol::{Operation, Point, Revision, ServerFrame, StickerId};
use serde_json::Value;

use crate::desk::{Joined, create};
use crate::http::get;
use crate::server::Server;
use crate::socket::{Socket, creation};

/// The maker of a desk, with a live WebSocket and one note on it.
#[derive(Debug)]
pub struct Witness {
    /// Its session, as the desk's owner.
    pub joined: Joined,
    socket: Socket,
    revision: u64,
    seq: u64,
}

impl Witness {
    /// The id of its note.
    pub const NOTE: &str = "0000000000001";

    /// The text of its note.
    pub const TEXT: &str = "the witness's";

    /// Makes a desk and begins to work.
    pub fn on_a_new_desk(server: &Server) -> Self {
        let joined = create(server, "watched");
        let mut socket = Socket::live(server, &joined.key);
        socket.submit(1, Revision(0), vec![creation(1, Self::TEXT)]);
        assert_eq!(socket.commit().revision, Revision(1));
        Self { joined, socket, revision: 1, seq: 1 }
    }

    /// The desk's link id, for those who join.
    pub fn link(&self) -> &str {
        &self.joined.id
    }

    /// The desk's revision, as far as it knows.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Lets somebody act who must not be noticed: the desk stays what it is, the
    /// next frame that the witness gets is the commit of what it does next.
    ///
    /// # Panics
    /// When it notices something.
    pub fn sees_nothing_of<T>(
        &mut self,
        server: &Server,
        what: &str,
        act: impl FnOnce() -> T,
    ) -> T {
        let before = self.content(server);
        let result = act();
        assert_eq!(self.content(server), before, "{what} changed the desk");
        self.works(what);
        result
    }

    /// Takes what others' accepted batches brought, up to this revision.
    ///
    /// # Panics
    /// When it is brought anything else.
    pub fn follows_to(&mut self, revision: u64) {
        while self.revision < revision {
            self.revision += 1;
            assert_eq!(self.socket.commit().revision.0, self.revision, "in order");
        }
    }

    /// Changes the desk, and hears of that and nothing else.
    fn works(&mut self, what: &str) {
        self.seq += 1;
        let x = i32::try_from(self.seq).unwrap();
        let write = Write::Position(Point { x, y: 0 });
        let step = Operation::Set { id: StickerId(1), write, yielding: false };
        self.socket.submit(self.seq, Revision(self.revision), vec![step]);
        self.revision += 1;
        match self.socket.frame() {
            ServerFrame::Commit(commit) => {
                let got = (commit.revision.0, commit.client_seq.0);
                assert_eq!(got, (self.revision, self.seq), "after {what}");
            }
            other => panic!("the witness noticed {what}: {other:?}"),
        }
    }

    fn content(&self, server: &Server) -> Value {
        let target = format!("/api/desk/{}/export?format=json&deleted=true", self.joined.id);
        get(server, &target, &[]).expect(200).json()
    }
}
