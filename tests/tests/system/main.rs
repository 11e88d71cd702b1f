//! The promises, shown with real processes: killed, cancelled, fed hostile files.

mod cancel;
mod crashes;
mod hostile;
mod round_trip;
