//! Where settings come from: the compiled-in defaults, then the file, then the environment, then flags. All
//! mistakes are told at once, each with the place where it was made. The only reader of the environment.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read as _;
use std::path::PathBuf;

use carrack_shared::config::{Config, DEFAULTS, number_mistake, queue_mistake};
use carrack_shared::layer::secret::MasterKey;
use config::{File, FileFormat, Source as _, Value, ValueKind};
use tracing_subscriber::EnvFilter;

/// Begins the name of every variable that is a setting.
const PREFIX: &str = "CARRACK_";

/// Variables with the prefix that are not settings: an argument, and those of the development script and
/// the tests.
const OTHERS: [&str; 4] = ["CARRACK_TOKEN", "CARRACK_BIN", "CARRACK_CACHE", "CARRACK_DEV_"];

/// The file that is read where no other is named.
const FILE: &str = "carrack.toml";

/// Bytes of that file.
const FILE_BYTES: u64 = 1024 * 1024;

/// What the command line says of settings.
#[derive(Debug, Default)]
pub struct Flags {
    /// The settings file.
    pub config: Option<PathBuf>,
    values: Vec<(&'static str, &'static str, String)>,
}

impl Flags {
    /// Sets the setting `name`, as `flag` says.
    pub fn set(&mut self, flag: &'static str, name: &'static str, value: impl Display) {
        self.values.push((flag, name, value.to_string()));
    }

    /// Sets it where there is a value.
    pub fn set_some(&mut self, flag: &'static str, name: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.set(flag, name, value);
        }
    }
}

/// All settings, resolved: the data folder is absolute, no URL is empty.
///
/// # Errors
/// Everything that is wrong, one text each.
pub fn load(flags: &Flags) -> Result<Config, Vec<String>> {
    let file = read_file(flags);
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    let config = merge(file, environment, flags)?;
    let data_dir = std::path::absolute(&config.data_dir)
        .map_err(|error| vec![format!("data_dir: {}: {error}", config.data_dir.display())])?;
    let by_default = config.objects_url.is_empty();
    let mut config = config.resolved(&data_dir);
    // A path may hold what means something else in a URL.
    if by_default && let Ok(url) = url::Url::from_directory_path(data_dir.join("objects")) {
        config.objects_url = url.into();
    }
    Ok(config)
}

/// The settings file's name and text; none if there is none and none was named.
fn read_file(flags: &Flags) -> Result<Option<(String, String)>, String> {
    let path = flags.config.clone().unwrap_or_else(|| PathBuf::from(FILE));
    let name = path.display().to_string();
    let read = || {
        let mut text = String::new();
        std::fs::File::open(&path)?.take(FILE_BYTES).read_to_string(&mut text).map(|_| text)
    };
    match read() {
        Ok(text) => Ok(Some((name, text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && flags.config.is_none() => Ok(None),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn merge(
    file: Result<Option<(String, String)>, String>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &Flags,
) -> Result<Config, Vec<String>> {
    let mut settings = Settings::defaults().map_err(|mistake| vec![mistake])?;
    match file.map(|file| file.map(|(name, text)| (leaves(&text), name))) {
        Ok(Some((Ok(values), name))) => {
            values.into_iter().for_each(|(key, value)| settings.put(&key, value, &name));
        }
        Ok(Some((Err(error), name))) => settings.mistakes.push(format!("{name}: {error}")),
        Err(mistake) => settings.mistakes.push(mistake),
        Ok(None) => {}
    }
    let mut variables: Vec<_> = environment.collect();
    // LOG_LEVEL goes first, for the variable with the prefix wins over it.
    variables.sort_by_key(|(name, _)| name.starts_with(PREFIX));
    for (name, value) in variables {
        if name == "LOG_LEVEL" {
            settings.put_text("log_level", &value.to_lowercase(), &name);
        } else if let Some(rest) = name.strip_prefix(PREFIX)
            && !OTHERS.iter().any(|other| name.starts_with(other))
        {
            settings.put_text(&rest.to_lowercase().replace("__", "."), &value, &name);
        }
    }
    for (flag, key, value) in &flags.values {
        settings.put_text(key, value, flag);
    }
    settings.finish()
}

/// The settings on their way through the layers, flat: `worker.concurrency` is one name.
struct Settings {
    values: BTreeMap<String, Value>,
    /// Where each value comes from, that is no default.
    places: BTreeMap<String, String>,
    mistakes: Vec<String>,
}

impl Settings {
    fn defaults() -> Result<Self, String> {
        Ok(Self { values: leaves(DEFAULTS)?, places: BTreeMap::new(), mistakes: Vec::new() })
    }

    fn put_text(&mut self, key: &str, text: &str, place: &str) {
        let as_number = || text.replace('_', "").parse().map(ValueKind::I64);
        let kind = match self.values.get(key).map(|value| &value.kind) {
            Some(ValueKind::I64(_)) => as_number().unwrap_or_else(|_| ValueKind::String(text.to_owned())),
            _ => ValueKind::String(text.to_owned()),
        };
        self.put(key, Value::new(None, kind), place);
    }

    fn put(&mut self, key: &str, value: Value, place: &str) {
        let Some(default) = self.values.get(key) else {
            self.mistakes.push(format!("{place}: unknown setting {key}"));
            return;
        };
        let is_number = matches!(default.kind, ValueKind::I64(_));
        match (&value.kind, is_number) {
            (ValueKind::I64(_), true) | (ValueKind::String(_), false) => {
                self.values.insert(key.to_owned(), value);
                self.places.insert(key.to_owned(), place.to_owned());
            }
            (found, _) => {
                let expected = if is_number { "a whole number" } else { "a text" };
                self.mistakes.push(format!("{place}: {key}: expected {expected}, found {}", shown(found)));
            }
        }
    }

    fn finish(mut self) -> Result<Config, Vec<String>> {
        self.check();
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        let mut builder = config::Config::builder();
        for (key, value) in self.values {
            builder = match builder.set_override(&key, value) {
                Ok(builder) => builder,
                Err(error) => return Err(vec![format!("{key}: {error}")]),
            };
        }
        builder.build().and_then(config::Config::try_deserialize).map_err(|error| vec![error.to_string()])
    }

    /// Finds everything that is wrong with the values that have won, each by itself and together.
    fn check(&mut self) {
        let mut wrong: Vec<(String, String)> = Vec::new();
        for (key, value) in &self.values {
            if let ValueKind::I64(number) = value.kind {
                wrong.extend(number_mistake(key, number).map(|mistake| (key.clone(), mistake)));
            }
        }
        let text = |key: &str| self.values.get(key).map(ToString::to_string).unwrap_or_default();
        let or = |url: String, default: &str| if url.is_empty() { default.to_owned() } else { url };
        let urls = carrack_adapters::Urls {
            // What stands for an empty one is settled later.
            database: or(text("database_url"), "sqlite:default"),
            objects: or(text("objects_url"), "file:///default"),
            queue: text("queue_url"),
            progress: text("progress_url"),
        };
        let bad_urls = carrack_adapters::mistakes(&urls);
        if !bad_urls.iter().any(|(name, _)| ["database_url", "queue_url"].contains(name)) {
            let mistake = queue_mistake(&urls.database, &urls.queue);
            wrong.extend(mistake.map(|mistake| ("queue_url".to_owned(), mistake)));
        }
        wrong.extend(bad_urls.into_iter().map(|(name, mistake)| (name.to_owned(), mistake)));
        wrong.extend(
            master_key_mistake(&text("master_key")).map(|mistake| ("master_key".to_owned(), mistake)),
        );
        wrong.extend(listen_mistake(&text("listen")).map(|mistake| ("listen".to_owned(), mistake)));
        wrong.extend(log_mistake(&text("log_level")).map(|mistake| ("log_level".to_owned(), mistake)));
        for (key, mistake) in wrong {
            let place = self.places.get(&key).map(|place| format!("{place}: ")).unwrap_or_default();
            self.mistakes.push(format!("{place}{key}: {mistake}"));
        }
    }
}

/// The settings of a TOML text, flat.
fn leaves(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let file = File::from_str(text, FileFormat::Toml);
    let mut flat = BTreeMap::new();
    for (key, value) in file.collect().map_err(|error| unreadable(&error.to_string()))? {
        flatten(key, value, &mut flat);
    }
    Ok(flat)
}

/// What is wrong with a file that is no TOML, without the line that it shows: it may hold a password.
fn unreadable(error: &str) -> String {
    let shows_the_file = |line: &str| {
        let (margin, _) = line.split_once('|').unwrap_or((line, ""));
        line.contains('|') && margin.trim().chars().all(|character| character.is_ascii_digit())
    };
    let shown = |line: &&str| !shows_the_file(line);
    error.lines().filter(shown).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(": ")
}

fn flatten(key: String, value: Value, flat: &mut BTreeMap<String, Value>) {
    match value.kind {
        ValueKind::Table(table) => {
            table.into_iter().for_each(|(name, value)| flatten(format!("{key}.{name}"), value, flat));
        }
        _ => drop(flat.insert(key, value)),
    }
}

/// The text is not repeated.
fn master_key_mistake(text: &str) -> Option<String> {
    let mistake = || MasterKey::parse(text).err().map(|error| error.to_string());
    (!text.is_empty()).then(mistake).flatten()
}

fn listen_mistake(listen: &str) -> Option<String> {
    let port = listen.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let fits = port.is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    (!fits).then(|| format!("expected ADDRESS:PORT, found {listen:?}"))
}

/// A filter's parts are levels and `target=level`. The library takes any other word for the name of a target,
/// of which there is none, and logs nothing.
fn log_mistake(text: &str) -> Option<String> {
    let is_level = |word: &str| word.eq_ignore_ascii_case("off") || word.parse::<tracing::Level>().is_ok();
    let by_span = text.contains('[');
    let levels = text.split(',').map(|part| part.rsplit_once('=').map_or(part, |(_, level)| level).trim());
    let fits = EnvFilter::try_new(text).is_ok() && (by_span || levels.clone().all(is_level));
    (!fits).then(|| {
        let expected = "error, warn, info, debug, trace, off or a filter such as info,carrack_worker=debug";
        format!("expected {expected}, found {text:?}")
    })
}

fn shown(kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Array(_) => "a list".into(),
        ValueKind::Table(_) => "a table".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(file: &str, variables: &[(&str, &str)], flags: &Flags) -> Result<Config, Vec<String>> {
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        merge(Ok(Some(("carrack.toml".into(), file.into()))), variables, flags)
    }

    #[test]
    fn each_layer_overrides_the_one_before() {
        let file = "listen = \"0.0.0.0:1\"\nlog_level = \"info\"\n[worker]\nconcurrency = 3";
        let from_file = merged(file, &[], &Flags::default()).unwrap();
        assert_eq!((from_file.listen.as_str(), from_file.worker.concurrency), ("0.0.0.0:1", 3));
        let variables = [("CARRACK_WORKER__CONCURRENCY", "4"), ("LOG_LEVEL", "Debug"), ("HOME", "x")];
        let from_variables = merged(file, &variables, &Flags::default()).unwrap();
        assert_eq!((from_variables.worker.concurrency, from_variables.log_level.as_str()), (4, "debug"));
        let mut flags = Flags::default();
        flags.set("--concurrency", "worker.concurrency", 5);
        assert_eq!(merged(file, &variables, &flags).unwrap().worker.concurrency, 5);
        let both = [("CARRACK_LOG_LEVEL", "trace"), ("LOG_LEVEL", "error"), ("CARRACK_TOKEN", "t")];
        assert_eq!(merged("", &both, &Flags::default()).unwrap().log_level, "trace");
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let file = "lisen = \"x\"\nlisten = 5\n[worker]\nconcurrency = 0\nspeed = 9";
        let variables = [("CARRACK_COORDINATOR__WINDOW_TASKS", "many"), ("CARRACK_COLOUR", "red")];
        let mut mistakes = merged(file, &variables, &Flags::default()).unwrap_err();
        mistakes.sort();
        let expected = [
            "CARRACK_COLOUR: unknown setting colour",
            "CARRACK_COORDINATOR__WINDOW_TASKS: coordinator.window_tasks: expected a whole number, found \"many\"",
            "carrack.toml: listen: expected a text, found 5",
            "carrack.toml: unknown setting lisen",
            "carrack.toml: unknown setting worker.speed",
            "carrack.toml: worker.concurrency: expected 1 to 256, found 0",
        ];
        assert_eq!(mistakes, expected);
        assert!(merged("a = = b", &[], &Flags::default()).unwrap_err()[0].starts_with("carrack.toml: "));
    }

    #[test]
    fn each_value_is_checked_where_it_was_set() {
        let mut flags = Flags::default();
        flags.set("--concurrency", "worker.concurrency", 100_000);
        let file = "database_url = \"mysql://u:secret@h/d\"\nlisten = \"3000\"\n[worker]\nconcurrency = 0";
        let variables = [
            ("CARRACK_QUEUE_URL", "kafka://x"),
            ("CARRACK_PROGRESS_URL", ""),
            ("CARRACK_UPLOAD_LIMIT_BYTES", "-1"),
            ("LOG_LEVEL", "loud"),
        ];
        let mut mistakes = merged(file, &variables, &flags).unwrap_err();
        mistakes.sort();
        let levels = "error, warn, info, debug, trace, off or a filter such as info,carrack_worker=debug";
        let expected = [
            "--concurrency: worker.concurrency: expected 1 to 256, found 100000".to_owned(),
            "CARRACK_PROGRESS_URL: progress_url: found nothing, expected memory:, redis://… or rediss://…".into(),
            "CARRACK_QUEUE_URL: queue_url: found kafka://x, expected memory:, amqp://… or amqps://…".into(),
            format!("CARRACK_UPLOAD_LIMIT_BYTES: upload_limit_bytes: expected 1 to {}, found -1", i64::MAX),
            format!("LOG_LEVEL: log_level: expected {levels}, found \"loud\""),
            "carrack.toml: database_url: found mysql://h/d, expected sqlite:PATH, postgres://… or postgresql://…"
                .into(),
            "carrack.toml: listen: expected ADDRESS:PORT, found \"3000\"".into(),
        ];
        assert_eq!(mistakes, expected);
        let unreadable = merge(Err("a.toml: gone".into()), [].into_iter(), &flags).unwrap_err();
        assert_eq!(unreadable.len(), 2, "a file that cannot be read hides nothing: {unreadable:?}");
    }

    #[test]
    fn a_log_level_is_a_level_or_a_filter() {
        let good = ["warn", "off", "info,carrack_worker=debug", "carrack_worker=off", "info,[batch]=trace"];
        let bad = ["loud", "", "info,loud", "carrack_worker", "carrack_worker=loud", "info,,", "=="];
        for (texts, fits) in [(&good[..], true), (&bad, false)] {
            for text in texts {
                assert_eq!(log_mistake(text).is_none(), fits, "{text:?}");
            }
        }
    }
}
