//! Operations, results and polls as JSON.

pub(crate) mod read;
mod write;

pub use read::{SubmitRequest, read_submit};
pub use write::{
    import_answer, poll_answer, poll_desk_answer, poll_frames_answer, rejection, submit_answer,
};
