//! Where a desk came from, and how to join it once more.

use crate::address::DeskLink;
use crate::api::{Api, Joined};
use crate::error::RequestError;

/// The server and the links of a desk.
pub(crate) struct Origin {
    pub(crate) api: Api,
    /// The link that was joined by; at creation the edit link.
    pub(crate) link: DeskLink,
    /// At creation only.
    pub(crate) owner_link: Option<DeskLink>,
}

impl Origin {
    /// Joins again, as the same client if the server still knows the key. Whoever made
    /// the desk comes by the owner's link, because a void key grants nothing.
    pub(crate) async fn rejoin(&self, old_key: &str) -> Result<Joined, RequestError> {
        let link = self.owner_link.as_ref().unwrap_or(&self.link);
        self.api.join(link.id, Some(old_key), false).await
    }
}
