//! What records of XML, Markdown and YAML mean, as tables: values, and what is refused.
#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod support;

use carrack_shared::format::Format;
use carrack_shared::limits;
use support::only;

const GOOD: &str = "<id>1</id><title>t</title><content>c</content>";

fn check_xml(cases: &[(&str, &str)]) {
    for (members, expected) in cases {
        let record = format!("<data><item>{GOOD}{members}</item></data>");
        let found = only(Format::Xml, record.as_bytes()).join("; ");
        assert_eq!(found, *expected, "{members}");
    }
}

#[test]
fn xml_texts() {
    check_xml(&[
        ("", "'1' 't' 'c' - - - - - - -"),
        ("<type> a &amp;&lt;&#233;&#x1F600; </type>", "'1' 't' 'c' ' a &<é😀 ' - - - - - -"),
        ("<type><![CDATA[<b>&amp;]] ]]></type>", "'1' 't' 'c' '<b>&amp;]] ' - - - - - -"),
        ("<type>a<![CDATA[b]]>c<!-- d -->e<?f g?>h</type>", "'1' 't' 'c' 'abceh' - - - - - -"),
        ("<type>two\r\nlines\rmore</type>", "'1' 't' 'c' 'two\nlines\nmore' - - - - - -"),
        // An empty element is the empty text, and no date.
        ("<type/><createdAt/>", "'1' 't' 'c' '' - - - - - -"),
        ("<zip>007</zip><n>1.50</n>", "'1' 't' 'c' - - - - - - {\"n\":\"1.50\",\"zip\":\"007\"}"),
        (
            "<type>&nbsp;</type>",
            "xml.entity: found \"&nbsp;\" at byte 58 of the record, expected a character or one of &amp; &lt; &gt; &quot; &apos;",
        ),
        ("<type>&#0;</type>", "text.nul: found a NUL character, which no database stores in a text"),
        (
            "<createdAt>31/02/2024</createdAt>",
            "date.invalid createdAt: found \"31/02/2024\", expected an RFC 3339 date",
        ),
    ]);
}

#[test]
fn xml_objects_and_arrays() {
    check_xml(&[
        ("<tags>a</tags><tags>b</tags>", "'1' 't' 'c' - [\"a\",\"b\"] - - - - -"),
        ("<tags>a</tags>", "'1' 't' 'c' - [\"a\"] - - - - -"),
        ("<tags/>", "'1' 't' 'c' - [] - - - - -"),
        ("<tags><tag>a</tag><tag/></tags>", "'1' 't' 'c' - [\"a\",\"\"] - - - - -"),
        // Elements of two names are no list: they are one element, which is an object.
        ("<tags><a>1</a><b>2</b></tags>", "'1' 't' 'c' - [{\"a\":\"1\",\"b\":\"2\"}] - - - - -"),
        (
            "<metadata><source>api</source><n><x>1</x><x>2</x></n></metadata>",
            "'1' 't' 'c' - - - - - {\"n\":{\"x\":[\"1\",\"2\"]},\"source\":\"api\"} -",
        ),
        ("<metadata/>", "'1' 't' 'c' - - - - - - -"),
        ("<metadata>x</metadata>", "type.object metadata: found the text \"x\", expected an object"),
        // Elements of one name belong together, wherever they stand.
        ("<a>1</a><b>2</b><a>3</a>", "'1' 't' 'c' - - - - - - {\"a\":[\"1\",\"3\"],\"b\":\"2\"}"),
        ("<id>2</id>", "type.string id: found an array, expected a string"),
    ]);
}

#[test]
fn xml_attributes_mixed_text_and_prefixes() {
    check_xml(&[
        (
            "<color hex='#f&amp;0' a=\"1\">red</color>",
            "'1' 't' 'c' - - - - - - {\"color\":{\"@a\":\"1\",\"@hex\":\"#f&0\",\"#text\":\"red\"}}",
        ),
        (
            "<p>one <b>two</b> three</p>",
            "'1' 't' 'c' - - - - - - {\"p\":{\"b\":\"two\",\"#text\":\"one  three\"}}",
        ),
        ("loose", "'1' 't' 'c' - - - - - - {\"#text\":\"loose\"}"),
        ("<x:y xmlns:x='urn:x' xmlns='urn:z'>1</x:y>", "'1' 't' 'c' - - - - - - {\"x:y\":\"1\"}"),
        (
            "<a b='1' b='2'/>",
            "xml.invalid: found no valid XML at byte 52 of the record: position 8: duplicated attribute, previous declaration at position 2",
        ),
    ]);
    // The prefix of the record itself says nothing.
    let prefixed = "<x:d><x:item n='7'><x:id>1</x:id><x:title>t</x:title><x:content>c</x:content><y:z>1</y:z></x:item></x:d>";
    assert_eq!(
        only(Format::Xml, prefixed.as_bytes()),
        ["'1' 't' 'c' - - - - - - {\"@n\":\"7\",\"y:z\":\"1\"}"]
    );
    let crowded = |count: usize| {
        let attributes: String = (0..count).map(|n| format!(" a{n}=''")).collect();
        format!("<d><item{attributes}>{GOOD}</item></d>")
    };
    assert!(only(Format::Xml, crowded(limits::ATTRIBUTES).as_bytes())[0].starts_with("'1'"));
    assert!(only(Format::Xml, crowded(limits::ATTRIBUTES + 1).as_bytes())[0].starts_with("xml.attributes"));
}

#[test]
fn xml_with_json_inside() {
    check_xml(&[
        ("<n carrack:type='json'>1.50</n>", "'1' 't' 'c' - - - - - - {\"n\":1.5}"),
        ("<type carrack:type='json'>null</type>", "'1' 't' 'c' - - - - - - {\"type\":null}"),
        ("<tags carrack:type='json'>[1]</tags>", "'1' 't' 'c' - [1] - - - - -"),
        ("<tags carrack:type='json'>\"a\"</tags>", "'1' 't' 'c' - [\"a\"] - - - - -"),
        ("<type carrack:type='json'>\"\\u0001\"</type>", "'1' 't' 'c' '\u{1}' - - - - - -"),
        ("<extra carrack:type='json'>{\"a b\":1}</extra>", "'1' 't' 'c' - - - - - - {\"a b\":1}"),
        (
            "<n carrack:type='json'>{</n>",
            "json.invalid n: found no valid JSON at byte 0 of the element: EOF while parsing an object",
        ),
        (
            "<n carrack:type='int'>1</n>",
            "xml.type: found carrack:type=\"int\", expected carrack:type=\"json\"",
        ),
    ]);
}

#[test]
fn markdown_records() {
    let good = "**id:** 1\n**title:** t\n**content:** c\n";
    let cases: &[(&str, &str)] = &[
        ("", "'1' 't' 'c' - - - - - - -"),
        ("**type:** a **b** `c`\n", "'1' 't' 'c' 'a **b** `c`' - - - - - -"),
        ("**type:**\n**createdAt:**\n", "'1' 't' 'c' '' - - - - - -"),
        // A value goes on to the next field, without the blanks around it.
        ("**type:** two\n\n  lines\n\n", "'1' 't' 'c' 'two\n\n  lines' - - - - - -"),
        ("**type:**\n```\n## Item 2\n**x:** y\n\n```\n", "'1' 't' 'c' '## Item 2\n**x:** y\n' - - - - - -"),
        ("**type:**\n````text\n```\n````\n", "'1' 't' 'c' '```' - - - - - -"),
        ("**type:**\n~~~\na\n~~~\n", "'1' 't' 'c' 'a' - - - - - -"),
        ("**tags:** a, b c ,d\n", "'1' 't' 'c' - [\"a\",\"b c\",\"d\"] - - - - -"),
        ("**tags:**\n", "'1' 't' 'c' - [] - - - - -"),
        ("**tags:** `[1,\"a,b\"]`\n", "'1' 't' 'c' - [1,\"a,b\"] - - - - -"),
        ("**metadata:** `{\"a\":1.50}`\n", "'1' 't' 'c' - - - - - {\"a\":1.5} -"),
        ("**type:** `null`\n**n:** `-0`\n", "'1' 't' 'c' - - - - - - {\"n\":0,\"type\":null}"),
        ("**n:** 007\n", "'1' 't' 'c' - - - - - - {\"n\":\"007\"}"),
        (
            "**createdAt:** 31/02/2024\n",
            "date.invalid createdAt: found \"31/02/2024\", expected an RFC 3339 date",
        ),
        ("**id:** 2\n", "member.duplicate id: found the member \"id\" twice in one object"),
    ];
    let found: Vec<String> = cases
        .iter()
        .map(|(fields, _)| {
            only(Format::Markdown, format!("# Title\n\n## Item 1\n{good}{fields}").as_bytes()).join("; ")
        })
        .collect();
    let wrong: Vec<_> = found.iter().zip(cases).filter(|(found, (_, expected))| found != expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn yaml_records() {
    let with = |lines: &str| format!("- id: 1\n  title: t\n  content: c\n{lines}");
    let cases: &[(&str, &[&str])] = &[
        (
            &with("  type: 007\n  zip: 01234\n  n: 1.50\n"),
            &["'1' 't' 'c' '007' - - - - - {\"n\":1.5,\"zip\":\"01234\"}"],
        ),
        (&with("  type: |+\n    a \n\n\n"), &["'1' 't' 'c' 'a \n\n\n' - - - - - -"]),
        (&with("  type: |-\n    a\n\n"), &["'1' 't' 'c' 'a' - - - - - -"]),
        (&with("  type: &t 007\n  b: *t\n  c: &k x\n  *k : y\n"), &["yaml.key"]),
        (&with("  type: &t Hello\n  b: *t\n"), &["'1' 't' 'c' 'Hello' - - - - - {\"b\":\"Hello\"}"]),
        (
            &with("  a: &l [1, &m {b: c}]\n  d: [*l, *m]\n"),
            &["'1' 't' 'c' - - - - - - {\"a\":[1,{\"b\":\"c\"}],\"d\":[[1,{\"b\":\"c\"}],{\"b\":\"c\"}]}"],
        ),
        (&with("  &k kind: x\n  b: *k\n"), &["'1' 't' 'c' - - - - - - {\"b\":\"kind\",\"kind\":\"x\"}"]),
        (&with("  tags: &x [1, *x]\n"), &["yaml.alias"]),
        (&with("  a: *nowhere\n"), &["yaml.alias"]),
        (&with("  a: !own 1\n"), &["yaml.tag"]),
        (&with("  a: .inf\n"), &["yaml.number"]),
        (&with("  a: .nan\n"), &["yaml.number"]),
        (&with("  a: \"b\\0\"\n"), &["text.nul"]),
        ("- 1\n", &["record.not_object"]),
    ];
    for (input, expected) in cases {
        let found = only(Format::Yaml, input.as_bytes());
        match expected {
            [code] if !code.starts_with('\'') => assert!(found[0].starts_with(code), "{input}: {found:?}"),
            _ => assert_eq!(found, *expected, "{input}"),
        }
    }
    let laughs: String = (1..12)
        .map(|n| format!("  a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(",")))
        .collect();
    let found = only(Format::Yaml, with(&format!("  a0: &a0 lol\n{laughs}")).as_bytes());
    assert!(
        found[0].starts_with("yaml.aliases: found aliases that stand for more than 16777216 bytes"),
        "{found:?}"
    );
}
