//! Each transformation: what it makes of values, and of what it cannot be applied to.

use carrack_shared::format::Format;

use super::{mapped, only};

/// The field `x` of a record of JSON that has it as `value`, or not at all, once it is transformed.
fn transformed(step: &str, value: Option<&str>) -> String {
    let document = format!("{{\"transformations\":[{{\"field\":\"x\",{step}}}]}}");
    let member = value.map_or(String::new(), |value| format!(",\"x\":{value}"));
    let record = format!("{{\"id\":\"1\",\"title\":\"t\",\"content\":\"c\"{member}}}");
    let found = only(&document, Format::Json, &record).join("; ");
    match found.strip_prefix("'1' 't' 'c' - - - - - - ") {
        Some("-") => "missing".into(),
        Some(extra) => extra.strip_prefix("{\"x\":").and_then(|rest| rest.strip_suffix('}')).unwrap().into(),
        None => found,
    }
}

#[test]
fn values_become_what_is_asked_for() {
    let plain = |name: &str| format!("\"transformation\":\"{name}\"");
    let custom = |name: &str| format!("\"transformation\":\"custom\",\"customFunction\":\"{name}\"");
    let with = |name: &str, more: &str| format!("\"transformation\":\"{name}\",{more}");
    let no_text = |name: &str, found: &str| format!("transform.{name} x: found {found}, expected a text");
    let cases = [
        (plain("trim"), r#"" a\t""#, r#""a""#.to_owned()),
        (plain("trim"), r#"[" a ","b ",null]"#, r#"["a","b",null]"#.into()),
        (plain("trim"), "5", no_text("trim", "the number 5")),
        (plain("trim"), "{}", no_text("trim", "an object")),
        (plain("trim"), "[[\" a \"]]", r#"[["a"]]"#.into()),
        (plain("lowercase"), r#""ÀB""#, r#""àb""#.into()),
        (plain("lowercase"), "true", no_text("lowercase", "true")),
        (plain("uppercase"), r#""straße""#, r#""STRASSE""#.into()),
        (plain("uppercase"), "{}", no_text("uppercase", "an object")),
        (plain("capitalize"), r#""hello World""#, r#""Hello World""#.into()),
        (plain("capitalize"), "1", no_text("capitalize", "the number 1")),
        (plain("number"), r#"" 0012.50 ""#, "12.5".into()),
        (plain("number"), r#""12345678901234567890123""#, "12345678901234567890123".into()),
        (plain("number"), r#""1e3""#, "1000".into()),
        (plain("number"), "1.5", "1.5".into()),
        (plain("number"), r#"["1","2"]"#, "[1,2]".into()),
        (plain("number"), r#""1,5""#, "transform.number x: found \"1,5\", expected a number".into()),
        (plain("number"), r#""""#, "transform.number x: found \"\", expected a number".into()),
        (plain("number"), "true", "transform.number x: found true, expected a number".into()),
        (
            plain("number"),
            r#""1e1000""#,
            "number.range x: found \"1e1000\", expected a number of at most 1000 digits once written without an exponent".into(),
        ),
        (with("number", r#""decimal":",","group":".""#), r#""1.234,50""#, "1234.5".into()),
        (plain("boolean"), r#""Yes""#, "true".into()),
        (plain("boolean"), r#"["on","0",1,false]"#, "[true,false,true,false]".into()),
        (
            plain("boolean"),
            r#""maybe""#,
            "transform.boolean x: found \"maybe\", expected one of true, yes, on, y, t, 1 for true, false, no, off, n, f, 0 for false".into(),
        ),
        (plain("boolean"), "2", "transform.boolean x: found the number 2, expected one of true, yes, on, y, t, 1 for true, false, no, off, n, f, 0 for false".into()),
        (with("date", r#""formats":["%d/%m/%Y"]"#), r#""31/01/2024""#, r#""2024-01-31T00:00:00Z""#.into()),
        (
            with("date", r#""formats":["%d/%m/%Y","%m/%d/%Y"]"#),
            r#""03/04/2024""#,
            "transform.date x: found \"03/04/2024\", which is 2024-04-03T00:00:00Z by %d/%m/%Y and 2024-03-04T00:00:00Z by %m/%d/%Y, expected a date that can be read in one way".into(),
        ),
        (
            with("date", r#""formats":["%d/%m/%Y","epoch"]"#),
            r#""2024""#,
            r#""1970-01-01T00:33:44Z""#.into(),
        ),
        (
            with("date", r#""formats":["%d/%m/%Y","rfc3339"]"#),
            r#""31.01.2024""#,
            "transform.date x: found \"31.01.2024\", expected a date as %d/%m/%Y or rfc3339".into(),
        ),
        (
            with("date", r#""formats":["%d.%m.%Y %H:%M"],"timeZone":"Europe/Berlin""#),
            r#""31.03.2024 02:30""#,
            "transform.date x: found \"31.03.2024 02:30\", a time that was never shown in its zone, expected an offset".into(),
        ),
        (with("date", r#""formats":["rfc3339"]"#), "{}", "transform.date x: found an object, expected a date".into()),
        (plain("split"), r#""a, b,,c""#, r#"["a"," b","","c"]"#.into()),
        (plain("split"), r#""""#, "[]".into()),
        (with("split", r#""separator":"; ""#), r#""a; b;c""#, r#"["a","b;c"]"#.into()),
        (plain("split"), r#"["a,b","c"]"#, r#"["a","b","c"]"#.into()),
        (plain("split"), "5", no_text("split", "the number 5")),
        (plain("join"), r#"["a",1,true]"#, r#""a,1,true""#.into()),
        (with("join", r#""separator":"""#), r#"["a","b"]"#, r#""ab""#.into()),
        (plain("join"), "[]", r#""""#.into()),
        (plain("join"), r#""a""#, "transform.join x: found \"a\", expected an array".into()),
        (plain("join"), "[[]]", "transform.join x: found an array, expected texts, numbers and truth values in the array".into()),
        (with("replace", r#""search":".","replacement":"-""#), r#""a.b""#, r#""a-b""#.into()),
        (with("replace", r#""search":".""#), r#"["a.b"]"#, r#"["ab"]"#.into()),
        (with("replace", r#""pattern":"^(\\w+) (\\w+)$","replacement":"$2, $1""#), r#""Ada Lovelace""#, r#""Lovelace, Ada""#.into()),
        (with("replace", r#""search":"a""#), "1", no_text("replace", "the number 1")),
        (with("default", r#""value":[1,null]"#), "null", "[1,null]".into()),
        (with("default", r#""value":"d""#), r#""""#, r#""""#.into()),
        (with("coalesce", r#""fields":["nope","title"]"#), "1", r#""t""#.into()),
        (with("coalesce", r#""fields":["nope"]"#), "1", "1".into()),
        (plain("json"), r#""{\"b\":1.0,\"a\":[ ]}""#, r#"{"a":[],"b":1}"#.into()),
        (plain("json"), r#""null""#, "null".into()),
        (plain("json"), r#""{\"a\":1,\"a\":2}""#, "member.duplicate x: found the member \"a\" twice in one object".into()),
        (plain("json"), r#""{""#, "transform.json x: found no valid JSON at byte 0 of the text: EOF while parsing an object".into()),
        (plain("json"), r#""\"\\u0000\"""#, "text.nul x: found a NUL character, which no database stores in a text".into()),
        (plain("json"), "[]", "transform.json x: found an array, expected a text that holds JSON".into()),
        (plain("hash"), r#""abc""#, r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#.into()),
        (plain("hash"), r#"{"b":1,"a":2}"#, r#""d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772""#.into()),
        (plain("slug"), r#"" Hello, World! ""#, r#""hello-world""#.into()),
        (plain("slug"), r#""!""#, "transform.slug x: found \"!\", expected letters or digits".into()),
        (custom("splitAndTrim"), r#"" a , b,, ""#, r#"["a","b"]"#.into()),
        (format!("{},\"separator\":\";\"", custom("splitAndTrim")), r#""a; b,c""#, r#"["a","b,c"]"#.into()),
        (custom("splitAndTrim"), r#"["a, b","c "]"#, r#"["a","b","c"]"#.into()),
        (custom("parseOldDateFormat"), r#""14.03.2009 15:26""#, r#""2009-03-14T15:26:00Z""#.into()),
        (custom("parseOldDateFormat"), r#""soon""#, "transform.custom x: found \"soon\", expected a date in one of the old formats".into()),
        (
            custom("parseOldDateFormat"),
            r#""3/4/2009""#,
            "transform.custom x: found \"3/4/2009\", which is 2009-04-03T00:00:00Z by %d/%m/%Y and 2009-03-04T00:00:00Z by %m/%d/%Y, expected a date that can be read in one way".into(),
        ),
        (custom("emptyToNull"), r#"["", " ","a"]"#, r#"[null,null,"a"]"#.into()),
        (custom("stripHtml"), r#""<b>a</b>&amp;b""#, r#""a &b""#.into()),
        (custom("collapseSpaces"), r#"" a  b ""#, r#""a b""#.into()),
        (custom("onlyDigits"), r#""+49 (30) 1""#, r#""49301""#.into()),
        (custom("onlyDigits"), "5", no_text("custom", "the number 5")),
        (custom("toText"), "[5.0,true,\"a\"]", r#"["5","true","a"]"#.into()),
        (custom("toText"), "{}", "transform.custom x: found an object, expected a text, a number or a truth value".into()),
    ];
    for (step, value, expected) in &cases {
        assert_eq!(&transformed(step, Some(value)), expected, "{value} with {step}");
        let filled = step.contains("\"default\"") || step.contains("\"coalesce\"");
        if !filled {
            assert_eq!(transformed(step, None), "missing", "{step}");
            assert_eq!(transformed(step, Some("null")), "null", "{step}");
        }
    }
    assert_eq!(transformed(r#""transformation":"default","value":false"#, None), "false");
    assert_eq!(transformed(r#""transformation":"coalesce","fields":["id"]"#, None), r#""1""#);
}

#[test]
fn own_functions_are_expressions_over_value() {
    let document = r#"{"functions":{"last":"value.split('/')[size(value.split('/')) - 1]","twice":"value * 2"},
        "transformations":[{"field":"title","transformation":"custom","customFunction":"last"},
                           {"field":"n","transformation":"custom","customFunction":"twice"}]}"#;
    let record = |title: &str, n: &str| format!(r#"{{"id":"1","title":{title},"content":"c","n":{n}}}"#);
    for (title, n, expected) in [
        (r#""a/b/c""#, "21", vec!["'1' 'c' 'c' - - - - - - {\"n\":42}".to_owned()]),
        (
            "5",
            r#""x""#,
            vec![
                "expression.failed title: the expression failed: found int and string, for which there is no split".into(),
                "expression.failed n: the expression failed: found string and int, for which there is no mul".into(),
            ],
        ),
    ] {
        assert_eq!(only(document, Format::Json, &record(title, n)), expected);
    }
}

#[test]
fn steps_are_applied_in_their_order_and_a_fault_ends_those_of_its_field() {
    let document = r#"{"transformations":[
        {"field":"type","transformation":"trim"},
        {"field":"type","transformation":"custom","customFunction":"emptyToNull"},
        {"field":"type","transformation":"default","value":"general"},
        {"field":"type","transformation":"uppercase"},
        {"field":"n","transformation":"number"},
        {"field":"n","transformation":"slug"}]}"#;
    let input = "id,title,content,type,n\n1,t,c, ,\n2,t,c, a ,x\n3,t,c,b,5\n";
    let expected = [
        "'1' 't' 'c' 'GENERAL' - - - - - -",
        "transform.number n: found \"x\", expected a number",
        "transform.slug n: found the number 5, expected a text",
    ];
    assert_eq!(mapped(document, Format::Csv, input).concat(), expected);
}
