//! What rules mean: modifiers, wildcards, nulls, types, and the seven traps.

use trailhound::record::context::Context;

use super::{hits, load};
use crate::sigma::CatalogLoader;

/// Whether a rule whose only selection is this YAML matches a document.
fn selects(selection: &str, json: &str) -> bool {
    selects_with(selection, json, &Context::default())
}

fn selects_with(selection: &str, json: &str, context: &Context) -> bool {
    let text =
        format!("title: t\nlevel: low\ndetection:\n  selection: {selection}\n  condition: selection\n");
    let loaded = CatalogLoader::new().file("rule.yml", &text).load(context);
    let (catalog, _) = loaded.unwrap_or_else(|e| panic!("{selection}: {}", e[0]));
    assert_eq!(catalog.set_aside, [], "{selection}");
    !hits(&catalog, context, json).is_empty()
}

/// Asserts which of these documents a selection takes.
fn check(selection: &str, yes: &[&str], no: &[&str]) {
    for json in yes {
        assert!(selects(selection, json), "{selection} must match {json}");
    }
    for json in no {
        assert!(!selects(selection, json), "{selection} must not match {json}");
    }
}

#[test]
fn trap_1_a_whole_object_is_searched_as_json_text_and_inside_escaped_policies() {
    let object = r#"{"requestParameters":{"policy":{"Effect":"Allow","Principal":"*"}}}"#;
    let escaped = r#"{"requestParameters":{"policyDocument":"{\"Effect\":\"Allow\",\"Principal\":\"*\"}"}}"#;
    let array = r#"{"requestParameters":{"list":["a",{"Effect":"Allow"}]}}"#;
    check(
        r#"{requestParameters|contains: '"Effect":"Allow"'}"#,
        &[object, escaped, array],
        &[r#"{"requestParameters":{}}"#],
    );
    check(r#"{requestParameters|contains: 'principal'}"#, &[object, escaped], &[array]);
    check(
        r#"{requestParameters|contains|all: ['"Effect"', '"Allow"', policy]}"#,
        &[object, escaped],
        &[array],
    );
    check(r#"{requestParameters|startswith: '{"policy'}"#, &[object, escaped], &[array]);
    check(r#"{requestParameters: '*allow*'}"#, &[object, escaped, array], &[]);
    check(r#"{requestParameters|re: 'Effect.{1,5}Allow'}"#, &[object, escaped, array], &[]);
    check(r#"{requestParameters|contains|cased: effect}"#, &[], &[object, escaped, array]);
    check("{requestParameters: '{}'}", &[], &[object, r#"{"requestParameters":{}}"#]);
}

#[test]
fn trap_2_false_and_its_text_are_the_same() {
    let (json, text) = (r#"{"readOnly":false}"#, r#"{"readOnly":"false"}"#);
    for value in ["false", "'false'", "'False'", "False"] {
        check(
            &format!("{{readOnly: {value}}}"),
            &[json, text],
            &[r#"{"readOnly":true}"#, "{}", r#"{"readOnly":null}"#],
        );
    }
}

#[test]
fn trap_3_null_is_absent_or_null() {
    let (absent, null, empty, there) =
        (r#"{"a":1}"#, r#"{"errorCode":null}"#, r#"{"errorCode":""}"#, r#"{"errorCode":"AccessDenied"}"#);
    check("{errorCode: null}", &[absent, null], &[empty, there]);
    check("{errorCode: ''}", &[empty], &[absent, null, there]);
    check("{errorCode: [null, '']}", &[absent, null, empty], &[there]);
    check("{errorCode|exists: true}", &[null, empty, there], &[absent]);
    check("{errorCode|exists: false}", &[absent], &[null, empty, there]);
    check("{errorCode|neq: null}", &[empty, there], &[absent, null]);
}

#[test]
fn trap_4_nested_arrays_fan_out() {
    let json = r#"{"requestParameters":{"ipPermissions":{"items":[{"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8"},{"cidrIp":"0.0.0.0/0"}]}},{"fromPort":22}]}}}"#;
    check("{requestParameters.ipPermissions.items.ipRanges.items.cidrIp: 0.0.0.0/0}", &[json], &[]);
    check("{requestParameters.ipPermissions.items.fromPort|lte: 22}", &[json], &[]);
    check("{requestParameters.ipPermissions.items.ipRanges.items.cidrIp: 1.1.1.1/0}", &[], &[json]);
    check("{a: x}", &[r#"{"a":["y","x"]}"#, r#"{"a":[["x"]]}"#], &[r#"{"a":["xy"]}"#]);
    check("{a|contains|all: [x, y]}", &[r#"{"a":["x","y"]}"#], &[r#"{"a":["x"]}"#]);
}

#[test]
fn trap_5_a_star_means_present() {
    let there = [r#"{"a":"x"}"#, r#"{"a":""}"#, r#"{"a":0}"#, r#"{"a":false}"#, r#"{"a":{}}"#, r#"{"a":[]}"#];
    for selection in ["{a: '*'}", "{a|contains: '*'}", "{a|startswith: '*'}"] {
        check(selection, &there, &["{}", r#"{"a":null}"#]);
    }
    check("{a: '?*'}", &[r#"{"a":"x"}"#, r#"{"a":0}"#], &[r#"{"a":""}"#]);
}

#[test]
fn trap_6_fields_are_compared_with_fields() {
    let (same, other) = (r#"{"a":"Bob","b":"bob"}"#, r#"{"a":"Bob","b":"Eve"}"#);
    let (half, numbers) = (r#"{"a":"Bob"}"#, r#"{"a":42,"b":"42.0"}"#);
    check("{a|fieldref: b}", &[same, numbers], &[other, half, r#"{"a":null,"b":null}"#]);
    check("{a|fieldref|cased: b}", &[], &[same]);
    check("{a|fieldref|neq: b}", &[other], &[same, half, numbers]);
    let arn = r#"{"a":"arn:aws:iam::1:user/bob","b":"Bob"}"#;
    check("{a|fieldref|endswith: b}", &[arn, same], &[other]);
    check("{a|fieldref|contains: b}", &[arn, r#"{"a":{"c":"Bob"},"b":"bob"}"#], &[other]);
    check("{a|fieldref: [b, c]}", &[r#"{"a":"x","b":"y","c":"x"}"#], &[other]);
    check("{a|fieldref: b}", &[r#"{"a":["p","q"],"b":["q"]}"#], &[r#"{"a":["p"],"b":["q"]}"#]);
}

#[test]
fn trap_7_strings_booleans_and_numbers_mix() {
    let forms = [r#"{"a":42}"#, r#"{"a":"42"}"#, r#"{"a":42.0}"#];
    check(
        "{a: 42}",
        &[forms[0], forms[1], forms[2], r#"{"a":"42.0"}"#],
        &[r#"{"a":"042x"}"#, r#"{"a":true}"#],
    );
    check("{a: '42'}", &forms, &[r#"{"a":43}"#]);
    check("{a: 42.0}", &forms, &[]);
    check("{a: 012345678901}", &[r#"{"a":"012345678901"}"#], &[r#"{"a":"12345678901"}"#]);
    check("{a: '123456789012'}", &[r#"{"a":123456789012}"#], &[]);
    check("{a|contains: 34}", &[r#"{"a":12345}"#, r#"{"a":"12345"}"#], &[r#"{"a":35}"#]);
    check("{a|gte: 10}", &[r#"{"a":10}"#, r#"{"a":"10.5"}"#], &[r#"{"a":"9"}"#, r#"{"a":"x"}"#, "{}"]);
    check("{a|lt: '10'}", &[r#"{"a":-1}"#], &[r#"{"a":10}"#]);
}

#[test]
fn differing_needs_a_value_that_is_none_of_those_listed() {
    check(
        "{a|neq: x}",
        &[r#"{"a":"y"}"#, r#"{"a":["x","y"]}"#, r#"{"a":1}"#],
        &[r#"{"a":"X"}"#, r#"{"a":["x"]}"#, "{}", r#"{"a":null}"#],
    );
    check("{a|neq: [x, y]}", &[r#"{"a":["x","z"]}"#], &[r#"{"a":["x","y"]}"#]);
    check("{a|contains|neq: ev}", &[r#"{"a":"good"}"#], &[r#"{"a":"evil"}"#, r#"{"a":{"b":"evil"}}"#]);
    check("{a|neq: 42}", &[r#"{"a":41}"#], &[r#"{"a":"42.0"}"#]);
    check("{a|cidr|neq: 10.0.0.0/8}", &[r#"{"a":"1.1.1.1"}"#], &[r#"{"a":"10.1.1.1"}"#]);
}

#[test]
fn letters_have_no_case_unless_a_rule_says_so() {
    check("{a: ÄRGER}", &[r#"{"a":"ärger"}"#], &[]);
    check("{a|startswith: K}", &["{\"a\":\"\u{212a}elvin\"}", r#"{"a":"kilo"}"#], &[]);
    check("{a|cased: Ab}", &[r#"{"a":"Ab"}"#], &[r#"{"a":"AB"}"#]);
    check("{a|contains|cased: Ab}", &[r#"{"a":"xAbx"}"#], &[r#"{"a":"xabx"}"#]);
    check("{a|re: ^Ab$}", &[r#"{"a":"Ab"}"#], &[r#"{"a":"ab"}"#]);
    check("{a|re|i: ^Ab$}", &[r#"{"a":"aB"}"#], &[r#"{"a":"xab"}"#]);
    check(r"{a|re|m|s: '^b.c$'}", &["{\"a\":\"a\\nb\\nc\\nd\"}"], &[r#"{"a":"abc"}"#]);
}

#[test]
fn encodings_are_found_where_they_stand() {
    check("{a|base64: foobar}", &[r#"{"a":"Zm9vYmFy"}"#], &[r#"{"a":"xZm9vYmFy"}"#]);
    check(
        "{a|base64offset|contains: /bin/bash}",
        &[r#"{"a":"eHgvYmluL2Jhc2g="}"#, r#"{"a":"L2Jpbi9iYXNo"}"#],
        &[r#"{"a":"nothing"}"#],
    );
    check("{a|wide|base64offset|contains: ping}", &[r#"{"a":"cABpAG4AZwA="}"#], &[r#"{"a":"ping"}"#]);
    check("{a|utf16|base64: x}", &[r#"{"a":"//54AA=="}"#], &[]);
    check("{a|utf16be|base64: x}", &[r#"{"a":"AHg="}"#], &[]);
    check(
        "{a|windash|contains: ' -enc '}",
        &[r#"{"a":"ps /enc x"}"#, "{\"a\":\"ps \u{2013}enc x\"}"],
        &[r#"{"a":"ps enc x"}"#],
    );
    check("{a|windash|contains|all: [' -a', ' -b']}", &[r#"{"a":"x /a -b"}"#], &[r#"{"a":"x /a"}"#]);
}

#[test]
fn networks_and_times_are_read_from_text() {
    check(
        "{a|cidr: 10.0.0.0/8}",
        &[r#"{"a":"10.9.8.7"}"#, r#"{"a":"::ffff:10.1.1.1"}"#],
        &[r#"{"a":"11.0.0.1"}"#, r#"{"a":"x"}"#],
    );
    check(
        "{a|cidr: ['2001:db8::/32', 192.0.2.1]}",
        &[r#"{"a":"2001:db8::1"}"#, r#"{"a":"192.0.2.1"}"#],
        &[r#"{"a":"192.0.2.2"}"#],
    );
    let night = r#"{"eventTime":"2026-02-03T04:05:06Z"}"#;
    for selection in ["hour: 4", "minute: 5", "day: 3", "month: 2", "year: 2026", "week: 6", "hour|lt: 6"] {
        check(
            &format!("{{eventTime|{selection}}}"),
            &[night],
            &[r#"{"eventTime":"2025-12-31T23:59:00Z"}"#, "{}"],
        );
    }
}

#[test]
fn keywords_are_sought_in_the_whole_record() {
    let json = r#"{"a":{"b":["C:\\Temp\\evil.exe"]},"n":4711}"#;
    check("[evil, other]", &[json], &[r#"{"a":1}"#]);
    check(r"['temp\evil']", &[json], &[]);
    check("['4711']", &[json], &[]);
    check("{'|all': [evil, '4711']}", &[json], &[r#"{"a":"evil"}"#]);
    check("[evil, {a: 1}]", &[json, r#"{"a":1}"#], &[r#"{"a":2}"#]);
    check("{'|re': 'ev.l\\.'}", &[json], &[]);
}

#[test]
fn lists_of_maps_are_alternatives_and_maps_are_conjunctions() {
    check("[{a: 1, b: 2}, {c: 3}]", &[r#"{"a":1,"b":2}"#, r#"{"c":3}"#], &[r#"{"a":1}"#, r#"{"b":2}"#]);
    let names: Vec<String> = (0..30).map(|i| format!("Name{i}")).collect();
    check(
        &format!("{{a: [{}]}}", names.join(", ")),
        &[r#"{"a":"name17"}"#],
        &[r#"{"a":"name30"}"#, r#"{"a":"nam"}"#],
    );
}

#[test]
fn placeholders_are_any_of_their_list_and_an_empty_list_is_nothing() {
    let mut context = Context::default();
    context.lists.insert("Admins".to_owned(), vec!["root".to_owned(), "adm_*".to_owned()]);
    context.lists.insert("Nobody".to_owned(), Vec::new());
    context.lists.insert("Nets".to_owned(), vec!["10.0.0.0/8".to_owned()]);
    let selects = |selection: &str, json: &str| selects_with(selection, json, &context);
    assert!(
        selects("{a|expand: '%Admins%'}", r#"{"a":"ADM_bob"}"#)
            && !selects("{a|expand: '%Admins%'}", r#"{"a":"bob"}"#)
    );
    assert!(selects("{a|expand|endswith: '/%Admins%'}", r#"{"a":"user/root"}"#));
    assert!(selects("{a|cidr|expand: '%Nets%'}", r#"{"a":"10.1.1.1"}"#));
    assert!(!selects("{a|expand: '%Nobody%'}", r#"{"a":""}"#) && !selects("{a|expand: '%Nobody%'}", "{}"));
    assert!(selects("{a: '%Admins%'}", r#"{"a":"%admins%"}"#));
    assert!(selects(r"{a|expand: '\%x%Admins%'}", r#"{"a":"%xroot"}"#));
}

#[test]
fn outcomes_decide_which_of_our_rules_speak() {
    let rule = |extension: &str| {
        let text = format!(
            "title: t\nlevel: high\ndetection:\n  call: {{eventName: Delete}}\n  extra: {{a: 1}}\n  condition: call and extra\n{extension}"
        );
        load(&text).unwrap().0
    };
    let (fine, failed) =
        (r#"{"eventName":"Delete","a":1}"#, r#"{"eventName":"Delete","a":1,"errorCode":"NoSuchKey"}"#);
    let (denied, bare) = (
        r#"{"eventName":"Delete","a":1,"errorCode":"AccessDenied"}"#,
        r#"{"eventName":"Delete","errorCode":"AccessDenied"}"#,
    );
    for (extension, expected) in [
        ("", [true, true, true, false]),
        ("trailhound: {}", [true, false, false, false]),
        ("trailhound: {outcomes: [succeeded, failed]}", [true, true, false, false]),
        ("trailhound: {outcomes: [failed]}", [false, true, false, false]),
        ("trailhound: {denied: {level: low, condition: call}}", [true, false, true, true]),
        ("trailhound: {denied: {level: low}}", [true, false, true, false]),
    ] {
        let catalog = rule(extension);
        let found =
            [fine, failed, denied, bare].map(|json| !hits(&catalog, &Context::default(), json).is_empty());
        assert_eq!(found, expected, "{extension}");
    }
}

#[test]
fn a_quick_look_never_denies_a_session_of_a_machine() {
    let record = |principal: &str, more: &str| {
        format!(
            r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"{principal}","accountId":"111122223333"{more}}},"eventTime":"2026-01-02T03:04:05Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"eu-west-1","requestParameters":null,"responseElements":null,"eventID":"e-1","eventType":"AwsApiCall","recipientAccountId":"111122223333"}}"#
        )
    };
    let machines = [
        record("AROA1:i-0123456789abcdef0", ""),
        record("AROA1:0123456789abcdef0123456789abcdef", ""),
        record("AROA1:fn", r#","inScopeOf":{"issuerType":"AWS::Lambda::Function"}"#),
        record("AROA1:fn", r#","\u0069nScopeOf":{"issuerType":"AWS::Lambda::Function"}"#),
        record("AROA1:x", r#","sessionContext":{"ec2RoleDelivery":"2.0"}"#),
    ];
    let others = [
        record("AROA1:alice", ""),
        record("AIDA1", r#","sessionContext":{"ec2RoleDelivery":"2.0"}"#),
        record("AROA1:alice", r#","inScopeOf":{"issuerType":"AWS::Other::Thing"}"#),
    ];
    check(
        "{trail.session_host|exists: true}",
        &machines.each_ref().map(String::as_str),
        &others.each_ref().map(String::as_str),
    );
}
