//! What of a Rust file is code: its comments, strings and characters blanked, its lines kept.

/// The text with every comment and literal replaced by blanks, so that words found in it are code.
pub fn only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, is_code) = match token(rest) {
            Some(length) => (length, false),
            None => (word(rest).max(first.len_utf8()), true),
        };
        let (this, next) = rest.split_at(length);
        match is_code {
            true => code.push_str(this),
            false => code.extend(this.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        rest = next;
    }
    code
}

/// The length of the word at the start: words go as a whole, so that `for"x"` has no raw string in it.
fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// The length of the comment or literal at the start, if there is one.
fn token(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(comment(text));
    }
    if let Some(length) = raw_string(text) {
        return Some(length);
    }
    let prefix = text.len() - text.trim_start_matches(['b', 'c']).len();
    match text[prefix..].chars().next() {
        Some('"') if prefix <= 1 => Some(prefix + quoted(&text[prefix..], '"')?),
        Some('\'') if prefix <= 1 => Some(prefix + character(&text[prefix..])?),
        _ => None,
    }
}

fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn raw_string(text: &str) -> Option<usize> {
    let open = ["r", "br", "cr"].iter().find(|open| {
        text.strip_prefix(**open).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = text[open.len()..].find('"')?;
    let body = open.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text[body..].find(&close).map_or(text.len(), |end| body + end + close.len()))
}

/// The length of a literal that ends at `quote` and escapes with a backslash.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A character literal, told from a lifetime by its closing quote.
fn character(text: &str) -> Option<usize> {
    let inner: Vec<char> = text.chars().skip(1).take(2).collect();
    match inner.as_slice() {
        ['\\', _] => quoted(text, '\''),
        [c, '\''] => Some(2 + c.len_utf8()),
        _ => None,
    }
}

/// The places of a whole word in the code, each as what stands before and after it.
fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(move |(at, _)| (code[..at].trim_end_matches(' '), &code[at..], &code[at + word.len()..]))
        .filter(move |(before, from, after)| {
            let apart = code.len() - from.len() > before.len() || !before.ends_with(is_part);
            apart && !after.starts_with(is_part)
        })
        .map(|(before, _, after)| (before, after.trim_start()))
}

/// Whether something of that name is called.
pub fn calls(code: &str, word: &str) -> bool {
    places(code, word).any(|(_, after)| after.starts_with('('))
}

/// Whether a macro of that name is used.
pub fn expands(code: &str, word: &str) -> bool {
    places(code, word).any(|(_, after)| after.starts_with('!') && !after.starts_with("!="))
}

/// Whether a path begins with the name, as one into a crate does: `name::…` or `use name as …`.
pub fn roots_a_path(code: &str, name: &str) -> bool {
    places(code, name).any(|(before, after)| {
        !before.ends_with("::") && (after.starts_with("::") || after.starts_with("as "))
    })
}

#[test]
fn literals_and_comments_are_blanked() {
    for (text, expected) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x\"y", 'z')"#, "f(      ,    )"),
        (r##"r#"a"b"# + b"c" + b'd'"##, "         +      +     "),
        ("fn f<'a>(x: &'a str) -> char { '\\'' }", "fn f<'a>(x: &'a str) -> char {      }"),
        ("\"a\nb\" c", "  \n   c"),
        ("for\"x\"", "for   "),
        ("'é' x", "    x"),
    ] {
        let blanked = only(text);
        assert_eq!(blanked.trim_end(), expected.trim_end(), "{text}");
        assert_eq!(blanked.lines().count(), text.lines().count(), "{text}");
    }
}
