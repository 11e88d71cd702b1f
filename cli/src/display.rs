//! Progress while it happens, on standard error: a bar where somebody watches, a line every few seconds
//! otherwise.

use std::time::{Duration, Instant};

use carrack_coordinator::reject_lines::grouped;
use carrack_coordinator::report::Progress;
use indicatif::{ProgressBar, ProgressStyle};

use crate::console;

/// The time between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Steps of the bar: tenths of a percent.
const STEPS: u64 = 1000;

/// Shows progress.
pub struct Display {
    bar: Option<ProgressBar>,
    last_line: Instant,
    first: Option<(Instant, u64, f64)>,
}

impl Display {
    /// Nothing shown yet.
    pub fn new() -> Self {
        let bar = console::is_watched().then(|| {
            let bar = ProgressBar::new(STEPS);
            let style = ProgressStyle::with_template("{bar:20} {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, last_line: Instant::now(), first: None }
    }

    /// Shows how far the operation is.
    pub fn show(&mut self, progress: &Progress) {
        let now = Instant::now();
        let first = *self.first.get_or_insert((now, progress.bytes, progress.progress));
        let pace = Pace::since(first, now, progress);
        match &self.bar {
            Some(bar) => {
                bar.set_position(tenths(progress.progress));
                bar.set_message(sentence(progress, &pace));
            }
            None if self.last_line.elapsed() >= BETWEEN_LINES => {
                self.last_line = now;
                console::note(&sentence(progress, &pace));
            }
            None => {}
        }
    }

    /// Says something without disturbing the bar.
    pub fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| console::note(text)),
            None => console::note(text),
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How fast it goes, as this process has seen it.
struct Pace {
    megabytes_per_second: f64,
    left: Option<Duration>,
}

impl Pace {
    #[expect(clippy::cast_precision_loss, reason = "a speed for people needs no more than 52 bits")]
    fn since((start, bytes, percent): (Instant, u64, f64), now: Instant, progress: &Progress) -> Self {
        let elapsed = now.duration_since(start).as_secs_f64();
        let gained = progress.progress - percent;
        let seconds = (100.0 - progress.progress) * elapsed / gained;
        Self {
            megabytes_per_second: per_second(progress.bytes.saturating_sub(bytes) as f64 / 1e6, elapsed),
            left: (gained > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten(),
        }
    }
}

fn per_second(amount: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { amount / seconds } else { 0.0 }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a percentage is 0 to 100")]
fn tenths(percent: f64) -> u64 {
    (percent.clamp(0.0, 100.0) * 10.0) as u64
}

/// What is wanted most comes first: a narrow terminal cuts off the end.
fn sentence(progress: &Progress, pace: &Pace) -> String {
    let mut text = format!("{:>5.1} %  {}", progress.progress, grouped(progress.read));
    if let (Some(total), true) = (progress.total_records, progress.total_records_exact) {
        text.push_str(&format!(" of {}", grouped(total)));
    }
    text.push_str(&format!(" records  {} rejected", grouped(progress.rejected)));
    if let Some(left) = pace.left {
        text.push_str(&format!("  {} left", rounded(left)));
    }
    text.push_str(&format!("  {:.1} MB/s", pace.megabytes_per_second));
    if progress.status != carrack_shared::operation::State::Running {
        text.push_str(&format!("  {}", progress.current_step));
    }
    text
}

/// A time in its two largest units.
fn rounded(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_what_people_want() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_660, "1 h 1 min")] {
            assert_eq!(rounded(Duration::from_secs(seconds)), text);
        }
        assert_eq!((tenths(0.0), tenths(99.9), tenths(250.0)), (0, 999, 1000));
    }
}
