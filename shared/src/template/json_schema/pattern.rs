//! Patterns of JSON Schema, which are those of ECMA-262, in the words of ours: what is written alike and means
//! something else is written so that it means the same. What ours do not have is refused when they are compiled.

/// The pattern in our words.
///
/// # Errors
/// What cannot be said in them.
pub(super) fn translated(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut characters = pattern.chars().peekable();
    let (mut in_class, mut behind) = (false, Behind::Other);
    while let Some(character) = characters.next() {
        behind = behind.followed_by(character, in_class)?;
        match character {
            '\\' => {
                let escaped = characters
                    .next()
                    .ok_or("found a backslash at its end, expected a character behind it")?;
                match class(escaped) {
                    Some(own) => out.push_str(own),
                    None if matches!(escaped, 'b' | 'B') && !in_class => {
                        // Ours is about all letters of the world.
                        if escaped == 'B' {
                            return Err("found \\B, expected a pattern without it".into());
                        }
                        out.push_str("(?-u:\\b)");
                    }
                    None if matches!(escaped, 'A' | 'z' | 'Z' | 'a' | 'p' | 'P' | 'x' | 'U' | 'c' | 'b') => {
                        return Err(format!("found \\{escaped}, expected a pattern without it"));
                    }
                    None if matches!(escaped, 't' | 'n' | 'r' | 'v' | 'f' | 'u' | '0'..='9') => {
                        out.extend(['\\', escaped]);
                    }
                    None if escaped.is_ascii_alphanumeric() => {
                        return Err(format!("found \\{escaped}, expected a pattern without it"));
                    }
                    // It stands for itself; behind a backslash of ours it may be something else.
                    None => out.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4]))),
                }
            }
            // Ours goes over fewer ends of lines.
            '.' if !in_class => out.push_str("[^\\n\\r\\u{2028}\\u{2029}]"),
            '[' if in_class => out.push_str("\\["),
            '[' => {
                in_class = true;
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if characters.peek() == Some(&']') {
                    return Err("found brackets without a character, expected one".into());
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Doubled, they are operators of ours.
            '&' | '~' if in_class => out.extend(['\\', character]),
            '-' if in_class && characters.peek() == Some(&'-') => {
                return Err("found -- in brackets, expected one hyphen".into());
            }
            // A class is no end of a range: the hyphen stands for itself.
            '-' if in_class && is_class(characters.clone()) => out.push_str("\\-"),
            // Flags, and named groups in the way of another language.
            '(' if characters.peek() == Some(&'?') => {
                characters.next();
                match characters.peek() {
                    Some(':' | '<') => out.push_str("(?"),
                    _ => return Err("found (? without : or <, expected a group".into()),
                }
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

/// What stands before a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// How often something is meant.
    Times,
    /// That as few as possible are meant.
    Few,
    Other,
}

impl Behind {
    /// Ours take how often something is meant twice in a row.
    fn followed_by(self, character: char, in_class: bool) -> Result<Self, String> {
        match (self, character) {
            _ if in_class => Ok(Self::Other),
            (Self::Times, '?') => Ok(Self::Few),
            (Self::Other, '*' | '+' | '?') | (_, '}') => Ok(Self::Times),
            (_, '*' | '+' | '?') | (Self::Times | Self::Few, '{') => {
                Err(format!("found {character} behind another sign of how often, expected one"))
            }
            _ => Ok(Self::Other),
        }
    }
}

fn is_class(mut ahead: impl Iterator<Item = char>) -> bool {
    ahead.next() == Some('\\') && ahead.next().is_some_and(|name| class(name).is_some())
}

/// What a class of ECMA-262 holds: ours hold the digits and letters of all scripts.
fn class(name: char) -> Option<&'static str> {
    Some(match name {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[A-Za-z0-9_]",
        'W' => "[^A-Za-z0-9_]",
        's' => "[[\\s\\u{FEFF}]--\\u{85}]",
        'S' => "[^[\\s\\u{FEFF}]--\\u{85}]",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_json_schema() {
        for (pattern, matches, others) in [
            ("^\\d+$", &["0", "19"][..], &["٣", "", "1a"][..]),
            ("^[\\d.]+$", &["1.5"], &["1,5", "٣"]),
            ("^\\w+$", &["a_1"], &["é"]),
            ("^[^\\W_]+$", &["a1"], &["_", "é"]),
            ("^\\S\\s\\S$", &["a b", "a\u{a0}b", "a\u{feff}b"], &["a\u{85}b", "ab"]),
            ("^.$", &["a", "é", "\u{85}"], &["\n", "\r", "\u{2028}"]),
            ("\\bab\\b", &["ab c", "éab"], &["abc"]),
            ("^[[a]$", &["[", "a"], &["b"]),
            ("^[a&&b]+$", &["a&b"], &["c"]),
            ("^[a~~b-]+$", &["a~-"], &["c"]),
            ("^(?:a|(?<n>b))$", &["a", "b"], &["c"]),
            ("^\\/\\.\\u00e9\\t$", &["/.é\t"], &["/.e\t"]),
            ("^\\<b\\>$", &["<b>"], &["b"]),
            ("^[!-\\d]+$", &["1-!"], &["5]", "#"]),
            ("^[\\w-\\.]+$", &["a-b.c_1"], &["a/b", "a,b"]),
            ("^a+?b{2}?$", &["aabb"], &["ab"]),
            (
                "^(\\([0-9]{3}\\))?[0-9]{3}-[0-9]{4}$",
                &["555-1212", "(888)555-1212"],
                &["(888)555-1212 ext. 532"],
            ),
        ] {
            let own = translated(pattern).unwrap();
            let compiled =
                crate::pattern::compile(&own).unwrap_or_else(|why| panic!("{pattern} as {own}: {why}"));
            for text in matches {
                assert!(compiled.is_match(text), "{pattern} as {own} on {text:?}");
            }
            for text in others {
                assert!(!compiled.is_match(text), "{pattern} as {own} on {text:?}");
            }
        }
        for pattern in [
            "\\", "\\Bx", "\\p{L}", "(?i)a", "(?=a)", "[]", "[a--b]", "\\cA", "\\x41", "a++", "a{2}{3}",
            "a*??", "\\k<n>",
        ] {
            assert!(translated(pattern).is_err(), "{pattern}");
        }
        // Refused where it is compiled.
        for pattern in ["(a)\\1", "(?<=a)b", "(?<!a)b"] {
            let own = translated(pattern).unwrap();
            assert!(crate::pattern::compile(&own).is_err(), "{pattern}");
        }
    }
}
