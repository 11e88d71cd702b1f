//! Fields that get other names and places, in every format; and fields that are computed.

use carrack_shared::format::Format;

use super::{mapped, mapping, only};

const GUIDE: &str = r#"{"fieldMappings":{"legacy_title":"title","legacy_body":"content","legacy_category":"type","legacy_keywords":"tags"},
    "transformations":[{"field":"title","transformation":"trim"},{"field":"type","transformation":"lowercase"},
    {"field":"tags","transformation":"custom","customFunction":"splitAndTrim"}]}"#;

const RENAMES: &str = r#"{"fieldMappings":{"old_id":"id","name":"title","old":"note","junk":null}}"#;

#[test]
fn the_guides_mapping_reads_every_format() {
    let row = r#"'1' 'Hello' 'c' 'news' ["a","b c"] - - - - {"x":"7"}"#;
    for (format, input) in [
        (
            Format::Csv,
            "id,legacy_title,legacy_body,legacy_category,legacy_keywords,x\n1, Hello ,c,NEWS,\"a , b c,\",7\n",
        ),
        (
            Format::Json,
            r#"{"id":"1","legacy_title":" Hello ","legacy_body":"c","legacy_category":"NEWS","legacy_keywords":"a , b c,","x":"7"}"#,
        ),
        (
            Format::Json,
            r#"{"id":"1","legacy_title":" Hello ","legacy_body":"c","legacy_category":"NEWS","legacy_keywords":["a ","b c"],"x":"7"}"#,
        ),
        (
            Format::Xml,
            "<d><i><id>1</id><legacy_title> Hello </legacy_title><legacy_body>c</legacy_body><legacy_category>NEWS</legacy_category><legacy_keywords>a , b c,</legacy_keywords><x>7</x></i></d>",
        ),
        (
            Format::Yaml,
            "- id: 1\n  legacy_title: ' Hello '\n  legacy_body: c\n  legacy_category: NEWS\n  legacy_keywords: a , b c,\n  x: '7'\n",
        ),
        (
            Format::Markdown,
            "## Item 1\n**id:** 1\n**legacy_title:** Hello\n**legacy_body:** c\n**legacy_category:** NEWS\n**legacy_keywords:** a , b c,\n**x:** 7\n",
        ),
    ] {
        assert_eq!(only(GUIDE, format, input), [row], "{input}");
    }
}

#[test]
fn renamed_fields_are_read_as_what_they_become() {
    let document = r#"{"fieldMappings":{"labels":"tags","made":"createdAt","info":"metadata"}}"#;
    let expected = r#"'007' 't' 'c' - ["a","b"] - 1704067200000000 - {"k":"v"} -"#;
    for (format, input) in [
        (
            Format::Csv,
            "id,title,content,labels,made,info\n007,t,c,\"a,b\",2024-01-01,\"{\"\"k\"\":\"\"v\"\"}\"\n",
        ),
        (
            Format::Yaml,
            "- id: 007\n  title: t\n  content: c\n  labels: [a, b]\n  made: 2024-01-01\n  info: {k: v}\n",
        ),
        (
            Format::Xml,
            "<d><i><id>007</id><title>t</title><content>c</content><labels><l>a</l><l>b</l></labels><made>2024-01-01</made><info><k>v</k></info></i></d>",
        ),
        (
            Format::Markdown,
            "## Item 1\n**id:** 007\n**title:** t\n**content:** c\n**labels:** a, b\n**made:** 2024-01-01\n**info:** `{\"k\":\"v\"}`\n",
        ),
    ] {
        assert_eq!(only(document, format, input), [expected], "{input}");
        // The same once the fields are values, and not the cells that they are read as.
        let touched = r#"{"fieldMappings":{"labels":"tags","made":"createdAt","info":"metadata"},"transformations":[
            {"field":"tags","transformation":"default","value":[]},{"field":"createdAt","transformation":"default","value":"2000-01-01"},
            {"field":"metadata","transformation":"default","value":{}},{"field":"id","transformation":"trim"}]}"#;
        assert_eq!(only(touched, format, input), [expected], "{input}");
    }
    let nothing = "id,title,content,labels,made,info\n1,t,c,,\"\",\"\"\n";
    assert_eq!(only(document, Format::Csv, nothing), ["'1' 't' 'c' - - - - - - -"]);
}

#[test]
fn what_is_not_named_keeps_its_name() {
    let cases = [
        (
            r#"{"old_id":"1","name":"t","content":"c","old":5,"junk":[1],"z":{"b":1}}"#,
            vec![r#"'1' 't' 'c' - - - - - - {"z":{"b":1},"note":5}"#],
        ),
        (r#"{"id":"1","title":"t","content":"c","note":1}"#, vec![r#"'1' 't' 'c' - - - - - - {"note":1}"#]),
        (r#"{"old_id":"1","name":null,"title":"t","content":"c"}"#, vec!["'1' 't' 'c' - - - - - - -"]),
        (r#"{"old_id":"1","name":"t","title":null,"content":"c"}"#, vec!["'1' 't' 'c' - - - - - - -"]),
        (
            r#"{"old_id":"1","name":"t","content":"c","old":null,"type":null}"#,
            vec![r#"'1' 't' 'c' - - - - - - {"note":null,"type":null}"#],
        ),
        (
            r#"{"old_id":"1","name":null,"content":"c"}"#,
            vec!["required.missing title: found null, expected a string; it came from \"name\""],
        ),
        (
            r#"{"old_id":"1","content":"c"}"#,
            vec!["required.missing title: found nothing, expected a string; it came from \"name\""],
        ),
        (
            r#"{"old_id":"1","id":"2","name":"t","title":"u","content":"c","old":1,"note":2}"#,
            vec![
                "transform.collision id: found the field \"id\" beside \"old_id\", which becomes it, expected only one of them; it came from \"old_id\"",
                "transform.collision title: found the field \"title\" beside \"name\", which becomes it, expected only one of them; it came from \"name\"",
                "transform.collision note: found the field \"note\" beside \"old\", which becomes it, expected only one of them; it came from \"old\"",
            ],
        ),
        (
            r#"{"old_id":"\u0000","name":["x"],"content":"c","junk":"\u0000"}"#,
            vec![
                "text.nul id: found a NUL character, which no database stores in a text; it came from \"old_id\"",
                "type.string title: found an array, expected a string; it came from \"name\"",
            ],
        ),
        (
            r#"{"old_id":"1","old_id":"2","name":"t","content":"c"}"#,
            vec![
                "member.duplicate id: found the member \"old_id\" twice in one object; it came from \"old_id\"",
            ],
        ),
        (
            r#"{"old_id":"#,
            vec!["json.invalid: found no valid JSON at byte 9 of the record: EOF while parsing a value"],
        ),
    ];
    for (record, expected) in cases {
        assert_eq!(mapped(RENAMES, Format::Ndjson, record).concat(), expected, "{record}");
    }
}

#[test]
fn paths_lead_into_objects() {
    let document = r#"{"fieldMappings":{"meta.importance":"metadata.importance","meta":"rest","['a.b']":"type","x.y.z":null,"u.v":"title"}}"#;
    let good = r#""id":"1","content":"c","u":{"v":"t"}"#;
    for (members, expected) in [
        (
            r#""meta":{"importance":"high","k":1}"#,
            r#"'1' 't' 'c' - - - - - {"importance":"high"} {"rest":{"k":1}}"#,
        ),
        (
            r#""meta":{"importance":"high"},"metadata":{"s":1}"#,
            r#"'1' 't' 'c' - - - - - {"s":1,"importance":"high"} -"#,
        ),
        (r#""meta":{}"#, r#"'1' 't' 'c' - - - - - - {"rest":{}}"#),
        (
            r#""meta.importance":"low","meta":{"importance":"high"}"#,
            r#"'1' 't' 'c' - - - - - {"importance":"low"} {"rest":{"importance":"high"}}"#,
        ),
        (r#""a.b":"general","a":{"b":1}"#, r#"'1' 't' 'c' 'general' - - - - - {"a":{"b":1}}"#),
        (r#""x":{"y":{"z":1,"w":2}}"#, r#"'1' 't' 'c' - - - - - - {"x":{"y":{"w":2}}}"#),
        (r#""x":{"y":{"z":1}}"#, r#"'1' 't' 'c' - - - - - - -"#),
        (
            r#""meta":"high""#,
            "transform.path metadata.importance: found \"high\" in \"meta\", expected an object with the member \"importance\"; it came from \"meta.importance\"",
        ),
        (
            r#""meta":{"importance":"high"},"metadata":{"importance":"low"}"#,
            "transform.collision metadata.importance: found the field \"metadata.importance\" beside \"meta.importance\", which becomes it, expected only one of them; it came from \"meta.importance\"",
        ),
        (
            r#""meta":{"importance":"high"},"metadata":[1]"#,
            "transform.path metadata.importance: found an array in \"metadata\", expected an object with the member \"importance\"; it came from \"meta.importance\"",
        ),
    ] {
        assert_eq!(only(document, Format::Json, &format!("{{{good},{members}}}")), [expected], "{members}");
    }
    // A cell of a table holds JSON where the mapping leads into it.
    let table = "id,content,u,meta\n1,c,\"{\"\"v\"\":\"\"t\"\"}\",\"{\"\"importance\"\":\"\"high\"\"}\"\n";
    assert_eq!(only(document, Format::Csv, table), [r#"'1' 't' 'c' - - - - - {"importance":"high"} -"#]);
    // And columns may have been named by paths.
    let table = "id,content,u.v,meta.importance\n1,c,t,high\n";
    assert_eq!(only(document, Format::Csv, table), [r#"'1' 't' 'c' - - - - - {"importance":"high"} -"#]);
}

#[test]
fn the_rest_goes_where_it_is_sent() {
    let record = r#"{"k":"1","t":"t","content":"c","z":[1],"note":null}"#;
    for (rest, expected) in [
        (r#""*""#, vec![r#"'1' 't' 'c' - - - - - - {"z":[1],"note":null}"#]),
        (r#""metadata.*""#, vec!["required.missing content: found nothing, expected a string"]),
        ("null", vec!["required.missing content: found nothing, expected a string"]),
    ] {
        let document = format!(r#"{{"fieldMappings":{{"k":"id","t":"title","*":{rest}}}}}"#);
        assert_eq!(only(&document, Format::Json, record), expected, "{rest}");
    }
    for (rest, expected) in [
        (r#""metadata.old.*""#, r#"'1' 't' 'c' - - - - - {"m":"n","old":{"z":[1],"note":null}} -"#),
        (r#""metadata.*""#, r#"'1' 't' 'c' - - - - - {"m":"n","z":[1],"note":null} -"#),
        (r#""o.*""#, r#"'1' 't' 'c' - - - - - {"m":"n"} {"o":{"z":[1],"note":null}}"#),
        ("null", r#"'1' 't' 'c' - - - - - {"m":"n"} -"#),
    ] {
        let document = format!(
            r#"{{"fieldMappings":{{"k":"id","t":"title","content":"content","m":"metadata.m","*":{rest}}}}}"#
        );
        let record = record.replacen('{', r#"{"m":"n","#, 1);
        assert_eq!(only(&document, Format::Json, &record), [expected], "{rest}");
    }
}

#[test]
fn fields_change_places() {
    let document = r#"{"fieldMappings":{"title":"content","content":"title"}}"#;
    assert_eq!(only(document, Format::Csv, "id,title,content\n1,a,b\n"), ["'1' 'b' 'a' - - - - - - -"]);
    let document = r#"{"fieldMappings":{"title":"content","content":"title"},"transformations":[{"field":"title","transformation":"uppercase"}]}"#;
    assert_eq!(only(document, Format::Csv, "id,title,content\n1,a,b\n"), ["'1' 'B' 'a' - - - - - - -"]);
    let paths =
        r#"{"fieldMappings":{"metadata.kind":"type","type":"sessionId","sessionId":"metadata.kind"}}"#;
    for (members, expected) in [
        (
            r#""metadata":{"kind":"k"},"type":"t","sessionId":"s""#,
            r#"'1' 't' 'c' 'k' - 't' - - {"kind":"s"} -"#,
        ),
        (r#""metadata":{"kind":"k","x":1},"type":"t""#, r#"'1' 't' 'c' 'k' - 't' - - {"x":1} -"#),
    ] {
        let record = format!(r#"{{"id":"1","title":"t","content":"c",{members}}}"#);
        assert_eq!(only(paths, Format::Json, &record), [expected], "{members}");
    }
}

/// Nobody reads what a field was before it could not be read.
#[test]
fn one_fault_makes_no_others() {
    let when = r#"{"transformations":[{"field":"note.when","transformation":"date","formats":["%Y-%m-%d"]},
        {"field":"createdAt","transformation":"coalesce","fields":["note.when"]}]}"#;
    let parts = r#"{"transformations":[{"field":"note.parts","transformation":"split"},
        {"field":"metadata","transformation":"coalesce","fields":["note.parts"]}]}"#;
    for (document, note, expected) in [
        (when, r#"{"when":"junk"}"#, "transform.date note.when: found \"junk\", expected a date as %Y-%m-%d"),
        (parts, r#"{"parts":["a,b",1]}"#, "transform.split note.parts: found the number 1, expected a text"),
    ] {
        let record = format!(r#"{{"id":"1","title":"t","content":"c","note":{note}}}"#);
        assert_eq!(only(document, Format::Json, &record), [expected], "{note}");
    }
    let document = r#"{"fieldMappings":{"metadata.b":"sessionId"}}"#;
    let faults = only(document, Format::Csv, "id,title,content,metadata\n1,t,c,{oops\n");
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("json.") || faults[0].starts_with("transform.json "), "{faults:?}");
}

/// Where they are no part of it because of what is doubled, and where they are only a part of what the record has.
#[test]
fn texts_of_the_record_are_what_their_copies_are() {
    let document = r#"{"fieldMappings":{"t":"title"},"transformations":[{"field":"title","transformation":"trim"},
        {"field":"content","transformation":"lowercase"},{"field":"tags","transformation":"split","separator":"/"},
        {"field":"type","transformation":"coalesce","fields":["sessionId"]}]}"#;
    let input = "id,t,content,tags,sessionId\n1,  é ü ,ÄB,a/é/,s\n2,\"  é \"\"\"\" ü \",\"Ä\"\"B\",\"a/\"\"é/\",\"s\"\n3,x,ab,a,\n";
    let expected = [
        r#"'1' 'é ü' 'äb' 's' ["a","é",""] 's' - - - -"#,
        r#"'2' 'é "" ü' 'ä"b' 's' ["a","\"é",""] 's' - - - -"#,
        r#"'3' 'x' 'ab' - ["a"] - - - - -"#,
    ];
    assert_eq!(mapped(document, Format::Csv, input).concat(), expected);
}

#[test]
fn names_are_passed_on() {
    let document =
        r#"{"fieldMappings":{"title":"type","type":"sessionId","sessionId":"note","note":"title"}}"#;
    for (members, expected) in [
        (
            r#""title":"a","type":"b","sessionId":"c","note":"d""#,
            r#"'1' 'd' 'c' 'a' - 'b' - - - {"note":"c"}"#,
        ),
        (r#""title":"a","type":null,"note":"d""#, r#"'1' 'd' 'c' 'a' - - - - - {"sessionId":null}"#),
        (
            r#""type":null,"sessionId":null,"note":"d""#,
            r#"'1' 'd' 'c' - - - - - - {"note":null,"sessionId":null}"#,
        ),
    ] {
        let record = format!(r#"{{"id":"1","content":"c",{members}}}"#);
        assert_eq!(only(document, Format::Json, &record), [expected], "{members}");
    }
}

#[test]
fn fields_are_computed_from_others() {
    let document = r#"{"fieldMappings":{"first":"given"},"computedFields":[
        {"name":"title","expression":"given + ' ' + family","type":"string"},
        {"name":"createdAt","expression":"new Date()","type":"date"},
        {"name":"metadata.length","expression":"size(title)","type":"integer"},
        {"name":"n","expression":"big","type":"decimal"}]}"#;
    let record = |more: &str| {
        format!(r#"{{"id":"1","content":"c","first":"Ada","big":0.12345678901234567890123{more}}}"#)
    };
    for (more, expected) in [
        (
            r#","family":"Lovelace""#,
            vec![
                r#"'1' 'Ada Lovelace' 'c' - - - 1704067200000000 - {"length":12} {"n":0.12345678901234567890123,"big":0.12345678901234567890123,"given":"Ada","family":"Lovelace"}"#,
            ],
        ),
        (
            r#","family":3"#,
            vec![
                "expression.failed title: the expression failed: found string and int, for which there is no add",
            ],
        ),
    ] {
        assert_eq!(only(document, Format::Json, &record(more)), expected, "{more}");
    }
    for (kind, source, expected) in [
        ("string", "1", "expression.type x: the expression came to the number 1, expected a text"),
        (
            "integer",
            "1.5",
            "expression.type x: the expression came to the number 1.5, expected a whole number",
        ),
        (
            "integer",
            "'1.5'",
            "expression.type x: the expression came to the number 1.5, expected a whole number",
        ),
        ("number", "'x'", "expression.type x: the expression came to \"x\", expected a number"),
        ("boolean", "1", "expression.type x: the expression came to the number 1, expected true or false"),
        ("date", "'soon'", "expression.type x: the expression came to \"soon\", expected an RFC 3339 date"),
        ("array", "{}", "expression.type x: the expression came to an object, expected an array"),
        ("object", "[]", "expression.type x: the expression came to an array, expected an object"),
        ("number", "'1e2'", r#"'1' 't' 'c' - - - - - - {"x":100}"#),
        ("integer", "4.0 / 2.0", r#"'1' 't' 'c' - - - - - - {"x":2}"#),
        ("string", "null", r#"'1' 't' 'c' - - - - - - {"x":null}"#),
    ] {
        let document =
            format!(r#"{{"computedFields":[{{"name":"x","expression":"{source}","type":"{kind}"}}]}}"#);
        assert_eq!(
            only(&document, Format::Json, r#"{"id":"1","title":"t","content":"c"}"#),
            [expected],
            "{source}"
        );
    }
}

#[test]
fn what_is_the_same_of_every_record_is_put_as_if_it_were_not() {
    let json = r#"{"id":"1","content":"c"}
        {"id":"2","content":"c","title":"own","createdAt":"2020-01-01"}
        {"id":"3","title":"own"}
        {"id":"4","content":"c","title":null,"createdAt":null,"title2":"x"}
        {"id":"5","content":"c","title":[1],"createdAt":"never"}
        {"id":"6","content":7,"title":{"a":1},"metadata":{"title":"m"}}
        {"id":"7","content":"c","title":"a","title":"b"}
        {"id":"8","content":"c"}"#;
    let csv =
        "id,content,title,createdAt,other\n1,c,,,\n2,c,own,2020-01-01,x\n3,,own,never,\"\"\n4,c,\"\",,y\n";
    let rules = [
        "",
        r#""fieldMappings":{"title":"note"},"#,
        r#""fieldMappings":{"other":"title"},"#,
        r#""fieldMappings":{"content":"content","id":"id","*":null},"#,
        r#""fieldMappings":{"content":"content","id":"id","*":"metadata.*"},"#,
        r#""transformations":[{"field":"title","transformation":"trim"}],"#,
        r#""transformations":[{"field":"content","transformation":"coalesce","fields":["title"]}],"#,
    ];
    let texts =
        [("'tea'", "'2024-01-01T00:00:00Z'"), ("''", "''"), ("'\\u0000'", "'soon'"), ("' t '", "now()")];
    for (more, (title, at)) in rules.iter().flat_map(|more| texts.map(|texts| (more, texts))) {
        for last in ["", r#",{"name":"sessionId","expression":"title"}"#] {
            // `none` is a field that no record has.
            let document = |rest: &str| {
                format!(
                    r#"{{{more}"computedFields":[{{"name":"title","expression":"{title}{rest}"}},
                        {{"name":"createdAt","expression":"{at}{rest}"}}{last}]}}"#
                )
            };
            let [fixed, computed] = ["", " + (none == null ? '' : none)"].map(document);
            for (format, input) in [(Format::Json, json), (Format::Csv, csv)] {
                assert_eq!(mapped(&fixed, format, input), mapped(&computed, format, input), "{fixed}");
            }
        }
    }
}

#[test]
fn the_fields_of_mapped_records_are_told() {
    for (document, fields, expected) in [
        (GUIDE, "id legacy_title legacy_body x", "id content x title"),
        (RENAMES, "old_id name junk old", "id title note"),
        (r#"{"fieldMappings":{"m.i":"metadata.i","u.v":"title"}}"#, "id m u.v", "id m metadata title"),
        (
            r#"{"fieldMappings":{"k":"id","*":null},"transformations":[{"field":"title","transformation":"default","value":""}]}"#,
            "k z",
            "id title",
        ),
        (
            r#"{"fieldMappings":{"k":"id","*":"metadata.*"},"computedFields":[{"name":"title","expression":"'t'"}]}"#,
            "k z y",
            "metadata id title",
        ),
    ] {
        let fields: Vec<String> = fields.split(' ').map(Into::into).collect();
        assert_eq!(mapping(document).names(&fields).join(" "), expected, "{document}");
    }
}
