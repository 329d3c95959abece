//! Who stands behind a call: every way in which a credential leads back to someone.

mod late;
mod records;

use trailhound::alert::Alert;
use trailhound::detect::link::CHAIN_MAX;

use records::*;

fn actor(alert: &Alert) -> (&str, &str) {
    (alert.actor.id.as_str(), alert.actor_confidence.as_str())
}

/// The one alert about a probe in these records.
fn probed(records: &[Record]) -> Alert {
    let alerts = replay(records);
    let mut probes = alerts.into_iter().filter(|a| a.detector.name == "probe");
    let first = probes.next().expect("a probe");
    assert!(probes.next().is_none(), "one probe only");
    first
}

#[test]
fn a_role_leads_back_to_the_user_who_assumed_it() {
    let alert = probed(&[
        assume(0, &user("alice"), &role("Admin", "s1", "ASIAADMIN1", 0)),
        probe(60, &role("Admin", "s1", "ASIAADMIN1", 0)),
    ]);
    assert_eq!(actor(&alert), ("AIDAalice", "certain"));
    assert_eq!(alert.chain, ["sts:AssumeRole by user alice at 2026-01-05T00:00:00Z"]);
    assert_eq!((alert.principal.id.as_str(), alert.principal.kind.as_str()), ("AROAAdmin", "role"));
}

#[test]
fn a_console_session_is_known_by_its_birth_although_its_keys_change() {
    let in_console = |at, key: &str| probe(at, &in_session(user("alice"), key, 0));
    for seconds in [-2, 0, 2] {
        let alert = probed(&[
            sign_in(seconds + 10, &user("alice")),
            probe(300, &in_session(user("alice"), "ASIAX", 10)),
        ]);
        assert_eq!(actor(&alert), ("AIDAalice", "certain"));
        assert_eq!(alert.chain.len(), 1, "{seconds}: {:?}", alert.chain);
        assert!(alert.chain[0].starts_with("signin:ConsoleLogin by user alice at "));
    }
    let alerts =
        replay(&[sign_in(0, &user("alice")), in_console(60, "ASIAONE"), in_console(4_000, "ASIATWO")]);
    assert!(alerts.iter().all(|a| a.chain.len() == 1), "both keys belong to the session");
    let far = probed(&[sign_in(0, &user("alice")), probe(300, &in_session(user("alice"), "ASIAX", 30))]);
    assert!(far.chain.is_empty(), "a session born half a minute later is another");
}

#[test]
fn a_failed_sign_in_ties_nothing() {
    let mut failed = sign_in(0, &user("alice"));
    failed["errorMessage"] = "Failed authentication".into();
    failed["responseElements"]["ConsoleLogin"] = "Failure".into();
    let alert = probed(&[failed, probe(60, &in_session(user("alice"), "ASIAX", 0))]);
    assert_eq!((actor(&alert), alert.chain.len()), (("AIDAalice", "certain"), 0));
}

#[test]
fn the_root_user_signs_in_and_a_root_session_given_away_is_its_taker() {
    let alert = probed(&[sign_in(0, &root()), probe(60, &in_session(root(), "ASIAROOT", 0))]);
    assert_eq!(actor(&alert), ("root:111122223333", "likely"));
    assert_eq!(alert.chain, ["signin:ConsoleLogin by root root at 2026-01-05T00:00:00Z"]);
    let taken = record(0, &user("alice"), "sts.amazonaws.com", "AssumeRoot");
    let taken = taken
        .asking(json!({"targetPrincipal": ACCOUNT}))
        .answering(json!({"credentials": {"accessKeyId": "ASIAROOT"}}));
    let alert = probed(&[taken, probe(60, &in_session(root(), "ASIAROOT", 0))]);
    assert_eq!(actor(&alert), ("AIDAalice", "certain"));
    assert_eq!(alert.principal.id, "root:111122223333");
}

#[test]
fn whoever_switches_roles_in_the_console_stays_who_they_are() {
    let guest = role("Admin", "alice", "", 100);
    let records = [
        sign_in(0, &user("alice")),
        switch(100, &guest, "arn:aws:iam::111122223333:user/alice"),
        probe(160, &role("Admin", "alice", "ASIAZ", 100)),
    ];
    let alert = probed(&records);
    assert_eq!(actor(&alert), ("AIDAalice", "likely"));
    assert_eq!(
        alert.chain,
        [
            "signin:ConsoleLogin by user alice at 2026-01-05T00:00:00Z",
            "signin:SwitchRole by user alice at 2026-01-05T00:01:40Z"
        ]
    );
    let mut renewed =
        switch(3_700, &role("Admin", "alice", "", 3_700), "arn:aws:iam::111122223333:user/alice");
    renewed["eventName"] = "RenewRole".into();
    renewed["responseElements"] = json!({"RenewRole": "Success"});
    let alert = probed(&[records[0].clone(), renewed, probe(3_800, &role("Admin", "alice", "ASIAY", 3_700))]);
    assert_eq!(actor(&alert), ("AIDAalice", "likely"));
}

#[test]
fn whoever_switches_from_another_account_is_known_by_the_arn_they_came_with() {
    let from = "arn:aws:iam::999900001111:user/mallory";
    let alert = probed(&[
        switch(100, &role("Admin", "mallory", "", 100), from),
        probe(160, &role("Admin", "mallory", "ASIAZ", 100)),
    ]);
    assert_eq!(actor(&alert), (from, "likely"));
    assert_eq!((alert.actor.kind.as_str(), alert.actor.name.as_deref()), ("user", Some("mallory")));
    assert_eq!(alert.chain, ["signin:SwitchRole by user mallory at 2026-01-05T00:01:40Z"]);
}

#[test]
fn leaving_a_role_does_not_make_the_role_anybodys_origin() {
    let mut leave = switch(200, &user("alice"), "arn:aws:sts::111122223333:assumed-role/Admin/alice");
    leave["eventName"] = "ExitRole".into();
    leave["responseElements"] = json!({"ExitRole": "Success"});
    let alert =
        probed(&[sign_in(0, &user("alice")), leave, probe(260, &in_session(user("alice"), "ASIAX", 0))]);
    assert_eq!(actor(&alert), ("AIDAalice", "certain"));
}

#[test]
fn credentials_that_become_a_console_session_lead_back_through_the_sign_in_token() {
    let cli = role("Admin", "s1", "ASIACLI", 0);
    let browser = role("Admin", "s1", "", 500);
    let token = record(90, &cli, "signin.amazonaws.com", "GetSigninToken")
        .answering(json!({"GetSigninToken": "Success"}));
    let alert = probed(&[
        assume(0, &user("alice"), &cli),
        token,
        sign_in(500, &browser),
        probe(560, &role("Admin", "s1", "ASIAWEB", 500)),
    ]);
    assert_eq!(actor(&alert), ("AIDAalice", "likely"));
    let calls: Vec<&str> = alert.chain.iter().filter_map(|hop| hop.split(' ').next()).collect();
    assert_eq!(calls, ["sts:AssumeRole", "signin:GetSigninToken", "signin:ConsoleLogin"]);
}

#[test]
fn an_identity_center_user_stands_behind_the_sessions_of_reserved_roles() {
    let person = identity_center("u-1");
    let mut sign_in = record(0, &person, "signin.amazonaws.com", "UserAuthentication");
    sign_in["additionalEventData"] =
        json!({"AuthWorkflowID": "w", "UserName": "alice@corp.example", "CredentialType": "PASSWORD"});
    let sso = role("AWSReservedSSO_Admin_0011223344556677", "alice@corp.example", "ASIASSO", 20);
    let saml = json!({"type": "SAMLUser", "principalId": "x:alice@corp.example", "userName": "alice@corp.example", "identityProvider": "x"});
    let mut assumed = assume(20, &saml, &sso);
    assumed["eventName"] = "AssumeRoleWithSAML".into();
    let alert = probed(&[sign_in.clone(), assumed.clone(), probe(60, &sso)]);
    assert_eq!(actor(&alert), ("idc:d-1234567890/u-1", "likely"));
    assert_eq!(alert.actor.name.as_deref(), Some("alice@corp.example"));
    assert_eq!(
        alert.chain,
        [
            "signin:UserAuthentication by identity_center alice@corp.example at 2026-01-05T00:00:00Z",
            "sts:AssumeRoleWithSAML by saml alice@corp.example at 2026-01-05T00:00:20Z"
        ]
    );
    // Without the hand-over the name of the session still leads to whoever signed in under it.
    let alert = probed(&[sign_in, probe(60, &sso)]);
    assert_eq!(actor(&alert), ("idc:d-1234567890/u-1", "likely"));
    // AWS may say so itself, and then nothing is guessed.
    let mut told = sso;
    told["onBehalfOf"] = person["onBehalfOf"].clone();
    let alert = probed(&[assumed, probe(60, &told)]);
    assert_eq!((actor(&alert), alert.chain.len()), (("idc:d-1234567890/u-1", "certain"), 1));
}

#[test]
fn a_pipeline_is_its_subject_and_a_session_called_like_one_is_likely_one() {
    let subject = "repo:corp/site:ref:refs/heads/main";
    let hub = json!({"type": "WebIdentityUser", "principalId": format!("x:{subject}"), "userName": subject,
        "identityProvider": "token.actions.githubusercontent.com"});
    let session = role("Deploy", "GitHubActions", "ASIACI", 0);
    let mut assumed = assume(0, &hub, &session);
    assumed["eventName"] = "AssumeRoleWithWebIdentity".into();
    let alert = probed(&[assumed, probe(60, &session)]);
    assert_eq!(
        actor(&alert),
        ("oidc:token.actions.githubusercontent.com:repo:corp/site:ref:refs/heads/main", "certain")
    );
    assert_eq!(alert.actor.kind, "web_identity");
    let alert = probed(&[probe(60, &session)]);
    assert_eq!(actor(&alert), ("oidc:token.actions.githubusercontent.com", "likely"));
}

#[test]
fn a_machine_is_the_service_that_runs_it_and_the_chain_says_which_machine() {
    let session = role("Web", "i-0123456789abcdef0", "ASIAEC2", 0);
    let ec2 = json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"});
    let alert = probed(&[assume(0, &ec2, &session), probe(60, &session)]);
    assert_eq!(actor(&alert), ("svc:ec2.amazonaws.com", "certain"));
    assert_eq!(
        alert.chain,
        ["sts:AssumeRole by service ec2.amazonaws.com for i-0123456789abcdef0 at 2026-01-05T00:00:00Z"]
    );
    let alert = probed(&[probe(60, &session)]);
    assert_eq!(actor(&alert), ("svc:ec2.amazonaws.com", "likely"));
    assert_eq!(
        alert.chain,
        [
            "session i-0123456789abcdef0, which looks like one of ec2.amazonaws.com; its beginning was not seen"
        ]
    );
}

#[test]
fn a_source_identity_is_who_it_says_where_the_chain_is_not_seen_and_is_carried_along() {
    let with_source = |mut identity: Identity| {
        identity["sessionContext"]["sourceIdentity"] = "alice".into();
        identity
    };
    let first = with_source(role("A", "s1", "ASIAA", 0));
    let second = with_source(role("B", "s2", "ASIAB", 60));
    let alert = probed(&[probe(10, &first)]);
    assert_eq!((actor(&alert), alert.actor.kind.as_str()), (("alice", "likely"), "source_identity"));
    let alert = probed(&[assume(60, &first, &second), probe(90, &second)]);
    assert_eq!((actor(&alert), alert.chain.len()), (("alice", "likely"), 1));
    let alert = probed(&[assume(0, &user("bob"), &first), assume(60, &first, &second), probe(90, &second)]);
    assert_eq!(
        (actor(&alert), alert.chain.len()),
        (("AIDAbob", "certain"), 2),
        "the credential is the better witness"
    );
}

#[test]
fn a_key_made_by_another_user_is_its_users_and_the_chain_says_who_made_it() {
    let made = record(0, &user("mallory"), "iam.amazonaws.com", "CreateAccessKey")
        .asking(json!({"userName": "svc-backup"}))
        .answering(
            json!({"accessKey": {"userName": "svc-backup", "accessKeyId": "AKIABACKUP", "status": "Active"}}),
        );
    let mut service = user("svc-backup");
    service["accessKeyId"] = "AKIABACKUP".into();
    let alert = probed(&[made.clone(), probe(50 * 3_600, &service)]);
    assert_eq!(actor(&alert), ("AIDAsvc-backup", "certain"));
    assert_eq!(alert.chain, ["iam:CreateAccessKey by user mallory for svc-backup at 2026-01-05T00:00:00Z"]);
    let own = made.asking(json!(null)).with("userIdentity", user("svc-backup"));
    assert!(probed(&[own, probe(60, &service)]).chain.is_empty(), "one's own key is no news");
}

#[test]
fn in_the_log_of_a_roles_owner_the_caller_is_known_from_the_callers_own_log() {
    let guest = role("Vendor", "s1", "ASIAV", 0);
    let (theirs, ours) = both_copies(0, &user("alice"), &guest, "shared-1");
    for records in [[theirs.clone(), ours.clone()], [ours.clone(), theirs]] {
        let mut records = records.to_vec();
        // The owner's copy alone is looked at, too; it hands out nothing that it names.
        records
            .iter_mut()
            .filter(|r| r["recipientAccountId"] == OTHER)
            .for_each(|r| r["responseElements"] = json!({"credentials": {}}));
        records.push(probe(60, &guest));
        let alerts = replay(&records);
        let probe = alerts.iter().find(|a| a.detector.name == "probe").unwrap();
        assert_eq!(actor(probe), ("AIDAalice", "certain"));
        let assumed = alerts.iter().find(|a| a.detector.name == "assumed-from-outside").unwrap();
        assert_eq!(actor(assumed), ("AIDAalice", "certain"), "{assumed:?}");
        assert!(assumed.chain.is_empty(), "the call itself is no hop of its own");
    }
    let alone = replay(&[ours]);
    let assumed = alone.iter().find(|a| a.detector.name == "assumed-from-outside").unwrap();
    assert_eq!(actor(assumed), ("AIDAalice", "unknown"), "its principal is all that is known");
}

#[test]
fn a_chain_over_two_accounts_is_found_in_any_order_of_delivery() {
    let (a, b, c) = (role("A", "s1", "ASIAA", 0), role("B", "s2", "ASIAB", 0), role("C", "s3", "ASIAC", 1));
    // All within a second, so that event ids decide the turns.
    let (b_theirs, b_ours) = both_copies(0, &a, &b, "shared-b");
    let (c_theirs, c_ours) = both_copies(1, &b, &c, "shared-c");
    let records = [assume(0, &user("alice"), &a), b_theirs, b_ours, c_theirs, c_ours, probe(2, &c)];
    let mut seen = std::collections::BTreeSet::new();
    permutations(records.len(), &mut |order| {
        let records: Vec<Record> = order.iter().map(|i| records[*i].clone()).collect();
        let alerts = replay(&records);
        let probe = alerts.iter().find(|a| a.detector.name == "probe").unwrap();
        assert_eq!(actor(probe), ("AIDAalice", "certain"), "{order:?}");
        seen.insert(probe.chain.clone());
    });
    assert_eq!(seen.len(), 1, "whatever the order of delivery: {seen:?}");
    let chain = seen.into_iter().next().unwrap();
    let callers: Vec<&str> = chain.iter().map(|hop| hop.split(" by ").nth(1).unwrap()).collect();
    assert_eq!(
        callers,
        [
            "user alice at 2026-01-05T00:00:00Z",
            "role A at 2026-01-05T00:00:00Z",
            "role B at 2026-01-05T00:00:01Z"
        ]
    );
}

#[test]
fn a_chain_without_end_is_cut_and_a_circle_is_left() {
    let step = |i: usize| role("R", &format!("s{i}"), &format!("ASIA{i:04}"), i as i64);
    let mut records = vec![assume(0, &user("alice"), &step(0))];
    records.extend((1..40).map(|i| assume(i as i64, &step(i - 1), &step(i))));
    records.push(probe(100, &step(39)));
    let alert = probed(&records);
    assert_eq!((actor(&alert), alert.chain.len()), (("AIDAalice", "certain"), CHAIN_MAX));
    assert!(
        alert.chain[0].contains("user alice") && alert.chain[7].contains("00:00:39Z"),
        "first and last stay"
    );
    // Backwards, each caller is seen only after what it handed out.
    records.reverse();
    records.rotate_left(1);
    assert!(probed(&records).chain.len() <= CHAIN_MAX);
    let circle: Vec<Record> =
        (0..4).map(|i| assume(0, &step(i), &step((i + 1) % 4))).chain([probe(9, &step(2))]).collect();
    let alert = probed(&circle);
    assert_eq!(alert.actor_confidence, "unknown");
    assert!(alert.chain.len() <= CHAIN_MAX, "{:?}", alert.chain);
}

#[test]
fn names_that_attackers_choose_stay_short_in_sentences() {
    let long = "é".repeat(4_000);
    let session = role("Admin", &long, "ASIALONG", 0);
    let mut caller = user("alice");
    caller["userName"] = long.as_str().into();
    let alert = probed(&[assume(0, &caller, &session), probe(60, &session)]);
    assert!(alert.chain[0].len() < 300, "{}", alert.chain[0].len());
    assert!(alert.actor.name.unwrap().len() <= 1_024);
}

#[test]
fn a_correlation_by_actor_follows_one_person_through_two_roles() {
    let (one, two) = (role("One", "s1", "ASIA1", 0), role("Two", "s2", "ASIA2", 0));
    let steps = |who_takes_two: &Identity| {
        let records = [
            assume(0, &user("alice"), &one),
            assume(0, who_takes_two, &two),
            probe(60, &one),
            probe(90, &two),
        ];
        let alerts = replay(&records);
        alerts.iter().filter(|a| a.detector.name == "twice").map(|a| a.actor.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(steps(&user("alice")), ["AIDAalice"]);
    assert_eq!(steps(&user("bob")), Vec::<String>::new());
}

#[test]
fn the_share_of_sessions_that_lead_back_is_counted_and_detectors_that_need_it_are_named() {
    let known = role("One", "s1", "ASIA1", 0);
    let records =
        [assume(0, &user("alice"), &known), probe(60, &known), probe(90, &role("Two", "s2", "ASIA2", 0))];
    let mut engine = engine(1);
    engine.step(vec![object("a", &records)]);
    engine.finish();
    let lineage = engine.tally().lineage;
    assert_eq!((lineage.sessions, lineage.linked, lineage.issued), (2, 1, 1));
    assert_eq!(catalog().need_lineage(), ["twice"]);
}

/// A file of the corpus.
fn corpus(file: &str) -> Option<Vec<u8>> {
    let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS") else {
        eprintln!("skipped: TRAILHOUND_CORPUS is not set");
        return None;
    };
    Some(std::fs::read(std::path::Path::new(&corpus).join("ndjson").join(file)).unwrap())
}

#[test]
fn sessions_of_published_intrusions_lead_back_as_far_as_their_records_go() {
    for (file, expected) in [
        ("invictus.ndjson", [6, 5, 68, 67]),
        ("stratus.ndjson", [3, 3, 46, 46]),
        ("otrf.ndjson", [1, 1, 11, 11]),
    ] {
        if let Some(found) = corpus(file) {
            assert_eq!(linked(found), expected, "{file}");
        }
    }
}
