//! The signals that tell the server to stop, or to read its certificate again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What an operator asks for by a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// Read the certificate's files again.
    Reload,
    /// Stop.
    Stop,
}

/// The signals of this process, from [`Self::watch`] on.
pub(crate) struct Wishes {
    ready: Arc<AtomicBool>,
    wishes: Receiver<Wish>,
}

impl Wishes {
    /// Watches for signals. Until [`Self::ready`] a signal to stop ends the process at once
    /// and well: nobody was promised anything yet, and the next start reads what this one
    /// left, as it does after a crash.
    ///
    /// # Errors
    /// The signals, or the thread that waits for them, cannot be had.
    pub(crate) fn watch() -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let ready = Arc::new(AtomicBool::new(false));
        let (sender, wishes) = channel();
        let serves = Arc::clone(&ready);
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                let wish = if signal == SIGHUP { Wish::Reload } else { Wish::Stop };
                if serves.load(Ordering::SeqCst) {
                    // The server may have stopped already.
                    let _ = sender.send(wish);
                } else if wish == Wish::Stop {
                    tracing::info!("stopped before it was ready");
                    std::process::exit(0);
                }
            }
        })?;
        Ok(Self { ready, wishes })
    }

    /// The server serves: from now on signals are wishes.
    pub(crate) fn ready(&self) {
        self.ready.store(true, Ordering::SeqCst);
    }

    /// The next wish. Without a thread that could tell of one, the server stops.
    pub(crate) fn next(&self) -> Wish {
        self.wishes.recv().unwrap_or(Wish::Stop)
    }
}
