//! Where settings come from: the compiled-in defaults, then the file, then the environment, then flags. All
//! mistakes are told at once, each with the place where it was made. The only reader of the environment.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read as _;
use std::path::PathBuf;

use carrack_shared::config::{Config, DEFAULTS};
use config::{File, FileFormat, Source as _, Value, ValueKind};

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
    values: Vec<(&'static str, String)>,
}

impl Flags {
    /// Sets the setting `name`.
    pub fn set(&mut self, name: &'static str, value: impl Display) {
        self.values.push((name, value.to_string()));
    }

    /// Sets it where there is a value.
    pub fn set_some(&mut self, name: &'static str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }
}

/// All settings, resolved: the data folder is absolute, no URL is empty.
///
/// # Errors
/// Everything that is wrong, one text each.
pub fn load(flags: &Flags) -> Result<Config, Vec<String>> {
    let file = read_file(flags).map_err(|mistake| vec![mistake])?;
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
    file: Option<(String, String)>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &Flags,
) -> Result<Config, Vec<String>> {
    let mut settings = Settings::defaults().map_err(|mistake| vec![mistake])?;
    if let Some((name, text)) = file {
        match leaves(&text) {
            Ok(values) => values.into_iter().for_each(|(key, value)| settings.put(&key, value, &name)),
            Err(error) => settings.mistakes.push(format!("{name}: {error}")),
        }
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
    for (key, value) in &flags.values {
        settings.put_text(key, value, "the command line");
    }
    settings.finish()
}

/// The settings on their way through the layers, flat: `worker.concurrency` is one name.
struct Settings {
    values: BTreeMap<String, Value>,
    mistakes: Vec<String>,
}

impl Settings {
    fn defaults() -> Result<Self, String> {
        Ok(Self { values: leaves(DEFAULTS)?, mistakes: Vec::new() })
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
            }
            (found, _) => {
                let expected = if is_number { "a whole number" } else { "a text" };
                self.mistakes.push(format!("{place}: {key}: expected {expected}, found {}", shown(found)));
            }
        }
    }

    fn finish(mut self) -> Result<Config, Vec<String>> {
        let mut builder = config::Config::builder();
        for (key, value) in self.values {
            builder = match builder.set_override(&key, value) {
                Ok(builder) => builder,
                Err(error) => return Err(vec![format!("{key}: {error}")]),
            };
        }
        match builder.build().and_then(config::Config::try_deserialize::<Config>) {
            Ok(config) => {
                self.mistakes.extend(config.mistakes());
                self.mistakes.extend(listen_mistake(&config.listen));
                if self.mistakes.is_empty() { Ok(config) } else { Err(self.mistakes) }
            }
            Err(error) => {
                self.mistakes.push(error.to_string());
                Err(self.mistakes)
            }
        }
    }
}

/// The settings of a TOML text, flat.
fn leaves(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let file = File::from_str(text, FileFormat::Toml);
    let mut flat = BTreeMap::new();
    for (key, value) in file.collect().map_err(|error| error.to_string())? {
        flatten(key, value, &mut flat);
    }
    Ok(flat)
}

fn flatten(key: String, value: Value, flat: &mut BTreeMap<String, Value>) {
    match value.kind {
        ValueKind::Table(table) => {
            table.into_iter().for_each(|(name, value)| flatten(format!("{key}.{name}"), value, flat));
        }
        _ => drop(flat.insert(key, value)),
    }
}

fn listen_mistake(listen: &str) -> Option<String> {
    let port = listen.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let fits = port.is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    (!fits).then(|| format!("listen: expected ADDRESS:PORT, found {listen:?}"))
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
        merge(Some(("carrack.toml".into(), file.into())), variables, flags)
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
        flags.set("worker.concurrency", 5);
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
            "worker.concurrency: expected 1 to 256, found 0",
        ];
        assert_eq!(mistakes, expected);
        let listen = merged("listen = \"3000\"", &[], &Flags::default()).unwrap_err();
        assert_eq!(listen, ["listen: expected ADDRESS:PORT, found \"3000\""]);
        assert!(merged("a = = b", &[], &Flags::default()).unwrap_err()[0].starts_with("carrack.toml: "));
    }
}
