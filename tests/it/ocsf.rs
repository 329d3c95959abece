//! Alerts and incidents as OCSF: each of them is what the schema says a Detection Finding is.
//!
//! The schema is read from its own files, which the corpus has: attributes by inheritance and profile, what must be
//! there, types, enumerations, constraints. What is in no file is a fault.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::cli::{stdout, trailhound};

type Attributes = BTreeMap<String, Map<String, Value>>;

/// The schema, read as far as it is needed.
struct Schema {
    dir: PathBuf,
    dictionary: Value,
    /// What `type_id` of an observable can be: it is said all over the files.
    observables: BTreeSet<u64>,
    objects: RefCell<BTreeMap<String, (Attributes, Value)>>,
}

impl Schema {
    /// Nothing, with a word about it, where there is no corpus.
    fn open() -> Option<Schema> {
        let Some(corpus) = std::env::var_os("TRAILHOUND_CORPUS") else {
            eprintln!("skipped: TRAILHOUND_CORPUS is not set");
            return None;
        };
        let dir = Path::new(&corpus).join("ocsf");
        let dictionary = read(&dir.join("dictionary.json"));
        let mut observables = BTreeSet::from([0, 99]);
        gather(&dictionary, &mut observables);
        for file in std::fs::read_dir(dir.join("objects")).unwrap() {
            gather(&read(&file.unwrap().path()), &mut observables);
        }
        Some(Schema { dir, dictionary, observables, objects: RefCell::default() })
    }

    fn version(&self) -> String {
        read(&self.dir.join("version.json"))["version"].as_str().unwrap().to_owned()
    }

    /// The attributes and constraints of a file with all that it inherits. `profiles` are in force.
    fn resolve(&self, path: &str, profiles: &[String]) -> (Attributes, Value) {
        let file = read(&self.dir.join(path));
        let (mut attributes, mut constraints) = match file["extends"].as_str() {
            Some(parent) => {
                let beside = Path::new(path).parent().unwrap();
                let above = [beside.join(format!("{parent}.json")), "events".into(), "objects".into()];
                let found = above.iter().map(|at| match at.extension() {
                    Some(_) => at.clone(),
                    None => at.join(format!("{parent}.json")),
                });
                let found = found.into_iter().find(|at| self.dir.join(at).exists());
                self.resolve(found.expect(parent).to_str().unwrap(), profiles)
            }
            None => (Attributes::new(), Value::Null),
        };
        if !file["constraints"].is_null() {
            constraints = file["constraints"].clone();
        }
        self.add(&mut attributes, &file["attributes"], profiles);
        (attributes, constraints)
    }

    fn add(&self, attributes: &mut Attributes, own: &Value, profiles: &[String]) {
        for (name, said) in own.as_object().unwrap() {
            if name == "$include" {
                let paths = said.as_array().cloned().unwrap_or_else(|| vec![said.clone()]);
                for path in paths {
                    let file = read(&self.dir.join(path.as_str().unwrap()));
                    if profiles.iter().any(|profile| file["name"] == profile.as_str()) {
                        self.add(attributes, &file["attributes"], profiles);
                    }
                }
                continue;
            }
            let said = said.as_object().unwrap();
            if said
                .get("profile")
                .and_then(Value::as_str)
                .is_some_and(|p| !profiles.iter().any(|known| known == p))
            {
                continue;
            }
            let known = attributes.entry(name.clone()).or_insert_with(|| {
                self.dictionary["attributes"][name].as_object().cloned().unwrap_or_default()
            });
            for (key, value) in said {
                match (known.get_mut(key), value) {
                    // A class adds to an enumeration.
                    (Some(Value::Object(before)), Value::Object(more)) if key == "enum" => {
                        before.extend(more.clone());
                    }
                    _ => drop(known.insert(key.clone(), value.clone())),
                }
            }
        }
    }

    fn object(&self, name: &str, profiles: &[String]) -> (Attributes, Value) {
        if let Some(known) = self.objects.borrow().get(name) {
            return known.clone();
        }
        let found = self.resolve(&format!("objects/{name}.json"), profiles);
        self.objects.borrow_mut().insert(name.to_owned(), found.clone());
        found
    }

    /// What is wrong with a Detection Finding.
    fn faults(&self, finding: &Value) -> Vec<String> {
        let profiles = finding["metadata"]["profiles"].as_array().cloned().unwrap_or_default();
        let profiles: Vec<String> = profiles.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        let class = self.resolve("events/findings/detection_finding.json", &profiles);
        let mut faults = Vec::new();
        self.check(finding, &class, "", &profiles, &mut faults);
        // Which numbers these are is not listed, but follows from where the class stands.
        let category = &read(&self.dir.join("categories.json"))["attributes"]["findings"]["uid"];
        let uid = &read(&self.dir.join("events/findings/detection_finding.json"))["uid"];
        let uid = category.as_u64().unwrap() * 1_000 + uid.as_u64().unwrap();
        let of_type = uid * 100 + finding["activity_id"].as_u64().unwrap_or(0);
        for (name, expected) in
            [("category_uid", category.as_u64().unwrap()), ("class_uid", uid), ("type_uid", of_type)]
        {
            if finding[name] != expected {
                faults.push(format!(".{name}: {} is not {expected}", finding[name]));
            }
        }
        faults
    }

    fn check(
        &self,
        value: &Value,
        (attributes, constraints): &(Attributes, Value),
        at: &str,
        profiles: &[String],
        faults: &mut Vec<String>,
    ) {
        let Some(object) = value.as_object() else { return faults.push(format!("{at}: no object")) };
        for (name, said) in attributes {
            if said.get("requirement").is_some_and(|r| r == "required") && !object.contains_key(name) {
                faults.push(format!("{at}.{name} is missing"));
            }
        }
        let has = |names: &Value| {
            let names = names.as_array().unwrap().iter();
            names.filter(|name| object.contains_key(name.as_str().unwrap())).count()
        };
        if constraints["at_least_one"].is_array() && has(&constraints["at_least_one"]) == 0 {
            faults.push(format!("{at} has none of {}", constraints["at_least_one"]));
        }
        if constraints["just_one"].is_array() && has(&constraints["just_one"]) != 1 {
            faults.push(format!("{at} has not just one of {}", constraints["just_one"]));
        }
        for (name, value) in object {
            let at = format!("{at}.{name}");
            let Some(said) = attributes.get(name) else {
                faults.push(format!("{at} is in no schema"));
                continue;
            };
            match (said.get("is_array") == Some(&Value::Bool(true)), value) {
                (true, Value::Array(all)) => {
                    for (n, one) in all.iter().enumerate() {
                        self.check_one(one, name, said, &format!("{at}[{n}]"), profiles, faults);
                    }
                }
                (true, _) => faults.push(format!("{at} is no list")),
                (false, _) => self.check_one(value, name, said, &at, profiles, faults),
            }
        }
    }

    fn check_one(
        &self,
        value: &Value,
        name: &str,
        said: &Map<String, Value>,
        at: &str,
        profiles: &[String],
        faults: &mut Vec<String>,
    ) {
        if at.contains(".observables[") && name == "type_id" {
            if !value.as_u64().is_some_and(|id| self.observables.contains(&id)) {
                faults.push(format!("{at}: {value} is no observable"));
            }
            return;
        }
        let is_counted = ["category_uid", "class_uid", "type_uid"].contains(&name);
        if let Some(known) = said.get("enum").and_then(Value::as_object).filter(|_| !is_counted) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !known.contains_key(&text) {
                faults.push(format!("{at}: {value} is not one of {:?}", known.keys()));
            }
        }
        let kind = said.get("type").and_then(Value::as_str).unwrap_or_else(|| panic!("{at} has no type"));
        let base = self.dictionary["types"]["attributes"][kind]["type"].as_str().unwrap_or(kind);
        let is_right = match base {
            "string_t" => value.is_string(),
            "integer_t" | "long_t" | "timestamp_t" => value.is_i64() || value.is_u64(),
            "float_t" => value.is_number(),
            "boolean_t" => value.is_boolean(),
            "json_t" => true,
            "object" => value.is_object(),
            object => return self.check(value, &self.object(object, profiles), at, profiles, faults),
        };
        if !is_right {
            faults.push(format!("{at}: {value} is no {kind}"));
        }
    }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn gather(value: &Value, found: &mut BTreeSet<u64>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("observable").and_then(Value::as_u64));
            map.values().for_each(|value| gather(value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| gather(value, found)),
        _ => {}
    }
}

/// Findings of a replay, each in all of its revisions.
fn findings(path: &Path) -> Vec<Value> {
    let output = trailhound().args(["replay", "--format", "ocsf", "--revisions"]).arg(path).output().unwrap();
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn example() -> Vec<Value> {
    findings(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/trails"))
}

#[test]
fn every_alert_and_incident_is_a_detection_finding() {
    let Some(schema) = Schema::open() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut command = trailhound();
    command.args([
        "generate",
        "--records",
        "20000",
        "--files",
        "60",
        "--seed",
        "7",
        "--attack",
        "all",
        "--out",
    ]);
    assert!(command.arg(dir.path()).status().unwrap().success());
    let all: Vec<Value> = example().into_iter().chain(findings(dir.path())).collect();
    for finding in &all {
        let faults = schema.faults(finding);
        assert!(faults.is_empty(), "{faults:#?}\n{finding:#}");
        assert!(schema.version().starts_with(finding["metadata"]["version"].as_str().unwrap()));
    }
    let seen = |pointer: &str| {
        all.iter()
            .filter_map(|finding| finding.pointer(pointer))
            .map(Value::to_string)
            .collect::<BTreeSet<_>>()
    };
    assert!(all.len() > 100, "{}", all.len());
    assert_eq!(seen("/finding_info/types/0").len(), 2, "alerts and incidents");
    assert!(
        seen("/activity_id").len() > 1
            && seen("/severity_id").len() > 2
            && seen("/finding_info/analytic/type").len() == 2
    );
}

#[test]
fn what_is_no_detection_finding_is_refused() {
    let Some(schema) = Schema::open() else { return };
    let sound = example()
        .into_iter()
        .find(|finding| finding["evidences"][0]["src_endpoint"]["ip"].is_string())
        .unwrap();
    type Harm = fn(&mut Value);
    let harms: [(&str, Harm); 8] = [
        (".type_uid: 200499 is not", |f| f["type_uid"] = json!(200_499)),
        (".finding_info.uid is missing", |f| drop(f["finding_info"].as_object_mut().unwrap().remove("uid"))),
        (".actor is in no schema", |f| f["actor"] = json!({"user": {"name": "x"}})),
        (".severity_id: 42 is not one of", |f| f["severity_id"] = json!(42)),
        (".time: \"now\" is no timestamp_t", |f| f["time"] = json!("now")),
        (".evidences[0].src_endpoint has none of", |f| f["evidences"][0]["src_endpoint"] = json!({})),
        (".observables is no list", |f| f["observables"] = json!({"name": "x", "type_id": 4})),
        (".cloud.provider is missing", |f| f["cloud"] = json!({"region": "eu-west-1"})),
    ];
    for (expected, harm) in harms {
        let mut finding = sound.clone();
        harm(&mut finding);
        let faults = schema.faults(&finding);
        assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected}: {faults:?}");
    }
}

#[test]
fn the_example_in_the_readme_is_what_is_written() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n### OCSF\n").nth(1).expect("README.md shows OCSF");
    let shown: Value =
        serde_json::from_str(section.split("```json\n").nth(1).unwrap().split("```").next().unwrap())
            .unwrap();
    let all = example();
    let is_it = |finding: &&Value| finding["metadata"]["uid"] == shown["metadata"]["uid"];
    let written = all.iter().find(is_it).expect("it is in the example archive");
    for (name, value) in shown.as_object().unwrap() {
        assert_eq!(value, &written[name], "{name}");
    }
}
